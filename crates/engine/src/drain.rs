//! What was kept outside the ledger comes in: spooled deliveries in order, and counted losses.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use crypto_box::SecretKey;
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_event::{AuditId, Event, Token, Witness};
use sealtrail_intake::{Answer, Kind};
use sealtrail_ledger::Gap;
use sealtrail_ledger::read::Reader;

use crate::clock::{id_of, time_token, unix_ns};
use crate::gaps;
use crate::handover::{decode, name_sender};
use crate::home::Home;
use crate::ingest::{INGEST_EVENTS_MAX, Ingested};
use crate::receive::Arrival;
use crate::side;
use crate::sink::Sink;
use crate::spool::{self, Content, SpoolFile, Spooled};

/// 256 deliveries or 8 MiB go to the ledger at a time: one batch, one sync.
const CHUNK: usize = 256;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// 131,072 events: two segments, a second or two of reading.
const LOOK_BACK_EVENTS: usize = 131_072;

/// What a drain did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Deliveries that were sealed.
    pub sealed: u64,
    /// Deliveries that the ledger had already, or does not want.
    pub known: u64,
    /// Places in spool files that hold no delivery; sealed as a gap.
    pub torn: u64,
    /// Events of other processes that the ledger does not take; sealed as a gap.
    pub refused: u64,
    /// Losses that hooks had counted; sealed as gaps.
    pub lost: u64,
    /// Spool files that stay for the next round.
    pub left: u64,
}

impl Drained {
    /// Adds a later round; `left` is that of the last one.
    pub(crate) fn add(&mut self, round: Self) {
        self.sealed += round.sealed;
        self.known += round.known;
        self.torn += round.torn;
        self.refused += round.refused;
        self.lost += round.lost;
        self.left = round.left;
    }
}

/// How to drain.
pub(crate) struct Drain<'a> {
    pub(crate) home: &'a Home,
    pub(crate) key: &'a SecretKey,
    /// Whether files beside a hook are read.
    pub(crate) side_files: bool,
    /// The clients' settings files.
    pub(crate) watch: &'a side::Watch,
}

