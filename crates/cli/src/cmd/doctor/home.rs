//! The trail itself: readable, fed, private, configured; and which assurance level it can claim.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use jiff::Timestamp;
use sealtrail_engine::{Home, witnessed};
use sealtrail_tlog::cosignature::WitnessKey;
use serde_json::Value;

use super::{Check, State};
use crate::config;
use crate::failure::Failure;
use crate::field::{at, text};
use crate::trail::{self, Trail};
use crate::when::{ago, bytes, count};

/// 5,000 events: some hours of work of one agent.
const RECENT_EVENTS: usize = 5_000;
/// 15 minutes: an epoch lasts ten at most while a daemon runs.
const HEARTBEAT_S: i64 = 900;
/// 2 hours: twice the longest time between two rounds.
const WITNESS_S: i64 = 7_200;
/// 1,000 deliveries: draining takes less than a second up to here.
const SPOOL_MANY: u64 = 1_000;

/// Returns the newest events.
pub(super) fn recent(trail: &Trail) -> Vec<Value> {
    let newest = trail.reader.iter_back().take(RECENT_EVENTS);
    newest.filter_map(Result::ok).map(|stored| stored.view()).collect()
}

/// Checks the trail; nothing when there is none.
pub(super) fn checks(trail: Option<Result<Trail, Failure>>, path: &Path) -> Vec<Check> {
    let home = Home::new(path);
    let Some(trail) = trail else {
        return vec![Check::new("ledger", State::Failed, format!("there is no trail in {}", path.display())).fix("sealtrail init")];
    };
    vec![ledger(trail), daemon(&home), spool(&home), gaps(&home), keys(&home), settings(path)]
}

fn ledger(trail: Result<Trail, Failure>) -> Check {
    let trail = match trail {
        Ok(trail) => trail,
        Err(failure) => return Check::new("ledger", State::Failed, failure.first_line()).fix("sealtrail verify-integrity"),
    };
    let size = trail.reader.size().0;
    let newest = trail.reader.iter_back().next();
    let age = match newest {
        Some(Ok(stored)) => recorded(&stored.view()).map(|at| Timestamp::now().as_second() - at.as_second()),
        Some(Err(error)) => {
            return Check::new("ledger", State::Failed, trail::unreadable(&error).first_line()).fix("sealtrail verify-integrity");
        }
        None => None,
    };
    let age = age.map_or(String::new(), |age| format!(", newest {}", ago(age)));
    Check::new("ledger", State::Ok, format!("{} events{age}", count(size))).more(trail.reader.log().origin.clone())
}

fn recorded(view: &Value) -> Option<Timestamp> {
    text(view, "recorded_at").parse().ok()
}

fn daemon(home: &Home) -> Check {
    if trail::daemon_answers(home) {
        return Check::new("daemon", State::Ok, "running: events are sealed as they come");
    }
    Check::new("daemon", State::Warning, "not running: events wait in the spool until the next command").fix("sealtrail daemon")
}

fn spool(home: &Home) -> Check {
    let depth = match sealtrail_engine::spool_depth(home) {
        Ok(depth) => depth,
        Err(error) => return Check::new("spool", State::Warning, format!("cannot look into {}: {error}", home.spool().display())),
    };
    if depth.records == 0 {
        return Check::new("spool", State::Ok, "empty");
    }
    let oldest = depth.oldest_unix_ns.and_then(|ns| Timestamp::from_nanosecond(i128::from(ns)).ok());
    let age = oldest.map_or(String::new(), |at| format!(", oldest {}", ago(Timestamp::now().as_second() - at.as_second())));
    let stale = oldest.is_some_and(|at| Timestamp::now().as_second() - at.as_second() > HEARTBEAT_S);
    let state = if depth.records > SPOOL_MANY || stale { State::Warning } else { State::Ok };
    Check::new("spool", state, format!("{} events wait, {}{age}", count(depth.records), bytes(depth.bytes))).fix("sealtrail status")
}

fn gaps(home: &Home) -> Check {
    match sealtrail_engine::gaps(home) {
        Ok(gaps) if gaps.is_empty() => Check::new("gaps", State::Ok, "no loss waits to be sealed"),
        Ok(gaps) => Check::new("gaps", State::Warning, format!("{} kinds of loss are counted and not sealed yet", gaps.len()))
            .fix("sealtrail status"),
        Err(error) => Check::new("gaps", State::Warning, format!("cannot read the counts of lost events: {error}")),
    }
}

