//! What answers look like. The server writes these types, and its document of the API is made of them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::Event;

/// A page of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Events {
    /// The events.
    pub events: Vec<Event>,
    /// Where the next page begins; null after the last one.
    pub next_cursor: Option<String>,
}

/// What a search finds: events, the table of a report, or the matches of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(untagged)]
pub enum Answer {
    /// Events.
    Events(Events),
    /// A report.
    Table(Report),
    /// Matches of a sequence.
    Matches(Matches),
}

/// The answer to a search with a pipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Report {
    /// The table.
    pub table: Table,
}

/// Rows under named columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Table {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows; each has a value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Rows that a `limit=` left out, and how many events they stand for; null when none.
    pub truncated: Option<Truncated>,
    /// Events that match but lack the field that is counted or measured.
    pub missing: u64,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What stands in it: `value`, `time`, `count`, `number`.
    pub kind: Value,
}

/// What a `limit=` left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Truncated {
    /// Rows.
    pub rows: u64,
    /// Events that they stand for.
    pub count: u64,
}

/// The answer to a sequence; the newest match first, in each the events in the order of the steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Matches {
    /// The matches.
    pub matches: Vec<Match>,
    /// Whether older matches were left out by `limit`.
    pub cut: bool,
}

/// One match.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Match {
    /// The ids of its events.
    pub audit_ids: Vec<String>,
    /// Its events.
    pub events: Vec<Event>,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Link {
    /// How far below the person.
    pub depth: usize,
    /// `person`, `session`, `prompt`, `agent`, `call`, `event`.
    pub kind: String,
    /// Who or which.
    pub id: String,
    /// What it was about.
    pub about: String,
    /// How it ended; empty where nothing ends.
    pub outcome: String,
    /// The event that tells it.
    pub audit_id: Option<String>,
}

/// What led to an event, the event, and what it led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Chain {
    /// The event that was asked for.
    pub audit_id: String,
    /// From the person down to what acted.
    pub above: Vec<Link>,
    /// The event.
    pub event: Link,
    /// What it led to.
    pub below: Vec<Link>,
    /// Links that nobody saw, in words.
    pub missing: Vec<String>,
}

/// One session: its actions in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Session {
    /// The session.
    pub session_id: String,
    /// Who; empty when no witness names anybody.
    pub user_id: String,
    /// When it began.
    pub started: String,
    /// `open`, or `ended`.
    pub state: String,
    /// Why it ended; empty while it is open.
    pub end_reason: String,
    /// How many events there are.
    pub events: u64,
    /// How many tool calls.
    pub calls: u64,
    /// Of how many calls nobody saw the end.
    pub unknown: u64,
    /// The agents besides the main one.
    pub agents: Vec<Agent>,
    /// One object an action: when, who, what, verdict, outcome, the audit ids of its events.
    #[cfg_attr(feature = "schema", schema(value_type = Vec<Object>))]
    pub timeline: Vec<Value>,
}

/// A subagent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Agent {
    /// Its id.
    pub agent_id: String,
    /// Its kind.
    pub agent_type: String,
    /// The agent that started it: `main`, an id, or null when nobody said.
    pub parent: Option<String>,
    /// Whether an event tells its start.
    pub started: bool,
    /// Whether an event tells its end.
    pub finished: bool,
}

/// Everything that one run did: each step, who authorised it, what data it touched; with what proves it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Execution {
    /// The run, or the session, that was asked for.
    pub execution_id: String,
    /// Who started it; empty when no event says so.
    pub initiated_by: String,
    /// Every permission that an event tells of: who started it, who approved, which policy decided.
    pub authorized_by: Vec<Authority>,
    /// Every step, in order of time; steps that lie inside an event follow it.
    pub steps: Vec<Step>,
    /// Everything that was read, written, called or changed.
    pub data_touched: Vec<Touch>,
    /// The runs that this one started, at any depth.
    pub children: Vec<String>,
    /// The runs above it, the nearest first.
    pub parents: Vec<String>,
    /// The sessions in which it happened.
    pub sessions: Vec<String>,
    /// Steps that failed, were denied, or whose end nobody saw.
    pub problems: Vec<Step>,
    /// What should be there and is not, in words.
    pub missing: Vec<String>,
    /// The events, in the order of the ledger, without what tools gave back.
    pub events: Vec<Event>,
    /// What proves that they are what was recorded.
    pub custody: Custody,
}

/// A permission.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Authority {
    /// A person, or a rule.
    pub who: String,
    /// `initiated`, `approved`, `policy`.
    pub how: String,
    /// When.
    pub timestamp: String,
    /// The event that tells it.
    pub audit_id: String,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Step {
    /// When the event that tells it happened.
    pub timestamp: String,
    /// The run to which it belongs.
    pub execution_id: String,
    /// The event type, or the name of a step inside an event.
    pub name: String,
    /// Who acted.
    pub actor: String,
    /// What was done to what.
    pub summary: String,
    /// How it ended, in the words of the event.
    pub outcome: String,
    /// How long it took.
    pub duration_ms: Option<u64>,
    /// What was decided, where the event tells it.
    pub decision: Value,
    /// The event that tells it.
    pub audit_id: String,
}

/// Something that was touched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Touch {
    /// Which.
    pub resource: String,
    /// What was done.
    pub operation: String,
    /// How sensitive it is, as far as an event says so.
    pub sensitivity_level: String,
    /// How it ended.
    pub outcome: String,
    /// When.
    pub timestamp: String,
    /// The event that tells it.
    pub audit_id: String,
}

/// What proves the events of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Custody {
    /// Name of the log.
    pub origin: String,
    /// The key that signs its checkpoints.
    pub vkey: String,
    /// The newest published checkpoint, a C2SP signed note; null when none is published yet.
    pub checkpoint: Option<String>,
    /// Each event's position and hash in the tree of that log.
    pub leaves: Vec<Leaf>,
}

/// An event in the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Leaf {
    /// The event.
    pub audit_id: String,
    /// Its position.
    pub seq: u64,
    /// Its RFC 6962 leaf hash, base64.
    pub leaf_hash: String,
}

/// The newest published checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Checkpoint {
    /// Name of the log.
    pub origin: String,
    /// Events that it covers.
    pub size: u64,
    /// Root of the tree, base64.
    pub root: String,
    /// The key that signed it.
    pub vkey: String,
    /// The signed note.
    pub note: String,
}

#[cfg(feature = "http")]
impl Answer {
    /// Returns what it is, in words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Events(_) => "a list of events",
            Self::Table(_) => "a report",
            Self::Matches(_) => "matches of a sequence",
        }
    }
}
