//! What answers look like; the API document is made of these types.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One event: members as in `docs/format/event.md`, every slot that the token shows merged in.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(value_type = Object)]
pub(crate) struct Event(pub(crate) Value);

/// A page of events.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    /// The events.
    pub(crate) events: Vec<Event>,
    /// Where the next page begins; null after the last one.
    pub(crate) next_cursor: Option<String>,
}

/// What a search finds: events, the table of a report, or the matches of a sequence.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// Events.
    Events(Events),
    /// A report.
    Table(Report),
    /// Matches of a sequence.
    Matches(Matches),
}

/// The answer to a search with a pipe.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Report {
    /// The table.
    pub(crate) table: Table,
}

/// Rows under named columns.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Table {
    /// The columns.
    pub(crate) columns: Vec<Column>,
    /// The rows; each has a value for each column.
    pub(crate) rows: Vec<Vec<Value>>,
    /// Rows that a `limit=` left out, and how many events they stand for; null when none.
    pub(crate) truncated: Option<Truncated>,
    /// Events that match but lack the field that is counted or measured.
    pub(crate) missing: u64,
}

/// A column.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Column {
    /// Its name.
    pub(crate) name: String,
    /// What stands in it: `value`, `time`, `count`, `number`.
    pub(crate) kind: Value,
}

/// What a `limit=` left out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Truncated {
    /// Rows.
    pub(crate) rows: u64,
    /// Events that they stand for.
    pub(crate) count: u64,
}

/// The answer to a sequence; the newest match first, in each the events in the order of the steps.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Matches {
    /// The matches.
    pub(crate) matches: Vec<Match>,
    /// Whether older matches were left out by `limit`.
    pub(crate) cut: bool,
}

/// One match.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Match {
    /// The ids of its events.
    pub(crate) audit_ids: Vec<String>,
    /// Its events.
    pub(crate) events: Vec<Event>,
}

/// One link of a chain.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Link {
    /// How far below the person.
    pub(crate) depth: usize,
    /// `person`, `session`, `prompt`, `agent`, `call`, `event`.
    pub(crate) kind: String,
    /// Who or which.
    pub(crate) id: String,
    /// What it was about.
    pub(crate) about: String,
    /// How it ended; empty where nothing ends.
    pub(crate) outcome: String,
    /// The event that tells it.
    pub(crate) audit_id: Option<String>,
}

/// What led to an event, the event, and what it led to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Chain {
    /// The event that was asked for.
    pub(crate) audit_id: String,
    /// From the person down to what acted.
    pub(crate) above: Vec<Link>,
    /// The event.
    pub(crate) event: Link,
    /// What it led to.
    pub(crate) below: Vec<Link>,
    /// Links that nobody saw, in words.
    pub(crate) missing: Vec<String>,
}

/// One session: its actions in order.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// The session.
    pub(crate) session_id: String,
    /// Who; empty when no witness names anybody.
    pub(crate) user_id: String,
    /// When it began.
    pub(crate) started: String,
    /// `open`, or `ended`.
    pub(crate) state: String,
    /// Why it ended; empty while it is open.
    pub(crate) end_reason: String,
    /// How many events there are.
    pub(crate) events: u64,
    /// How many tool calls.
    pub(crate) calls: u64,
    /// Of how many calls nobody saw the end.
    pub(crate) unknown: u64,
    /// The agents besides the main one.
    pub(crate) agents: Vec<Agent>,
    /// One object an action: when, who, what, verdict, outcome, the audit ids of its events.
    #[schema(value_type = Vec<Object>)]
    pub(crate) timeline: Vec<Value>,
}

/// A subagent.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Agent {
    /// Its id.
    pub(crate) agent_id: String,
    /// Its kind.
    pub(crate) agent_type: String,
    /// The agent that started it: `main`, an id, or null when nobody said.
    pub(crate) parent: Option<String>,
    /// Whether an event tells its start.
    pub(crate) started: bool,
    /// Whether an event tells its end.
    pub(crate) finished: bool,
}

