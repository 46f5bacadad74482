//! Any order of appends, holds, releases, erasures, ticks and crashes, against a model that fits in a map.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use sealtrail_disk::{Crash, Data, Disk, Names, SimDisk};
use sealtrail_event::{SlotName, Token};
use sealtrail_ledger::{EraseError, Ledger};
use sealtrail_tlog::Seq;

use crate::crash_support::verifies;
use crate::write_erase::{hold, request};
use crate::write_support::{at, create, event, open, small, stored};

#[derive(Clone, Debug)]
enum Step {
    Append(u64),
    Hold(u64, u64),
    Release(usize),
    Erase(u64, u64, SlotName),
    Tick(u64),
    Crash(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let slot = prop_oneof![Just(SlotName::Identity), Just(SlotName::Input)];
    prop_oneof![
        4 => (1..6u64).prop_map(Step::Append),
        1 => (0..40u64, 0..6u64).prop_map(|(first, n)| Step::Hold(first, n)),
        1 => (0..4usize).prop_map(Step::Release),
        2 => (0..40u64, 0..6u64, slot).prop_map(|(first, n, slot)| Step::Erase(first, n, slot)),
        2 => (1..400_000u64).prop_map(Step::Tick),
        1 => any::<u64>().prop_map(Step::Crash),
    ]
}

/// What must be true of the log.
#[derive(Default)]
struct Model {
    /// Position of each of our events, by number.
    events: BTreeMap<u64, u64>,
    erased: BTreeSet<(u64, SlotName)>,
    holds: BTreeMap<String, (u64, u64)>,
    next: u64,
    hold: u64,
    ms: u64,
}

impl Model {
    fn held(&self, first: u64, last: u64) -> bool {
        self.holds.values().any(|(from, to)| *from <= last && first <= *to)
    }
}

fn play(ledger: &mut Ledger, model: &mut Model, step: &Step) {
    model.ms += 1;
    let now = at(model.ms);
    match step {
        Step::Append(n) => {
            let batch: Vec<_> = (model.next..model.next + n).map(event).collect();
            let receipts = ledger.append(&batch, &now).unwrap();
            model.events.extend((model.next..).zip(receipts.iter().map(|receipt| receipt.seq.0)));
            model.next += n;
        }
        Step::Hold(first, n) => {
            let id = format!("hold-{}", model.hold);
            model.hold += 1;
            ledger.hold(&hold(&id, *first, first + n), &now).unwrap();
            model.holds.insert(id, (*first, first + n));
        }
        Step::Release(at) => {
            let Some(id) = model.holds.keys().nth(*at).cloned() else { return };
            ledger.release(&Token::parse(&id).unwrap(), serde_json::Map::new(), &now).unwrap();
            model.holds.remove(&id);
        }
        Step::Erase(first, n, slot) => {
            let last = first + n;
            let size = ledger.size().0;
            match ledger.erase(&request(&[(*first, last)], &[*slot]), &now) {
                Ok(_) => {
                    assert!(last < size && !model.held(*first, last));
                    model.erased.extend((*first..=last).map(|seq| (seq, *slot)));
                }
                Err(EraseError::Held { .. }) => assert!(model.held(*first, last)),
                Err(EraseError::Request { .. }) => assert!(last >= size),
                Err(error) => panic!("{error:?}"),
            }
        }
        Step::Tick(ms) => {
            model.ms += ms;
            ledger.tick(&at(model.ms)).unwrap();
        }
        Step::Crash(_) => {}
    }
}

fn agrees(disk: &Arc<dyn Disk>, model: &Model) {
    let all = stored(disk);
    for (number, seq) in &model.events {
        let found = &all[*seq as usize];
        let view = found.view();
        assert_eq!(view["audit_id"], format!("evt_{number}"));
        for slot in [SlotName::Identity, SlotName::Input] {
            assert_eq!(found.slots.iter().any(|s| s.name == slot), !model.erased.contains(&(*seq, slot)), "event {seq}, {slot:?}");
        }
        assert_eq!(found.seq, Seq(*seq));
    }
    verifies(disk, &|| "the model's log".into());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_is_kept_and_only_lawful_erasure_removes(steps in prop::collection::vec(step(), 1..25)) {
        // Protects the promises together: what was acknowledged stays, what is erased is gone and was not held, and verify agrees
        // after every crash and at the end.
        let mut sim = SimDisk::new();
        let mut disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let mut model = Model::default();
        let (mut ledger, _) = create(&disk, true, small());
        for step in &steps {
            play(&mut ledger, &mut model, step);
            if let Step::Crash(seed) = step {
                drop(ledger);
                let mut replay = sim.replay();
                while replay.advance() {}
                let names = if seed % 2 == 0 { Names::Kept } else { Names::Dropped };
                sim = replay.image(Crash { data: Data::Random { block: 512, seed: *seed }, names });
                disk = Arc::new(sim.clone());
                model.ms += 10;
                let opened = open(&disk, small(), model.ms).unwrap();
                prop_assert!(opened.1.unpublished.is_none() && opened.1.unerased.is_none());
                ledger = opened.0;
                agrees(&disk, &model);
            }
        }
        drop(ledger);
        agrees(&disk, &model);
    }
}