impl Drain<'_> {
    /// Drains the spool, then the counted losses. A file that cannot be read is left, and the others are not.
    pub(crate) fn run(&self, sink: &mut dyn Sink) -> io::Result<Drained> {
        let mut drained = Drained::default();
        for file in spool::files(&self.home.spool())? {
            let removed = file.read(self.key).and_then(|content| self.one_file(&file, content, sink, &mut drained));
            drained.left += u64::from(!removed.unwrap_or(false));
        }
        drained.lost = gaps::seal(self.home, sink)?;
        Ok(drained)
    }

    /// Seals what is in a file and removes it; tells whether it is gone.
    fn one_file(&self, file: &SpoolFile, mut content: Content, sink: &mut dyn Sink, drained: &mut Drained) -> io::Result<bool> {
        let spooled = std::mem::take(&mut content.spooled);
        self.recall(&spooled, sink);
        let mut refused = 0;
        for chunk in chunks(&spooled) {
            let whole = match chunk.first().map(|first| first.frame.kind) {
                Some(Kind::Events) => self.seal_events(chunk, file.uid, sink, drained, &mut refused),
                _ => self.seal_deliveries(chunk, file.uid, sink, drained),
            };
            if !whole {
                return Ok(false);
            }
        }
        let torn = content.torn + u64::from(content.oversized);
        let Some(held) = file.hold(&content)? else { return Ok(false) };
        let torn_by = if content.oversized { "not_a_spool" } else { "torn" };
        for (cause, lost) in [(torn_by, torn), ("mcp_refused", refused)] {
            if lost > 0 && sink.gap(gap_of(cause, vec![("unknown", lost)], unix_ns(), unix_ns())).is_err() {
                return Ok(false);
            }
        }
        drained.torn += torn;
        drained.refused += refused;
        held.remove()?;
        Ok(true)
    }

    /// Seals what hooks left, in order; tells whether all of it is done with.
    fn seal_deliveries(&self, chunk: &[Spooled], uid: u32, sink: &mut dyn Sink, drained: &mut Drained) -> bool {
        for answer in sink.deliver(self.arrivals(chunk, uid)) {
            match answer {
                Answer::Sealed(_) => drained.sealed += 1,
                Answer::Discarded | Answer::Block(_) => drained.known += 1,
                Answer::Retry | Answer::Status(_) => return false,
            }
        }
        true
    }

    /// Seals what other processes made and left, each event once by its id; tells whether all of it is done with.
    fn seal_events(&self, chunk: &[Spooled], uid: u32, sink: &mut dyn Sink, drained: &mut Drained, refused: &mut u64) -> bool {
        let mut events = Vec::new();
        for spooled in chunk {
            match self.events(spooled, uid, sink) {
                Some(made) => events.extend(made),
                None => *refused += 1,
            }
        }
        while !events.is_empty() {
            let rest = events.split_off(events.len().min(INGEST_EVENTS_MAX));
            for fate in sink.ingest(std::mem::replace(&mut events, rest)) {
                match fate {
                    Ingested::Sealed(_) => drained.sealed += 1,
                    Ingested::Known { .. } => drained.known += 1,
                    Ingested::Rejected => *refused += 1,
                    Ingested::Later => return false,
                }
            }
        }
        true
    }

    /// Reads the events of a frame, says how late they are, and who left them there.
    fn events(&self, spooled: &Spooled, uid: u32, sink: &mut dyn Sink) -> Option<Vec<Event>> {
        let mut events = decode(&spooled.body).ok()?;
        for event in &mut events {
            event.envelope.late_ms = Some(late_ms(spooled));
        }
        if uid != rustix::process::getuid().as_raw() && uid != 0 {
            let mut user = None;
            sink.look(&mut |receiver| user = receiver.people.user(uid));
            name_sender(&mut events, uid, user);
        }
        Some(events)
    }

    /// Looks further back in the ledger for deliveries that are older than everything that is remembered.
    ///
    /// A hook's retry is never that old. Somebody who kept a copy of their sealed boxes and appends it again is recognised here, as far as the
    /// look goes back; beyond it, the copy would be sealed again, marked late, under the same id.
    fn recall(&self, spooled: &[Spooled], sink: &mut dyn Sink) {
        let mut oldest = None;
        sink.look(&mut |receiver| oldest = receiver.recent.oldest_unix_ms());
        let old = |spooled: &&Spooled| oldest.is_some_and(|oldest| spooled.frame.delivery.unix_ms() < oldest);
        let mut wanted: HashSet<AuditId> = spooled.iter().filter(old).map(|spooled| id_of(&spooled.frame.delivery)).collect();
        if wanted.is_empty() {
            return;
        }
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        // A ledger that cannot be read now is told elsewhere; the deliveries are sealed rather than dropped.
        let Ok(reader) = Reader::open(disk, &self.home.ledger()) else { return };
        let mut found = Vec::new();
        for stored in reader.iter_back().take(LOOK_BACK_EVENTS).map_while(Result::ok) {
            let id = id_in(&stored.envelope).filter(|id| wanted.remove(id));
            found.extend(id.map(|id| (id, stored.seq.0)));
            if wanted.is_empty() {
                break;
            }
        }
        sink.look(&mut |receiver| receiver.remember(std::mem::take(&mut found)));
    }

    fn arrivals<'s>(&self, chunk: &'s [Spooled], uid: u32) -> Vec<Arrival<'s>> {
        // As they are now: the snapshots say when they were read.
        let settings = |spooled: &Spooled| self.watch.look(&spooled.body, uid, |_| None);
        let own = rustix::process::getuid().as_raw();
        // Only the trail's owner may make the recorder say something; the sender is the owner of the file.
        let taken = chunk.iter().filter(|spooled| spooled.frame.kind == Kind::Hook || uid == own || uid == 0);
        taken
            .map(|spooled| Arrival {
                frame: &spooled.frame,
                body: &spooled.body,
                uid,
                client_pid: Some(spooled.frame.client_pid).filter(|pid| *pid != 0),
                side: if self.side_files { side::read(sealtrail_capture::needs(&spooled.body), uid) } else { Vec::new() },
                settings: if self.side_files && spooled.frame.kind == Kind::Hook { settings(spooled) } else { None },
                late_ms: Some(late_ms(spooled)),
                remote: None,
            })
            .collect()
    }
}

/// Cuts deliveries into pieces of one kind that go to the ledger at a time, in order.
fn chunks(spooled: &[Spooled]) -> Vec<&[Spooled]> {
    let (mut chunks, mut from, mut bytes) = (Vec::new(), 0, 0);
    let is_events = |at: usize| spooled[at].frame.kind == Kind::Events;
    for at in 0..spooled.len() {
        if at > from && (at - from == CHUNK || bytes >= CHUNK_BYTES || is_events(at) != is_events(from)) {
            chunks.push(&spooled[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += spooled[at].body.len();
    }
    if from < spooled.len() {
        chunks.push(&spooled[from..]);
    }
    chunks
}

/// Returns how long a delivery waited.
fn late_ms(spooled: &Spooled) -> u64 {
    unix_ns().saturating_sub(spooled.frame.received_unix_ns) / 1_000_000
}

/// Returns the id in an envelope line: the first member after the number.
pub(crate) fn id_in(envelope: &[u8]) -> Option<AuditId> {
    let text = std::str::from_utf8(envelope).ok()?;
    let (_, rest) = text.split_once("\"audit_id\":\"")?;
    AuditId::parse(rest.split('"').next()?).ok()
}

/// Makes the record of a loss.
pub(crate) fn gap_of(cause: &str, by: Vec<(&str, u64)>, since_unix_ns: u64, until_unix_ns: u64) -> Gap {
    let word = |text: &str| Token::parse(text).unwrap_or_else(|_| Token::parse("unknown").expect("a plain word"));
    Gap {
        witness: match cause.split('_').next() {
            Some("gateway") => Witness::Gateway,
            Some("mcp") => Witness::Mcp,
            _ => Witness::Hook,
        },
        lost: (!by.is_empty()).then(|| by.iter().map(|(_, count)| count).sum()),
        by: by.into_iter().map(|(class, count)| (word(class), count)).collect(),
        since: time_token(since_unix_ns),
        until: time_token(until_unix_ns),
        cause: word(cause),
    }
}
