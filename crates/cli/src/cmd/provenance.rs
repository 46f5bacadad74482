//! `provenance`: which instructions a session had, and the versions of a file of instructions over time.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use sealtrail_index::{Options, Order};
use sealtrail_query::{Filter, Query};
use sealtrail_trace::provenance::{FILE_TYPES, OTHER_TYPES, Version, in_force, versions};
use serde_json::{Value, json};

use crate::access::{self, Access};
use crate::args::{Provenance, ProvenanceCommand};
use crate::cmd::session;
use crate::diff;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::filter;
use crate::rows::Rows;
use crate::run::Call;
use crate::theme;
use crate::trail::{self, Trail};
use crate::visible::visible;

const COLUMNS: &[&str] = &["timestamp", "until", "kind", "source", "what", "status", "changed", "sha256", "reason", "loaded", "audit_id"];

/// 10,000 events of one file: a session a quarter of an hour, for months.
const EVENTS_MAX: u64 = 10_000;

/// 12 digits of a hash tell versions apart; JSON has all of them.
const HASH_CHARS: usize = 12;

pub(crate) fn run(call: &mut Call, args: &Provenance) -> Result<Exit, Failure> {
    match (&args.command, &args.session) {
        (Some(ProvenanceCommand::Diff { path, since }), _) => versions_of(call, path, since.as_deref()),
        (None, Some(id)) => of_session(call, id),
        (None, None) => {
            Err(Failure::usage("say which session: sealtrail provenance --session ID, or which file: sealtrail provenance diff PATH"))
        }
    }
}

fn of_session(call: &mut Call, id: &str) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let id = if id == "last" { session::last(&trail)? } else { id.to_owned() };
    let types: Vec<&str> = FILE_TYPES.iter().chain(OTHER_TYPES).copied().collect();
    let query = filter::any_exactly(&["session_id"], &[&id])?.and(filter::any_exactly(&["event_type"], &types)?);
    let rows_found = in_force(&found(&trail, query.clone())?);
    access::note(call, &mut trail, &Access { command: "provenance", query: &query.to_string(), count: rows_found.len() as u64 });
    if rows_found.is_empty() {
        return Err(Failure::new("provenance.none", Exit::None, format!("no instructions of session {id} are in the trail")).hint(
            "they are recorded from the hooks InstructionsLoaded and SessionStart: sealtrail doctor tells whether those are installed",
        ));
    }
    let mut rows = Rows::new(&call.screen, COLUMNS.iter().map(|name| (*name).to_owned()).collect(), call.zone.clone());
    let short = call.screen.is_table();
    for one in &rows_found {
        let mut line = one.to_json();
        if short {
            line["sha256"] = brief_hash(&one.sha256).into();
            line["until"] = call.zone.show(&one.until).into();
        }
        rows.event(call.screen.out(), &line)?;
    }
    rows.finish(call.screen.out())?;
    let changed = rows_found.iter().filter(|one| one.changed).count();
    call.screen.say(&format!("{} versions, {changed} of them changes", rows_found.len()));
    Ok(Exit::Yes)
}

fn versions_of(call: &mut Call, path: &Path, since: Option<&str>) -> Result<Exit, Failure> {
    let path = std::path::absolute(path).map_err(|error| Failure::file("name", path, &error))?.display().to_string();
    let mut trail = trail::open(call)?;
    let query = filter::any_exactly(&["resource.path"], &[&path])?.and(filter::any_exactly(&["event_type"], FILE_TYPES)?);
    let first = match since {
        Some(since) => first_since(&trail, &query, since)?,
        None => Some(String::new()),
    };
    let mut all = versions(&found(&trail, query.clone())?);
    access::note(call, &mut trail, &Access { command: "provenance diff", query: &query.to_string(), count: all.len() as u64 });
    if all.is_empty() {
        return Err(Failure::new("provenance.none", Exit::None, format!("no version of {path} is in the trail"))
            .hint("paths are absolute, as the client named them: sealtrail provenance --session last"));
    }
    for version in all.iter_mut().filter(|version| version.text.is_none() && !version.sha256.is_empty()) {
        version.text = text_of(&trail, &version.sha256)?;
    }
    // What was in force before is the ground that the first difference stands on.
    let from = first.map_or(all.len(), |first| all.iter().take_while(|version| version.last < first).count()).saturating_sub(1);
    let all = &all[if since.is_some() { from } else { 0 }..];
    if call.screen.wants_json() {
        let told: Vec<Value> = all.iter().enumerate().map(|(n, version)| json_of(n.checked_sub(1).map(|n| &all[n]), version)).collect();
        writeln!(call.screen.out(), "{}", Value::Array(told))?;
        return Ok(Exit::Yes);
    }
    let zone = call.zone.clone();
    for (n, version) in all.iter().enumerate() {
        prose(call.screen.out(), n.checked_sub(1).map(|n| &all[n]), version, &|time| zone.show(time))?;
    }
    Ok(Exit::Yes)
}

