//! Arguments of the commands that read the trail.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `search`
#[derive(Args, Clone, Debug, Default)]
#[command(args_override_self = true)]
#[command(after_help = "Examples:
  sealtrail search --user-id user_12345 --since 2026-03-01
  sealtrail search --event-type data.file_read --sensitivity-level pii --since \"2 weeks ago\"
  sealtrail search 'tool_name=Bash and outcome!=success' --since 24h
  sealtrail search --sequence 'auth.user_login[status=fail] auth.user_login[status=success]' --within-seconds 300
  sealtrail search --related-to audit_evt_3f7e2a9c8d1b --context 30min -o timeline
  sealtrail search 'event_type=data.* | count by user_id, resource.sensitivity_level'
  sealtrail search --since '1 year' 'customer' --async
  sealtrail search --event-type 'data.*' -o json | jq '.[].resource.path'
  sealtrail search --since 1h -o json --proof > evidence.json && sealtrail verify-integrity evidence.json")]
pub(crate) struct Search {
    /// A query; `sealtrail query fields` lists what it can name
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Event types that must follow one another: `auth.user_login[status=fail] auth.user_login[status=success]`
    #[arg(long, value_name = "SELECTORS", conflicts_with = "related_to")]
    pub(crate) sequence: Option<String>,
    /// Field that all events of a sequence have in common; give it again for more
    #[arg(long, value_name = "FIELD", requires = "sequence", default_value = "user_id")]
    pub(crate) by: Vec<String>,
    /// Longest time from the first to the last event of a sequence
    #[arg(long, value_name = "SECONDS", requires = "sequence")]
    pub(crate) within_seconds: Option<u64>,
    /// What happened around an event: the same user, the same session, the same day
    #[arg(long, value_name = "AUDIT_ID")]
    pub(crate) related_to: Option<String>,
    /// How long before and after that event
    #[arg(long, value_name = "TIME", requires = "related_to", default_value = "30min")]
    pub(crate) context: String,
    /// At most this many events, newest first; 100 when left out, no limit with `--async`
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Look at every event instead of asking the index: the complete answer, whatever the index says
    #[arg(long)]
    pub(crate) scan: bool,
    /// Every event, whatever `--limit` says
    #[arg(long)]
    pub(crate) all: bool,
    /// Oldest first
    #[arg(long)]
    pub(crate) oldest_first: bool,
    /// Columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    pub(crate) fields: Vec<String>,
    /// Add to each event the `seal` that proves it anywhere (json and ndjson)
    #[arg(long)]
    pub(crate) proof: bool,
    /// Show what the flags and the query mean, and search nothing
    #[arg(long)]
    pub(crate) explain: bool,
    /// Exit 5 when nothing matches
    #[arg(long)]
    pub(crate) require_match: bool,
    /// Search in the background and print the id of the job: `sealtrail jobs status ID`, `sealtrail jobs result ID`
    #[arg(long = "async", conflicts_with_all = ["related_to", "proof", "explain", "require_match"])]
    pub(crate) background: bool,
    /// Keep this search under a name instead of running it: `sealtrail saved run NAME`
    #[arg(long, value_name = "NAME", conflicts_with_all = ["background", "explain"])]
    pub(crate) save: Option<String>,
}

/// 100 events fill some screens.
const LIMIT: u64 = 100;

impl Search {
    /// Returns how many events are shown at most.
    pub(crate) fn limit(&self) -> u64 {
        if self.all { u64::MAX } else { self.limit.unwrap_or(LIMIT) }
    }
}

