//! What contradicts what a machine signed before: kept, told in the trail with both notes, and shown in the list.

use std::sync::Arc;

use jiff::Timestamp;
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::{Checkpoint, TreeSize};
use serde_json::{Value, json};

use crate::fleet::{Fleet, Live, Trouble, unusable};
use crate::routes::Fault;

/// 30 s: when a machine was heard is made durable so often, without anything else to keep.
const KEEP_S: i64 = 30;

impl Fleet {
    /// Notes that a machine presents less than it had: a fork when the copy has another tree of that size, else a rollback.
    pub(super) fn went_back(&self, live: &mut Live, checkpoint: &Checkpoint, note: &str) -> Result<(), Fault> {
        let dir = self.machines.mirror(&live.machine.name);
        let known = live.mirror.as_ref().map_or(TreeSize::EMPTY, |mirror| mirror.published());
        let reader = Reader::open(Arc::clone(self.machines.disk()), &dir).ok().filter(|_| checkpoint.size <= known);
        let ours = reader.and_then(|reader| reader.prove_consistency(checkpoint.size, known).ok());
        let forked = ours.is_some_and(|ours| ours.old_root != checkpoint.root);
        self.trouble(live, if forked { "fork" } else { "rollback" }, note)
    }

    /// Keeps a contradiction and tells it in the trail; one of a kind until the machine is enrolled anew.
    pub(super) fn trouble(&self, live: &mut Live, kind: &str, note: &str) -> Result<(), Fault> {
        if live.state.trouble.as_ref().is_some_and(|known| known.kind == kind || known.kind == "fork") {
            return Ok(());
        }
        live.state.trouble = Some(Trouble { kind: kind.to_owned(), seen: Timestamp::now(), note: note.to_owned(), told: false });
        self.keep(live)?;
        self.tell_trouble(live)
    }

    /// Tells a contradiction that the trail does not know yet; what cannot be sealed now is tried again.
    pub(super) fn tell_trouble(&self, live: &mut Live) -> Result<(), Fault> {
        let Some(trouble) = live.state.trouble.as_ref().filter(|trouble| !trouble.told) else { return Ok(()) };
        let kind = if trouble.kind == "fork" { "fleet.fork_detected" } else { "fleet.rollback_detected" };
        let members = json!({ "known": live.state.note, "presented": trouble.note, "seen": trouble.seen });
        if self.tell(live, kind, "critical", members) {
            if let Some(trouble) = &mut live.state.trouble {
                trouble.told = true;
            }
            self.keep(live)?;
        }
        Ok(())
    }

    /// Notes that a machine was heard, and tells when it had been silent.
    pub(super) fn heard(&self, live: &mut Live) -> Result<(), Fault> {
        let now = Timestamp::now();
        let before = live.state.contact.replace(now);
        if live.state.silent {
            let since = before.unwrap_or(live.machine.enrolled);
            if self.tell(live, "fleet.machine_back", "info", json!({ "silent_since": since })) {
                live.state.silent = false;
            }
            return self.keep(live);
        }
        let due = live.kept.is_none_or(|kept| now.as_second() - kept.as_second() >= KEEP_S);
        if due { self.keep(live) } else { Ok(()) }
    }

    /// Seals an event about a machine; tells whether it is sealed.
    pub(super) fn tell(&self, live: &Live, kind: &str, severity: &str, members: Value) -> bool {
        let machine = &live.machine;
        let origin = machine.vkey.split('+').next().unwrap_or_default();
        let mut fleet = json!({ "machine": machine.name, "origin": origin, "cosigned": live.state.size, "mirrored": live.state.mirrored });
        if let (Some(fleet), Value::Object(members)) = (fleet.as_object_mut(), members) {
            fleet.extend(members);
        }
        self.handle.note(&json!({ "event_type": kind, "severity": severity, "fleet": fleet })).is_ok()
    }

    /// Makes what is known of a machine durable.
    pub(super) fn keep(&self, live: &mut Live) -> Result<(), Fault> {
        self.machines.keep(&live.machine.name, &live.state).map_err(|error| unusable(&error))?;
        live.kept = Some(Timestamp::now());
        Ok(())
    }
}
