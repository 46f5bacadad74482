//! `serve`: the daemon and the collector in one process, at one address, until it is told to stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sealtrail_config::{Audit, Loaded};
use sealtrail_engine::Handle;
use sealtrail_server::{Archive, Limits, ServeError, Server, ServerOptions, TlsFiles};

use crate::args;
use crate::cmd::{forward, gateway, mcp};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::host::{self, Host};
use crate::run::Call;

/// Where it listens when nobody says.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8787);

pub(crate) fn run(call: &mut Call, args: &args::Serve) -> Result<Exit, Failure> {
    let (home, loaded) = host::load(call)?;
    let line = forward::Line::of(&loaded)?;
    let host = Host::start(&home)?;
    host.say(call, &home);
    let more = mcp_router(&host.0.handle());
    let server = match Server::start(host.0.handle(), ServerOptions { more, ..options_of(&loaded, args) }) {
        Ok(server) => server,
        Err(error) => return host.give_up(not_serving(&error)),
    };
    call.screen.say(&format!("events are taken and questions answered on {}/v1, and over MCP on {0}/mcp", server.url()));
    let listen = loaded.config.audit.gateway.address();
    let passing = match listen.map(|listen| gateway::start(&host.0, &loaded, listen)).transpose() {
        Ok(passing) => passing,
        Err(failure) => {
            server.stop();
            return host.give_up(failure);
        }
    };
    if let Some(passing) = &passing {
        gateway::say(call, &loaded, passing);
    }
    // Without a thread nothing is handed in, and the collector tells of the silence.
    let forwarding = line.and_then(|line| forward::start(line, &home).ok());
    // The ends of calls that the gateway breaks off, and gaps that the server still waits to see filled, are sealed before the daemon stops.
    host.run_then(call, || {
        drop(forwarding);
        if let Some(passing) = passing {
            passing.stop();
        }
        server.stop();
    })
}

/// Returns what flags and configuration say together; a flag goes first.
fn options_of(loaded: &Loaded, args: &args::Serve) -> ServerOptions {
    let audit = &loaded.config.audit;
    let written = audit.collector.tls.as_ref();
    let certificate = args.tls_cert.clone().or(written.map(|tls| PathBuf::from(&tls.certificate)));
    let key = args.tls_key.clone().or(written.map(|tls| PathBuf::from(&tls.key)));
    let client_ca = args.client_ca.clone().or(written.and_then(|tls| tls.client_ca.as_ref().map(PathBuf::from)));
    let listen = args.listen.or(audit.collector.address()).or(audit.api.address()).unwrap_or(LISTEN);
    ServerOptions {
        tls: certificate.zip(key).map(|(certificate, key)| TlsFiles { certificate, key, client_ca }),
        insecure: audit.collector.insecure_listen || audit.api.insecure_listen,
        ..plain(audit, listen)
    }
}

/// Returns the options of a server that does not encrypt.
pub(crate) fn plain(audit: &Audit, listen: SocketAddr) -> ServerOptions {
    let (api, collector) = (&audit.api, &audit.collector);
    let bytes = |bytes: u32| usize::try_from(bytes).unwrap_or(usize::MAX);
    ServerOptions {
        listen,
        tls: None,
        insecure: api.insecure_listen,
        connections: bytes(collector.connections),
        deadline: Duration::from_secs(u64::from(api.search_seconds)),
        per_second: api.requests_per_second,
        collector: Limits {
            body_bytes: bytes(collector.body_bytes),
            flight_bytes: bytes(collector.flight_bytes),
            per_second: collector.requests_per_second,
        },
        more: axum::Router::new(),
    }
}

/// Returns the MCP collector's routes, whose events the daemon of this process seals.
fn mcp_router(handle: &Handle) -> axum::Router {
    let archive = Archive::new(handle.home().clone(), Box::new(handle.clone()), 30);
    // Whoever asks shows a token, so it does not matter under which name this machine is reached.
    mcp::router(Arc::new(archive), handle.home(), Arc::new(handle.clone()), true)
}

/// Makes the failure of a server that cannot start.
pub(crate) fn not_serving(error: &ServeError) -> Failure {
    match error {
        ServeError::NotLoopback { .. } => Failure::of("api.listen", error)
            .exit(Exit::Refused)
            .hint("encrypt: sealtrail serve --tls-cert FILE --tls-key FILE; or listen on 127.0.0.1 behind a proxy that does")
            .hint("or accept the risk: `api: {insecure_listen: true}` under `audit:` in audit.yaml"),
        ServeError::Tls(_) => Failure::of("api.tls", error).exit(Exit::Config),
        _ => Failure::of("api.listen", error),
    }
}
