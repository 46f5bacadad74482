//! What one transcript file has told so far, and the events of its next line.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sealtrail_event::{AuditId, Event, Grade, Severity, SlotName, Token, Witness};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, time_token, token, word};
use crate::hash;
use crate::hook::disclose;
use crate::parse::{self, ParseError};
use crate::raw::keep_bytes;
use crate::redact::Redactor;
use crate::redacted;
use crate::sessions::Sessions;
use crate::tools::Doing;
use crate::transcript::line::Line;
use crate::transcript::message::{Pending, Told};
use crate::transcript::{message, request};

/// 4,096 calls of one file that have no result yet; the client runs about ten at a time. Of further ones the result tells no tool.
const OPEN_MAX: usize = 4_096;

/// 65,536 calls of one file with a result, 64 bytes each; of older ones a second result would count as the first.
const ENDED_MAX: usize = 65_536;

/// 256 kinds of lines are counted apart; the client has about twenty.
const KINDS_MAX: usize = 256;

/// 4,096 answers whose first line is remembered, 200 bytes each: more of an answer comes within the same turn.
const TOLD_MAX: usize = 4_096;

/// 4,096 hashes that are not told, because what they are of held a secret.
const HIDDEN_MAX: usize = 4_096;

/// What is known about a transcript file beside its lines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Origin {
    /// Its path, as the reader found it.
    pub path: String,
    /// The session that the file's name tells.
    pub session_id: Option<String>,
    /// The agent that the file's name tells; none for the main agent.
    pub agent_id: Option<String>,
    /// The client's description of that agent (`agent-<id>.meta.json`), as it was read.
    pub meta: Option<Vec<u8>>,
    /// Owner of the file.
    pub uid: Option<u32>,
    /// Name of that user.
    pub user: Option<String>,
    /// Name of the machine.
    pub host: Option<String>,
}

/// A call whose result the file has not told yet.
pub(crate) struct Open {
    pub(crate) tool: Option<Token>,
    pub(crate) doing: Doing,
}

/// The state of reading one file.
pub struct Reading {
    pub(crate) redactor: Arc<Redactor>,
    origin: Origin,
    parent: Option<Token>,
    agent_type: Option<Token>,
    /// When the lines are taken in, nanoseconds since 1970.
    taken_unix_ns: u64,
    last_unix_ns: u64,
    pub(crate) prompt: Option<Token>,
    pub(crate) open: HashMap<Token, Open>,
    pub(crate) ended: HashSet<Token>,
    pub(crate) pending: Option<Pending>,
    pub(crate) told: HashMap<String, Told>,
    pub(crate) hidden: HashSet<String>,
    counts: BTreeMap<String, u64>,
}

impl Reading {
    /// Begins at the first line of a file.
    pub fn new(origin: Origin) -> Self {
        let meta = origin.meta.as_deref().and_then(|bytes| parse::strict(bytes).ok()).map(|parsed| parsed.members).unwrap_or_default();
        let named = |name: &str| meta.get(name).and_then(Value::as_str).and_then(token);
        Self {
            redactor: Sessions::new().redactor,
            parent: named("parentAgentId"),
            agent_type: named("agentType"),
            origin,
            taken_unix_ns: 0,
            last_unix_ns: 0,
            prompt: None,
            open: HashMap::new(),
            ended: HashSet::new(),
            pending: None,
            told: HashMap::new(),
            hidden: HashSet::new(),
            counts: BTreeMap::new(),
        }
    }

