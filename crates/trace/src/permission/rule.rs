//! One rule of a settings file, held against one action.

use serde_json::Value;

use super::path::{self, Covers, Roots};
use super::{Action, List};

/// What a rule says of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// What would have to be known.
    Unsure(&'static str),
}

/// A rule, taken apart: `Tool` or `Tool(specifier)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rule<'a> {
    pub(crate) tool: &'a str,
    pub(crate) specifier: Option<String>,
}

/// Tools that change files; `Edit(…)` is the rule for all of them.
const EDITORS: &[&str] = &["Edit", "Write", "MultiEdit", "NotebookEdit"];
/// Tools that read files; `Read(…)` is the rule for all of them.
const READERS: &[&str] = &["Read", "Grep", "Glob", "LS", "NotebookRead"];

/// What of an input is the thing itself, which a rule by parameter may not name.
const CONTENT: &[&str] = &["command", "file_path", "path", "notebook_path", "url"];

/// Tells whether a tool changes files.
pub(crate) fn is_editor(tool: &str) -> bool {
    EDITORS.contains(&tool)
}

/// Tells whether a tool reads files.
pub(crate) fn is_reader(tool: &str) -> bool {
    READERS.contains(&tool)
}

/// Takes a rule apart.
pub(crate) fn parse(text: &str) -> Rule<'_> {
    let text = text.trim();
    let Some((tool, rest)) = text.split_once('(') else { return Rule { tool: text, specifier: None } };
    let inner = rest.strip_suffix(')').unwrap_or(rest).replace("\\(", "(").replace("\\)", ")");
    let specifier = (!matches!(inner.as_str(), "" | "*")).then_some(inner);
    Rule { tool, specifier }
}

/// Holds a rule against an action; for a Bash rule with a pattern see [`super::bash`].
pub(crate) fn matches(rule: &Rule<'_>, list: List, action: &Action<'_>, roots: Roots<'_>) -> Match {
    let Some(specifier) = &rule.specifier else { return by_tool(rule.tool, list, action.tool) };
    if list != List::Allow
        && same_tool(rule.tool, action.tool)
        && let Some(found) = by_parameter(specifier, action)
    {
        return found;
    }
    match rule.tool {
        "Edit" | "Read" => by_path(rule.tool, specifier, list, action, roots),
        "WebFetch" if action.tool == "WebFetch" => specifier.strip_prefix("domain:").map_or(Match::No, |domain| by_domain(domain, action)),
        "Agent" | "Task" if matches!(action.tool, "Agent" | "Task") => yes(text(action, "subagent_type") == Some(specifier)),
        "Skill" if action.tool == "Skill" => yes(by_skill(specifier, action)),
        _ => Match::No,
    }
}

fn yes(found: bool) -> Match {
    if found { Match::Yes } else { Match::No }
}

fn text<'a>(action: &Action<'a>, name: &str) -> Option<&'a str> {
    action.input.get(name).and_then(Value::as_str)
}

fn same_tool(rule: &str, tool: &str) -> bool {
    let agent = |name: &str| matches!(name, "Agent" | "Task");
    rule == tool || (agent(rule) && agent(tool))
}

/// A rule that names only a tool. Rules that permit know wild cards only behind the name of a server.
fn by_tool(rule: &str, list: List, tool: &str) -> Match {
    if same_tool(rule, tool) {
        return Match::Yes;
    }
    let server = rule.strip_prefix("mcp__").filter(|rest| !rest.contains("__"));
    if server.is_some_and(|server| !server.contains('*') && tool.strip_prefix(rule).is_some_and(|rest| rest.starts_with("__"))) {
        return Match::Yes;
    }
    if !rule.contains('*') {
        return Match::No;
    }
    let named_server = rule.strip_prefix("mcp__").and_then(|rest| rest.split_once("__")).is_some_and(|(server, _)| !server.contains('*'));
    yes((list != List::Allow || named_server) && path::segment(rule, tool))
}

/// `Tool(parameter:value)`, only in rules that forbid or ask.
fn by_parameter(specifier: &str, action: &Action<'_>) -> Option<Match> {
    let (name, wanted) = specifier.split_once(':')?;
    let found = action.input.get(name)?;
    if CONTENT.contains(&name) || (action.tool == "WebFetch" && name == "domain") {
        return Some(Match::No);
    }
    let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    Some(yes(path::segment(wanted, &found)))
}

/// `Edit(…)` holds for every tool that changes files, and lets read as well; `Read(…)` forbids writing too.
fn by_path(tool: &str, pattern: &str, list: List, action: &Action<'_>, roots: Roots<'_>) -> Match {
    let (edits, reads) = (is_editor(action.tool), is_reader(action.tool));
    let concerned = match (tool, list) {
        ("Edit", List::Allow) => edits || reads,
        ("Edit", _) => edits,
        ("Read", List::Deny) => reads || (edits && action.tool != "NotebookEdit"),
        _ => reads,
    };
    if !concerned {
        return Match::No;
    }
    let Some(path) = action.path(roots.home) else { return Match::Unsure("the path of the file") };
    by_covering(pattern, &path, list, roots)
}

/// Holds the pattern of a path against a plain, absolute path.
pub(crate) fn by_covering(pattern: &str, path: &str, list: List, roots: Roots<'_>) -> Match {
    match path::covers(pattern, path, roots, list != List::Allow) {
        Covers::Yes => Match::Yes,
        Covers::No => Match::No,
        Covers::Unsure(why) => Match::Unsure(why),
    }
}

fn by_domain(pattern: &str, action: &Action<'_>) -> Match {
    let Some(host) = text(action, "url").and_then(host) else { return Match::Unsure("the address") };
    let pattern = pattern.trim_end_matches('.').to_ascii_lowercase();
    if pattern == "*" {
        return Match::Yes;
    }
    if let Some(parent) = pattern.strip_prefix("*.") {
        return yes(host.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.') && rest.len() > 1));
    }
    let (wanted, found): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    yes(wanted.len() == found.len() && wanted.iter().zip(&found).all(|(wanted, found)| path::segment(wanted, found)))
}

/// Returns the host of an address, in small letters.
fn host(url: &str) -> Option<String> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') { host } else { host.split(':').next()? };
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

fn by_skill(specifier: &str, action: &Action<'_>) -> bool {
    let Some(skill) = text(action, "skill").or_else(|| text(action, "command")) else { return false };
    let prefix = specifier.strip_suffix(" *").or_else(|| specifier.strip_suffix(":*"));
    match prefix {
        Some(name) => skill == name || skill.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')),
        None => skill == specifier,
    }
}
