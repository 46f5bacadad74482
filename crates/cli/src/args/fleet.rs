//! Arguments of the fleet's commands.

use clap::{Args, Subcommand};

/// `fleet …`
#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Enrol a machine; prints the write key that it hands in with, once
    #[command(after_help = "Example:
  sealtrail fleet add laptop-7 --vkey \"$(cat log.vkey)\"")]
    Add(FleetAdd),
    /// List the machines: how far each is copied and cosigned, who is silent, who went back
    List,
    /// Take a machine off the list; its copy stays
    Remove {
        /// Its name
        name: String,
    },
    /// Make the witness's key, if there is none, and print the verifier key that laptops trust
    InitWitness,
}

/// `fleet add`
#[derive(Args, Clone, Debug)]
pub(crate) struct FleetAdd {
    /// Its name, also that of its write key
    pub(crate) name: String,
    /// Verifier key of its log: the file ledger/log.vkey on that machine
    #[arg(long, value_name = "KEY")]
    pub(crate) vkey: String,
    /// The origin that this log must have
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) origin: Option<String>,
    /// After so long without a word it counts as silent
    #[arg(long, value_name = "TIME", default_value = "20m")]
    pub(crate) silent_after: String,
    /// Use this write key, which exists already
    #[arg(long, value_name = "TOKEN")]
    pub(crate) key: Option<String>,
}

/// `forward`
#[derive(Args, Clone, Debug)]
pub(crate) struct Forward {
    /// Hand in what there is, and end
    #[arg(long)]
    pub(crate) once: bool,
}
