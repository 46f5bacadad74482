//! What changed between two versions of a file.

use similar::{ChangeTag, TextDiff};

/// 1,000 lines that differ on either side: the comparison takes at most the square of it, some milliseconds.
const LINES_MAX: usize = 1000;

/// Lines around a change.
const CONTEXT: usize = 3;

/// The difference of two versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    /// A unified diff.
    pub(super) diff: String,
    /// The lines that are new.
    pub(super) added: String,
    /// The lines that are gone.
    pub(super) removed: String,
}

/// Compares two versions; nothing when too much differs.
pub(super) fn between(old: &str, new: &str) -> Option<Change> {
    let (mut before, mut after) = (old.lines().count(), new.lines().count());
    let same = old.lines().zip(new.lines()).take_while(|(a, b)| a == b).count();
    (before, after) = (before - same, after - same);
    let tail = old.lines().rev().zip(new.lines().rev()).take(before.min(after)).take_while(|(a, b)| a == b).count();
    if before - tail > LINES_MAX || after - tail > LINES_MAX {
        return None;
    }
    let diff = TextDiff::from_lines(old, new);
    let lines = |wanted: ChangeTag| -> String {
        let kept = diff.iter_all_changes().filter(|change| change.tag() == wanted);
        kept.map(|change| change.value()).collect::<String>().trim_end_matches('\n').to_owned()
    };
    Some(Change {
        added: lines(ChangeTag::Insert),
        removed: lines(ChangeTag::Delete),
        diff: diff.unified_diff().context_radius(CONTEXT).header("before", "after").to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::between;

    /// Protects the diff: what is new and what is gone stand in it, also where the last line has no end, and too much difference is refused, not computed.
    #[test]
    fn a_change_is_told_by_lines() {
        let change = between("a\nb\nc\n", "a\nB\nc\nd");
        let change = change.as_ref().map(|change| (change.added.as_str(), change.removed.as_str(), change.diff.contains("-b\n+B\n")));
        assert_eq!(change, Some(("B\nd", "b", true)));
        let many = |from: usize| (from..from + 1001).map(|n| format!("{n}\n")).collect::<String>();
        assert_eq!(between(&many(0), &many(5000)), None);
        assert!(between(&many(0), &format!("{}x\n", many(0))).is_some());
    }
}
