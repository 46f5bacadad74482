//! A machine of a fleet: which collector its log is handed to.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Handing this trail to a collector, which copies it and cosigns its checkpoints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fleet {
    /// The collector: `https://collector.example:8787`. Nothing is handed on when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collector: Option<String>,
    /// A file with the write key that this machine was enrolled with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<String>,
    /// Certificates (PEM) that are trusted beside the public ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<String>,
    /// The certificate (PEM, with what leads to its root) that this machine shows to a collector that asks for one; needs `key_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_file: Option<String>,
    /// The key of that certificate (PEM).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<String>,
    /// What is handed on: everything, or no prompts, inputs, outputs and persons.
    pub content: FleetContent,
    /// Verifier key of the witness whose cosignature counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// Seconds between two rounds.
    #[schemars(range(min = 1, max = 3_600))]
    pub every_seconds: u32,
}

/// What leaves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FleetContent {
    /// Envelopes and slots.
    All,
    /// Envelopes only.
    None,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            collector: None,
            token_file: None,
            ca_file: None,
            certificate_file: None,
            key_file: None,
            content: FleetContent::All,
            witness: None,
            every_seconds: 60,
        }
    }
}
