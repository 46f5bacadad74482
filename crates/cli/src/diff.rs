//! Differences of two texts, as people read them.

use similar::TextDiff;

use crate::theme;
use crate::visible::visible;

/// Lines around a change.
const CONTEXT: usize = 3;

/// Returns the unified diff of two texts.
pub(crate) fn unified(old: &str, new: &str, old_name: &str, new_name: &str) -> String {
    TextDiff::from_lines(old, new).unified_diff().context_radius(CONTEXT).header(old_name, new_name).to_string()
}

/// Makes a unified diff safe to show, with coloured signs.
pub(crate) fn painted(diff: &str) -> String {
    let mut shown = String::new();
    for line in diff.lines() {
        let label = match line.as_bytes().first() {
            Some(b'+') => theme::GOOD,
            Some(b'-') => theme::BAD,
            Some(b'@') => theme::HINT,
            _ => theme::PLAIN,
        };
        shown.push_str(&format!("{}\n", label.paint(visible(line))));
    }
    shown
}
