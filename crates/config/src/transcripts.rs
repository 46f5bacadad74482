//! Following the client's transcript files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Following the client's transcript files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transcripts {
    /// Whether the daemon follows transcripts and seals what they tell.
    pub enabled: bool,
    /// Folders with transcripts, absolute or beginning with `~/`. Left out: the client's own folder of the daemon's user. The folders that hooks
    /// point to are always among them, for files of the user who sent the hook.
    pub folders: Vec<String>,
    /// Milliseconds between two looks at files that grow.
    #[schemars(range(min = 50, max = 60_000))]
    pub poll_ms: u32,
}

impl Default for Transcripts {
    fn default() -> Self {
        Self { enabled: false, folders: Vec::new(), poll_ms: 1_000 }
    }
}
