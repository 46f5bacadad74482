//! `audit-collector`: an MCP server that takes an agent's own word into the trail, and shows the trail to those who hold a read token.

mod check;
mod routes;
mod tools;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::request::Parts;
use rmcp::ErrorData;
use rmcp::ServerHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation, ListToolsResult, PaginatedRequestParams,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use sealtrail_capture::mcp::{Link, Sender, record};
use sealtrail_capture::redact::Redactor;
use sealtrail_engine::Ingested;
use sealtrail_event::Event;
use serde_json::{Map, Value, json};

use crate::clock::{new_id, unix_ns};
use crate::sink::{NotSealed, Sink};

pub use check::{EVENT_BYTES_MAX, decision, event};
pub use routes::{PATH, routes};

/// The name of the server: a skill names it under `mcp_servers`.
pub const NAME: &str = "audit-collector";

/// 10 s: who hands something in waits until it is sealed, and comes again when it is not.
const PATIENCE: Duration = Duration::from_secs(10);

/// 250 ms between two tries.
const RETRY: Duration = Duration::from_millis(250);

const ABOUT: &str =
    "Takes events and decisions into a sealed audit trail. Each answer holds the audit id and a receipt: only then is it recorded.";

/// The member in which the client says which call of the model this is.
const TOOL_USE_ID: &str = "claudecode/toolUseId";

/// What a search answers, some time.
pub type Found = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;

/// Answers searches for those who hold a read token.
pub trait Reader: Send + Sync {
    /// Searches within what the token shows; every answer is recorded.
    fn search(&self, secret: &str, question: Map<String, Value>) -> Found;
}

/// Says what keys are for; a key that is used for something else is recorded.
pub trait Keys: Send + Sync {
    /// Tells whether there is such a key at all, or why nobody is let in with it.
    fn known(&self, bearer: &Bearer) -> Result<(), String>;
    /// Returns who hands in with the key, or why nobody may.
    fn writer(&self, bearer: &Bearer) -> Result<sealtrail_capture::Sender, String>;
}

/// What a request over HTTP shows.
#[derive(Clone, Debug, Default)]
pub struct Bearer {
    /// The key.
    pub secret: Option<String>,
    /// Where the request comes from.
    pub source_ip: Option<String>,
}

/// The server.
#[derive(Clone)]
pub struct Collector {
    link: Arc<Link>,
    redactor: Arc<Redactor>,
    sink: Arc<dyn Sink>,
    reader: Option<Arc<dyn Reader>>,
    /// The read token of a connection on standard input, which has no headers.
    secret: Option<String>,
    /// Where every request must show a key.
    keys: Option<Arc<dyn Keys>>,
}

impl Collector {
    /// Makes a server for one client on standard input and output: whoever may start it may hand in; `secret` is the read token it got.
    pub fn for_stdio(link: Link, sink: Arc<dyn Sink>, reader: Option<Arc<dyn Reader>>, secret: Option<String>) -> Self {
        Self { link: Arc::new(link), redactor: Arc::new(Redactor::new()), sink, reader, secret, keys: None }
    }

    /// Makes a server for clients over HTTP, each request of which shows a key.
    pub fn for_http(link: Link, sink: Arc<dyn Sink>, reader: Option<Arc<dyn Reader>>, keys: Arc<dyn Keys>) -> Self {
        Self { keys: Some(keys), ..Self::for_stdio(link, sink, reader, None) }
    }

