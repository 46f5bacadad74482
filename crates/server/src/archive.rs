//! Who may read, what is read, and the record of it: the same for every door through which questions come.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use sealtrail_engine::{Finder, Home};
use sealtrail_index::IndexError;
use serde_json::{Value, json};

use crate::grant::Grant;
use crate::reading::{Bounds, Reading};
use crate::record::Recorder;
use crate::refusal::Refusal;
use crate::token::{Scope, Token, TokenError, Tokens};

/// Open trails that wait for the next question: as many as are answered at once.
const IDLE_MAX: usize = 4;

/// 48 MiB of groups and matches: four searches at once stay under 200 MiB.
const MEMORY_BYTES: usize = 48 << 20;

/// 4 MiB: 64 connections that read slowly hold 256 MiB.
const PAGE_BYTES: usize = 4 << 20;

/// Those who are not let in are told of once in ten seconds, with how often they tried: whoever tries again and again must not fill the ledger.
pub(crate) const REFUSED_EVERY: Duration = Duration::from_secs(10);

/// Who asks, and through which door.
#[derive(Clone, Debug, Default)]
pub struct Visitor {
    /// `api`, `collector`, `metrics`, `mcp`.
    pub door: &'static str,
    /// Where he comes from.
    pub source_ip: Option<String>,
}

/// The trail of a home, open to those who hold a token.
pub struct Archive {
    home: Home,
    tokens: Tokens,
    recorder: Box<dyn Recorder>,
    finders: Mutex<Vec<Finder>>,
    seconds: u64,
    /// Tries since one was told of, by token; unknown ones together under no name.
    refused: Mutex<HashMap<String, Refused>>,
}

/// Those who are not let in with one token.
#[derive(Default)]
struct Refused {
    told: Option<Instant>,
    /// Tries that no event tells of yet.
    count: u64,
    /// The last one, without the number.
    record: Value,
}

impl Archive {
    /// Opens nothing yet; `seconds` is what a search may take, for what its reader is told.
    pub fn new(home: Home, recorder: Box<dyn Recorder>, seconds: u64) -> Self {
        let tokens = Tokens::of(&home);
        Self { home, tokens, recorder, finders: Mutex::default(), seconds, refused: Mutex::default() }
    }

    /// Returns what the holder of `secret` may see at `now`. Every refusal but the lack of a token is sealed.
    pub fn admit(&self, secret: Option<&str>, visitor: &Visitor, now: Timestamp) -> Result<Grant, Refusal> {
        let Some(secret) = secret else { return Err(Refusal::NoToken) };
        let Some(token) = self.tokens.find(secret, now)? else {
            self.tell_refused("", visitor, json!({"event_type": "auth.token_rejected"}))?;
            return Err(Refusal::UnknownToken);
        };
        if token.scope != Scope::Read {
            let access = json!({"token": token.name, "needed": "read", "scope": token.scope.as_str()});
            self.tell_refused(&token.name, visitor, json!({"event_type": "auth.permission_denied", "access": access}))?;
            return Err(Refusal::WriteToken { name: token.name });
        }
        Grant::of(&token, now)
    }

    /// Returns the write key of `secret` that is valid at `now`; nothing for anything else. It seals nothing and waits for nothing.
    pub(crate) fn write_key(&self, secret: &str, now: Timestamp) -> Result<Option<Token>, TokenError> {
        Ok(self.tokens.find(secret, now)?.filter(|token| token.scope == Scope::Write))
    }

    /// As [`Archive::admit`], for those who hand events in.
    pub fn admit_writer(&self, secret: Option<&str>, visitor: &Visitor, now: Timestamp) -> Result<Token, Refusal> {
        let Some(secret) = secret else { return Err(Refusal::NoToken) };
        let Some(token) = self.tokens.find(secret, now)? else {
            self.tell_refused("", visitor, json!({"event_type": "auth.token_rejected"}))?;
            return Err(Refusal::UnknownToken);
        };
        if token.scope != Scope::Write {
            let access = json!({"token": token.name, "needed": "write", "scope": token.scope.as_str()});
            self.tell_refused(&token.name, visitor, json!({"event_type": "auth.permission_denied", "access": access}))?;
            return Err(Refusal::ReadToken { name: token.name });
        }
        Ok(token)
    }

