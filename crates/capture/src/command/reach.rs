//! Whether an action reaches beyond this machine, and whether it brings code in that somebody else wrote.

use super::Action;

/// Adds `external` and `supply_chain` to the details where they are true.
pub(super) fn tell(action: &mut Action) {
    if is_external(action) {
        action.detail.insert("external", "true".to_owned());
    }
    if brings_code(action) {
        action.detail.insert("supply_chain", "true".to_owned());
    }
}

fn is_external(action: &Action) -> bool {
    let verb = action.action.as_str();
    let target = action.target.as_deref();
    match action.event_type {
        "data.api_call" => verb != "listen" && !target.is_some_and(is_this_machine),
        "data.db_query" => match action.detail.get("server").map(String::as_str) {
            Some(server) => !is_this_machine(server),
            None => target.is_some_and(|target| target.contains("://") && !is_this_machine(target)),
        },
        "infra.git" => match verb {
            "clone" | "fetch" | "pull" | "push" | "ls-remote" => {
                !target.is_some_and(|target| verb == "clone" && target.starts_with(['/', '.', '~']))
            }
            _ => action.detail.get("program").is_some_and(|program| ["gh", "glab", "hub", "tea"].contains(&program.as_str())),
        },
        "tool.script" => target.is_some_and(|target| target.contains("://")),
        "infra.package" => matches!(verb, "install" | "update" | "upgrade" | "execute" | "publish" | "download" | "audit" | "login"),
        "infra.cloud" if is_container(action) => {
            matches!(verb, "run" | "pull" | "push" | "login" | "build" | "compose.up" | "compose.pull" | "compose.build")
        }
        "infra.cloud" => true,
        _ => false,
    }
}

fn brings_code(action: &Action) -> bool {
    match action.event_type {
        "infra.package" => matches!(action.action.as_str(), "install" | "update" | "upgrade" | "execute"),
        "tool.script" => action.detail.contains_key("code_from"),
        "infra.cloud" => {
            is_container(action)
                && matches!(action.action.as_str(), "run" | "pull" | "build" | "compose.up" | "compose.pull" | "compose.build")
        }
        _ => false,
    }
}

fn is_container(action: &Action) -> bool {
    let tools = ["docker", "podman", "nerdctl", "docker-compose", "podman-compose", "buildah", "skopeo", "crane"];
    action.detail.get("provider").is_some_and(|provider| tools.contains(&provider.as_str()))
}

/// An address or a name that is this machine by its look.
fn is_this_machine(address: &str) -> bool {
    let host = address.split_once("://").map_or(address, |(_, rest)| rest);
    let host = host.split(['/', '?']).next().unwrap_or(host);
    let host = match host.strip_prefix('[') {
        Some(long) => long.split(']').next().unwrap_or(long),
        None => host.split(':').next().unwrap_or(host),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "::1"
        || host == "0.0.0.0"
        || is_loopback(host)
        || address.starts_with('/')
}

fn is_loopback(host: &str) -> bool {
    host.starts_with("127.") && host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
