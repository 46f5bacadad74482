//! `mcp collector`: the MCP server `audit-collector`, on standard input and output or over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use jiff::Timestamp;
use rmcp::ServiceExt;
use sealtrail_capture::Sender;
use sealtrail_capture::mcp::Transport;
use sealtrail_engine::Home;
use sealtrail_event::Token;
use sealtrail_mcp::HomeSink;
use sealtrail_mcp::collector::{Bearer, Collector, Found, Keys, NAME, PATH, Reader, routes};
use sealtrail_mcp::http::listen::Listener;
use sealtrail_server::{Archive, Question, Tokens, Visitor};
use serde_json::{Map, Value};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::read::{self, LIMIT, Local, Wanted};
use crate::args::McpCollector;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;

pub(super) fn run(call: &mut Call, args: &McpCollector) -> Result<Exit, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    match args.listen {
        None => over_stdio(home),
        Some(listen) => over_http(call, args, listen, home),
    }
}

fn over_stdio(home: Home) -> Result<Exit, Failure> {
    let secret = std::env::var("SEALTRAIL_TOKEN").ok().filter(|secret| !secret.is_empty());
    let sink = Arc::new(HomeSink::new(home.clone(), std::env::current_dir().ok()));
    let link = super::link(NAME, Transport::Stdio, String::new());
    let collector = Collector::for_stdio(link, sink, Some(Arc::new(Searches { archive: read::archive(home) })), secret);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("mcp", &error))?;
    let served = runtime.block_on(async {
        let service = collector.serve(rmcp::transport::stdio()).await.map_err(|error| error.to_string())?;
        service.waiting().await.map(drop).map_err(|error| error.to_string())
    });
    // Standard input may still be read by a thread of its own, which nobody waits for.
    runtime.shutdown_background();
    served.map_err(|why| Failure::new("mcp", Exit::Failed, format!("the exchange with the client broke off: {why}")))?;
    Ok(Exit::Yes)
}

fn over_http(call: &mut Call, args: &McpCollector, listen: SocketAddr, home: Home) -> Result<Exit, Failure> {
    if !listen.ip().to_canonical().is_loopback() && !args.insecure_listen {
        let failure = Failure::new(
            "mcp.listen",
            Exit::Refused,
            format!("cannot listen on {listen}: other machines could read tokens, which are not encrypted"),
        );
        return Err(failure.hint("listen on 127.0.0.1 behind a proxy that encrypts").hint("or accept the risk: --insecure-listen"));
    }
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(|error| Failure::of("mcp.collector", &error))?;
    let sink = Arc::new(HomeSink::new(home.clone(), std::env::current_dir().ok()));
    let any_host = args.insecure_listen;
    let listener = Listener::start(listen, || Ok::<_, std::io::Error>(router(read::archive(home.clone()), &home, sink, any_host)));
    let listener = listener.map_err(|error| Failure::because("mcp.listen", Exit::Failed, format!("cannot listen on {listen}"), &error))?;
    call.screen.say(&format!("{NAME} answers on http://{}{PATH}", listener.address()));
    // One is enough.
    let _ = signals.forever().next();
    listener.stop();
    Ok(Exit::Yes)
}

/// Returns the routes of the collector over HTTP, for any listener; each request shows a token.
pub(crate) fn router(archive: Arc<Archive>, home: &Home, sink: Arc<dyn sealtrail_mcp::Sink>, any_host: bool) -> axum::Router {
    let keys: Arc<dyn Keys> = Arc::new(Tokened { tokens: Tokens::of(home), archive: Arc::clone(&archive) });
    let link = super::link(NAME, Transport::Http, String::new());
    let collector = Collector::for_http(link, sink, Some(Arc::new(Searches { archive })), Arc::clone(&keys));
    routes(collector, keys, any_host)
}

/// Searches of the trail, within what a token shows.
struct Searches {
    archive: Arc<Archive>,
}

impl Reader for Searches {
    fn search(&self, secret: &str, question: Map<String, Value>) -> Found {
        let local = Local { archive: Arc::clone(&self.archive), secret: secret.to_owned() };
        Box::pin(async move {
            let mut question: Question =
                serde_json::from_value(Value::Object(question)).map_err(|error| format!("cannot use the arguments of search: {error}"))?;
            question.limit.get_or_insert(LIMIT);
            local.answer(Wanted::Search(Box::new(question))).await
        })
    }
}

/// The tokens of the home as keys.
struct Tokened {
    tokens: Tokens,
    archive: Arc<Archive>,
}

impl Keys for Tokened {
    fn known(&self, bearer: &Bearer) -> Result<(), String> {
        let found = bearer.secret.as_deref().map(|secret| self.tokens.find(secret, Timestamp::now())).transpose();
        match found.map_err(|error| error.to_string())?.flatten() {
            Some(_) => Ok(()),
            // Asked as a writer, so that it is recorded who was not let in.
            None => self.writer(bearer).map(drop),
        }
    }

    fn writer(&self, bearer: &Bearer) -> Result<Sender, String> {
        let visitor = Visitor { door: "mcp", source_ip: bearer.source_ip.clone() };
        let token =
            self.archive.admit_writer(bearer.secret.as_deref(), &visitor, Timestamp::now()).map_err(|refusal| refusal.to_string())?;
        let application_id = token.application_id.as_deref().and_then(|id| Token::parse(id).ok());
        Ok(Sender { key: token.name, application_id, source_ip: bearer.source_ip.clone(), certificate: None })
    }
}
