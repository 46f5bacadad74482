//! `mcp proxy`: between a client and an MCP server; every call is recorded.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sealtrail_capture::mcp::{Link, Transport, Watch};
use sealtrail_capture::redact::Redactor;
use sealtrail_engine::{Home, count_loss};
use sealtrail_mcp::http::listen::Listener;
use sealtrail_mcp::http::{HttpError, HttpOptions, Proxy};
use sealtrail_mcp::{Desk, HomeStore, Keeper, Recorder, Terms, stdio};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::args::McpProxy;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;
use crate::when::count;

/// 5 s for what is not durable yet when the server has exited.
const SETTLE: Duration = Duration::from_secs(5);

/// 50 ms: a daemon that is well has sealed within them.
const DAEMON_PATIENCE_MIN: Duration = Duration::from_millis(50);

pub(super) fn run(call: &mut Call, args: &McpProxy) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    let mcp = config::load(home.path())?.config.audit.mcp;
    let patience = Duration::from_millis(u64::from(mcp.deadline_ms));
    let terms = Terms { block: args.block || mcp.blocks(&args.name), patience };
    if !home.takes_deliveries() {
        if terms.block {
            return Err(trail::missing(home.path()));
        }
        // The server is more to the user than its record; the missing record is said, here and by every other witness.
        call.screen.warn(&format!("there is no trail in {}: nothing of {} is recorded", home.path().display(), args.name));
    }
    // Half of the time is for the daemon; the spool has the other half.
    let store = HomeStore::new(home.clone(), (patience / 2).max(DAEMON_PATIENCE_MIN));
    let keeper = home.exists().then(|| Keeper::new(&home, &args.name));
    let recorder = Recorder::start(Box::new(store), keeper.clone()).map_err(|error| Failure::of("mcp.proxy", &error))?;
    let recorder = Arc::new(recorder);
    let wiring = Wiring { home, keeper, recorder, terms };
    match (args.http, &args.upstream) {
        (Some(listen), Some(upstream)) => over_http(call, args, listen, upstream, wiring),
        _ => over_stdio(call, args, wiring),
    }
}

/// What both kinds of proxy are made of.
struct Wiring {
    home: Home,
    keeper: Option<Keeper>,
    recorder: Arc<Recorder>,
    terms: Terms,
}

fn over_stdio(call: &mut Call, args: &McpProxy, wiring: Wiring) -> Result<Exit, Failure> {
    let Some((command, rest)) = args.command.split_first() else {
        return Err(
            Failure::usage("no command of a server is given").hint("write it behind `--`: sealtrail mcp proxy --name db -- db-server")
        );
    };
    let target: Vec<String> = args.command.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    let link = super::link(&args.name, Transport::Stdio, target.join(" "));
    let known = wiring.keeper.as_ref().map(Keeper::read).unwrap_or_default();
    let watch = Watch::new(link, Arc::new(Redactor::new()), known);
    let desk = Arc::new(Desk::new(watch, Arc::clone(&wiring.recorder), wiring.terms));
    let ran = stdio::run(command, rest, &desk, io::stdin(), io::stdout());
    settle(call, args, &wiring.home, &wiring.recorder);
    let code = ran.map_err(|error| Failure::of("mcp.server", &error))?;
    // The client reads the server's own exit code. Threads that still wait for the client's input end with the process.
    std::process::exit(code);
}

fn over_http(call: &mut Call, args: &McpProxy, listen: SocketAddr, upstream: &str, wiring: Wiring) -> Result<Exit, Failure> {
    if !listen.ip().to_canonical().is_loopback() && !args.insecure_listen {
        let failure = Failure::new(
            "mcp.listen",
            Exit::Refused,
            format!("cannot listen on {listen}: other machines could hear and use it, unencrypted"),
        );
        return Err(failure.hint("listen on 127.0.0.1").hint("or accept the risk: --insecure-listen"));
    }
    let link: Link = super::link(&args.name, Transport::Http, upstream.to_owned());
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| Failure::of("mcp.proxy", &error))?;
    let mut made = None;
    let options = HttpOptions {
        upstream: upstream.to_owned(),
        link,
        keeper: wiring.keeper,
        recorder: Arc::clone(&wiring.recorder),
        terms: wiring.terms,
        any_host: args.insecure_listen,
    };
    let listener = Listener::start(listen, || -> Result<_, Box<dyn std::error::Error + Send + Sync>> {
        let proxy = Proxy::new(options)?;
        let router = proxy.router();
        made = Some(proxy);
        Ok(router)
    });
    let listener = listener.map_err(|error| match error.downcast::<HttpError>() {
        Ok(error) => Failure::usage(error.to_string()),
        Err(error) => Failure::because("mcp.listen", Exit::Failed, format!("cannot listen on {listen}"), &*error),
    })?;
    call.screen.say(&format!("{} is recorded on http://{}{}", args.name, listener.address(), path_of(upstream)));
    // One is enough.
    let _ = signals.forever().next();
    if let Some(proxy) = made {
        proxy.stop();
    }
    settle(call, args, &wiring.home, &wiring.recorder);
    listener.stop();
    Ok(Exit::Yes)
}

fn settle(call: &mut Call, args: &McpProxy, home: &Home, recorder: &Recorder) {
    let lost = recorder.settle(SETTLE);
    if lost > 0 {
        count_loss(home, "mcp_calls", "mcp_unsealed", lost);
        call.screen.warn(&format!("{} events of {} could not be recorded", count(lost), args.name));
    }
}

fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or("/")
}
