//! Where events are sealed for a receipt: by the daemon, or by whoever can open the trail for the moment.

use std::path::PathBuf;

use sealtrail_engine::{Handle, Home, Ingested, load_config, seal_events};
use sealtrail_event::Event;

/// Why events are not sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotSealed {
    /// It may be tried again.
    #[error("not recorded yet: {0}")]
    Later(String),
    /// It will never be taken.
    #[error("the trail does not take it: {0}")]
    Never(String),
}

/// Seals events.
pub trait Sink: Send + Sync {
    /// Seals events, each once by its id; returns the fate of each, in order.
    fn seal(&self, events: &[Event]) -> Result<Vec<Ingested>, NotSealed>;
}

/// The trail of a home, whose daemon runs in another process or not at all.
#[derive(Clone, Debug)]
pub struct HomeSink {
    home: Home,
    cwd: Option<PathBuf>,
}

impl HomeSink {
    /// Names the trail; `cwd` is where a project's configuration is looked for.
    pub fn new(home: Home, cwd: Option<PathBuf>) -> Self {
        Self { home, cwd }
    }
}

impl Sink for HomeSink {
    fn seal(&self, events: &[Event]) -> Result<Vec<Ingested>, NotSealed> {
        let later = |error: &dyn std::error::Error| NotSealed::Later(chain(error));
        let loaded = load_config(&self.home, None, self.cwd.as_deref()).map_err(|error| later(&error))?;
        match seal_events(&self.home, &loaded, events) {
            Ok(fates) => Ok(fates),
            Err(error) if error.is_refused() => Err(NotSealed::Never(chain(&error))),
            Err(error) => Err(later(&error)),
        }
    }
}

impl Sink for Handle {
    fn seal(&self, events: &[Event]) -> Result<Vec<Ingested>, NotSealed> {
        Ok(self.ingest(events.to_vec()))
    }
}

/// Returns an error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}