    /// Returns the redacted events of the next line, taken in at `unix_ns`; an empty line gives none.
    ///
    /// The answer of a model is several lines: its event, with the tokens, comes before the events of the first line that is not of it, or with
    /// [`Reading::rest`].
    pub fn read(&mut self, bytes: &[u8], unix_ns: u64) -> Vec<Event> {
        self.taken_unix_ns = unix_ns;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Vec::new();
        }
        let parsed = match parse::strict(bytes) {
            Ok(parsed) => parsed,
            Err(error) => return vec![self.unparsed(bytes, &error)],
        };
        let digits = parsed.numbers_as_text;
        let line = Line::new(parsed.members, &self.redactor, self.last_unix_ns);
        self.last_unix_ns = line.unix_ns;
        let mut drafts = Vec::new();
        if let Some(pending) = self.pending.take_if(|pending| !pending.goes_on(&line)) {
            drafts.extend(message::response(self, pending));
        }
        drafts.extend(self.drafts(&line));
        if let Some(first) = drafts.iter_mut().find(|draft| draft.envelope.event_type.as_str() != "model.response") {
            disclose(first, &line.rules);
            if digits > 0 {
                first.put(SlotName::Content, "numbers_as_text", digits.into());
            }
        }
        drafts.into_iter().map(Draft::finish).collect()
    }

    /// Returns the event of the last answer of a model, if nothing has followed it yet. Call it when the file has been quiet for a while.
    pub fn rest(&mut self, unix_ns: u64) -> Vec<Event> {
        self.taken_unix_ns = unix_ns;
        let Some(pending) = self.pending.take() else { return Vec::new() };
        message::response(self, pending).into_iter().map(Draft::finish).collect()
    }

    fn drafts(&mut self, line: &Line) -> Vec<Draft> {
        if let Some(prompt) = line.word("promptId").and_then(token) {
            self.prompt = Some(prompt);
        }
        match line.kind.as_str() {
            "user" => message::user(self, line),
            "assistant" => message::assistant(self, line),
            "system" => {
                let subtype = line.word("subtype").unwrap_or("system");
                let mut draft = self.start(line, &named(subtype), 0);
                if subtype.contains("error") {
                    draft.envelope.severity = Severity::Warning;
                }
                place_rest(&mut draft, line, &[]);
                vec![draft]
            }
            "attachment" => vec![self.attachment(line)],
            "api-request" => request::request(self, line),
            "api-request-blob" => request::blob(self, line),
            "api-request-shape" => request::shape(self, line),
            kind => {
                let mut draft = self.start(line, &named(kind), 0);
                draft.envelope.severity = Severity::Debug;
                place_rest(&mut draft, line, &[]);
                vec![draft]
            }
        }
    }

    fn attachment(&mut self, line: &Line) -> Draft {
        let kind = line.members.get("attachment").and_then(|attachment| attachment.get("type")).and_then(Value::as_str);
        let loaded = matches!(kind, Some("instructions" | "nested_memory"));
        let mut draft = self.start(line, if loaded { "agent.instructions_loaded" } else { "transcript.attachment" }, 0);
        draft.envelope.source = kind.and_then(token);
        if !loaded {
            draft.envelope.severity = Severity::Debug;
        }
        place_rest(&mut draft, line, &[]);
        draft
    }

    /// Starts the event of block `number` of a line.
    pub(crate) fn start(&mut self, line: &Line, event_type: &str, number: usize) -> Draft {
        let key = match &line.uuid {
            Some(uuid) => format!("{uuid}/{number}"),
            None => format!("{}/{number}", self.count(line)),
        };
        self.start_as(line, event_type, &key)
    }

    /// Starts an event under a natural key of its own.
    pub(crate) fn start_as(&self, line: &Line, event_type: &str, key: &str) -> Draft {
        let mut draft = Draft::at(line.unix_ns, natural_id(key, line.unix_ns), event_type, Witness::Transcript);
        let session = line.session.as_deref().or(self.origin.session_id.as_deref()).and_then(token);
        let agent = line.agent.as_deref().or(self.origin.agent_id.as_deref()).and_then(token);
        self.tell_who(&mut draft);
        let own = agent.as_ref().map(Token::as_str) == self.origin.agent_id.as_deref();
        if line.unix_ns == 0 {
            draft.envelope.timestamp = time_token(self.taken_unix_ns);
        }
        let envelope = &mut draft.envelope;
        envelope.category = sealtrail_event::category_of(event_type);
        envelope.session_id = session;
        (envelope.parent_agent_id, envelope.agent_type) = match &agent {
            Some(_) if own => (self.parent.clone(), self.agent_type.clone()),
            _ => (None, None),
        };
        envelope.agent_id = agent;
        envelope.prompt_id = self.prompt.clone();
        envelope.client_version = line.word("version").and_then(token);
        if let Some(cwd) = line.word("cwd") {
            draft.put(SlotName::Resource, "cwd", cwd.into());
        }
        draft
    }

    /// Says whose file it is, where it lies and when its line was taken in.
    fn tell_who(&self, draft: &mut Draft) {
        draft.envelope.recorded_at = Some(time_token(self.taken_unix_ns));
        draft.envelope.grade = Grade::Asserted;
        let user = self.origin.user.clone().or_else(|| self.origin.uid.map(|uid| format!("uid:{uid}")));
        let members = [("user_id", json!(user)), ("uid", json!(self.origin.uid)), ("host", json!(self.origin.host))];
        for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
            draft.put(SlotName::Identity, name, value);
        }
        let (path, _) = redacted::text(&self.redactor, &self.origin.path);
        draft.put(SlotName::Resource, "transcript_path", path.into_inner().into());
    }

    /// Returns what tells a line without an id of its own from the others: its kind, and how many of that kind came before it in the file.
    fn count(&mut self, line: &Line) -> String {
        let session = line.session.as_deref().or(self.origin.session_id.as_deref()).unwrap_or_default();
        let agent = line.agent.as_deref().or(self.origin.agent_id.as_deref()).unwrap_or_default();
        let kind = if self.counts.len() < KINDS_MAX || self.counts.contains_key(&line.kind) { line.kind.as_str() } else { "" };
        let count = self.counts.entry(kind.to_owned()).or_default();
        *count += 1;
        format!("{session}/{agent}/{kind}#{count}")
    }

    /// Makes the event of bytes that are no line of a transcript.
    fn unparsed(&mut self, bytes: &[u8], error: &ParseError) -> Event {
        let count = self.counts.entry("unparsed".to_owned()).or_default();
        *count += 1;
        let (session, agent) = (self.origin.session_id.clone(), self.origin.agent_id.clone());
        let key = format!("{}/{}/unparsed#{count}", session.as_deref().unwrap_or_default(), agent.as_deref().unwrap_or_default());
        let unix_ns = self.last_unix_ns;
        let mut draft = Draft::at(unix_ns, natural_id(&key, unix_ns), "system.unparsed", Witness::Transcript);
        self.tell_who(&mut draft);
        draft.envelope.severity = Severity::Warning;
        draft.envelope.reason = Some(word(error.reason()));
        draft.envelope.session_id = session.as_deref().and_then(token);
        draft.envelope.agent_id = agent.as_deref().and_then(token);
        draft.put(SlotName::Content, "unparsed", json!({"error": format!("no line of a transcript: {}", error.reason())}));
        keep_bytes(&mut draft, bytes, None, &self.redactor);
        draft.finish()
    }

    /// Remembers a call until its result comes.
    pub(crate) fn remember(&mut self, call: Token, open: Open) {
        if self.open.len() < OPEN_MAX {
            self.open.insert(call, open);
        }
    }

    /// Notes the result of a call; tells whether it is the first.
    pub(crate) fn end(&mut self, call: &Token) -> bool {
        if self.ended.len() >= ENDED_MAX {
            self.ended.clear();
        }
        self.ended.insert(call.clone())
    }

    /// Notes what was told of an answer, for the case that more of it comes.
    pub(crate) fn note_told(&mut self, message: String, told: Told) {
        if self.told.len() >= TOLD_MAX {
            self.told.clear();
        }
        self.told.insert(message, told);
    }

    /// Notes a hash that must not be told.
    pub(crate) fn hide(&mut self, hash: &str) {
        if self.hidden.len() < HIDDEN_MAX {
            self.hidden.insert(hash.to_owned());
        }
    }
}

