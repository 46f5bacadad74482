//! Descriptions of ledgers for the attacks: what happened, in which batches, signed by whom, and how it lies on disk.

use sealtrail_event::SlotName;
use sealtrail_ledger::line::{Compression, KeyKind, Time};

use crate::attack_forge::{Files, Forge, ORIGIN, START_NS, epoch_key, vkey};

/// One event: its envelope members and its slots.
#[derive(Clone)]
pub(crate) struct Plain {
    pub(crate) members: String,
    pub(crate) slots: Vec<(SlotName, String)>,
}

/// One batch: events, and what its commit says.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Plain>,
    pub(crate) epoch: u64,
    pub(crate) key: KeyKind,
    /// Seconds after the start.
    pub(crate) at: i128,
    /// The key that really signs.
    pub(crate) signer: u64,
}

/// A whole log.
#[derive(Clone)]
pub(crate) struct Spec {
    pub(crate) batches: Vec<Batch>,
    /// How many batches each sealed segment takes; the rest is active.
    pub(crate) sealed: Vec<usize>,
    /// Sizes of the published checkpoints.
    pub(crate) published: Vec<u64>,
    /// Slots that are not written.
    pub(crate) gone: Vec<(u64, SlotName)>,
    pub(crate) compression: Compression,
    pub(crate) hmac: bool,
}

/// Signs with the log key, in [`Batch::signer`].
pub(crate) const LOG_SIGNS: u64 = u64::MAX;

pub(crate) fn data(n: u64) -> Plain {
    let members = format!(
        "\"audit_id\":\"evt_{n}\",\"event_type\":\"data.file_read\",\"timestamp\":\"2026-01-01T00:00:{:02}Z\",\"witness\":\"hook\"",
        n % 60
    );
    let slots = vec![
        (SlotName::Input, format!("{{\"cmd\":\"cat f{n}\"}}")),
        (SlotName::Output, format!("{{\"out\":\"{}\"}}", "y".repeat(n as usize % 7))),
    ];
    Plain { members, slots }
}

pub(crate) fn own(kind: &str, ledger: &str) -> Plain {
    let id = kind.replace('.', "_");
    let members = format!(
        "\"audit_id\":\"own_{id}\",\"event_type\":\"ledger.{kind}\",\"timestamp\":\"{}\",\"witness\":\"recorder\",\"ledger\":{ledger}",
        Time::from_unix_ns(START_NS)
    );
    Plain { members, slots: Vec::new() }
}

pub(crate) fn created(hmac: bool) -> Plain {
    let key = epoch_key(0).verifier().to_string();
    let id = "00".repeat(16);
    own(
        "created",
        &format!("{{\"origin\":\"{ORIGIN}\",\"log_id\":\"{id}\",\"vkey\":\"{}\",\"epoch\":0,\"key\":\"{key}\",\"hmac\":{hmac}}}", vkey()),
    )
}

pub(crate) fn epoch(epoch: u64, broken: bool) -> Plain {
    let key = epoch_key(epoch).verifier().to_string();
    let tail = if broken { ",\"break\":true" } else { "" };
    own("epoch", &format!("{{\"epoch\":{epoch},\"key\":\"{key}\",\"why\":\"interval\"{tail}}}"))
}

impl Spec {
    /// A small honest log: 2 sealed segments and an active one, 4 epochs, an erasure, a hold and its release.
    pub(crate) fn honest(hmac: bool) -> Self {
        let mut spec =
            Self { batches: Vec::new(), sealed: vec![4, 3], published: Vec::new(), gone: Vec::new(), compression: Compression::Gzip, hmac };
        spec.batch(0, vec![created(hmac), own("start", "{\"recovered\":1,\"quarantined_bytes\":0,\"boot\":\"b\",\"pid\":1}")]);
        spec.batch(0, (2..10).map(data).collect());
        spec.batch(0, vec![epoch(1, false)]);
        spec.batch(1, (11..18).map(data).collect());
        spec.batch(1, vec![own("hold", "{\"hold\":\"case-1\",\"ranges\":[[3,5]]}"), data(19)]);
        spec.batch(
            1,
            vec![own("erase", "{\"ranges\":[[6,9],[12,12]],\"slots\":[\"input\",\"output\"],\"reason\":\"retention\"}"), epoch(2, false)],
        );
        spec.batch(2, vec![own("erased", "{\"erase\":20,\"segments\":[],\"bytes_removed\":9}"), own("release", "{\"hold\":\"case-1\"}")]);
        spec.batch(2, (24..30).map(data).collect());
        spec.batch(2, vec![epoch(3, false)]);
        spec.batch(3, (31..34).map(data).collect());
        spec.batch(3, vec![data(34)]);
        spec.gone = [6, 7, 8, 9, 12].into_iter().flat_map(|seq| [(seq, SlotName::Input), (seq, SlotName::Output)]).collect();
        spec.published = vec![11, 30, 34];
        spec
    }

    /// A log as small as one with a segment, an active file, two epochs and an erasure can be.
    pub(crate) fn tiny(hmac: bool) -> Self {
        let mut spec =
            Self { batches: Vec::new(), sealed: vec![2], published: vec![4, 9], gone: Vec::new(), compression: Compression::Gzip, hmac };
        spec.batch(
            0,
            vec![created(hmac), own("start", "{\"recovered\":1,\"quarantined_bytes\":0,\"boot\":\"b\",\"pid\":1}"), data(2), data(3)],
        );
        spec.batch(0, vec![epoch(1, false)]);
        spec.batch(
            1,
            vec![data(5), data(6), own("erase", "{\"ranges\":[[2,2]],\"slots\":[\"output\"],\"reason\":\"retention\"}"), data(8)],
        );
        spec.batch(1, vec![data(9)]);
        spec.gone = vec![(2, SlotName::Output)];
        spec
    }

    pub(crate) fn batch(&mut self, epoch: u64, events: Vec<Plain>) {
        let at = self.batches.len() as i128 * 60;
        self.batches.push(Batch { events, epoch, key: KeyKind::Epoch, at, signer: epoch });
    }

    pub(crate) fn size(&self) -> u64 {
        self.batches.iter().map(|batch| batch.events.len() as u64).sum()
    }

    /// Makes every file.
    pub(crate) fn files(&self) -> Files {
        Forge::new(self).run()
    }
}