/// Returns the time of the first event since then, if there is one.
fn first_since(trail: &Trail, query: &Query, since: &str) -> Result<Option<String>, Failure> {
    let mut filter = Filter::new(Timestamp::now());
    filter.since(since).map_err(|error| filter::wrong_time("--since", &error))?;
    let events = found(trail, query.clone().and(filter.build()))?;
    Ok(events.first().map(|event| text(event, "timestamp")))
}

/// Finds a text by its hash: it stands in the first event that ever told it, maybe of another file.
fn text_of(trail: &Trail, sha256: &str) -> Result<Option<String>, Failure> {
    let query = match sha256.strip_prefix("redacted:") {
        Some(redacted) => filter::any_exactly(&["instructions.redacted_sha256"], &[redacted])?,
        None => filter::any_exactly(&["result.audit_hash"], &[&format!("sha256:{sha256}")])?,
    };
    let events = found(trail, query.and(filter::any_exactly(&["event_type"], FILE_TYPES)?))?;
    Ok(events.iter().find_map(|event| event["instructions"]["text"].as_str().map(str::to_owned)))
}

fn found(trail: &Trail, query: Query) -> Result<Vec<Value>, Failure> {
    let (options, mut nothing) = (Options { order: Order::Oldest, limit: Some(EVENTS_MAX), ..Options::default() }, |_| {});
    let hits = trail::hits(&trail.reader, Some(&trail.index), &query.into(), &options, &mut nothing)?;
    hits.map(|hit| hit.map(|hit| hit.view).map_err(|error| trail::unanswered(&error))).collect()
}

fn brief_hash(hash: &str) -> String {
    hash.chars().take(if hash.starts_with("redacted:") { 9 + HASH_CHARS } else { HASH_CHARS }).collect()
}

/// Returns the difference to the version before; nothing where one of the texts is not there.
fn unified(before: Option<&Version>, version: &Version) -> Option<String> {
    let old = match before {
        // A file that was not there has no lines.
        Some(before) if before.sha256.is_empty() => "",
        Some(before) => before.text.as_deref()?,
        None => return None,
    };
    let new = if version.sha256.is_empty() { "" } else { version.text.as_deref()? };
    let name = |version: &Version| if version.sha256.is_empty() { version.status.clone() } else { brief_hash(&version.sha256) };
    let (old_name, new_name) = (before.map(name).unwrap_or_default(), name(version));
    Some(diff::unified(old, new, &old_name, &new_name))
}

fn json_of(before: Option<&Version>, version: &Version) -> Value {
    json!({
        "timestamp": version.timestamp, "last": version.last, "status": version.status, "sha256": version.sha256, "size_bytes": version.size_bytes,
        "sessions": version.sessions, "audit_id": version.audit_id, "diff": unified(before, version), "text_known": version.text.is_some(),
    })
}

fn prose(out: &mut dyn Write, before: Option<&Version>, version: &Version, time: &dyn Fn(&str) -> String) -> io::Result<()> {
    let size = version.size_bytes.map(|size| format!("  {size} bytes")).unwrap_or_default();
    let hash = brief_hash(&version.sha256);
    writeln!(out, "{}  {}  {hash}{size}", theme::HEAD.paint(&time(&version.timestamp)), visible(&version.status))?;
    writeln!(out, "  sessions {}, the last at {}; {}", version.sessions.len(), time(&version.last), visible(&version.audit_id))?;
    match unified(before, version) {
        Some(diff) => write!(out, "{}", diff::painted(&diff))?,
        None if before.is_some() => writeln!(out, "  the difference cannot be told: a text is not in the trail (erased, or never read)")?,
        None => {}
    }
    writeln!(out)
}
