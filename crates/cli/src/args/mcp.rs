//! Arguments of `mcp`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `mcp`
#[derive(Args, Clone, Debug)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples, for the client's .mcp.json:
  {\"mcpServers\": {\"audit\": {\"command\": \"sealtrail\", \"args\": [\"mcp\", \"read\"], \"env\": {\"SEALTRAIL_TOKEN\": \"stk_...\"}}}}
  {\"mcpServers\": {\"audit-collector\": {\"command\": \"sealtrail\", \"args\": [\"mcp\", \"collector\"]}}}
  {\"mcpServers\": {\"db\": {\"command\": \"sealtrail\", \"args\": [\"mcp\", \"proxy\", \"--name\", \"db\", \"--\", \"db-server\", \"--stdio\"]}}}")]
pub(crate) struct Mcp {
    /// As `mcp read --url`: what `mcp` does when it gets no command
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// What to do
    #[command(subcommand)]
    pub(crate) command: Option<McpCommand>,
}

/// `mcp …`
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum McpCommand {
    /// Give an agent a view of the trail, within the scope of the read token in SEALTRAIL_TOKEN
    Read(McpRead),
    /// Take an agent's own word into the trail: the MCP server `audit-collector`
    Collector(McpCollector),
    /// Record what passes between a client and an MCP server
    Proxy(McpProxy),
    /// Put the proxy in front of every server of a client's MCP configuration
    Wrap(McpWrap),
    /// Take the proxy away again
    Unwrap(McpWrap),
}

/// `mcp read`
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct McpRead {
    /// Ask the query API there instead of opening the trail: http://127.0.0.1:8787
    #[arg(long, value_name = "URL")]
    pub(crate) url: Option<String>,
}

/// `mcp collector`
#[derive(Args, Clone, Debug)]
pub(crate) struct McpCollector {
    /// Answer over streamable HTTP there, at /mcp, instead of on standard input and output; each request shows a token
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Listen also where other machines can hear it, unencrypted
    #[arg(long, requires = "listen")]
    pub(crate) insecure_listen: bool,
}

/// `mcp proxy`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  sealtrail mcp proxy --name github -- github-mcp-server stdio
  sealtrail mcp proxy --name linear --http 127.0.0.1:8790 --upstream https://mcp.linear.app/mcp")]
pub(crate) struct McpProxy {
    /// The server's name in the client's configuration
    #[arg(long, value_name = "NAME")]
    pub(crate) name: String,
    /// Refuse calls that cannot be recorded, whatever the configuration says
    #[arg(long)]
    pub(crate) block: bool,
    /// Listen there for clients of streamable HTTP: 127.0.0.1:8790, or port 0 for any that is free
    #[arg(long, value_name = "ADDRESS", requires = "upstream", conflicts_with = "command")]
    pub(crate) http: Option<SocketAddr>,
    /// Address of the server: https://host/path
    #[arg(long, value_name = "URL", requires = "http")]
    pub(crate) upstream: Option<String>,
    /// Listen also where other machines can hear it, unencrypted
    #[arg(long, requires = "http")]
    pub(crate) insecure_listen: bool,
    /// Command of a server on standard input and output, with its arguments
    #[arg(last = true, value_name = "COMMAND", required_unless_present = "http")]
    pub(crate) command: Vec<OsString>,
}

/// `mcp wrap`, `mcp unwrap`
#[derive(Args, Clone, Debug)]
pub(crate) struct McpWrap {
    /// The client's file: a project's .mcp.json, or any file with `mcpServers`
    pub(crate) file: PathBuf,
    /// Make the change; it is only shown otherwise
    #[arg(long)]
    pub(crate) write: bool,
    /// Only these servers
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Vec<String>,
}
