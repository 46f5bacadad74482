//! What the types cannot say: names that must differ, keys that belong to another type, numbers that contradict each other.

use std::net::SocketAddr;

use sealtrail_query::Selector;
use serde_json::Value;

use crate::destination::DestinationKind;
use crate::problem::Level;
use crate::tree::{Kind, Node};
use crate::walk::Walk;

const PLACEHOLDERS: [&str; 4] = ["YYYY", "MM", "DD", "HH"];

/// Checks what the schema cannot.
pub(crate) fn meaning(walk: &mut Walk<'_>, root: &Node) {
    let Some((_, _, audit)) = root.member("audit") else { return hipaa(walk, root) };
    if let Some((_, _, destinations)) = audit.member("destinations") {
        for (n, destination) in destinations.items().iter().enumerate() {
            let path = format!("audit.destinations[{n}]");
            kind(walk, destination, &path);
            values(walk, destination, &path);
            let name = destination.member("name").and_then(|name| name.2.text());
            let same = |other: &Node| name.is_some() && other.member("name").and_then(|name| name.2.text()) == name;
            if destinations.items()[..n].iter().any(same) {
                walk.error(
                    destination.place,
                    &path,
                    format!("`{path}` has the name `{}` of another destination", name.unwrap_or_default()),
                    None,
                );
            }
        }
    }
    if let Some((_, _, retention)) = audit.member("retention") {
        periods(walk, retention);
    }
    if let Some((_, place, access)) = audit.member("access_control")
        && matches!(access.to_json(), Value::Null | Value::Bool(false))
            | access.to_json().as_object().is_some_and(serde_json::Map::is_empty)
            | access.to_json().as_array().is_some_and(Vec::is_empty)
            | (access.text() == Some(""))
    {
        walk.error(
            *place,
            "audit.access_control",
            "`audit.access_control` must not be empty".into(),
            Some("name who may read, or leave the key out".into()),
        );
    }
    if let Some((_, _, integrity)) = audit.member("integrity") {
        immutable(walk, integrity, "audit.integrity");
    }
    if let Some((_, _, api)) = audit.member("api") {
        listen(walk, api, "audit.api.listen");
    }
    if let Some((_, _, collector)) = audit.member("collector") {
        listen(walk, collector, "audit.collector.listen");
    }
    if let Some((_, _, gateway)) = audit.member("gateway") {
        crate::gateway::meaning(walk, gateway);
    }
    if let Some((_, _, transcripts)) = audit.member("transcripts") {
        crate::transcripts::meaning(walk, transcripts);
    }
    hipaa(walk, root);
}

/// Tells whether a text is a reference to the environment and nothing else.
pub(crate) fn is_reference(text: &str) -> bool {
    let name = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn kind(walk: &mut Walk<'_>, destination: &Node, path: &str) {
    let word = destination.member("type").and_then(|kind| kind.2.text());
    let Some(kind) = DestinationKind::ALL.into_iter().find(|kind| Some(kind.as_str()) == word) else { return };
    for (name, place, _) in destination.members() {
        let owner = DestinationKind::ALL.into_iter().find(|other| other.own_keys().contains(&name.as_str()));
        if let Some(owner) = owner.filter(|owner| *owner != kind) {
            let (own, other) = (kind.as_str(), owner.as_str());
            walk.error(
                *place,
                &format!("{path}.{name}"),
                format!("`{name}` belongs to destinations of type `{other}`, this one is `{own}`"),
                None,
            );
        }
    }
    for name in kind.required_keys() {
        if destination.member(name).is_none() {
            walk.error(destination.place, path, format!("`{path}` is of type `{}` and needs the key `{name}`", kind.as_str()), None);
        }
    }
}

fn values(walk: &mut Walk<'_>, destination: &Node, path: &str) {
    let text = |name: &str| destination.member(name).and_then(|member| member.2.text().map(|text| (member.2.place, text)));
    if let Some((place, endpoint)) = text("endpoint")
        && !endpoint.starts_with("https://")
        && !["http://127.0.0.1", "http://localhost", "http://[::1]", "${"].iter().any(|start| endpoint.starts_with(start))
    {
        let hint = "events leave the machine only encrypted; plain http is for this machine".to_owned();
        walk.error(place, &format!("{path}.endpoint"), format!("`{path}.endpoint` must begin with https://"), Some(hint));
    }
    if let Some((place, pattern)) = text("filename_pattern") {
        filename(walk, place, pattern, &format!("{path}.filename_pattern"));
    }
    for name in ["token", "shared_key"] {
        if let Some((place, secret)) = text(name)
            && !is_reference(secret)
        {
            let message = format!("`{path}.{name}` is written in clear");
            walk.note(
                Level::Notice,
                place,
                &format!("{path}.{name}"),
                message,
                Some("write `${NAME}` and set NAME in the environment of the daemon".into()),
            );
        }
    }
    let excluded = destination.member("exclude_events").map(|member| member.2.items()).unwrap_or_default();
    for (n, item) in excluded.iter().enumerate() {
        let Some(selector) = item.text() else { continue };
        if let Err(why) = Selector::parse(selector) {
            walk.error(item.place, &format!("{path}.exclude_events[{n}]"), format!("cannot read selector `{selector}`: {why}"), None);
        }
    }
}

fn filename(walk: &mut Walk<'_>, place: crate::tree::Place, pattern: &str, path: &str) {
    let unknown = pattern.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or(rest)).find(|name| !PLACEHOLDERS.contains(name));
    if let Some(name) = unknown {
        walk.error(place, path, format!("`{path}` has the placeholder `{{{name}}}`"), Some("known: {YYYY}, {MM}, {DD}, {HH}".into()));
    }
    if pattern.contains('/') {
        walk.error(place, path, format!("`{path}` holds a `/`: it is a name, the folder is in `path`"), None);
    }
}

