//! One run of a writer that meets everything: rotation, sealing, publishing, epochs, holds, erasure, reopening.

use std::sync::Arc;

use sealtrail_disk::Disk;
use sealtrail_event::{SlotName, Token};
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::{AppendError, CreateOptions, EraseError, Gap, Ledger, OpenOptions, SegmentLimits};
use sealtrail_tlog::Seq;

use crate::read_access::id_of;
use crate::write_erase::{hold, request};
use crate::write_support::{at, dir, entropy, event, events, keys, numbers, open, small};

/// What a run may rely on after a crash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acked {
    /// Whether `create` returned.
    pub(crate) created: bool,
    /// How many events were acknowledged; they have the numbers from 0.
    pub(crate) events: u64,
    /// Positions whose erasure was reported done.
    pub(crate) erased: Vec<u64>,
}

pub(crate) fn options() -> OpenOptions {
    OpenOptions { preallocate: 2048, segment: SegmentLimits { events: 8, bytes: 64 * 1024 }, ..small() }
}

/// Runs everything; `note` is called after each step that returned with success. Stops at the first error that is not a full disk.
pub(crate) fn run(disk: &Arc<dyn Disk>, mut note: impl FnMut(&Acked)) -> Acked {
    let mut acked = Acked::default();
    let create = CreateOptions { hmac: true, open: options(), ..CreateOptions::default() };
    let Ok((ledger, _)) = Ledger::create(Arc::clone(disk), dir(), keys(), create, entropy(7), &at(0)) else { return acked };
    acked.created = true;
    note(&acked);
    let Some(ledger) = first_half(ledger, &mut acked, &mut note) else { return acked };
    if ledger.close(&Token::parse("shutdown").unwrap(), &at(700_000)).is_err() {
        return acked;
    }
    let Ok((ledger, _)) = open(disk, options(), 800_000) else { return acked };
    note(&acked);
    second_half(ledger, &mut acked, &mut note);
    acked
}

fn first_half(mut ledger: Ledger, acked: &mut Acked, note: &mut impl FnMut(&Acked)) -> Option<Ledger> {
    for n in 0..4 {
        append(&mut ledger, acked, 2, n * 1_100 + 10, note)?;
        go_on(ledger.tick(&at(n * 1_100 + 20)).is_ok(), &ledger)?;
        note(acked);
    }
    go_on(ledger.tick(&at(600_100)).is_ok(), &ledger)?;
    append(&mut ledger, acked, 1, 600_200, note)?;
    ledger.hold(&hold("case", 7, 8), &at(600_300)).ok()?;
    erase(&mut ledger, acked, &[(1, 2), (5, 6)], 600_400)?;
    note(acked);
    Some(ledger)
}

fn second_half(mut ledger: Ledger, acked: &mut Acked, note: &mut impl FnMut(&Acked)) -> Option<()> {
    append(&mut ledger, acked, 3, 800_100, note)?;
    ledger.release(&Token::parse("case").unwrap(), serde_json::Map::new(), &at(800_200)).ok()?;
    let last = ledger.size().0 - 2;
    erase(&mut ledger, acked, &[(last, last)], 800_300)?;
    note(acked);
    append(&mut ledger, acked, 2, 800_400, note)?;
    ledger.tick(&at(802_000)).ok()
}

/// Appends the next events; after a full disk, records the gap and tries once more.
fn append(ledger: &mut Ledger, acked: &mut Acked, n: u64, ms: u64, note: &mut impl FnMut(&Acked)) -> Option<()> {
    let batch = events(acked.events..acked.events + n);
    let mut done = ledger.append(&batch, &at(ms));
    if let Err(AppendError::Full { .. }) = &done {
        let gap = Gap {
            witness: sealtrail_event::Witness::Hook,
            lost: Some(0),
            by: vec![(Token::parse("hook").unwrap(), 0)],
            since: None,
            until: None,
            cause: Token::parse("disk_full").unwrap(),
        };
        ledger.gap(&gap, &at(ms + 1)).ok()?;
        done = ledger.append(&batch, &at(ms + 2));
    }
    assert_eq!(done.as_ref().ok()?.len() as u64, n);
    acked.events += n;
    note(acked);
    Some(())
}

fn erase(ledger: &mut Ledger, acked: &mut Acked, ranges: &[(u64, u64)], ms: u64) -> Option<()> {
    match ledger.erase(&request(ranges, &[SlotName::Input]), &at(ms)) {
        Ok(_) => acked.erased.extend(ranges.iter().flat_map(|(first, last)| *first..=*last)),
        Err(EraseError::Held { .. } | EraseError::Request { .. }) => panic!("the script is wrong"),
        Err(_) => return None,
    }
    Some(())
}

fn go_on(ok: bool, ledger: &Ledger) -> Option<()> {
    (ok || !ledger.is_poisoned()).then_some(())
}

/// Opens what a crash left and checks that everything acknowledged is there, that it verifies, and that it can go on.
pub(crate) fn survives(disk: &Arc<dyn Disk>, acked: &Acked, story: &dyn Fn() -> String) {
    let opened = open(disk, options(), 900_000);
    let (mut ledger, recovery) = match opened {
        Ok(opened) => opened,
        Err(error) if !acked.created => {
            // A log that was being made: making it again succeeds, or it was whole already.
            drop(error);
            let options = CreateOptions { hmac: true, open: options(), ..CreateOptions::default() };
            let made = Ledger::create(Arc::clone(disk), dir(), keys(), options, entropy(8), &at(900_000));
            made.map(drop).unwrap_or_else(|error| panic!("{}: {error:?}", story()));
            return;
        }
        Err(error) => panic!("{}: cannot open: {error:?}", story()),
    };
    assert!(recovery.unpublished.is_none() && recovery.unerased.is_none(), "{}: {recovery:?}", story());
    let found = numbers(disk);
    let wanted: Vec<u64> = (0..acked.events).collect();
    assert_eq!(found.get(..wanted.len()), Some(&wanted[..]), "{}: events are missing", story());
    for seq in &acked.erased {
        let event = Reader::open(Arc::clone(disk), dir()).unwrap().get(Seq(*seq)).unwrap().unwrap();
        assert!(event.slots.iter().all(|slot| slot.name != SlotName::Input), "{}: event {seq} is not erased", story());
    }
    ledger.append(&[event(1_000)], &at(900_100)).unwrap_or_else(|error| panic!("{}: cannot go on: {error:?}", story()));
    drop(ledger);
    verifies(disk, story);
}

pub(crate) fn verifies(disk: &Arc<dyn Disk>, story: &dyn Fn() -> String) {
    use sealtrail_ledger::report::Severity;
    use sealtrail_ledger::verify::{VerifyOptions, verify};
    let options = VerifyOptions { threads: 1, ..VerifyOptions::default() };
    let report = verify(disk, dir(), &options, &mut |_| ()).unwrap();
    let failed: Vec<String> = report.findings.iter().filter(|found| found.severity == Severity::Fail).map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}: {failed:#?}", story());
    // Whatever was interrupted: the side files fit their segments, and lead to what a walk from the start finds.
    assert!(report.findings.iter().all(|found| found.kind != "derived-differs"), "{}: {:?}", story(), report.findings);
    let reader = Reader::open(Arc::clone(disk), dir()).unwrap();
    for event in reader.iter(Seq(0)).map(Result::unwrap) {
        assert_eq!(reader.get(event.seq).unwrap().as_ref(), Some(&event), "{}", story());
        assert_eq!(reader.find(&id_of(&event)).unwrap().as_ref(), Some(&event), "{}", story());
    }
}
