//! The daemon in the process of a command (`daemon`, `serve`, `gateway`): started from the home, and stopped with everything sealed that it took.

use sealtrail_config::Loaded;
use sealtrail_engine::{Daemon, DaemonError, DaemonOptions, Home};

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::record;
use crate::run::Call;
use crate::trail;
use crate::when::count;

/// Returns the home of the call, and its configuration: loaded before the daemon does, so that its problems are shown one by one.
pub(crate) fn load(call: &Call) -> Result<(Home, Loaded), Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    let loaded = config::load(home.path())?;
    Ok((home, loaded))
}

/// A daemon of this process.
pub(crate) struct Host(pub(crate) Daemon);

impl Host {
    /// Starts the daemon of a home.
    pub(crate) fn start(home: &Home) -> Result<Self, Failure> {
        let options = DaemonOptions { config: None, cwd: std::env::current_dir().ok() };
        Daemon::start(home, options).map(Self).map_err(|error| refused(&error))
    }

    /// Tells where hooks are taken.
    pub(crate) fn say(&self, call: &mut Call, home: &Home) {
        let drained = count(self.0.opened().drained.sealed);
        call.screen.say(&format!("listening on {}; {drained} events came from the spool; stop with Ctrl-C", home.socket().display()));
    }

    /// Ends a command that cannot go on; what the daemon already took is sealed first.
    pub(crate) fn give_up(self, failure: Failure) -> Result<Exit, Failure> {
        self.0.stop().map_err(|error| refused(&error))?;
        Err(failure)
    }

    /// Runs until it is told to stop, then does `before`, and seals what that brought.
    pub(crate) fn run_then(self, call: &mut Call, before: impl FnOnce()) -> Result<Exit, Failure> {
        let summary = self.0.run_then(before).map_err(|error| refused(&error))?;
        call.screen.say(&format!("stopped; {} events in the ledger", count(summary.size)));
        Ok(Exit::Yes)
    }
}

fn refused(error: &DaemonError) -> Failure {
    match error {
        DaemonError::Trail(error) => record::refused(error),
        error => Failure::of("daemon", error),
    }
}
