//! The trail as the holder of one token reads it, at one moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sealtrail_engine::Finder;
use sealtrail_event::{AuditId, SlotName, canonical};
use sealtrail_index::{Answer, Hits, Options, Order};
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_ledger::read::Stored;
use sealtrail_query::{Expr, FieldPath, Operand, Query, Search, Test};
use sealtrail_trace::field;
use serde_json::{Map, Value, json};

use crate::grant::Grant;
use crate::refusal::Refusal;

/// 2.5 s: a checkpoint is published at most a second after an event, on a busy disk a little later.
const PUBLISH_WAIT: Duration = Duration::from_millis(2_500);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Tiles of a checkpoint go away when the next one is published; then the proof is made anew.
const PROOF_TRIES: usize = 4;

/// 20,000 events: a session or a run of more is read with a search.
pub(crate) const STORY_EVENTS_MAX: usize = 20_000;

/// What a reading may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Seconds, for what the reader is told; the clock itself is the caller's.
    pub(crate) seconds: u64,
    /// Bytes of groups and matches.
    pub(crate) memory_bytes: usize,
    /// Bytes of one page.
    pub(crate) page_bytes: usize,
}

/// The trail as one token shows it.
pub struct Reading<'a> {
    pub(crate) finder: &'a Finder,
    pub(crate) grant: &'a Grant,
    pub(crate) bounds: Bounds,
    pub(crate) cancel: Arc<AtomicBool>,
}

impl Reading<'_> {
    /// Returns one event by its audit id, with the seal that proves it if asked for.
    pub fn event(&self, id: &str, proof: bool) -> Result<Value, Refusal> {
        let (stored, mut view) = self.find(id)?;
        if proof {
            self.wait_for_checkpoint(stored.seq.0 + 1);
            view["seal"] = self.seal(&stored)?;
        }
        Ok(view)
    }

    /// Returns the newest published checkpoint.
    pub fn checkpoint(&self) -> Result<Value, Refusal> {
        let prover = self.prover()?;
        let checkpoint = prover.checkpoint();
        let root = sealtrail_tlog::strict64::encode(checkpoint.root.as_bytes());
        let log = self.finder.reader.log();
        Ok(json!({"origin": checkpoint.origin, "size": checkpoint.size.0, "root": root, "vkey": log.vkey, "note": prover.note()}))
    }

    /// Finds an event that the token shows.
    pub(crate) fn find(&self, id: &str) -> Result<(Stored, Value), Refusal> {
        let missing = || Refusal::Missing { what: "event", name: id.to_owned() };
        let Ok(audit_id) = AuditId::parse(id) else { return Err(missing()) };
        let stored = self.finder.reader.find(&audit_id)?.ok_or_else(missing)?;
        let view = stored.view();
        // What the token hides is not told apart from what is not there.
        if !self.grant.sees(&view) {
            return Err(missing());
        }
        Ok(self.grant.shown(stored, view))
    }

    /// Searches for single events.
    pub(crate) fn hits<'b>(
        &'b self,
        search: &Search,
        options: &Options,
        progress: &'b mut dyn FnMut(sealtrail_index::Progress),
    ) -> Result<Hits<'b>, Refusal> {
        match self.answer(search, options, progress)? {
            Answer::Events(hits) => Ok(hits),
            _ => Err(Refusal::Parameter { parameter: "query".to_owned(), why: "a report or a sequence is no list of events".to_owned() }),
        }
    }

    /// Searches.
    pub(crate) fn answer<'b>(
        &'b self,
        search: &Search,
        options: &Options,
        progress: &'b mut dyn FnMut(sealtrail_index::Progress),
    ) -> Result<Answer<'b>, Refusal> {
        let options = Options { cancel: Some(Arc::clone(&self.cancel)), memory_max: self.bounds.memory_bytes, ..options.clone() };
        sealtrail_index::run(&self.finder.reader, Some(&self.finder.index), search, &options, progress).map_err(|error| self.broken(error))
    }

    /// Makes the refusal of a search that broke off.
    pub(crate) fn broken(&self, error: sealtrail_index::IndexError) -> Refusal {
        Refusal::of_index(error, self.bounds.seconds)
    }

    /// Returns the visible events in which one of the fields is one of the texts, letter by letter, in the order of the ledger.
    pub(crate) fn exactly(&self, fields: &[&str], texts: &[String]) -> Result<Vec<(Stored, Value)>, Refusal> {
        let query = any_exactly(fields, texts)?;
        let (mut found, mut nothing, mut bytes) = (Vec::new(), |_| {}, 0);
        let options = Options { order: Order::Oldest, ..Options::default() };
        for hit in self.hits(&Search::from(query), &options, &mut nothing)? {
            let hit = hit.map_err(|error| self.broken(error))?;
            if !self.grant.sees(&hit.view) {
                continue;
            }
            let slots = hit.stored.slots.iter().filter(|slot| slot.name != SlotName::Output);
            bytes += hit.stored.envelope.len() + slots.map(|slot| slot.json.len()).sum::<usize>();
            if found.len() == STORY_EVENTS_MAX || bytes > self.bounds.memory_bytes {
                return Err(too_long());
            }
            let (mut stored, mut view) = self.grant.shown(hit.stored, hit.view);
            // What tools gave back is by far the largest part, and no link needs it.
            stored.slots.clear();
            if let Some(members) = view.as_object_mut() {
                members.retain(|name, _| !matches!(name.as_str(), "tool_response" | "tool_calls"));
            }
            found.push((stored, view));
        }
        Ok(found)
    }

    /// Waits until a checkpoint covers `size` events; `false` when none did in time.
    pub(crate) fn wait_for_checkpoint(&self, size: u64) -> bool {
        let covered = || self.prover().is_ok_and(|prover| prover.checkpoint().size.0 >= size);
        let deadline = Instant::now() + PUBLISH_WAIT;
        let (_keep, pause) = mpsc::channel::<()>();
        while !covered() {
            if Instant::now() >= deadline || self.cancel.load(Atomic::Relaxed) {
                return false;
            }
            // Nobody sends: this is the wait between two looks.
            let _ = pause.recv_timeout(LOOK_EVERY);
        }
        true
    }

    /// Returns the seal of an event as the token shows it.
    pub(crate) fn seal(&self, stored: &Stored) -> Result<Value, Refusal> {
        let mut tries = 0;
        loop {
            let sealed = Prover::new(&self.finder.reader).and_then(|mut prover| prover.seal(stored));
            match sealed {
                Err(ProveError::Tiles(_) | ProveError::Disk(_)) if tries < PROOF_TRIES => tries += 1,
                sealed => return Ok(sealed?),
            }
        }
    }

    fn prover(&self) -> Result<Prover<'_>, Refusal> {
        Ok(Prover::new(&self.finder.reader)?)
    }
}

