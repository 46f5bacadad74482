//! A ledger in memory with random records; tests of both kinds use it.

use std::path::Path;
use std::sync::Arc;

use fastrand::Rng;
use sealtrail_disk::{Disk, SimDisk};
use sealtrail_event::{AuditId, Event, FromContext, Grade, SlotName, Token, Witness};
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{CreateOptions, EraseRequest, Ledger, OpenOptions, SegmentLimits, Stamp};
use sealtrail_tlog::Seq;
use serde_json::Value;

/// 2026-03-01T00:00:00Z.
const DAY: i128 = 1_772_323_200_000_000_000;

/// A ledger with its writer.
pub(crate) struct World {
    disk: Arc<dyn Disk>,
    ledger: Ledger,
    rng: Rng,
    ms: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
        let mut salts = Rng::with_seed(seed ^ 0x5eed);
        let open = OpenOptions {
            compression: Compression::Gzip,
            preallocate: 16 * 1024,
            segment: SegmentLimits { events: 1_000, bytes: 4 << 20 },
            ..OpenOptions::default()
        };
        let options = CreateOptions { open, ..CreateOptions::default() };
        let entropy = move |into: &mut [u8]| salts.fill(into);
        let (ledger, _) = Ledger::create(Arc::clone(&disk), Path::new("/l"), Path::new("/k"), options, entropy, &at(0)).unwrap();
        Self { disk, ledger, rng: Rng::with_seed(seed), ms: 0 }
    }

    /// Appends records in batches.
    pub(crate) fn append(&mut self, records: impl IntoIterator<Item = Value>) {
        let mut batch = Vec::new();
        for record in records {
            let mut entropy = [0; 10];
            self.rng.fill(&mut entropy);
            self.ms += 1_000;
            let context = FromContext {
                audit_id_if_missing: AuditId::new(1_772_323_200_000 + self.ms, entropy),
                recorded_at: Token::parse("2026-03-01T00:00:00.5Z").unwrap(),
                witness: Witness::Hook,
                grade: Grade::Observed,
            };
            // A record that is no event is left out.
            batch.extend(Event::from_json(&record, &context));
            if self.rng.u8(..50) == 0 {
                self.write(&mut batch);
            }
        }
        self.write(&mut batch);
    }

    fn write(&mut self, batch: &mut Vec<Event>) {
        if !batch.is_empty() {
            self.ledger.append(batch, &at(self.ms)).unwrap();
            self.ledger.tick(&at(self.ms)).unwrap();
            batch.clear();
        }
    }

    /// Erases slots of a range of events.
    pub(crate) fn erase(&mut self, first: u64, last: u64, slots: &[SlotName]) {
        self.ms += 1_000;
        let request = EraseRequest {
            ranges: vec![(Seq(first), Seq(last))],
            slots: slots.to_vec(),
            reason: Token::parse("data_subject_request").unwrap(),
            policy: None,
            approver: None,
            legal_basis: None,
            content: serde_json::Map::new(),
        };
        self.ledger.erase(&request, &at(self.ms)).unwrap();
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::open(Arc::clone(&self.disk), Path::new("/l")).unwrap()
    }
}

fn at(ms: u64) -> Stamp {
    Stamp { unix_ns: DAY + i128::from(ms) * 1_000_000, mono_ns: ms * 1_000_000, boot: "boot-1".into() }
}
