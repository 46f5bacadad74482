//! Every command and flag. One definition feeds the parser, the help, the completions, the man page and `docs/cli.md`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod coverage;
mod find;
mod fleet;
mod manage;
mod mcp;
mod provenance;
mod read;
mod serve;

pub(crate) use coverage::{Coverage, CoverageCommand};
pub(crate) use find::{JobName, JobResult, JobsCommand, Related, Restore, SavedCommand, SavedRun, ShimCommand, ShimPlace};
pub(crate) use fleet::{FleetAdd, FleetCommand, Forward};
pub(crate) use manage::{ConfigCommand, Daemon, Demo, Erase, ImportCommand, Init, Place, QueryCommand, Scope, Uninstall};
pub(crate) use mcp::{Mcp, McpCollector, McpCommand, McpProxy, McpRead, McpWrap};
pub(crate) use provenance::{Provenance, ProvenanceCommand};
pub(crate) use read::{CheckpointCommand, Filter, Get, Permission, Prove, Search, SessionCommand, Tail, Trace, Usage, Verify};
pub(crate) use serve::{Gateway, Serve, TokenCommand, TokenCreate, TokenScope};

/// The audit trail of Claude Code agents: captured, sealed, searchable, provable.
#[derive(Debug, Parser)]
#[command(name = "sealtrail", version, about, max_term_width = 100, disable_help_subcommand = true)]
#[command(subcommand_required = true, arg_required_else_help = false)]
#[command(
    after_help = "Exit codes: 0 yes, 1 failed, 3 not verified, 4 incomplete, 5 nothing matched, 6 busy, 7 refused, 64 usage, 78 configuration."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that mean the same everywhere.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Folder of the trail: ledger, keys, configuration, spool
    #[arg(long, global = true, value_name = "DIR", env = "SEALTRAIL_HOME", hide_env_values = true)]
    pub(crate) home: Option<PathBuf>,
    /// Format of the data on standard output; `auto` is a table on a terminal, `tsv` elsewhere
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Auto, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// Zone of times in tables: utc, local, or a name such as Europe/Berlin
    #[arg(long, global = true, default_value = "utc", value_name = "ZONE")]
    pub(crate) tz: String,
    /// When to use colour; NO_COLOR and CLICOLOR_FORCE are heard too
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Talk less on standard error
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Talk more on standard error
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Draw no progress bar
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Ask no question
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
}

/// Formats of standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table on a terminal, `tsv` elsewhere.
    Auto,
    /// Aligned columns, cut to the terminal.
    Table,
    /// Tab-separated values under a head line.
    Tsv,
    /// One JSON document; lists are arrays, written while they are found.
    Json,
    /// One JSON object a line.
    #[value(alias = "jsonl")]
    Ndjson,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// A heading for each day, a line for each event, oldest first (lists of events; a table elsewhere).
    Timeline,
    /// Only the audit ids.
    Id,
    /// The C2SP tlog-proof text (`prove` only).
    Proof,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Create a trail, its keys and its hooks
    Init(Init),
    /// Remove exactly the hooks that `init` installed
    Uninstall(Uninstall),
    /// Receive hooks and seal them, in the foreground
    Daemon(Daemon),
    /// Take events from other programs and machines, answer questions
    Serve(Serve),
    /// Pass requests on to the model's API, each sealed before it leaves
    Gateway(Gateway),
    /// The machines whose trails this collector cosigns
    #[command(subcommand)]
    Fleet(FleetCommand),
    /// Hand this trail to the collector that the configuration names
    Forward(Forward),
    /// Show whether the trail is complete, unchanged and readable
    Status,
    /// Check everything that can silently go wrong
    Doctor,
    /// Show the newest events, and follow them
    Tail(Tail),
    /// Find events
    Search(Search),
    /// Show one event with its proof
    Get(Get),
    /// Show who led to an event and what it led to
    TraceChain(Trace),
    /// Show what was granted when an action was done, and by which rule
    Permission(Permission),
    /// Show which instructions a session had, and how they changed
    Provenance(Provenance),
    /// Show tokens and cost by session, agent and model
    Usage(Usage),
    /// Show which witness saw which action, and what is missing; certify it
    Coverage(Coverage),
    /// Sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Show other sessions that have something in common with one
    Related(Related),
    /// Searches that have a name
    #[command(subcommand)]
    Saved(SavedCommand),
    /// Searches in the background (`search --async`)
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Recompute everything and tell what does not fit
    #[command(alias = "verify")]
    VerifyIntegrity(Verify),
    /// Write the inclusion proof of one event
    Prove(Prove),
    /// Checkpoints: what the trail has published about itself
    #[command(subcommand)]
    Checkpoint(CheckpointCommand),
    /// Erase one slot of one event; the proof stays whole
    Erase(Erase),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// The query language
    #[command(subcommand)]
    Query(QueryCommand),
    /// Tokens: who may ask over HTTP and MCP, and who may hand events in
    #[command(subcommand)]
    Token(TokenCommand),
    /// Read the trail over MCP, hand events in over it, record MCP servers
    Mcp(Mcp),
    /// Seal records that were captured elsewhere
    #[command(subcommand)]
    Import(ImportCommand),
    /// Seal a recorded session, prove it, and catch a changed byte
    Demo(Demo),
    /// The same verbs under the name `audit`
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Bring back events from an archive
    RestoreFromArchive(Restore),
    /// Answer `claude code audit …` beside the real client
    #[command(subcommand)]
    Shim(ShimCommand),
    /// Print shell completions
    Completions {
        /// Shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
    /// Print the versions of the program and its formats
    Version,
}

/// Verbs that exist under `audit` as well.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Find events
    Search(Search),
    /// Show one event with its proof
    Get(Get),
    /// Show who led to an event and what it led to
    TraceChain(Trace),
    /// Recompute everything and tell what does not fit
    #[command(alias = "verify")]
    VerifyIntegrity(Verify),
    /// Write the inclusion proof of one event
    Prove(Prove),
    /// Show the newest events, and follow them
    Tail(Tail),
    /// Sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Show other sessions that have something in common with one
    Related(Related),
    /// Searches that have a name
    #[command(subcommand)]
    Saved(SavedCommand),
    /// Searches in the background (`search --async`)
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Bring back events from an archive
    RestoreFromArchive(Restore),
    /// Show whether the trail is complete, unchanged and readable
    Status,
}

impl AuditCommand {
    /// Returns the same command at top level.
    pub(crate) fn plain(self) -> Command {
        match self {
            Self::Search(args) => Command::Search(args),
            Self::Get(args) => Command::Get(args),
            Self::TraceChain(args) => Command::TraceChain(args),
            Self::VerifyIntegrity(args) => Command::VerifyIntegrity(args),
            Self::Prove(args) => Command::Prove(args),
            Self::Tail(args) => Command::Tail(args),
            Self::Session(command) => Command::Session(command),
            Self::Related(args) => Command::Related(args),
            Self::Saved(command) => Command::Saved(command),
            Self::Jobs(command) => Command::Jobs(command),
            Self::RestoreFromArchive(args) => Command::RestoreFromArchive(args),
            Self::Status => Command::Status,
        }
    }
}
