//! Flags of `provenance`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `provenance`
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  sealtrail provenance --session last
  sealtrail provenance diff CLAUDE.md --since '2 weeks ago'")]
pub(crate) struct Provenance {
    /// Session id, or `last`: list what instructed it, from when to when
    #[arg(long, value_name = "ID")]
    pub(crate) session: Option<String>,
    #[command(subcommand)]
    pub(crate) command: Option<ProvenanceCommand>,
}

/// `provenance …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ProvenanceCommand {
    /// Show the versions of one file of instructions, each with its difference to the one before
    Diff {
        /// The file
        path: PathBuf,
        /// Begin with the version that was in force then: a time, or a span such as "2 weeks ago"
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
}
