//! `mcp read`: a view of the trail as tools for an agent, over standard input and output, within the scope of one read token.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use jiff::Timestamp;
use rmcp::ServiceExt;
use sealtrail_engine::Home;
use sealtrail_server::{Archive, HomeRecorder, Question, Visitor, What};
use serde_json::Value;

use crate::args::McpRead;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;

use super::remote::Remote;
use super::tools::Tools;

/// An agent waits for a tool; longer than this, it is better told to narrow the search.
const PATIENCE: Duration = Duration::from_secs(30);

/// 20 events: what an agent reads, it reads with its context.
pub(super) const LIMIT: u64 = 20;

pub(super) fn run(call: &mut Call, args: &McpRead) -> Result<Exit, Failure> {
    let secret = std::env::var("SEALTRAIL_TOKEN").ok().filter(|secret| !secret.is_empty()).ok_or_else(|| {
        Failure::new("token.missing", Exit::Refused, "no token: an agent reads the trail only with one")
            .hint("make one: sealtrail token create --name NAME --scope read --no-content, and set SEALTRAIL_TOKEN")
    })?;
    let source = match &args.url {
        Some(url) => Source::Remote(Remote::parse(url, secret)?),
        None => Source::Home(local(call, secret)?),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of("mcp", &error))?;
    let served = runtime.block_on(async {
        let service = Tools::new(source).serve(rmcp::transport::stdio()).await.map_err(|error| error.to_string())?;
        service.waiting().await.map(drop).map_err(|error| error.to_string())
    });
    // Standard input may still be read by a thread of its own, which nobody waits for.
    runtime.shutdown_background();
    served.map_err(|why| Failure::new("mcp", Exit::Failed, format!("the exchange with the client broke off: {why}")))?;
    Ok(Exit::Yes)
}

fn local(call: &Call, secret: String) -> Result<Local, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(trail::missing(home.path()));
    }
    Ok(Local { archive: archive(home), secret })
}

/// Opens the trail of a home to those who hold a token.
pub(super) fn archive(home: Home) -> Arc<Archive> {
    let recorder = HomeRecorder::new(home.clone(), std::env::current_dir().ok());
    Arc::new(Archive::new(home, Box::new(recorder), PATIENCE.as_secs()))
}

/// Where the answers come from.
pub(super) enum Source {
    /// The trail of this machine.
    Home(Local),
    /// The query API of a daemon.
    Remote(Remote),
}

/// The trail, opened by this process.
pub(super) struct Local {
    pub(super) archive: Arc<Archive>,
    pub(super) secret: String,
}

/// What a tool asks.
#[derive(Clone, Debug)]
pub(super) enum Wanted {
    Search(Box<Question>),
    Event(String, bool),
    Chain(String),
    Execution(String),
}

impl Source {
    /// Answers a tool, or says why not.
    pub(super) async fn answer(&self, wanted: Wanted) -> Result<Value, String> {
        match self {
            Self::Remote(remote) => tokio::time::timeout(PATIENCE, remote.answer(wanted)).await.map_err(|_| late())?,
            Self::Home(local) => local.answer(wanted).await,
        }
    }
}

impl Local {
    pub(super) async fn answer(&self, wanted: Wanted) -> Result<Value, String> {
        let cancel: Arc<AtomicBool> = Arc::default();
        let (archive, secret, flag) = (Arc::clone(&self.archive), self.secret.clone(), Arc::clone(&cancel));
        let mut job = tokio::task::spawn_blocking(move || read(&archive, &secret, &wanted, &flag));
        match tokio::time::timeout(PATIENCE, &mut job).await {
            Ok(done) => done.map_err(|error| error.to_string())?,
            Err(_) => {
                cancel.store(true, std::sync::atomic::Ordering::Relaxed);
                Err(late())
            }
        }
    }
}

fn late() -> String {
    format!("it took longer than {} s: narrow it with since or a condition", PATIENCE.as_secs())
}

/// The token is looked at each time: one that was revoked meanwhile opens nothing.
fn read(archive: &Archive, secret: &str, wanted: &Wanted, cancel: &Arc<AtomicBool>) -> Result<Value, String> {
    let (visitor, now) = (Visitor { door: "mcp", source_ip: None }, Timestamp::now());
    let grant = archive.admit(Some(secret), &visitor, now).map_err(|refusal| refusal.to_string())?;
    let found = match wanted {
        Wanted::Search(question) => question.resolve(&grant, now).and_then(|ask| {
            archive.read(&grant, &what(&visitor, "search", ask.text()), cancel, |reading| {
                let found = reading.search(&ask)?;
                let count = found.count();
                Ok((found.to_json(), count))
            })
        }),
        Wanted::Event(id, proof) => {
            archive.read(&grant, &what(&visitor, "event", id), cancel, |reading| Ok((reading.event(id, *proof)?, 1)))
        }
        Wanted::Chain(id) => archive.read(&grant, &what(&visitor, "chain", id), cancel, |reading| reading.chain(id)),
        Wanted::Execution(id) => archive.read(&grant, &what(&visitor, "execution", id), cancel, |reading| reading.execution(id)),
    };
    found.map_err(|refusal| refusal.to_json().to_string())
}

fn what<'a>(visitor: &'a Visitor, command: &'a str, query: &'a str) -> What<'a> {
    What { visitor, command, query }
}
