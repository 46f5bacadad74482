//! The collector: where it listens, with which certificates, and how much it takes.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The collector (`sealtrail serve`): events from other programs and machines, and the query API, at one address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Collector {
    /// Where it listens: `0.0.0.0:8787`. Where the query API does when left out, or at `127.0.0.1:8787`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Its certificates. Without them it listens on this machine only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsConfig>,
    /// Whether it may listen where other machines hear it without encrypting: keys and events then cross the network in clear.
    pub insecure_listen: bool,
    /// Bytes of one body, packed and unpacked.
    #[schemars(range(min = 65_536, max = 67_108_864))]
    pub body_bytes: u32,
    /// Bytes of all bodies that are being taken in; who comes when they are used up is told to come again.
    #[schemars(range(min = 1_048_576, max = 4_294_967_295_u64))]
    pub flight_bytes: u32,
    /// Connections at once.
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// Requests with one key in a second; four times as many in a burst.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub requests_per_second: u32,
}

impl Default for Collector {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            insecure_listen: false,
            body_bytes: 16 << 20,
            flight_bytes: 128 << 20,
            connections: 512,
            requests_per_second: 1_000,
        }
    }
}

impl Collector {
    /// Returns the address, if there is one; a loaded configuration has no wrong one.
    pub fn address(&self) -> Option<SocketAddr> {
        self.listen.as_deref().and_then(|listen| listen.parse().ok())
    }
}

/// Certificates, as PEM files; they are read again when they change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate and what leads to its root.
    pub certificate: String,
    /// The key of that certificate.
    pub key: String,
    /// Authorities: who connects must hold a certificate of one of them, whose subject is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<String>,
}
