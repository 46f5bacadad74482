//! Deletion that calls itself erasure: every missing slot is lawful by the record, or it is a failure.

use sealtrail_event::SlotName;
use sealtrail_ledger::report::Report;

use crate::attack_forge::{check, kinds, noticed, text};
use crate::attack_spec::{Plain, Spec, data, own};

/// A log whose third batch is `records`; slot `input` of event 4 is gone.
fn after(before: Vec<Plain>, records: Vec<Plain>) -> Spec {
    let mut spec = Spec::honest(false);
    spec.batches.truncate(1);
    spec.batch(0, before);
    spec.batch(0, vec![data(4), data(5), data(6)]);
    spec.batch(0, records);
    spec.sealed = vec![3];
    spec.published.clear();
    spec.gone = vec![(4, SlotName::Input)];
    spec
}

fn erase(ranges: &str, slots: &str) -> Plain {
    own("erase", &format!("{{\"ranges\":{ranges},\"slots\":{slots},\"reason\":\"request\"}}"))
}

fn hold(id: &str, more: &str) -> Plain {
    own("hold", &format!("{{\"hold\":\"{id}\",\"ranges\":[[4,4]]{more}}}"))
}

fn release(id: &str) -> Plain {
    own("release", &format!("{{\"hold\":\"{id}\"}}"))
}

fn fillers() -> Vec<Plain> {
    vec![data(2), data(3)]
}

fn verdict(spec: &Spec) -> Report {
    check(&spec.files())
}

/// Protects rule 3 of the format: what a recorded erasure covers may be gone, and the report says by which event.
#[test]
fn a_recorded_erasure_is_lawful() {
    for (ranges, slots) in [("[[4,4]]", "[\"input\"]"), ("[[0,1],[3,6]]", "[\"identity\",\"input\",\"output\"]")] {
        let report = verdict(&after(fillers(), vec![erase(ranges, slots)]));
        assert!(!noticed(&report), "{}", text(&report));
        assert_eq!((report.erased[0].erase, report.erased[0].slots), (7, 1));
    }
}

/// Protects against silent deletion: without a record, or with one of other events, slots or an earlier time, it is a failure.
#[test]
fn a_deletion_without_a_record_fails() {
    let wrong = [
        vec![data(7)],
        vec![erase("[[5,6]]", "[\"input\"]")],
        vec![erase("[[4,4]]", "[\"output\"]")],
        vec![own("erased", "{\"erase\":7,\"segments\":[],\"bytes_removed\":1}")],
    ];
    for records in wrong {
        let report = verdict(&after(fillers(), records));
        assert_eq!(kinds(&report), ["slot-missing"], "{}", text(&report));
        assert_eq!(report.findings.iter().find(|finding| finding.kind == "slot-missing").unwrap().seq, Some(4));
    }
    let early = verdict(&after(vec![erase("[[4,4]]", "[\"input\"]"), data(3)], vec![data(7)]));
    assert_eq!(kinds(&early), ["slot-missing"], "{}", text(&early));
}

/// Protects legal holds: an erasure while a hold was in force is a failure, before it and after its release it is not.
#[test]
fn a_hold_forbids() {
    let order = || erase("[[4,4]]", "[\"input\"]");
    for records in [
        vec![hold("a", ""), order()],
        vec![hold("a", ",\"slots\":[\"input\"]"), order(), release("a")],
        vec![hold("a", ""), hold("b", ""), release("a"), order()],
        vec![hold("a", ""), release("a"), hold("a", ""), order()],
    ] {
        let report = verdict(&after(fillers(), records));
        assert_eq!(kinds(&report), ["erased-on-hold"], "{}", text(&report));
    }
    for records in [
        vec![order(), hold("a", "")],
        vec![hold("a", ""), release("a"), order()],
        vec![hold("a", ",\"slots\":[\"output\"]"), order()],
        vec![hold("a", ""), order(), release("a"), order()],
    ] {
        let report = verdict(&after(fillers(), records));
        assert!(!noticed(&report), "{}", text(&report));
    }
}

/// Protects the word "erased": a slot that is still there after the record says it is gone is a failure; before that it is pending.
#[test]
fn what_is_called_erased_is_gone() {
    let order = || erase("[[4,5]]", "[\"input\"]");
    let pending = verdict(&after(fillers(), vec![order()]));
    assert!(!noticed(&pending), "{}", text(&pending));
    let report = verdict(&after(fillers(), vec![order(), own("erased", "{\"erase\":7,\"segments\":[],\"bytes_removed\":1}")]));
    assert_eq!(kinds(&report), ["erased-still-there"], "{}", text(&report));
    assert_eq!(report.findings.iter().find(|finding| finding.kind == "erased-still-there").unwrap().seq, Some(5));
}

/// Protects against records that others write: an erasure ordered by an event that is not the recorder's own counts for nothing.
#[test]
fn only_the_recorder_orders() {
    let mut order = erase("[[4,4]]", "[\"input\"]");
    order.members = order.members.replace("\"witness\":\"recorder\"", "\"witness\":\"api\"");
    let report = verdict(&after(fillers(), vec![order]));
    assert!(kinds(&report).contains(&"slot-missing") && kinds(&report).contains(&"ledger-event-malformed"), "{}", text(&report));
}
