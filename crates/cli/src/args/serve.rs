//! Arguments of the commands that let others read.

use clap::{Args, Subcommand, ValueEnum};

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print its secret, once
    #[command(after_help = "Examples:
  sealtrail token create --name soc --scope read --expires 30d
  sealtrail token create --name agent-7 --scope read --filter 'session_id=\"7\"' --no-content")]
    Create(TokenCreate),
    /// List the tokens; their secrets are not kept
    List,
    /// Take a token away
    Revoke {
        /// Its name
        name: String,
    },
}

/// `token create`
#[derive(Args, Clone, Debug)]
pub(crate) struct TokenCreate {
    /// Its name, which every reading is recorded under
    #[arg(long)]
    pub(crate) name: String,
    /// What it is for; a token that writes reads nothing
    #[arg(long, value_enum)]
    pub(crate) scope: TokenScope,
    /// Only events that match this query are visible
    #[arg(long, value_name = "QUERY")]
    pub(crate) filter: Option<String>,
    /// Leave out persons and content: prompts, inputs, outputs, free text
    #[arg(long)]
    pub(crate) no_content: bool,
    /// How long it is valid: 12h, 30d; until it is revoked when left out
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenScope {
    /// Reading.
    Read,
    /// Handing events in.
    Write,
}

/// `mcp`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example, for the client's .mcp.json:
  {\"mcpServers\": {\"audit\": {\"command\": \"sealtrail\", \"args\": [\"mcp\"], \"env\": {\"SEALTRAIL_TOKEN\": \"stk_...\"}}}}")]
pub(crate) struct Mcp {
    /// Ask the query API there instead of opening the trail: http://127.0.0.1:8787
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}
