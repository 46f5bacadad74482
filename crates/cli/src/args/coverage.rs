//! Arguments of `coverage`.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use sealtrail_trace::coverage::Witness;

/// `coverage`
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  sealtrail coverage --session last
  sealtrail coverage --since 24h --require hook,otel --threshold 100
  sealtrail coverage --since 2026-11-01 --until 2026-12-01 --export november.json
  sealtrail coverage verify november.json --vkey log.vkey

Exit 0 when every figure reaches the threshold and nothing was found, 3 otherwise.")]
pub(crate) struct Coverage {
    #[command(subcommand)]
    pub(crate) command: Option<CoverageCommand>,
    /// One session, or `last`; every session when left out
    #[arg(long, value_name = "ID", conflicts_with_all = ["since", "until"])]
    pub(crate) session: Option<String>,
    /// Sessions with an event from this time on: `2026-11-01`, `24h`, `"2 weeks ago"`
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Sessions with an event before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Witnesses that must have been on for every session: hook, transcript, otel, gateway, mcp, api
    #[arg(long, value_name = "WITNESS", value_delimiter = ',', value_parser = witness(), hide_possible_values = true)]
    pub(crate) require: Vec<Witness>,
    /// The least percentage that every witness must have seen of every class
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) threshold: u8,
    /// Seal the certificate, and write it with its proof into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) export: Option<PathBuf>,
}

/// `coverage …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum CoverageCommand {
    /// Check an exported certificate from nothing but its bytes
    Verify {
        /// A file that `--export` wrote
        file: PathBuf,
        /// File with the verifier key that must have signed it
        #[arg(long, value_name = "FILE")]
        vkey: Option<PathBuf>,
    },
}

fn witness() -> impl TypedValueParser<Value = Witness> {
    let words = PossibleValuesParser::new(Witness::ALL.iter().map(|witness| witness.word()));
    words.try_map(|word| Witness::parse(&word).ok_or_else(|| format!("no witness {word}")))
}
