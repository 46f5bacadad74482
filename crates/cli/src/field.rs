//! Fields of an event by name, as cells for people.

use serde_json::Value;

pub(crate) use sealtrail_trace::field::{DERIVED, at, summary, text};

use crate::table::Cell;
use crate::theme;
use crate::visible::brief;
use crate::when::Zone;

/// The number of an event in the ledger; `get` understands it, and it is shorter than an id.
pub(crate) const NUMBER: &str = "#";

/// The columns of a list of events when none were chosen; a table begins with the number.
pub(crate) const DEFAULT: &[&str] = &["timestamp", "event_type", "outcome", "agent", "tool_name", "summary", "audit_id"];

/// A prompt can have pages; a column shows its beginning.
const SUMMARY_CHARS_MAX: usize = 100;

/// Returns a field as a table cell.
pub(crate) fn cell(event: &Value, name: &str, zone: &Zone) -> Cell {
    let text = text(event, name);
    match name {
        "timestamp" | "recorded_at" | "started" | "last" | "created" | "finished" => Cell::new(&zone.show(&text), theme::QUIET),
        "event_type" => Cell::new(&text, theme::KIND),
        "outcome" | "status" | "policy_result" | "verdict" | "state" => Cell::new(&text, theme::of_outcome(&text)),
        "severity" => Cell::new(&text, theme::of_severity(&text)),
        "audit_id" | NUMBER => Cell::new(&text, theme::QUIET),
        "summary" => Cell::new(&brief(&text, SUMMARY_CHARS_MAX), theme::PLAIN),
        _ => Cell::new(&text, theme::PLAIN),
    }
}
