//! The client: one server, one secret.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use reqwest::blocking::{Client, Response};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Identity, Url};
use sealtrail_event::AuditId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::answer::{Answer, Chain, Checkpoint, Events, Execution, Matches, Session, Table};
use crate::error::{ClientError, Problem};
use crate::event::Event;
use crate::every::Every;
use crate::question::Question;
use crate::receipt::Receipts;

/// 4,096 events: as many as the server takes at once.
pub const EVENTS_MAX: usize = 4_096;

/// 64 MiB: the largest answer is a page of about 4 MiB, or a chain of 20,000 events.
const ANSWER_BYTES_MAX: u64 = 64 << 20;

/// 1,000 events a page when nobody says.
const PAGE: u64 = 1_000;

/// 100 events when nobody says, as the server has it.
const LIMIT: u64 = 100;

/// 60 s: twice as long as a search, or a seal, may take.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Which server, and with which secret.
#[derive(Clone)]
pub struct Config {
    /// Where it answers: `https://audit.example:8787`.
    pub url: String,
    /// A read token to ask, a write key to hand events in.
    pub secret: String,
    /// How long a request may take.
    pub timeout: Duration,
    /// Certificates of an authority of one's own, as PEM, besides those of the system.
    pub authority: Option<Vec<u8>>,
    /// Certificate and key that this client shows, as PEM, for a server that asks for one.
    pub identity: Option<Vec<u8>>,
}

impl Config {
    /// Names the server and the secret; everything else is as usual.
    pub fn new(url: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { url: url.into(), secret: secret.into(), timeout: TIMEOUT, authority: None, identity: None }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("url", &self.url).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Reads a trail, and writes to it. Every answer is recorded in the trail before it is given; every event is sealed before it is acknowledged.
#[derive(Clone, Debug)]
pub struct AuditTrailClient {
    http: Client,
    base: Url,
}

impl AuditTrailClient {
    /// Makes a client; asks nothing yet.
    pub fn new(config: Config) -> Result<Self, ClientError> {
        let Config { url, secret, timeout, authority, identity } = config;
        let base: Option<Url> = url.parse().ok().filter(|base: &Url| matches!(base.scheme(), "http" | "https") && base.has_host());
        let base = base.ok_or_else(|| ClientError::Url { url: url.clone() })?;
        let setup = |source| ClientError::Setup { url: url.clone(), source };
        let mut bearer = HeaderValue::from_str(&format!("Bearer {}", secret.trim())).map_err(|_| ClientError::Secret)?;
        bearer.set_sensitive(true);
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer), (ACCEPT, HeaderValue::from_static("application/json"))]);
        let mut builder = Client::builder()
            .default_headers(headers)
            .timeout(timeout)
            // Elsewhere the secret would be somebody else's.
            .redirect(Policy::none())
            .user_agent(concat!("sealtrail-client/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authority {
            for certificate in Certificate::from_pem_bundle(&pem).map_err(setup)? {
                builder = builder.add_root_certificate(certificate);
            }
        }
        if let Some(pem) = identity {
            builder = builder.identity(Identity::from_pem(&pem).map_err(setup)?);
        }
        Ok(Self { http: builder.build().map_err(setup)?, base })
    }

    /// Searches: events, a report (`| count by user_id`), or a sequence.
    pub fn search(&self, question: &Question) -> Result<Answer, ClientError> {
        let (path, response) = self.post(&["v1", "search"], question)?;
        read(&path, response)
    }

    /// Returns the events that match, up to the question's limit: 100 when it has none.
    pub fn query(&self, question: &Question) -> Result<Vec<Event>, ClientError> {
        let limit = question.limit.unwrap_or(LIMIT);
        let pages = self.iterate(question.clone().limit(limit.clamp(1, PAGE)));
        pages.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
    }