    async fn call(&self, request: CallToolRequestParams, bearer: Bearer, call: Option<String>) -> Result<CallToolResult, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let checked = match request.name.as_ref() {
            "log_event" => event(arguments),
            "log_decision" => decision(arguments),
            "search" => return Ok(self.search(arguments, bearer.secret).await),
            other => {
                return Err(ErrorData::invalid_params(
                    format!("there is no tool {other}; there are log_event, log_decision and search"),
                    None,
                ));
            }
        };
        let writer = match self.writer(bearer).await {
            Ok(writer) => writer,
            Err(why) => return Ok(failed(&why)),
        };
        let members = match checked {
            Ok(members) => members,
            Err(problems) => return Ok(failed(&problems.join("; "))),
        };
        let sender = Sender { link: &self.link, tool_use_id: call.as_deref(), received_unix_ns: unix_ns() };
        let mut made = match record(members, new_id(), &sender, &self.redactor) {
            Ok(made) => made,
            Err(error) => return Ok(failed(&format!("cannot take it: {error}"))),
        };
        if let Some(writer) = &writer {
            writer.stamp(&mut made);
        }
        Ok(self.seal(made).await)
    }

    /// Returns who hands in; nobody in particular on standard input.
    async fn writer(&self, bearer: Bearer) -> Result<Option<sealtrail_capture::Sender>, String> {
        let Some(keys) = self.keys.clone() else { return Ok(None) };
        let asked = tokio::task::spawn_blocking(move || keys.writer(&bearer)).await;
        asked.map_err(|error| error.to_string())?.map(Some)
    }

    async fn seal(&self, made: Event) -> CallToolResult {
        let id = made.envelope.audit_id.as_str().to_owned();
        let made = Arc::new([made]);
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (sink, own) = (Arc::clone(&self.sink), Arc::clone(&made));
            let sealed = tokio::task::spawn_blocking(move || sink.seal(own.as_slice())).await;
            let why = match sealed {
                Ok(Ok(fates)) => match fates.first() {
                    Some(Ingested::Sealed(receipt)) => {
                        let receipt =
                            json!({"seq": receipt.seq.0, "leaf_hash": receipt.leaf_hash.to_string(), "tree_size": receipt.tree_size.0});
                        return told(&json!({"audit_id": id, "recorded": true, "receipt": receipt}));
                    }
                    Some(Ingested::Known { seq }) => {
                        return told(&json!({"audit_id": id, "recorded": true, "known": true, "receipt": {"seq": seq}}));
                    }
                    Some(Ingested::Rejected) => return failed("the trail does not take it: it is over the limits of an event"),
                    Some(Ingested::Later) | None => "the trail is busy or its disk is full".to_owned(),
                },
                Ok(Err(NotSealed::Later(why))) => why,
                Ok(Err(error @ NotSealed::Never(_))) => return failed(&error.to_string()),
                Err(error) => return failed(&error.to_string()),
            };
            if Instant::now() + RETRY >= deadline {
                return failed(&format!("not recorded, send it again: {why}"));
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn search(&self, question: Map<String, Value>, shown: Option<String>) -> CallToolResult {
        let Some(reader) = &self.reader else { return failed("this server answers no searches") };
        let secret = if self.keys.is_some() { shown } else { self.secret.clone() };
        let Some(secret) = secret else {
            return failed(
                "searching needs a read token: set SEALTRAIL_TOKEN, or send it as the key; make one with `sealtrail token create --scope read`",
            );
        };
        match reader.search(&secret, question).await {
            Ok(found) => told(&found),
            Err(why) => failed(&why),
        }
    }
}

impl ServerHandler for Collector {
    fn get_info(&self) -> ServerConfig {
        let own = Implementation::new(NAME, env!("CARGO_PKG_VERSION"));
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build()).with_server_info(own).with_instructions(ABOUT)
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let call = context.meta.get(TOOL_USE_ID).and_then(Value::as_str).map(str::to_owned);
        let bearer = context.extensions.get::<Parts>().and_then(|parts| parts.extensions.get::<Bearer>()).cloned();
        Ok(self.call(request, bearer.unwrap_or_default(), call).await?.into())
    }
}

/// 256 KiB: more than fits into the context of an agent.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

fn told(found: &Value) -> CallToolResult {
    let text = found.to_string();
    if text.len() > ANSWER_BYTES_MAX {
        return failed(&format!("the answer has {} bytes, at most {ANSWER_BYTES_MAX} are given: ask for less with limit", text.len()));
    }
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = Some(found.clone());
    result
}

fn failed(why: &str) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why)])
}
