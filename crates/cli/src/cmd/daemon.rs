//! `daemon`: receives hooks and seals them until it is told to stop.

use sealtrail_config::Loaded;
use sealtrail_engine::Daemon;
use sealtrail_server::Server;

use crate::args;
use crate::cmd::forward;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, Host};
use crate::run::Call;

pub(crate) fn run(call: &mut Call, args: &args::Daemon) -> Result<Exit, Failure> {
    let (home, loaded) = host::load(call)?;
    let line = forward::Line::of(&loaded)?;
    let host = Host::start(&home)?;
    host.say(call, &home);
    let server = match serve(&host.0, &loaded, args) {
        Ok(server) => server,
        Err(failure) => return host.give_up(failure),
    };
    if let Some(server) = &server {
        call.screen.say(&format!("the query API answers on {}/v1", server.url()));
    }
    // Without a thread nothing is handed in, and the collector tells of the silence.
    let forwarding = line.and_then(|line| forward::start(line, &home).ok());
    // What the server still knows is sealed before the daemon stops.
    host.run_then(call, || {
        drop(forwarding);
        if let Some(server) = server {
            server.stop();
        }
    })
}

/// Starts the query API, if the flag or the configuration names an address.
fn serve(daemon: &Daemon, loaded: &Loaded, args: &args::Daemon) -> Result<Option<Server>, Failure> {
    let audit = &loaded.config.audit;
    let Some(listen) = args.listen.or(audit.api.address()) else { return Ok(None) };
    let server = Server::start(daemon.handle(), super::serve::plain(audit, listen));
    server.map(Some).map_err(|error| super::serve::not_serving(&error))
}
