//! The clocks of two commits in a row: time in which nobody recorded, and clocks that went back.

use super::warn;
use crate::line::Time;
use crate::report::Finding;

/// 1.5 epochs of 10 minutes: nothing sealed for longer means that nobody was recording.
const GAP_NS: i128 = 900 * 1_000_000_000;
/// A step of the clock up to this is not an event of its own.
const STEP_NS: i128 = 2 * 1_000_000_000;

/// The clocks at a commit.
#[derive(Clone, Debug)]
pub(super) struct Point {
    pub(super) time: Time,
    pub(super) mono: u64,
    pub(super) boot: Box<str>,
}

/// Judges the time between two commits.
pub(super) fn between(last: &Point, next: &Point, starts: bool, steps: bool, file: &str, seq: u64) -> Vec<Finding> {
    let mut findings = Vec::new();
    let passed = next.time.unix_ns() - last.time.unix_ns();
    if passed > GAP_NS && !starts {
        let detail =
            format!("nothing was sealed from {} to {}, longer than one and a half epochs, and no stop is recorded", last.time, next.time);
        findings.push(Finding::note("coverage-gap", file, detail).at(seq).since(Some(last.time)));
    }
    if passed < -STEP_NS && !steps && !starts {
        let detail = format!("the clock of the commits goes back from {} to {} and no step is recorded", last.time, next.time);
        findings.push(warn("time-backwards", file, detail).at(seq).since(Some(last.time)));
    }
    if last.boot == next.boot && next.mono < last.mono {
        let detail = format!("the monotonic clock goes back from {} to {} ns within boot {}", last.mono, next.mono, next.boot);
        findings.push(warn("mono-backwards", file, detail).at(seq).since(Some(last.time)));
    }
    findings
}