    /// Gives every event that matches, page by page; the question's limit is the size of a page.
    pub fn iterate(&self, question: Question) -> Every<'_> {
        let limit = question.limit.unwrap_or(PAGE);
        Every::new(self, question.limit(limit))
    }

    /// Returns one page of events.
    pub fn page(&self, question: &Question) -> Result<Events, ClientError> {
        match self.search(question)? {
            Answer::Events(page) => Ok(page),
            other => Err(ClientError::Kind { wanted: "a list of events", found: other.kind() }),
        }
    }

    /// Returns the table of a report: a query with a pipe.
    pub fn report(&self, question: &Question) -> Result<Table, ClientError> {
        match self.search(question)? {
            Answer::Table(report) => Ok(report.table),
            other => Err(ClientError::Kind { wanted: "a report", found: other.kind() }),
        }
    }

    /// Returns the matches of a sequence.
    pub fn matches(&self, question: &Question) -> Result<Matches, ClientError> {
        match self.search(question)? {
            Answer::Matches(matches) => Ok(matches),
            other => Err(ClientError::Kind { wanted: "matches of a sequence", found: other.kind() }),
        }
    }

    /// Returns one event; with `proof`, it carries the seal that proves it anywhere.
    pub fn get(&self, id: &AuditId, proof: bool) -> Result<Event, ClientError> {
        self.ask(&["v1", "events", id.as_str()], if proof { "proof=true" } else { "" })
    }

    /// Returns who led to an event, and what it led to.
    pub fn chain(&self, id: &AuditId) -> Result<Chain, ClientError> {
        self.ask(&["v1", "events", id.as_str(), "chain"], "")
    }

    /// Returns everything that one run did: each step, who authorised it, what data it touched, and what proves it. A session's id is taken, too.
    pub fn execution_chain(&self, execution_id: &str) -> Result<Execution, ClientError> {
        self.ask(&["v1", "executions", execution_id, "chain"], "")
    }

    /// Returns what was done in a session, in order.
    pub fn session(&self, session_id: &str) -> Result<Session, ClientError> {
        self.ask(&["v1", "sessions", session_id], "")
    }

    /// Returns the newest published checkpoint.
    pub fn checkpoint(&self) -> Result<Checkpoint, ClientError> {
        self.ask(&["v1", "checkpoint"], "")
    }

    /// Hands records of any shape in and returns what became of each, when everything is durable, in the tree and signed. Needs a write key.
    ///
    /// Records that name their `audit_id` may come again as often as it takes: each is sealed once. At most [`EVENTS_MAX`].
    pub fn submit<T: Serialize>(&self, events: &[T]) -> Result<Receipts, ClientError> {
        if events.len() > EVENTS_MAX {
            return Err(ClientError::TooMany { found: events.len(), limit: EVENTS_MAX });
        }
        let (path, response) = self.post(&["v1", "events"], events)?;
        let retry_after = retry_after(&response);
        // Also with 422, 429 and 503 each event has its fate; a problem of all of them has another type.
        let each = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !each {
            return Err(refused(path, response));
        }
        let receipts: Receipts = parse(&path, &whole(&path, response)?)?;
        Ok(Receipts { retry_after, ..receipts })
    }

    fn ask<T: DeserializeOwned>(&self, path: &[&str], query: &str) -> Result<T, ClientError> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.set_query(Some(query));
        }
        let path = url.path().to_owned();
        let response = self.http.get(url).send().map_err(|error| unreachable(&path, error))?;
        read(&path, response)
    }

    fn post<T: Serialize + ?Sized>(&self, path: &[&str], body: &T) -> Result<(String, Response), ClientError> {
        let url = self.url(path);
        let path = url.path().to_owned();
        let body = serde_json::to_vec(body).map_err(|source| ClientError::Body { path: path.clone(), source })?;
        let response = self.http.post(url).header(CONTENT_TYPE, "application/json").body(body).send();
        let response = response.map_err(|error| unreachable(&path, error))?;
        Ok((path, response))
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        // It has a host, so it has segments.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }
}

fn unreachable(path: &str, error: reqwest::Error) -> ClientError {
    ClientError::Unreachable { path: path.to_owned(), source: Box::new(error.without_url()) }
}

fn read<T: DeserializeOwned>(path: &str, response: Response) -> Result<T, ClientError> {
    if !response.status().is_success() {
        return Err(refused(path.to_owned(), response));
    }
    parse(path, &whole(path, response)?)
}

fn parse<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(bytes).map_err(|source| ClientError::Answer { path: path.to_owned(), source })
}

fn whole(path: &str, response: Response) -> Result<Vec<u8>, ClientError> {
    let mut bytes = Vec::new();
    let read = response.take(ANSWER_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(|error| ClientError::Unreachable { path: path.to_owned(), source: Box::new(error) })?;
    if bytes.len() as u64 > ANSWER_BYTES_MAX {
        return Err(ClientError::TooLarge { path: path.to_owned(), limit: ANSWER_BYTES_MAX });
    }
    Ok(bytes)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn refused(path: String, response: Response) -> ClientError {
    let (status, retry_after) = (response.status(), retry_after(&response));
    let bytes = match whole(&path, response) {
        Ok(bytes) => bytes,
        Err(error) => return error,
    };
    // Whatever stands between may answer in its own words.
    let problem = serde_json::from_slice(&bytes).unwrap_or_else(|_| Problem {
        kind: "about:blank".to_owned(),
        title: status.canonical_reason().unwrap_or("refused").to_lowercase(),
        status: status.as_u16(),
        detail: String::from_utf8_lossy(&bytes).chars().take(200).collect(),
        parameter: None,
        position: None,
        hint: None,
    });
    ClientError::Refused { path, problem: Box::new(problem), retry_after }
}
