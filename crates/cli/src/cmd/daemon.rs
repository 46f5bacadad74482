//! `daemon`: receives hooks and seals them until it is told to stop.

use sealtrail_engine::{Daemon, DaemonError, DaemonOptions, Home};

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::record;
use crate::run::Call;
use crate::trail;
use crate::when::count;

pub(crate) fn run(call: &mut Call) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    // Loaded here first: its problems are shown one by one.
    config::load(home.path())?;
    let options = DaemonOptions { config: None, cwd: std::env::current_dir().ok() };
    let daemon = Daemon::start(&home, options).map_err(|error| refused(&error))?;
    let drained = daemon.opened().drained.sealed;
    call.screen.say(&format!("listening on {}; {} events came from the spool; stop with Ctrl-C", home.socket().display(), count(drained)));
    let summary = daemon.run().map_err(|error| refused(&error))?;
    call.screen.say(&format!("stopped; {} events in the ledger", count(summary.size)));
    Ok(Exit::Yes)
}

fn refused(error: &DaemonError) -> Failure {
    match error {
        DaemonError::Trail(error) => record::refused(error),
        error => Failure::of("daemon", error),
    }
}