    /// Reads, and seals that it was read before it returns what was found. `work` also says how many events it shows.
    pub fn read<T>(
        &self,
        grant: &Grant,
        what: &What<'_>,
        cancel: &Arc<AtomicBool>,
        work: impl FnOnce(&Reading<'_>) -> Result<(T, u64), Refusal>,
    ) -> Result<T, Refusal> {
        let found = self.open(grant, cancel, work);
        let events = match &found {
            Ok((_, events)) => *events,
            // What is not there was looked for.
            Err(Refusal::Missing { .. }) => 0,
            Err(_) => return found.map(|(found, _)| found),
        };
        self.note(grant, what, Some(events))?;
        found.map(|(found, _)| found)
    }

    /// Reads without a record: for readings that are recorded by their caller.
    pub(crate) fn open<T>(
        &self,
        grant: &Grant,
        cancel: &Arc<AtomicBool>,
        work: impl FnOnce(&Reading<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let waiting = self.finders.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let unreadable = |error: IndexError| Refusal::Unreadable(Box::new(error));
        let finder = match waiting {
            None => Finder::open(&self.home).map_err(unreadable)?,
            Some(mut finder) => {
                finder.refresh().map_err(unreadable)?;
                finder
            }
        };
        let bounds = Bounds { seconds: self.seconds, memory_bytes: MEMORY_BYTES, page_bytes: PAGE_BYTES };
        let found = work(&Reading { finder: &finder, grant, bounds, cancel: Arc::clone(cancel) });
        let mut finders = self.finders.lock().unwrap_or_else(PoisonError::into_inner);
        if finders.len() < IDLE_MAX {
            finders.push(finder);
        }
        found
    }

    /// Seals one reading; `events` is unknown at the beginning of a stream.
    pub(crate) fn note(&self, grant: &Grant, what: &What<'_>, events: Option<u64>) -> Result<(), Refusal> {
        let hash: String = digest(&SHA256, what.query.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut access = json!({
            "command": format!("{} {}", what.visitor.door, what.command),
            "token": grant.name,
            "query": what.query,
            "query_hash": hash,
        });
        match events {
            Some(events) => access["events"] = json!(events),
            None => access["stream"] = json!("begins"),
        }
        let mut record = json!({"event_type": "system.audit_log_accessed", "status": "success", "access": access});
        if let Some(source_ip) = &what.visitor.source_ip {
            record["source_ip"] = json!(source_ip);
        }
        self.record(&record)
    }

    fn record(&self, record: &Value) -> Result<(), Refusal> {
        self.recorder.record(record).map_err(|why| Refusal::NotRecorded { why })
    }

    /// Seals that somebody was not let in, or counts it for the next time.
    fn tell_refused(&self, name: &str, visitor: &Visitor, mut record: Value) -> Result<(), Refusal> {
        record["status"] = json!("denied");
        record["access"]["command"] = json!(visitor.door);
        if let Some(source_ip) = &visitor.source_ip {
            record["source_ip"] = json!(source_ip);
        }
        let count = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            let known = refused.entry(name.to_owned()).or_default();
            known.count += 1;
            known.record = record.clone();
            if known.told.is_some_and(|told| told.elapsed() < REFUSED_EVERY) {
                return Ok(());
            }
            known.told = Some(Instant::now());
            std::mem::take(&mut known.count)
        };
        self.tell_count(name, record, count)
    }

    fn tell_count(&self, name: &str, mut record: Value, count: u64) -> Result<(), Refusal> {
        record["access"]["refused"] = json!(count);
        let told = self.record(&record);
        if told.is_err()
            && let Some(known) = self.refused.lock().unwrap_or_else(PoisonError::into_inner).get_mut(name)
        {
            (known.told, known.count) = (None, known.count + count);
        }
        told
    }

    /// Seals how often those tried who were told of a while ago and went on.
    pub(crate) fn tell_due(&self) {
        self.tell_since(REFUSED_EVERY);
    }

    /// Seals everything that is counted and not told: nothing comes any more.
    pub(crate) fn tell_rest(&self) {
        self.tell_since(Duration::ZERO);
    }

    fn tell_since(&self, age: Duration) {
        let mut due = Vec::new();
        for (name, known) in self.refused.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
            if known.count > 0 && known.told.is_none_or(|told| told.elapsed() >= age) {
                known.told = Some(Instant::now());
                due.push((name.clone(), known.record.clone(), std::mem::take(&mut known.count)));
            }
        }
        for (name, record, count) in due {
            // It is counted on, and told later; nobody waits for it.
            let _ = self.tell_count(&name, record, count);
        }
    }
}

/// What is read, for the record.
#[derive(Clone, Copy, Debug)]
pub struct What<'a> {
    /// Who asks.
    pub visitor: &'a Visitor,
    /// `events`, `search`, `event`, `chain`, `execution`, `session`.
    pub command: &'a str,
    /// The question.
    pub query: &'a str,
}