/// Makes the refusal of a story that is too long to be told at once.
pub(crate) fn too_long() -> Refusal {
    Refusal::TooMuch(format!("it has more than {STORY_EVENTS_MAX} events, or too large ones: read them with a search, page by page"))
}

/// Returns the query: one of the fields is one of the texts, letter by letter.
pub(crate) fn any_exactly(fields: &[&str], texts: &[String]) -> Result<Query, Refusal> {
    let wanted: Vec<Operand> = texts.iter().map(|text| Operand::literal(text)).collect();
    let any = fields.iter().map(|name| FieldPath::parse(name).map(|field| Expr::Field(field, Test::In(wanted.clone()))));
    let any = any.collect::<Result<Vec<_>, _>>();
    any.map(|any| Query::new(Expr::Or(any))).map_err(|error| Refusal::Query {
        parameter: "query".to_owned(),
        text: fields.join(" "),
        error,
    })
}

/// Leaves only these members of an event, by their canonical names; of none, the whole event.
pub(crate) fn shaped(view: Value, fields: &[String]) -> Value {
    if fields.is_empty() {
        return view;
    }
    let chosen = fields.iter().map(|name| {
        let path = canonical(name);
        let value = field::at(&view, path).cloned().unwrap_or_else(|| match field::text(&view, path) {
            text if text.is_empty() => Value::Null,
            text => Value::String(text),
        });
        (path.to_owned(), value)
    });
    Value::Object(chosen.collect::<Map<_, _>>())
}
