//! Arguments of the commands that let others read, and hand in.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print its secret, once
    #[command(after_help = "Examples:
  sealtrail token create --name soc --scope read --expires 30d
  sealtrail token create --name agent-7 --scope read --filter 'session_id=\"7\"' --no-content
  sealtrail token create --name billing --scope write --application billing-service")]
    Create(TokenCreate),
    /// List the tokens; their secrets are not kept
    List,
    /// Give a token a new secret and print it, once; the old one goes on for a while
    Rotate {
        /// Its name
        name: String,
        /// How long the old secret goes on: 0s, 12h, 7d
        #[arg(long, value_name = "TIME", default_value = "24h")]
        grace: String,
    },
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
    /// The application whose events are handed in with it; it is written into each of them
    #[arg(long, value_name = "ID")]
    pub(crate) application: Option<String>,
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

/// `serve`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  sealtrail token create --name laptops --scope write
  sealtrail serve --listen 0.0.0.0:8787 --tls-cert cert.pem --tls-key key.pem")]
pub(crate) struct Serve {
    /// Listen there, whatever the configuration says: 127.0.0.1:8787, or port 0 for any that is free
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// The server's certificate and what leads to its root, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of that certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Who connects must hold a certificate of one of these authorities, PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) client_ca: Option<PathBuf>,
}

/// `gateway`
#[derive(Args, Clone, Debug)]
#[command(after_help = "Example:
  sealtrail gateway --listen 127.0.0.1:8788
  ANTHROPIC_BASE_URL=http://127.0.0.1:8788 claude")]
pub(crate) struct Gateway {
    /// Listen there, whatever the configuration says: 127.0.0.1:8788, or port 0 for any that is free
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Send requests there, whatever the configuration says
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
}