fn periods(walk: &mut Walk<'_>, retention: &Node) {
    for group in ["by_domain", "by_sensitivity"] {
        let members = retention.member(group).map(|member| member.2.members()).unwrap_or_default();
        for (name, _, periods) in members {
            let path = format!("audit.retention.{group}.{name}");
            let days = |name: &str| {
                periods.member(name).and_then(|member| if let Kind::Scalar(value) = &member.2.value { value.as_u64() } else { None })
            };
            let written = ["hot_storage_days", "archive_storage_days", "delete_after_days"].map(|name| (name, days(name)));
            let order: Vec<(&str, u64)> = written.into_iter().filter_map(|(name, days)| days.map(|days| (name, days))).collect();
            for pair in order.windows(2) {
                if let [(first, less), (second, more)] = pair
                    && less > more
                {
                    walk.error(periods.place, &path, format!("`{path}`: {first} ({less}) is more than {second} ({more})"), None);
                }
            }
        }
    }
}

fn listen(walk: &mut Walk<'_>, api: &Node, path: &str) {
    let Some((_, _, node)) = api.member("listen") else { return };
    let Some(text) = node.text() else { return };
    let Ok(address) = text.parse::<SocketAddr>() else {
        let hint = Some("write an address and a port: 127.0.0.1:8787, or [::1]:8787".to_owned());
        return walk.error(node.place, path, format!("`{path}` is `{text}`, which is no address with a port"), hint);
    };
    let insecure = api.member("insecure_listen").is_some_and(|member| matches!(member.2.value, Kind::Scalar(Value::Bool(true))));
    if !address.ip().to_canonical().is_loopback() && !insecure && api.member("tls").is_none() {
        let hint = Some("listen on 127.0.0.1 behind a proxy that encrypts, or accept the risk with `insecure_listen: true`".to_owned());
        walk.error(
            node.place,
            path,
            format!("`{path}` is `{text}`: other machines could read tokens and answers, which are not encrypted"),
            hint,
        );
    }
}

fn hipaa(walk: &mut Walk<'_>, root: &Node) {
    let hipaa = ["compliance", "frameworks", "hipaa"].iter().try_fold(root, |node, name| node.member(name).map(|member| &member.2));
    if let Some((_, _, integrity)) = hipaa.and_then(|hipaa| hipaa.member("integrity")) {
        immutable(walk, integrity, "compliance.frameworks.hipaa.integrity");
    }
}

fn immutable(walk: &mut Walk<'_>, integrity: &Node, path: &str) {
    if let Some((_, _, node)) = integrity.member("immutable")
        && matches!(node.value, Kind::Scalar(Value::Bool(false)))
    {
        walk.error(node.place, &format!("{path}.immutable"), format!("`{path}.immutable` cannot be false: the ledger only grows"), None);
    }
}
