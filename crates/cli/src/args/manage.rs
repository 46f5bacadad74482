//! Arguments of the commands that set up, change or configure a trail.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `init`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  sealtrail init --dry-run
  sealtrail init --no-input --no-hooks
  sealtrail init --scope project")]
pub(crate) struct Init {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Create the trail only, change no settings
    #[arg(long, conflicts_with_all = ["scope", "settings"])]
    pub(crate) no_hooks: bool,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Name of the log for ever: a URL path without a scheme, such as example.com/audit/laptop-7
    #[arg(long, value_name = "NAME")]
    pub(crate) origin: Option<String>,
    /// Add an HMAC-SHA256 to every event, with a key that changes every epoch
    #[arg(long)]
    pub(crate) hmac: bool,
    /// A trail for agents of other users of this machine: they may add to it, and read nothing
    #[arg(long, alias = "shared")]
    pub(crate) system: bool,
    /// Answer the question about the settings change with yes
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// Which settings file.
#[derive(Args, Clone, Debug)]
pub(crate) struct Place {
    /// Which settings get the hooks
    #[arg(long, value_enum, value_name = "SCOPE", conflicts_with = "settings")]
    pub(crate) scope: Option<Scope>,
    /// A settings file of your choice
    #[arg(long, value_name = "FILE")]
    pub(crate) settings: Option<PathBuf>,
}

/// Settings scopes of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scope {
    /// Every session of this user.
    User,
    /// Every session in this project.
    Project,
    /// Every session on this machine; users cannot turn it off.
    Managed,
}

/// `uninstall`
#[derive(Args, Clone, Debug)]
pub(crate) struct Uninstall {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Answer the question about the settings change with yes
    #[arg(short, long)]
    pub(crate) yes: bool,
}

/// `daemon`
#[derive(Args, Clone, Debug)]
pub(crate) struct Daemon {
    /// Answer the query API there, whatever the configuration says: 127.0.0.1:8787, or port 0 for any that is free
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<std::net::SocketAddr>,
}

/// `erase`
#[derive(Args, Clone, Debug)]
pub(crate) struct Erase {
    /// Audit id of the event, or its number in the ledger
    pub(crate) audit_id: String,
    /// Which slot: identity, resource, prompt, input, output, content, raw
    #[arg(long, value_name = "SLOT", required = true, value_delimiter = ',')]
    pub(crate) slot: Vec<String>,
    /// Why: a short code that stays readable in the ledger, such as gdpr-17-request-4711
    #[arg(long, value_name = "CODE")]
    pub(crate) reason: String,
    /// The audit id again: this cannot be undone
    #[arg(long, value_name = "AUDIT_ID")]
    pub(crate) confirm: Option<String>,
    /// Show what would be erased, and erase nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// `config …`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every value and where it comes from
    Show,
    /// Print one value, for example `audit.retention.default_retention_days`
    Get {
        /// Path of the value, with indexes: `audit.destinations[0].encrypt_at_rest`
        path: String,
        /// What is written, even when this release does not act on it
        #[arg(long)]
        written: bool,
    },
    /// Check a configuration; reports every problem at once
    #[command(alias = "check")]
    Validate {
        /// File to check; the configuration in force when left out
        file: Option<PathBuf>,
    },
    /// Print the JSON Schema
    Schema,
    /// Print which files are read, in order
    Path,
}

/// `query …`
#[derive(Debug, Subcommand)]
pub(crate) enum QueryCommand {
    /// Show how a query is understood
    Explain {
        /// The query
        query: String,
    },
    /// List the fields that a query can name
    Fields,
}

/// `import …`
#[derive(Debug, Subcommand)]
pub(crate) enum ImportCommand {
    /// Seal recorded hook calls, one JSON object a line
    Hooks {
        /// File, or `-` for standard input
        file: PathBuf,
    },
    /// Seal event records of any known shape: one JSON object a line, or an array
    Events {
        /// File, or `-` for standard input
        file: PathBuf,
    },
    /// Seal what transcripts of the client tell; what is sealed already is not sealed again
    Transcripts {
        /// Transcripts, or folders that hold some: ~/.claude/projects
        #[arg(required = true)]
        paths: Vec<PathBuf>,
    },
    /// Seal records of AWS CloudTrail, joined to sessions by session tag, role session name or user agent
    Cloudtrail {
        /// Files as CloudTrail delivers them (`{"Records": […]}`), plain or gzip
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Seal the activity feed of Anthropic's Compliance API
    Compliance {
        /// Answers of the feed (`{"data": […]}`), or one activity a line
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Seal JSON of any kind, one object a line, by a mapping of its members
    Jsonl {
        /// Files, plain or gzip, or `-` for standard input
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The mapping (docs/importers.md)
        #[arg(long, value_name = "FILE")]
        map: PathBuf,
    },
}

/// `demo`
#[derive(Args, Clone, Debug)]
pub(crate) struct Demo {
    /// Folder for the demonstration trail; must not exist yet
    #[arg(long, value_name = "DIR", default_value = "sealtrail-demo")]
    pub(crate) into: PathBuf,
}
