//! Hooks: installed where, all of them, started lately, and with a program that exists.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use serde_json::Value;

use super::{Check, State};
use crate::field::text;
use crate::settings::{self, EVENTS, Place};
use crate::when::ago;

/// Checks every settings file that may hold our hooks, then what came of them.
pub(super) fn checks(home: &Path, recent: Option<&[Value]>) -> Vec<Check> {
    let mut checks = Vec::new();
    for place in settings::every() {
        match installed(&place, home) {
            Some(check) => checks.push(check),
            None => continue,
        }
    }
    if !checks.iter().any(|check| check.state == State::Ok || check.state == State::Warning) {
        checks.push(
            Check::new("hooks", State::Failed, "no settings of this user, this project or this machine start our hook")
                .fix("sealtrail init"),
        );
    }
    checks.push(fired(recent));
    checks.push(transcripts());
    checks
}

fn installed(place: &Place, home: &Path) -> Option<Check> {
    let text = match place.read() {
        Ok(text) if text.is_empty() => return None,
        Ok(text) => text,
        Err(_) => {
            return Some(Check::new("hooks", State::Warning, format!("cannot read the {} settings {}", place.name, place.path.display())));
        }
    };
    let path = place.path.display();
    let Ok(found) = settings::installed(&text) else {
        return Some(Check::new("hooks", State::Warning, format!("cannot understand the {} settings {path}", place.name)));
    };
    if found.is_empty() {
        return None;
    }
    let missing: Vec<&str> = EVENTS.iter().filter(|event| !found.iter().any(|(name, _)| name == *event)).copied().collect();
    let programs: Vec<String> = found.iter().map(|(_, handler)| self::text_of(handler, "command")).collect();
    if let Some(gone) = programs.iter().find(|program| !Path::new(program).is_file()) {
        return Some(
            Check::new("hooks", State::Failed, format!("{} settings start {gone}, which does not exist", place.name))
                .more("the client goes on without it, and nothing is recorded")
                .fix("sealtrail init"),
        );
    }
    let other = found.iter().filter_map(|(_, handler)| home_of(handler)).find(|named| Path::new(named) != home);
    let check = match (missing.is_empty(), other) {
        (_, Some(other)) => Check::new("hooks", State::Warning, format!("{} settings deliver to another trail: {other}", place.name))
            .more(format!("in {path}")),
        (true, None) => {
            Check::new("hooks", State::Ok, format!("{} settings, {} events wired", place.name, found.len())).more(path.to_string())
        }
        (false, None) => Check::new(
            "hooks",
            State::Warning,
            format!("{} settings, {} of {} events wired", place.name, EVENTS.len() - missing.len(), EVENTS.len()),
        )
        .more(format!("missing: {}", missing.join(", ")))
        .fix("sealtrail init"),
    };
    Some(check)
}

fn text_of(handler: &Value, name: &str) -> String {
    text(handler, name)
}

fn home_of(handler: &Value) -> Option<String> {
    let args = handler.get("args")?.as_array()?;
    let at = args.iter().position(|arg| arg.as_str() == Some("--home"))?;
    Some(args.get(at + 1)?.as_str()?.to_owned())
}

/// Says which hooks were seen, and when the last one was.
fn fired(recent: Option<&[Value]>) -> Check {
    let Some(recent) = recent else { return Check::new("calls", State::Skipped, "no trail to look at") };
    let mut last: BTreeMap<String, Timestamp> = BTreeMap::new();
    for event in recent {
        let (name, at) = (text(event, "hook_event_name"), text(event, "timestamp"));
        if let (false, Ok(at)) = (name.is_empty(), at.parse::<Timestamp>()) {
            let newest = last.entry(name).or_insert(at);
            *newest = (*newest).max(at);
        }
    }
    let Some(newest) = last.values().max() else {
        return Check::new("calls", State::Warning, "no hook has fired yet")
            .more("start a session of Claude Code; sessions that run since before `init` do not have the hooks");
    };
    let since = Timestamp::now().as_second() - newest.as_second();
    let never: Vec<&str> = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"]
        .into_iter()
        .filter(|name| !last.contains_key(*name))
        .collect();
    let check = Check::new(
        "calls",
        if never.is_empty() { State::Ok } else { State::Warning },
        format!("{} kinds of hooks fired, the last {}", last.len(), ago(since)),
    );
    if never.is_empty() { check } else { check.more(format!("not seen among the newest events: {}", never.join(", "))) }
}

/// Says how long the client keeps its own transcripts, the second witness of what happened.
fn transcripts() -> Check {
    let (days, place) = settings::cleanup_period_days();
    let source = place.map_or("the client's default".to_owned(), |path| path.display().to_string());
    let state = if days < 7 { State::Warning } else { State::Ok };
    Check::new("transcripts", state, format!("the client deletes its transcripts after {days} days ({source})"))
        .more("what is sealed here stays; what only a transcript holds is gone then")
}
