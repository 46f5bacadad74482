//! The query API of the daemon.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The query API of the daemon. Its answers are not encrypted, so it listens on this machine only, unless told otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Where it listens: `127.0.0.1:8787`. Nowhere when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Whether it may listen where other machines hear it: tokens and answers then cross the network unencrypted.
    pub insecure_listen: bool,
    /// Requests with one token in a second; four times as many in a burst.
    #[schemars(range(min = 1, max = 10_000))]
    pub requests_per_second: u32,
    /// Seconds that a search may take.
    #[schemars(range(min = 1, max = 600))]
    pub search_seconds: u32,
}

impl Default for Api {
    fn default() -> Self {
        Self { listen: None, insecure_listen: false, requests_per_second: 50, search_seconds: 30 }
    }
}

impl Api {
    /// Returns the address, if there is one; a loaded configuration has no wrong one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.as_deref().and_then(|listen| listen.parse().ok())
    }
}
