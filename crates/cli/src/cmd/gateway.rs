//! `gateway`: the daemon and the gateway to the model's API in one process, until it is told to stop.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use sealtrail_config::Loaded;
use sealtrail_engine::{Daemon, Home};
use sealtrail_gateway::{Gate, Gateway, HandleSeal, Options, OptionsError, look_back};
use sealtrail_server::{Scope, Tokens};

use crate::args;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, Host};
use crate::run::Call;

/// Where it listens when nobody says.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8788);

pub(crate) fn run(call: &mut Call, args: &args::Gateway) -> Result<Exit, Failure> {
    let (home, mut loaded) = host::load(call)?;
    if let Some(upstream) = &args.upstream {
        loaded.config.audit.gateway.upstream.clone_from(upstream);
    }
    let host = Host::start(&home)?;
    let listen = args.listen.or(loaded.config.audit.gateway.address()).unwrap_or(LISTEN);
    let gateway = match start(&host.0, &loaded, listen) {
        Ok(gateway) => gateway,
        Err(failure) => return host.give_up(failure),
    };
    say(call, &loaded, &gateway);
    host.run_then(call, || gateway.stop())
}

/// Tells where clients find the gateway.
pub(crate) fn say(call: &mut Call, loaded: &Loaded, gateway: &Gateway) {
    let scheme = if loaded.config.audit.gateway.tls.is_some() { "https" } else { "http" };
    let upstream = &loaded.config.audit.gateway.upstream;
    call.screen
        .say(&format!("the gateway passes requests on to {upstream}; clients need ANTHROPIC_BASE_URL={scheme}://{}", gateway.address()));
}

/// Starts the gateway beside a daemon.
pub(crate) fn start(daemon: &Daemon, loaded: &Loaded, listen: SocketAddr) -> Result<Gateway, Failure> {
    let config = &loaded.config.audit.gateway;
    let handle = daemon.handle();
    let options = Options::of(config, listen, Some(gate(handle.home()))).map_err(|error| {
        let failure = Failure::of("gateway", &error);
        match error {
            OptionsError::NotLoopback { .. } => failure
                .exit(Exit::Refused)
                .hint("add certificate and key: `gateway: {tls: {certificate: …, key: …}}` under `audit:` in audit.yaml")
                .hint("or accept the risk: `gateway: {insecure_listen: true}`"),
            _ => failure,
        }
    })?;
    let past = look_back(handle.home(), !config.budgets.is_empty()).map_err(|error| Failure::of("gateway", &error))?;
    Gateway::start(Arc::new(HandleSeal(handle)), options, past).map_err(|error| Failure::of("gateway.listen", &error))
}

/// Lets in whoever names a token of the trail that hands events in.
fn gate(home: &Home) -> Gate {
    let tokens = Tokens::of(home);
    Arc::new(move |secret| matches!(tokens.find(secret, Timestamp::now()), Ok(Some(token)) if token.scope == Scope::Write))
}
