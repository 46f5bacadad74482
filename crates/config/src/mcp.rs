//! The proxy for MCP servers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::audit::FailMode;

/// The proxy for MCP servers: what happens to a call that cannot be recorded before it goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Mcp {
    /// `block` refuses the call; `continue` lets it go on, and records it as soon as that is possible.
    pub fail_mode: FailMode,
    /// Servers whose calls never go on unrecorded, whatever `fail_mode` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub block_servers: Vec<String>,
    /// Milliseconds that a call waits until it is recorded.
    #[schemars(range(min = 10, max = 60_000))]
    pub deadline_ms: u32,
}

impl Default for Mcp {
    fn default() -> Self {
        Self { fail_mode: FailMode::Continue, block_servers: Vec::new(), deadline_ms: 2_000 }
    }
}

impl Mcp {
    /// Tells whether calls of the server `name` are refused when they cannot be recorded.
    pub fn blocks(&self, name: &str) -> bool {
        self.fail_mode == FailMode::Block || self.block_servers.iter().any(|server| server == name)
    }
}
