//! Numbers that processes give their events, and the gaps between them.

use sealtrail_capture::otel::{Encoding, Heard, Missing, PATIENCE_NS, PROCESSES_MAX, RANGES_MAX, Sequences, Signal, gap};
use sealtrail_event::Token;

use crate::otel_kit::{NOW, arrival, made, requests};

fn heard(process: u16, number: u64, unix_ns: u64) -> Heard {
    let mut print = [0; 32];
    print[..2].copy_from_slice(&process.to_be_bytes());
    Heard { process: print, session: Token::parse("s-1").unwrap(), number, unix_ns }
}

fn ranges(missing: &[Missing]) -> Vec<(u64, u64)> {
    missing.iter().map(|missing| (missing.numbers.start, missing.numbers.end)).collect()
}

/// Hears the numbers of one process, in order, a nanosecond apart.
fn after(numbers: &[u64]) -> Sequences {
    let mut sequences = Sequences::default();
    for (n, number) in numbers.iter().enumerate() {
        sequences.hear(&heard(1, *number, 100 + n as u64), true, NOW);
    }
    sequences
}

/// Protects the captured sessions from false gaps: their numbers are whole, whole or in parts, and taking one record out is told.
#[test]
fn captured_sessions_have_no_gap() {
    let numbers: Vec<Heard> = requests()
        .into_iter()
        .filter(|(name, ..)| name.starts_with("api-errors.logs"))
        .flat_map(|(_, _, bytes)| made(Signal::Logs, Encoding::Json, &bytes))
        .filter_map(|made| made.heard)
        .collect();
    assert_eq!(numbers.len(), 55);
    for first in [0, 20] {
        let mut sequences = Sequences::default();
        numbers[first..].iter().for_each(|heard| sequences.hear(heard, true, NOW));
        assert_eq!(sequences.end(), []);
    }
    let mut sequences = Sequences::default();
    numbers.iter().filter(|heard| heard.number != 33).for_each(|heard| sequences.hear(heard, true, NOW));
    let missing = sequences.end();
    assert_eq!(ranges(&missing), [(33, 34)]);
    let view = gap(&missing[0], &arrival()).to_json();
    assert_eq!(
        (&view["event_type"], &view["gap"]["missing"], &view["gap"]["from"], &view["gap"]["to"]),
        (&"system.witness_gap".into(), &1.into(), &33.into(), &33.into())
    );
    assert_eq!((&view["witness"], &view["session_id"]), (&"otel".into(), &numbers[0].session.as_str().into()));
    assert_eq!(gap(&missing[0], &arrival()), gap(&missing[0], &arrival()));
}

/// Protects against gaps that are only lateness: a hole is told after the time in which exporters send again, once, and not when it was filled.
#[test]
fn a_hole_is_waited_for() {
    let mut sequences = after(&[0, 1, 5, 6]);
    assert_eq!(sequences.due(NOW + PATIENCE_NS - 1), []);
    sequences.hear(&heard(1, 3, 101), true, NOW + 1);
    assert_eq!(ranges(&sequences.due(NOW + PATIENCE_NS)), [(2, 3), (4, 5)]);
    assert_eq!(sequences.end(), []);

    let mut sequences = after(&[0, 1, 5, 6]);
    [4, 2, 3].iter().for_each(|number| sequences.hear(&heard(1, *number, 101), true, NOW));
    assert_eq!(sequences.end(), []);
}

/// Protects sessions that go on in a new process: it counts from the beginning, which is no gap; a request that is sent again is none either.
#[test]
fn a_new_process_begins_anew() {
    let mut sequences = after(&[0, 1, 2, 0, 1, 2, 3]);
    assert_eq!(sequences.end(), []);
    // Known already: it was sent again.
    sequences.hear(&heard(1, 1, 500), false, NOW);
    sequences.hear(&heard(1, 4, 501), true, NOW);
    assert_eq!(sequences.end(), []);
    // A hole of the old process is still one.
    assert_eq!(ranges(&after(&[0, 3, 0, 1]).end()), [(1, 3)]);
}

/// Protects what could not be told: it is told at the next look.
#[test]
fn what_is_restored_is_told() {
    let mut sequences = after(&[0, 2]);
    let missing = sequences.end();
    sequences.restore(missing.clone());
    assert_eq!(sequences.due(NOW), missing);
}

/// Protects holes over a kill: what an earlier run waited for is waited for again and may still be filled; how far the process went on meanwhile is no gap.
#[test]
fn what_is_resumed_is_waited_for_again() {
    let mut before = after(&[0, 1, 5, 9, 10]);
    let known = before.changed().unwrap();
    assert_eq!((ranges(&known), before.changed()), (vec![(2, 5), (6, 9)], None));
    let mut sequences = Sequences::default();
    sequences.resume(known, NOW);
    assert_eq!((sequences.changed(), sequences.due(NOW + PATIENCE_NS - 1)), (None, vec![]));
    // 11 to 19 were heard before the kill or never: nobody knows, and 21 is missing for certain.
    [3, 20, 22].iter().for_each(|number| sequences.hear(&heard(1, *number, 200), true, NOW));
    assert_eq!(ranges(&sequences.changed().unwrap()), [(2, 3), (4, 5), (6, 9), (21, 22)]);
    assert_eq!(ranges(&sequences.due(NOW + PATIENCE_NS)), [(2, 3), (4, 5), (6, 9), (21, 22)]);
    assert_eq!(sequences.changed(), Some(Vec::new()));
}

/// Protects the memory: processes and holes are bounded, and what is forgotten is told, not lost; the largest number is no trouble.
#[test]
fn the_state_is_bounded() {
    let mut sequences = Sequences::default();
    for number in 0..=RANGES_MAX as u64 {
        sequences.hear(&heard(1, number * 2, number), true, NOW);
    }
    assert_eq!(sequences.due(NOW), []);
    sequences.hear(&heard(1, 1_000, 1_000), true, NOW);
    assert_eq!(ranges(&sequences.due(NOW)), [(1, 2)]);
    sequences.hear(&heard(1, u64::MAX, 2_000), true, NOW);
    sequences.hear(&heard(1, u64::MAX, 3_000), true, NOW);

    let mut sequences = Sequences::default();
    sequences.hear(&heard(0, 0, 1), true, 1);
    sequences.hear(&heard(0, 2, 2), true, 1);
    for process in 1..=PROCESSES_MAX as u16 {
        sequences.hear(&heard(process, 0, 1), true, 2);
    }
    assert_eq!(ranges(&sequences.due(2)), [(1, 2)]);
}
