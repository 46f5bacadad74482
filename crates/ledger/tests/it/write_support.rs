//! A small writer's world for the tests: a clock and entropy that repeat, small limits, events with known content.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sealtrail_disk::{Disk, SimDisk};
use sealtrail_event::{AuditId, Envelope, Event, Slot, SlotName, Token, Witness};
use sealtrail_ledger::line::Compression;
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_ledger::report::{Report, Severity};
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_ledger::{CreateOptions, Entropy, KeyBackup, Ledger, OpenError, OpenOptions, Recovery, SegmentLimits, Stamp};
use sealtrail_tlog::Seq;

/// 2026-01-02T00:00:00Z.
pub(crate) const DAY: i128 = 1_767_312_000_000_000_000;

pub(crate) fn dir() -> &'static Path {
    Path::new("/home/ledger")
}

pub(crate) fn keys() -> &'static Path {
    Path::new("/home/keys")
}

/// SplitMix64: entropy that repeats.
pub(crate) fn entropy(seed: u64) -> impl Entropy {
    let mut state = seed;
    move |into: &mut [u8]| {
        for byte in into {
            *byte = splitmix(&mut state) as u8;
        }
    }
}

pub(crate) fn splitmix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The clocks `ms` milliseconds after the start of the day.
pub(crate) fn at(ms: u64) -> Stamp {
    Stamp { unix_ns: DAY + i128::from(ms) * 1_000_000, mono_ns: ms * 1_000_000, boot: "boot-1".into() }
}

pub(crate) fn event(n: u64) -> Event {
    let id = AuditId::parse(&format!("evt_{n}")).unwrap();
    let time = Token::parse("2026-01-02T00:00:00Z").unwrap();
    let envelope = Envelope::new(id, Token::parse("data.file_read").unwrap(), time, Witness::Hook);
    let slot = |name, json| Slot { name, json };
    let slots = vec![
        slot(SlotName::Identity, format!("{{\"user_id\":\"person-{n}\"}}")),
        slot(SlotName::Input, format!("{{\"command\":\"canary-{n}-{}\"}}", "x".repeat(40))),
    ];
    Event { envelope, slots }
}

pub(crate) fn events(range: std::ops::Range<u64>) -> Vec<Event> {
    range.map(event).collect()
}

pub(crate) fn small() -> OpenOptions {
    OpenOptions {
        compression: Compression::None,
        preallocate: 16 * 1024,
        segment: SegmentLimits { events: 12, bytes: 64 * 1024 },
        epoch_events: 40,
        ..OpenOptions::default()
    }
}

pub(crate) fn create(disk: &Arc<dyn Disk>, hmac: bool, open: OpenOptions) -> (Ledger, KeyBackup) {
    let options = CreateOptions { hmac, open, ..CreateOptions::default() };
    Ledger::create(Arc::clone(disk), dir(), keys(), options, entropy(1), &at(0)).unwrap()
}

pub(crate) fn open(disk: &Arc<dyn Disk>, open: OpenOptions, ms: u64) -> Result<(Ledger, Recovery), OpenError> {
    Ledger::open(Arc::clone(disk), dir(), keys(), open, entropy(ms + 100), &at(ms))
}

pub(crate) fn sim() -> (SimDisk, Arc<dyn Disk>) {
    let sim = SimDisk::new();
    (sim.clone(), Arc::new(sim))
}

/// All stored events.
pub(crate) fn stored(disk: &Arc<dyn Disk>) -> Vec<Stored> {
    let reader = Reader::open(Arc::clone(disk), dir()).unwrap();
    reader.iter(Seq(0)).map(Result::unwrap).collect()
}

/// The numbers of our own events (those made by [`event`]), in the order of the log, with whole content.
pub(crate) fn numbers(disk: &Arc<dyn Disk>) -> Vec<u64> {
    let ours = stored(disk).into_iter().filter_map(|stored| {
        let view = stored.view();
        let n: u64 = view["audit_id"].as_str().unwrap().strip_prefix("evt_")?.parse().ok()?;
        if stored.erased().is_empty() {
            assert_eq!(view["user_id"], format!("person-{n}"));
        }
        Some(n)
    });
    ours.collect()
}

pub(crate) fn types(disk: &Arc<dyn Disk>) -> Vec<String> {
    stored(disk).iter().map(|stored| stored.view()["event_type"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn path(name: &str) -> PathBuf {
    dir().join(name)
}

/// Verifies the whole ledger; nothing may fail.
pub(crate) fn check(disk: &Arc<dyn Disk>) -> Report {
    let options = VerifyOptions { threads: 1, ..VerifyOptions::default() };
    let report = verify(disk, dir(), &options, &mut |_| ()).unwrap();
    let failed: Vec<String> = report.findings.iter().filter(|found| found.severity == Severity::Fail).map(ToString::to_string).collect();
    assert!(report.is_ok(), "{failed:#?}");
    report
}

/// The files that hold `needle`.
pub(crate) fn grep(disk: &SimDisk, needle: &[u8]) -> Vec<PathBuf> {
    let holds = |path: &PathBuf| disk.read(path).unwrap().windows(needle.len()).any(|window| window == needle);
    disk.files().into_iter().filter(holds).collect()
}