/// Filters shared by `search` and `tail`; all that are given must hold.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// The person
    #[arg(long, value_name = "ID", alias = "developer")]
    pub(crate) user_id: Option<String>,
    /// The session of the client
    #[arg(long, value_name = "ID")]
    pub(crate) session_id: Option<String>,
    /// Event type, with `*` for any ending: `data.*`
    #[arg(long, value_name = "TYPE")]
    pub(crate) event_type: Option<String>,
    /// Sensitivity of what was touched
    #[arg(long, value_name = "LEVEL")]
    pub(crate) sensitivity_level: Option<String>,
    /// Address: `203.0.113.*` or `203.0.113.0/24`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) source_ip: Option<String>,
    /// The agent that acted
    #[arg(long, value_name = "ID")]
    pub(crate) agent_id: Option<String>,
    /// The tool, as named on the wire
    #[arg(long, value_name = "NAME")]
    pub(crate) tool: Option<String>,
    /// How it ended: pending, success, failure, denied, error, unknown
    #[arg(long, value_name = "WORD")]
    pub(crate) outcome: Option<String>,
    /// The witness's own status word; words of one meaning are equal
    #[arg(long, value_name = "WORD")]
    pub(crate) status: Option<String>,
    /// What policy said: allowed, asked, denied, not_evaluated
    #[arg(long, value_name = "WORD")]
    pub(crate) policy_result: Option<String>,
    /// How much it matters: debug, info, warning, high, critical
    #[arg(long, value_name = "WORD")]
    pub(crate) severity: Option<String>,
    /// A framework or label that the event counts for
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// MCP server of the tool
    #[arg(long, value_name = "NAME")]
    pub(crate) mcp_server: Option<String>,
    /// The project
    #[arg(long, value_name = "ID", alias = "project")]
    pub(crate) project_id: Option<String>,
    /// The application that called the model
    #[arg(long, value_name = "ID")]
    pub(crate) application_id: Option<String>,
    /// The model
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// The department of the person
    #[arg(long, value_name = "NAME")]
    pub(crate) department: Option<String>,
    /// Show the ledger's own starts, stops and epochs too
    #[arg(long)]
    pub(crate) bookkeeping: bool,
    /// From this time: `2026-03-01`, `"2 weeks ago"`, `24h`, `yesterday 14:00`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
}

/// `tail`
#[derive(Args, Clone, Debug)]
pub(crate) struct Tail {
    /// A query
    pub(crate) query: Option<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// Wait for new events until Ctrl-C
    #[arg(short, long)]
    pub(crate) follow: bool,
    /// How many of the newest events to begin with
    #[arg(short = 'n', long, default_value_t = 10, value_name = "N")]
    pub(crate) lines: u64,
    /// Columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    pub(crate) fields: Vec<String>,
}

/// `get`
#[derive(Args, Clone, Debug)]
pub(crate) struct Get {
    /// Audit id of the event, or its number in the ledger
    pub(crate) audit_id: String,
}

/// `trace-chain`
#[derive(Args, Clone, Debug)]
pub(crate) struct Trace {
    /// Audit id of the event, or its number in the ledger
    pub(crate) audit_id: String,
}

/// `permission`
#[derive(Args, Clone, Debug)]
pub(crate) struct Permission {
    /// Audit id of any event of the action, or its number in the ledger
    pub(crate) audit_id: String,
}

/// `prove`
#[derive(Args, Clone, Debug)]
pub(crate) struct Prove {
    /// Audit id of the event, or its number in the ledger
    pub(crate) audit_id: String,
}

/// `verify-integrity`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  sealtrail verify-integrity
  sealtrail verify-integrity /backup/ledger --vkey log.vkey
  sealtrail verify-integrity evidence.json")]
pub(crate) struct Verify {
    /// A ledger folder, a home, or a file of events exported with `--proof`; the trail of the home when left out
    pub(crate) path: Option<PathBuf>,
    /// Check the commits, checkpoints and the newest segment only
    #[arg(long)]
    pub(crate) quick: bool,
    /// File with the verifier key that must have signed it
    #[arg(long, value_name = "FILE")]
    pub(crate) vkey: Option<PathBuf>,
    /// File with a checkpoint of this log that was kept elsewhere: a ledger that was put back to before it fails
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoint: Vec<PathBuf>,
    /// File with the escrowed K_0, to check the HMAC of every event
    #[arg(long, value_name = "FILE")]
    pub(crate) mac_key: Option<PathBuf>,
}

/// `session list`
#[derive(Args, Clone, Debug)]
pub(crate) struct SessionList {
    #[command(flatten)]
    pub(crate) filter: Filter,
    /// At most this many sessions
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub(crate) limit: u64,
}

/// `session …`
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "one value a process")]
pub(crate) enum SessionCommand {
    /// List the sessions in which something matches, the one with the newest event first
    List(SessionList),
    /// Show the timeline of one session: one line an action
    Show {
        /// Session id, or `last`
        id: String,
    },
}

/// `checkpoint …`
#[derive(Debug, Subcommand)]
pub(crate) enum CheckpointCommand {
    /// Print the newest published checkpoint
    Show,
}

/// `usage`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  sealtrail usage --session 67f895cc-c4d3-4dbe-b22f-9ccae7030c8c
  sealtrail usage --since 24h -o json")]
pub(crate) struct Usage {
    /// One session
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    #[command(flatten)]
    pub(crate) filter: Filter,
}