/// Puts what has no place of its own into the member `transcript` of the content slot, under the client's names.
pub(crate) fn place_rest(draft: &mut Draft, line: &Line, but: &[&str]) {
    let members = line.rest(but);
    if !members.is_empty() {
        draft.put(SlotName::Content, "transcript", Value::Object(members));
    }
}

/// Returns the id that an event of this natural key always has.
pub(crate) fn natural_id(key: &str, unix_ns: u64) -> AuditId {
    let hash = hash::sha256([b"sealtrail/transcript\0", key.as_bytes()].concat().as_slice());
    let mut tail = [0; 10];
    tail.copy_from_slice(&hash[..10]);
    AuditId::new(unix_ns / 1_000_000, tail)
}

/// Returns the event type of a kind of line that has no other.
fn named(kind: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    let name: String = kind.chars().take(64).map(plain).collect();
    if name.is_empty() { "transcript.line".to_owned() } else { format!("transcript.{name}") }
}

impl Line {
    /// Returns the members that no envelope and no other slot holds.
    fn rest(&self, but: &[&str]) -> Map<String, Value> {
        const PLACED: &[&str] = &["type", "timestamp", "sessionId", "agentId", "cwd", "version", "promptId"];
        let kept = self.members.iter().filter(|(name, _)| !PLACED.contains(&name.as_str()) && !but.contains(&name.as_str()));
        let mut rest: Map<String, Value> = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        if let Some(Value::Object(message)) = rest.get_mut("message") {
            // These two have places of their own.
            message.shift_remove("content");
            message.shift_remove("usage");
        }
        rest
    }
}
