//! Where readings are sealed: by the daemon of this process, or by whoever can open the trail.

use std::path::PathBuf;

use sealtrail_engine::{Handle, Home, Trail, load_config, note, status};
use serde_json::Value;

/// Seals what Sealtrail says of itself.
pub trait Recorder: Send + Sync {
    /// Seals one event (`{"event_type":"system.audit_log_accessed", …}`); the reason when it cannot.
    fn record(&self, record: &Value) -> Result<(), String>;
}

impl Recorder for Handle {
    fn record(&self, record: &Value) -> Result<(), String> {
        self.note(record).map(drop).map_err(|error| error.to_string())
    }
}

/// A home without a daemon in this process: the daemon of another one seals, or the ledger is opened for the moment.
pub struct HomeRecorder {
    home: Home,
    cwd: Option<PathBuf>,
}

impl HomeRecorder {
    /// Records in the trail of `home`; `cwd` is where a project's configuration is looked for.
    pub fn new(home: Home, cwd: Option<PathBuf>) -> Self {
        Self { home, cwd }
    }
}

impl Recorder for HomeRecorder {
    fn record(&self, record: &Value) -> Result<(), String> {
        if !matches!(status(&self.home), Ok(None)) {
            return note(&self.home, record).map(drop).map_err(|error| error.to_string());
        }
        let loaded = load_config(&self.home, None, self.cwd.as_deref()).map_err(|error| error.to_string())?;
        let (mut trail, _) = Trail::open(&self.home, &loaded).map_err(|error| error.to_string())?;
        trail.note(record).map_err(|error| error.to_string())?;
        trail.close().map_err(|error| error.to_string())
    }
}
