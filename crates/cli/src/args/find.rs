//! Arguments of the commands around searching: jobs, saved searches, what is related, and the shim.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `jobs …`
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List the searches that run or ran in the background, newest first
    List,
    /// Show how far a search is; exits with 4 while it runs
    Status(JobName),
    /// Show what a search found; of one that still runs, what it found so far
    Result(JobResult),
    /// Stop a search; what it found so far stays
    Cancel(JobName),
    /// Remove a search and what it found
    Remove(JobName),
    /// Do the work of a search
    #[command(hide = true)]
    Work(JobName),
}

/// One job.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobName {
    /// Id of the job, or `last`
    pub(crate) job: String,
    /// Wait until it has ended
    #[arg(long)]
    pub(crate) wait: bool,
}

/// `jobs result`
#[derive(Args, Clone, Debug)]
pub(crate) struct JobResult {
    #[command(flatten)]
    pub(crate) name: JobName,
    /// Columns, in this order
    #[arg(long, value_delimiter = ',', value_name = "A,B,C")]
    pub(crate) fields: Vec<String>,
    /// At most this many events
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
}

/// `saved …`
#[derive(Debug, Subcommand)]
pub(crate) enum SavedCommand {
    /// List the searches that have a name: shipped ones and your own
    List,
    /// Print a saved search as a command line
    Show {
        /// Its name
        name: String,
    },
    /// Run a saved search; its times count from now
    #[command(after_help = "Examples:
  sealtrail saved run unauthorised-access
  sealtrail saved run customer-data --since \"7 days ago\" -o csv
  sealtrail saved run failed-then-successful-login --source-ip '203.0.113.*'")]
    Run(SavedRun),
    /// Remove one of your own
    Remove {
        /// Its name
        name: String,
    },
}

/// `saved run`
#[derive(Args, Clone, Debug)]
pub(crate) struct SavedRun {
    /// Its name
    pub(crate) name: String,
    /// Flags of `search`, which add to those of the saved search or take their place
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    pub(crate) more: Vec<String>,
}

/// `related`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  sealtrail related --lateral sess_a8f3b21c
  sealtrail related --lateral dev_jordan --days 7 -o json")]
pub(crate) struct Related {
    /// A session or a person: which other sessions have the person, MCP servers, hosts or files in common with it
    #[arg(long, value_name = "SESSION|USER", required = true)]
    pub(crate) lateral: String,
    /// How many days before its last event
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=3660))]
    pub(crate) days: u32,
    /// At most this many sessions
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) limit: u64,
}

/// `restore-from-archive`
#[derive(Args, Clone, Debug)]
pub(crate) struct Restore {
    /// First day
    #[arg(long, value_name = "DATE")]
    pub(crate) start_date: String,
    /// Last day
    #[arg(long, value_name = "DATE")]
    pub(crate) end_date: String,
    /// Where the events would be written
    #[arg(long, value_name = "FILE")]
    pub(crate) destination: PathBuf,
}

/// `shim …`
#[derive(Debug, Subcommand)]
pub(crate) enum ShimCommand {
    /// Put a `claude` in a folder of its own that answers `claude code audit …` and `claude code config get …`, and passes on everything else
    Install(ShimPlace),
    /// Take it away
    Uninstall(ShimPlace),
    /// Show whether it is there, first on the PATH, and which client it passes on to; exits with 4 when it is not in use
    Status(ShimPlace),
}

/// Where the shim is.
#[derive(Args, Clone, Debug)]
pub(crate) struct ShimPlace {
    /// Its folder; `sealtrail/shim` in the user's data folder when left out
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
