//! `daemon`: receives hooks and seals them until it is told to stop.

use sealtrail_config::Loaded;
use sealtrail_engine::{Daemon, DaemonError, DaemonOptions, Home};
use sealtrail_server::Server;

use crate::args;
use crate::cmd::forward;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::record;
use crate::run::Call;
use crate::trail;
use crate::when::count;

pub(crate) fn run(call: &mut Call, args: &args::Daemon) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    // Loaded here first: its problems are shown one by one.
    let loaded = config::load(home.path())?;
    let line = forward::Line::of(&loaded)?;
    let options = DaemonOptions { config: None, cwd: std::env::current_dir().ok() };
    let daemon = Daemon::start(&home, options).map_err(|error| refused(&error))?;
    let drained = daemon.opened().drained.sealed;
    call.screen.say(&format!("listening on {}; {} events came from the spool; stop with Ctrl-C", home.socket().display(), count(drained)));
    let server = match serve(&daemon, &loaded, args) {
        Ok(server) => server,
        Err(failure) => {
            // What it already took is sealed first.
            daemon.stop().map_err(|error| refused(&error))?;
            return Err(failure);
        }
    };
    if let Some(server) = &server {
        call.screen.say(&format!("the query API answers on {}/v1", server.url()));
    }
    // Without a thread nothing is handed in, and the collector tells of the silence.
    let forwarding = line.and_then(|line| forward::start(line, &home).ok());
    // What the server still knows is sealed before the daemon stops.
    let ran = daemon.run_then(|| {
        drop(forwarding);
        if let Some(server) = server {
            server.stop();
        }
    });
    let summary = ran.map_err(|error| refused(&error))?;
    call.screen.say(&format!("stopped; {} events in the ledger", count(summary.size)));
    Ok(Exit::Yes)
}

/// Starts the query API, if the flag or the configuration names an address.
fn serve(daemon: &Daemon, loaded: &Loaded, args: &args::Daemon) -> Result<Option<Server>, Failure> {
    let audit = &loaded.config.audit;
    let Some(listen) = args.listen.or(audit.api.address()) else { return Ok(None) };
    let server = Server::start(daemon.handle(), super::serve::plain(audit, listen));
    server.map(Some).map_err(|error| super::serve::not_serving(&error))
}

fn refused(error: &DaemonError) -> Failure {
    match error {
        DaemonError::Trail(error) => record::refused(error),
        error => Failure::of("daemon", error),
    }
}
