//! One connection, watched: which requests are open, what the server has described, what has passed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use sealtrail_event::{AuditId, Event, Token};
use serde_json::Value;

use super::large::Large;
use super::listing::{Known, Pages};
use super::message::{self, Message};
use super::{Link, Now, Way};
use crate::draft::Draft;
use crate::hash::{self, Hash};
use crate::redact::Redactor;

/// 4,096 requests without an answer: a client has a handful; of more, the oldest is given up with the outcome `unknown`.
pub const OPEN_MAX: usize = 4_096;

/// 256 names are counted; the rest counts as `other`.
const COUNTED_MAX: usize = 256;

/// What a message gave.
#[derive(Debug, Default)]
pub struct Seen {
    /// Events, in order.
    pub events: Vec<Event>,
    /// Whether they are to be kept durably before the message goes on: they tell that a call begins, or how it ended.
    pub hold: bool,
    /// Ids of the requests in it, to answer them when it does not go on.
    pub asked: Vec<Value>,
    /// What is now known of the server's descriptions, if that is new: to be kept once the events are sealed.
    pub known: Option<Known>,
}

/// What a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Call,
    /// `resources/read`, `prompts/get`.
    Access,
    Hello,
    Tools,
    Prompts,
    Sampling,
    Elicitation,
    Ping,
    Other,
}

/// A request without an answer.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) way: Way,
    /// Which exchange it came in; 0 where the transport has only one.
    pub(super) scope: u64,
    pub(super) id: Hash,
    pub(super) kind: Kind,
    pub(super) method: String,
    /// The tool, resource or prompt, redacted.
    pub(super) target: Option<String>,
    pub(super) tool: Option<Token>,
    pub(super) call: Option<Token>,
    /// Whether it asks for the beginning of a list.
    pub(super) first_page: bool,
    /// The event that tells of the request.
    pub(super) asked: Option<AuditId>,
    pub(super) since_ns: u64,
}

/// One connection.
#[derive(Debug)]
pub struct Watch {
    pub(super) link: Link,
    pub(super) redactor: Arc<Redactor>,
    pub(super) open: VecDeque<Open>,
    pub(super) known: Known,
    pub(super) pages: BTreeMap<&'static str, Pages>,
    pub(super) counts: BTreeMap<String, u64>,
    pub(super) bytes: [u64; 2],
    pub(super) large: [Option<Large>; 2],
    pub(super) connected: bool,
}

impl Watch {
    /// Begins; `known` is what the server described when it was last seen.
    pub fn new(link: Link, redactor: Arc<Redactor>, known: Known) -> Self {
        Self {
            link,
            redactor,
            open: VecDeque::new(),
            known,
            pages: BTreeMap::new(),
            counts: BTreeMap::new(),
            bytes: [0; 2],
            large: [None, None],
            connected: false,
        }
    }

    /// Returns what is known of the connection.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Takes one whole message, or a list of them.
    pub fn see(&mut self, way: Way, scope: u64, bytes: &[u8], now: &mut Now<'_>) -> Seen {
        self.bytes[way as usize] += bytes.len() as u64;
        let mut seen = Seen::default();
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return seen;
        }
        let read = message::read(bytes);
        if let Some(error) = &read.trouble {
            self.count("unparsed");
            seen.hold |= way == Way::ToServer;
            let draft = self.unparsed(way, bytes, error, now);
            seen.tell(draft);
        }
        for message in read.messages {
            self.take(way, scope, message, bytes.len(), now, &mut seen);
        }
        seen
    }

    fn take(&mut self, way: Way, scope: u64, message: Message, bytes: usize, now: &mut Now<'_>, seen: &mut Seen) {
        match message {
            Message::Request { id, method, params } => {
                self.count(&method);
                seen.asked.push(id.clone());
                self.request(way, scope, (&id, method, params), now, seen);
            }
            Message::Notification { method, params } => {
                let first = self.count(&method) == 1;
                self.notification(way, (&method, params), first, now, seen);
            }
            Message::Result { id, result } => match self.close(way, scope, &id) {
                Some(open) => self.answered(&open, result, bytes, now, seen),
                None => drop(self.count("answer_without_request")),
            },
            Message::Error { id, error } => match self.close(way, scope, &id) {
                Some(open) => self.failed(&open, error, bytes, now, seen),
                None => drop(self.count("error_without_request")),
            },
            Message::Odd => {}
        }
    }

    /// Adds an open request; the oldest one is given up when there are too many.
    pub(super) fn opened(&mut self, open: Open, now: &mut Now<'_>, seen: &mut Seen) {
        if self.open.len() >= OPEN_MAX
            && let Some(oldest) = self.open.pop_front()
        {
            self.lost(&oldest, "evicted", now, seen);
        }
        self.open.push_back(open);
    }

    /// Takes out the request that an answer going `way` belongs to: the newest of its exchange, else of any.
    pub(super) fn close(&mut self, way: Way, scope: u64, id: &Value) -> Option<Open> {
        let id = hash_of(id);
        let same = |open: &Open| open.way != way && open.id == id;
        let at = self.open.iter().rposition(|open| same(open) && open.scope == scope);
        let at = at.or_else(|| self.open.iter().rposition(same))?;
        self.open.remove(at)
    }

    /// Counts something by its name; returns the new count.
    pub(super) fn count(&mut self, name: &str) -> u64 {
        let name: String = super::plain(name.get(..name.len().min(64)).unwrap_or("other"));
        let full = self.counts.len() >= COUNTED_MAX;
        let name = if full && !self.counts.contains_key(&name) { "other".to_owned() } else { name };
        let count = self.counts.entry(name).or_default();
        *count += 1;
        *count
    }
}

impl Seen {
    /// Adds an event.
    pub(super) fn tell(&mut self, draft: Draft) -> AuditId {
        let id = draft.envelope.audit_id.clone();
        self.events.push(draft.finish());
        id
    }
}

/// Ids are kept as hashes: a peer may make them as long as it likes.
pub(super) fn hash_of(id: &Value) -> Hash {
    hash::sha256(id.to_string().as_bytes())
}