/// Keys must be readable by their owner alone, and not be links to somewhere else.
fn keys(home: &Home) -> Check {
    let mut open = Vec::new();
    let folder = home.keys();
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(error) => return Check::new("keys", State::Failed, format!("cannot look into {}: {error}", folder.display())),
    };
    let mut found = 0;
    for entry in entries.flatten() {
        let Ok(meta) = fs::symlink_metadata(entry.path()) else { continue };
        found += 1;
        if !meta.is_file() || meta.permissions().mode() & 0o077 != 0 {
            open.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let wide = fs::metadata(&folder).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0);
    if open.is_empty() && !wide {
        return Check::new("keys", State::Ok, format!("{found} keys, readable by their owner only"));
    }
    let what =
        if wide { "the folder of the keys is open to others".to_owned() } else { format!("readable by others: {}", open.join(", ")) };
    Check::new("keys", State::Failed, what).fix(format!("chmod -R go= {}", folder.display()))
}

fn settings(home: &Path) -> Check {
    match config::load(home) {
        Err(failure) => Check::new("config", State::Failed, failure.first_line()).fix("sealtrail config validate"),
        Ok(loaded) if !loaded.config.audit.enabled => {
            Check::new("config", State::Failed, "capturing is switched off (audit.enabled: false)")
        }
        Ok(loaded) if loaded.notices.is_empty() => Check::new("config", State::Ok, "usable, nothing to remark"),
        Ok(loaded) => {
            let check = Check::new("config", State::Warning, format!("usable, remarks: {}", loaded.notices.len()));
            loaded
                .notices
                .iter()
                .take(3)
                .fold(check, |check, notice| check.more(format!("line {}: {}", notice.line, notice.message)))
                .fix("sealtrail config validate")
        }
    }
}

/// Says what the trail can be trusted for. `dev`: whoever runs the agent could also write the ledger and sign it.
pub(super) fn level(home: &Path, recent: Option<&[Value]>) -> Check {
    let Ok(meta) = fs::metadata(home.join("keys")) else { return Check::new("level", State::Skipped, "no trail to look at") };
    let owner = u64::from(meta.uid());
    let agents: BTreeSet<u64> = recent
        .unwrap_or_default()
        .iter()
        .filter(|event| text(event, "witness") == "hook")
        .filter_map(|event| at(event, "uid")?.as_u64())
        .collect();
    let shared = fs::metadata(home).is_ok_and(|meta| meta.permissions().mode() & 0o011 != 0);
    let local = "the agent can add to the trail, but not read, change or sign it";
    let witness = witness(home);
    let check = match (agents.contains(&owner) || agents.contains(&0), agents.is_empty()) {
        (false, false) if witness.is_ok() => {
            let found = "witnessed: agents run as other users than the owner of the keys, and another machine cosigns";
            Check::new("level", State::Ok, found).more(local)
        }
        (true, _) => Check::new("level", State::Warning, "dev: agents run as the user who owns the keys")
            .more("such an agent could rewrite the trail and sign it; a copy of a checkpoint elsewhere would show it")
            .fix("run the daemon as its own user: sudo -u sealtrail sealtrail init --system"),
        (false, true) if shared => Check::new("level", State::Ok, "local, as far as known: no agent has delivered yet").more(local),
        (false, true) => Check::new("level", State::Warning, "dev: only agents of the user who owns the keys can deliver")
            .fix("run the daemon as its own user: sudo -u sealtrail sealtrail init --system"),
        (false, false) => Check::new("level", State::Ok, "local: agents run as other users than the owner of the keys")
            .more(local)
            .more("root of this machine can still do anything; with a witness it could no longer roll back or fork (docs/fleet.md)"),
    };
    match witness {
        Ok(seen) => check.more(seen),
        Err(Some(why)) => check.more(why),
        Err(None) => check,
    }
}

/// Says what a trusted witness has cosigned; nothing when no witness is asked for.
fn witness(home: &Path) -> Result<String, Option<String>> {
    let fleet = config::load(home).map_err(|_| None)?.config.audit.fleet;
    if fleet.collector.is_none() {
        return Err(None);
    }
    let Some(key) = fleet.witness else {
        return Err(Some("a collector is configured, and no witness of it is trusted (audit.fleet.witness)".to_owned()));
    };
    let key = WitnessKey::parse(key.trim()).map_err(|error| Some(format!("audit.fleet.witness: {error}")))?;
    let (size, seen) =
        witnessed(&Home::new(home), &key).ok_or(Some(format!("{} has cosigned nothing that this log continues", key.name())))?;
    let age = Timestamp::now().as_second() - i64::try_from(seen).unwrap_or(i64::MAX);
    if age > WITNESS_S {
        return Err(Some(format!("{} cosigned last {}: the first {} events", key.name(), ago(age), count(size.0))));
    }
    Ok(format!("{} cosigned the first {} events, {}", key.name(), count(size.0), ago(age)))
}
