//! A search answered: as a page, or event by event.

use std::ops::ControlFlow;

use jiff::Timestamp;
use sealtrail_event::AuditId;
use sealtrail_index::{Answer, Hit, Options, Order};
use sealtrail_ledger::read::Stored;
use sealtrail_query::Table;
use sealtrail_tlog::Seq;
use sealtrail_trace::field::text;
use serde_json::Value;

use crate::cursor::Cursor;
use crate::page::{Ask, Found, Ordering, Page, SequenceMatch};
use crate::params::is_list;
use crate::reading::{Reading, shaped};
use crate::refusal::Refusal;

impl Reading<'_> {
    /// Answers a search.
    pub fn search(&self, ask: &Ask) -> Result<Found, Refusal> {
        if is_list(&ask.search) {
            let page = if ask.ordering.is_recorded() { self.recorded(ask)? } else { self.by_time(ask)? };
            return Ok(Found::Events(page));
        }
        let mut nothing = |_| {};
        let limit = ask.limit.unwrap_or(ask.limit_default);
        match self.answer(&ask.search, &Options { limit: Some(limit.saturating_add(1)), ..options(ask, None) }, &mut nothing)? {
            Answer::Events(_) => Err(Refusal::TooMuch("the index gives a list where a report was asked for".to_owned())),
            Answer::Table(table) => self.table(table, ask),
            Answer::Matches(found) => {
                let cut = found.len() as u64 > limit;
                let whole = |hit: &Hit| shaped(self.grant.shown(hit.stored.clone(), hit.view.clone()).1, &ask.fields);
                let shown = found.iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
                let matches = shown.map(|one| SequenceMatch {
                    audit_ids: one.hits.iter().map(|hit| text(&hit.view, "audit_id")).collect(),
                    events: one.hits.iter().map(whole).collect(),
                });
                let matches = matches.collect();
                Ok(Found::Matches { matches, cut })
            }
        }
    }

    /// Gives the events of a list away one by one, in the order of the ledger, until `take` breaks off; returns how many it took.
    pub(crate) fn each(&self, ask: &Ask, take: &mut dyn FnMut(Value) -> ControlFlow<()>) -> Result<u64, Refusal> {
        let (mut given, mut nothing) = (0, |_| {});
        if ask.proof {
            self.wait_for_checkpoint(self.finder.reader.size().0);
        }
        for hit in self.hits(&ask.search, &options(ask, ask.limit), &mut nothing)? {
            let hit = hit.map_err(|error| self.broken(error))?;
            let (stored, view) = self.grant.shown(hit.stored, hit.view);
            given += 1;
            if take(self.finished(ask, &stored, view)?).is_break() {
                break;
            }
        }
        Ok(given)
    }

    /// A page in the order of the ledger.
    fn recorded(&self, ask: &Ask) -> Result<Page, Refusal> {
        let limit = ask.limit.unwrap_or(ask.limit_default);
        let mut nothing = |_| {};
        let mut found: Vec<(Stored, Value)> = Vec::new();
        let (mut bytes, mut more) = (0, false);
        // One more than asked for tells whether there is a next page.
        for hit in self.hits(&ask.search, &options(ask, Some(limit + 1)), &mut nothing)? {
            let hit = hit.map_err(|error| self.broken(error))?;
            bytes += size_of(&hit.stored);
            if found.len() as u64 == limit || (bytes > self.bounds.page_bytes && !found.is_empty()) {
                more = true;
                break;
            }
            found.push(self.grant.shown(hit.stored, hit.view));
        }
        self.page(ask, found, more)
    }

    pub(crate) fn page(&self, ask: &Ask, found: Vec<(Stored, Value)>, more: bool) -> Result<Page, Refusal> {
        let next_cursor = found
            .last()
            .filter(|_| more)
            .map(|(stored, view)| Cursor { question: ask.bound, asked: ask.asked, time: time_of(view), seq: stored.seq.0 }.to_text());
        if let (true, Some(newest)) = (ask.proof, found.iter().map(|(stored, _)| stored.seq.0).max()) {
            self.wait_for_checkpoint(newest + 1);
        }
        let events = found.into_iter().map(|(stored, view)| self.finished(ask, &stored, view)).collect::<Result<_, _>>()?;
        Ok(Page { events, next_cursor })
    }

    fn finished(&self, ask: &Ask, stored: &Stored, mut view: Value) -> Result<Value, Refusal> {
        if ask.proof {
            view["seal"] = match self.seal(stored) {
                Err(Refusal::NotPublished) => Value::Null,
                sealed => sealed?,
            };
        }
        Ok(shaped(view, &ask.fields))
    }

    /// A table; one whose rows are events becomes a list of events.
    fn table(&self, table: Table, ask: &Ask) -> Result<Found, Refusal> {
        if !table.is_events() {
            return Ok(Found::Table(table));
        }
        let mut events = Vec::new();
        for view in table.objects() {
            let view = if self.grant.shows_content() { view } else { self.without_content(&view)? };
            events.push(shaped(view, &ask.fields));
        }
        Ok(Found::Events(Page { events, next_cursor: None }))
    }

    fn without_content(&self, view: &Value) -> Result<Value, Refusal> {
        let id = AuditId::parse(&text(view, "audit_id"));
        let id = id.map_err(|error| Refusal::Unreadable(Box::new(error)))?;
        let stored = self.finder.reader.find(&id)?.ok_or(Refusal::Missing { what: "event", name: id.to_string() })?;
        Ok(self.grant.shown(stored, Value::Null).1)
    }
}

fn options(ask: &Ask, limit: Option<u64>) -> Options {
    let at = ask.cursor.map(|cursor| Seq(cursor.seq));
    match ask.ordering {
        Ordering::Oldest => Options { order: Order::Oldest, after: at, limit, ..Options::default() },
        _ => Options { order: Order::Newest, before: at, limit, ..Options::default() },
    }
}

/// Returns when an event happened, as its witness says.
pub(crate) fn time_of(view: &Value) -> Timestamp {
    text(view, "timestamp").parse().unwrap_or(Timestamp::MIN)
}

/// Returns about how many bytes an event takes in an answer.
pub(crate) fn size_of(stored: &Stored) -> usize {
    stored.envelope.len() + stored.slots.iter().map(|slot| slot.json.len()).sum::<usize>()
}
