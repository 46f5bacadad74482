//! Reading the trail is an event too: who, with which question, how many events were shown.

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_engine::Home;
use sealtrail_ledger::read::Stored;
use serde_json::json;

use crate::failure::Failure;
use crate::run::Call;
use crate::trail::{self, Access as How, Trail};

/// One reading of the trail.
pub(crate) struct Access<'a> {
    /// The command.
    pub(crate) command: &'a str,
    /// The question: a query, or the id that was asked for.
    pub(crate) query: &'a str,
    /// Events shown.
    pub(crate) count: u64,
}

/// Finds one event, and seals that it was looked for.
pub(crate) fn find(call: &mut Call, trail: &mut Trail, command: &str, name: &str) -> Result<Stored, Failure> {
    let found = trail.find(name);
    note(call, trail, &Access { command, query: name, count: u64::from(found.is_ok()) });
    found
}

/// Seals that the trail was read, through the daemon or the writer that this command holds. A reading that cannot be recorded is said aloud.
pub(crate) fn note(call: &mut Call, trail: &mut Trail, access: &Access<'_>) {
    let how = std::mem::replace(&mut trail.access, How::Nobody);
    note_as(call, &trail.home.clone(), how, access);
}

/// As [`note`], without an open trail.
pub(crate) fn note_as(call: &mut Call, home: &Home, mut how: How, access: &Access<'_>) {
    let hash: String = digest(&SHA256, access.query.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let record = json!({
        "event_type": "system.audit_log_accessed",
        "status": "success",
        "access": {"command": access.command, "query": access.query, "query_hash": hash, "events": access.count},
    });
    if matches!(how, How::Busy) {
        how = trail::writer_in_time(call, home);
    }
    let done = match how {
        How::Daemon => sealtrail_engine::note(home, &record).map(drop).map_err(|error| error.to_string()),
        How::Writer(mut writer) => writer.note(&record).and_then(|_| writer.close()).map_err(|error| error.to_string()),
        How::Nobody => Ok(()),
        How::Busy => Err("another command has the trail open".to_owned()),
        How::Refused(why) => Err(why),
    };
    if let Err(why) = done {
        call.screen.warn(&format!("this reading of the trail is not recorded: {}", crate::visible::visible(&why)));
    }
}