/// Everything that one run did: each step, who authorised it, what data it touched; with what proves it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Execution {
    /// The run, or the session, that was asked for.
    pub(crate) execution_id: String,
    /// Who started it; empty when no event says so.
    pub(crate) initiated_by: String,
    /// Every permission that an event tells of: who started it, who approved, which policy decided.
    pub(crate) authorized_by: Vec<Authority>,
    /// Every step, in order of time; steps that lie inside an event follow it.
    pub(crate) steps: Vec<Step>,
    /// Everything that was read, written, called or changed.
    pub(crate) data_touched: Vec<Touch>,
    /// The runs that this one started, at any depth.
    pub(crate) children: Vec<String>,
    /// The runs above it, the nearest first.
    pub(crate) parents: Vec<String>,
    /// The sessions in which it happened.
    pub(crate) sessions: Vec<String>,
    /// Steps that failed, were denied, or whose end nobody saw.
    pub(crate) problems: Vec<Step>,
    /// What should be there and is not, in words.
    pub(crate) missing: Vec<String>,
    /// The events, in the order of the ledger, without what tools gave back.
    pub(crate) events: Vec<Event>,
    /// What proves that they are what was recorded.
    pub(crate) custody: Custody,
}

/// A permission.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Authority {
    /// A person, or a rule.
    pub(crate) who: String,
    /// `initiated`, `approved`, `policy`.
    pub(crate) how: String,
    /// When.
    pub(crate) timestamp: String,
    /// The event that tells it.
    pub(crate) audit_id: String,
}

/// A step.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    /// When the event that tells it happened.
    pub(crate) timestamp: String,
    /// The run to which it belongs.
    pub(crate) execution_id: String,
    /// The event type, or the name of a step inside an event.
    pub(crate) name: String,
    /// Who acted.
    pub(crate) actor: String,
    /// What was done to what.
    pub(crate) summary: String,
    /// How it ended, in the words of the event.
    pub(crate) outcome: String,
    /// How long it took.
    pub(crate) duration_ms: Option<u64>,
    /// What was decided, where the event tells it.
    pub(crate) decision: Value,
    /// The event that tells it.
    pub(crate) audit_id: String,
}

/// Something that was touched.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Touch {
    /// Which.
    pub(crate) resource: String,
    /// What was done.
    pub(crate) operation: String,
    /// How sensitive it is, as far as an event says so.
    pub(crate) sensitivity_level: String,
    /// How it ended.
    pub(crate) outcome: String,
    /// When.
    pub(crate) timestamp: String,
    /// The event that tells it.
    pub(crate) audit_id: String,
}

/// What proves the events of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Custody {
    /// Name of the log.
    pub(crate) origin: String,
    /// The key that signs its checkpoints.
    pub(crate) vkey: String,
    /// The newest published checkpoint, a C2SP signed note; null when none is published yet.
    pub(crate) checkpoint: Option<String>,
    /// Each event's position and hash in the tree of that log.
    pub(crate) leaves: Vec<Leaf>,
}

/// An event in the tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Leaf {
    /// The event.
    pub(crate) audit_id: String,
    /// Its position.
    pub(crate) seq: u64,
    /// Its RFC 6962 leaf hash, base64.
    pub(crate) leaf_hash: String,
}

/// The newest published checkpoint.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Checkpoint {
    /// Name of the log.
    pub(crate) origin: String,
    /// Events that it covers.
    pub(crate) size: u64,
    /// Root of the tree, base64.
    pub(crate) root: String,
    /// The key that signed it.
    pub(crate) vkey: String,
    /// The signed note.
    pub(crate) note: String,
}

/// Whether the server is there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: String,
    /// Version of the program.
    pub(crate) version: String,
}

/// Why there is no answer (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// A name of this kind of problem that does not change: `urn:sealtrail:problem:query`.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// The kind of problem in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What was wrong with this request.
    pub(crate) detail: String,
    /// The parameter or member that was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// The character of its text at which it stops making sense, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) position: Option<usize>,
    /// What to write instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
}
