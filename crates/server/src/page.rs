//! What is asked, understood; and what is found.

use jiff::Timestamp;
use sealtrail_query::{Search, Table};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::cursor::Cursor;
use crate::types::{Answer, Column, Event, Events, Match, Matches, Report, Truncated};

/// A question that is understood.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The search, narrowed to what the token shows.
    pub(crate) search: Search,
    /// The search as it was asked, for the record.
    pub(crate) text: String,
    /// What stands for the question in cursors.
    pub(crate) bound: [u8; 16],
    /// The moment at which its times are seen.
    pub(crate) asked: Timestamp,
    /// Where the last page ended.
    pub(crate) cursor: Option<Cursor>,
    /// In which order events come.
    pub(crate) ordering: Ordering,
    /// At most this many.
    pub(crate) limit: Option<u64>,
    /// How many a page has when nobody says.
    pub(crate) limit_default: u64,
    /// Only these members.
    pub(crate) fields: Vec<String>,
    /// Whether events carry their seals.
    pub(crate) proof: bool,
}

impl Ask {
    /// Returns the search as it was asked, with every time resolved.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// In which order events come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// The last recorded one first.
    Newest,
    /// The first recorded one first.
    Oldest,
    /// The latest time first.
    TimeDown,
    /// The earliest time first.
    TimeUp,
}

impl Ordering {
    /// Returns its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::TimeDown => "timestamp desc",
            Self::TimeUp => "timestamp asc",
        }
    }

    /// Whether it is the order of the ledger, so that events can be given away while they are found.
    pub(crate) fn is_recorded(self) -> bool {
        matches!(self, Self::Newest | Self::Oldest)
    }
}

/// A sequence in the notation of `search --sequence`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Sequence)]
pub struct SequenceAsk {
    /// The steps: `auth.user_login[status=fail] auth.user_login[status=success]`.
    #[schema(max_length = 16384)]
    pub steps: String,
    /// Fields that all events of a sequence have in common.
    #[serde(default = "by_user")]
    #[schema(default = json!(["user_id"]))]
    pub by: Vec<String>,
    /// Longest time from the first to the last event.
    #[serde(default)]
    pub within_seconds: Option<u64>,
}

fn by_user() -> Vec<String> {
    vec!["user_id".to_owned()]
}

/// What is found.
#[derive(Clone, Debug)]
pub enum Found {
    /// Events.
    Events(Page),
    /// The table of a report.
    Table(Table),
    /// The matches of a sequence, in the order asked for.
    Matches {
        /// The matches.
        matches: Vec<SequenceMatch>,
        /// Whether there are more than were asked for.
        cut: bool,
    },
}

/// One match of a sequence.
#[derive(Clone, Debug)]
pub struct SequenceMatch {
    /// The ids of its events.
    pub audit_ids: Vec<String>,
    /// Its events, in the order of the steps.
    pub events: Vec<Value>,
}

/// A page of events.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The events.
    pub events: Vec<Value>,
    /// Where the next page begins; nothing after the last one.
    pub next_cursor: Option<String>,
}

impl Found {
    /// Returns how many events, rows or matches leave.
    pub fn count(&self) -> u64 {
        match self {
            Self::Events(page) => page.events.len() as u64,
            Self::Table(table) => table.rows.len() as u64,
            Self::Matches { matches, .. } => matches.len() as u64,
        }
    }

    /// Returns it as the API answers it.
    pub fn to_json(self) -> Value {
        serde_json::to_value(told(self)).unwrap_or_default()
    }
}

fn told(found: Found) -> Answer {
    let all = |events: Vec<Value>| events.into_iter().map(Event).collect();
    match found {
        Found::Events(Page { events, next_cursor }) => Answer::Events(Events { events: all(events), next_cursor }),
        Found::Table(table) => {
            let columns = table
                .columns
                .iter()
                .map(|column| Column { name: column.name.clone(), kind: serde_json::to_value(column.kind).unwrap_or_default() });
            let truncated = table.truncated.map(|cut| Truncated { rows: cut.rows, count: cut.count });
            Answer::Table(Report {
                table: crate::types::Table { columns: columns.collect(), rows: table.rows, truncated, missing: table.missing },
            })
        }
        Found::Matches { matches, cut } => {
            let matches = matches.into_iter().map(|one| Match { audit_ids: one.audit_ids, events: all(one.events) });
            Answer::Matches(Matches { matches: matches.collect(), cut })
        }
    }
}
