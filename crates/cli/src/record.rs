//! Sealing from the command line: through the daemon when one runs, else as the one writer of the trail, opened, fed and closed.

use std::collections::HashSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use sealtrail_capture::api::is_same;
use sealtrail_capture::redact::Redactor;
use sealtrail_capture::transcript::rewritten;
use sealtrail_disk::RealDisk;
use sealtrail_engine::{ClientError, HANDOVER_EVENTS_MAX, Home, HookInput, Ingested, Trail};
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::cmd::import::Taken;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;

/// 256 records: one write and one sync for all of them, and as many as one exchange with the daemon takes.
const BATCH: usize = HANDOVER_EVENTS_MAX;

/// 8 MiB of content: no more of it waits.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// 20 tries: what the daemon cannot take now (its queue is full, the same event is on its way) it takes a moment later.
const TRIES: usize = 20;
const TRY_EVERY: Duration = Duration::from_millis(250);

/// Who writes.
enum Way {
    /// This command holds the ledger.
    Own(Box<Trail>),
    /// The daemon does.
    Daemon(Home),
}

/// The writer.
pub(crate) struct Recorder {
    way: Way,
    reader: Reader,
    redactor: Redactor,
    waiting: Vec<Event>,
    ids: HashSet<AuditId>,
    bytes: usize,
    /// Events with the id of one that waits.
    again: Vec<Event>,
    /// Tell of lines of a transcript that are sealed already and say something else now.
    changed: Vec<Event>,
    /// What became of the events so far.
    pub(crate) done: Done,
}

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) sealed: u64,
    /// The trail had them already, by their ids.
    pub(crate) known: u64,
    /// The ledger never takes them.
    pub(crate) refused: u64,
    /// Of those that the trail had, lines of a transcript that say something else now.
    pub(crate) rewritten: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// It is sealed with the next batch.
    Fresh,
    /// The trail has it already, by its own id.
    Known,
}

impl Recorder {
    /// Opens the trail of the home for writing; with no daemon running, the spool is drained first.
    pub(crate) fn open(call: &Call) -> Result<Self, Failure> {
        let path = home::find(&call.global)?;
        Self::open_home(&Home::new(path))
    }

    /// Opens the trail in `home` for writing.
    pub(crate) fn open_home(home: &Home) -> Result<Self, Failure> {
        if !home.exists() {
            return Err(trail::missing(home.path()));
        }
        let loaded = config::load(home.path())?;
        let way = if trail::daemon_answers(home) {
            Way::Daemon(home.clone())
        } else {
            Way::Own(Box::new(Trail::open(home, &loaded).map_err(|error| refused(&error))?.0))
        };
        let reader = Reader::open(Arc::new(RealDisk), &home.ledger()).map_err(|error| trail::unreadable(&error))?;
        let (waiting, ids) = (Vec::new(), HashSet::new());
        Ok(Self {
            way,
            reader,
            redactor: Redactor::new(),
            waiting,
            ids,
            bytes: 0,
            again: Vec::new(),
            changed: Vec::new(),
            done: Done::default(),
        })
    }

    /// Returns what replaces secrets.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Seals what a client gave a hook.
    pub(crate) fn hook(&mut self, taken: &Taken) -> Result<(), String> {
        let input = HookInput { bytes: &taken.body, received_unix_ns: taken.received_unix_ns, client: &taken.client };
        match &mut self.way {
            Way::Own(trail) => trail.hook(&input).map(drop).map_err(|error| crate::failure::chain(&error)),
            Way::Daemon(home) => sealtrail_engine::deliver_hook(home, &input).map(drop).map_err(|error| crate::failure::chain(&error)),
        }
    }

    /// Seals a record of any known shape, as something that somebody asserts; one that comes again is sealed once.
    pub(crate) fn record(&mut self, record: &Value) -> Result<Recorded, String> {
        let now = Timestamp::now();
        let mut record = record.clone();
        let found = self.redactor.value(&mut record).len();
        let mut entropy = [0; 10];
        getrandom::fill(&mut entropy).map_err(|error| error.to_string())?;
        let recorded_at = Token::parse(&format!("{now:.9}")).map_err(|error| error.to_string())?;
        let id = AuditId::new(u64::try_from(now.as_millisecond()).unwrap_or(0), entropy);
        let context = FromContext { audit_id_if_missing: id.clone(), recorded_at, witness: Witness::Api, grade: Grade::Asserted };
        let mut event = Event::from_json(&record, &context).map_err(|error| error.to_string())?;
        if found > 0 {
            event.envelope.redactions = u32::try_from(found).ok();
        }
        if event.envelope.audit_id != id && self.has(&event)? {
            return Ok(Recorded::Known);
        }
        self.put(event)?;
        Ok(Recorded::Fresh)
    }

    /// Seals an event with the next batch, once by its id; [`Recorder::done`] counts what became of it.
    pub(crate) fn put(&mut self, event: Event) -> Result<(), String> {
        self.bytes += event.slots.iter().map(|slot| slot.json.len()).sum::<usize>();
        if self.ids.insert(event.envelope.audit_id.clone()) {
            self.waiting.push(event);
        } else {
            // Once the first is sealed, this one is known, and compared.
            self.again.push(event);
        }
        if self.waiting.len() + self.again.len() >= BATCH || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    /// Tells whether the trail has this event; another one under the same id is refused.
    fn has(&self, event: &Event) -> Result<bool, String> {
        let id = &event.envelope.audit_id;
        let waits = self.waiting.iter().find(|other| other.envelope.audit_id == *id).map(Event::to_json);
        let known = match waits {
            Some(known) => Some(known),
            None => self.reader.find(id).map_err(|error| crate::failure::chain(&error))?.map(|stored| stored.view()),
        };
        match known {
            None => Ok(false),
            // A row that is imported has the time of its source.
            Some(known) if is_same(&known, event) && known["timestamp"] == event.envelope.timestamp.as_str() => Ok(true),
            Some(_) => Err(format!("the trail has another event with the id {id}")),
        }
    }

    /// Seals what waits, publishes, and gives the trail back; returns what became of all events.
    pub(crate) fn close(mut self) -> Result<Done, Failure> {
        self.flush().map_err(|why| {
            Failure::new("trail.refused", Exit::Unavailable, why)
                .hint("run the import again: what is sealed stays, and is not sealed twice")
        })?;
        match self.way {
            Way::Own(trail) => trail.close().map_err(|error| refused(&error))?,
            Way::Daemon(_) => {}
        }
        Ok(self.done)
    }

    /// Seals what waits, and then what tells of rewritten lines among it.
    pub(crate) fn flush(&mut self) -> Result<(), String> {
        let waiting = std::mem::take(&mut self.waiting);
        self.ids.clear();
        self.bytes = 0;
        self.seal(waiting)?;
        let again = std::mem::take(&mut self.again);
        self.seal(again)?;
        let changed = std::mem::take(&mut self.changed);
        let done = self.done;
        self.done.rewritten += changed.len() as u64;
        self.seal(changed)?;
        self.done = Done { rewritten: self.done.rewritten, ..done };
        self.reader.refresh().map_err(|error| crate::failure::chain(&error))?;
        match &mut self.way {
            Way::Own(trail) => trail.tick().map_err(|error| crate::failure::chain(&error)),
            Way::Daemon(_) => Ok(()),
        }
    }

    /// Seals events, with patience for a trail that is full for a moment.
    fn seal(&mut self, mut waiting: Vec<Event>) -> Result<(), String> {
        let (_keep, pause) = mpsc::channel::<()>();
        for attempt in 0..TRIES {
            if waiting.is_empty() {
                break;
            }
            if attempt > 0 {
                // Nobody sends: this is the wait between two tries.
                let _ = pause.recv_timeout(TRY_EVERY);
            }
            let fates = self.ingest(&waiting)?;
            let mut later = Vec::new();
            for (event, fate) in waiting.into_iter().zip(fates) {
                match fate {
                    Ingested::Sealed(_) => self.done.sealed += 1,
                    Ingested::Known { seq } => {
                        self.done.known += 1;
                        self.compare(seq, &event)?;
                    }
                    Ingested::Rejected => self.done.refused += 1,
                    Ingested::Later => later.push(event),
                }
            }
            waiting = later;
        }
        if !waiting.is_empty() {
            return Err(format!("{} events could not be sealed: the disk or the daemon's queue is full", waiting.len()));
        }
        Ok(())
    }

    /// Compares a line of a transcript with what is sealed of it.
    fn compare(&mut self, seq: u64, event: &Event) -> Result<(), String> {
        if event.envelope.witness != Witness::Transcript {
            return Ok(());
        }
        if self.reader.size().0 <= seq {
            self.reader.refresh().map_err(|error| crate::failure::chain(&error))?;
        }
        let sealed = self.reader.get(Seq(seq)).map_err(|error| crate::failure::chain(&error))?;
        self.changed.extend(sealed.and_then(|sealed| rewritten(&sealed.view(), event, now_ns())));
        Ok(())
    }

    fn ingest(&mut self, events: &[Event]) -> Result<Vec<Ingested>, String> {
        match &mut self.way {
            Way::Own(trail) => trail.ingest(events.to_vec()).map_err(|error| crate::failure::chain(&error)),
            Way::Daemon(home) => match sealtrail_engine::hand_over(home, events) {
                Err(ClientError::Later) => Ok(vec![Ingested::Later; events.len()]),
                done => done.map_err(|error| crate::failure::chain(&error)),
            },
        }
    }
}

fn now_ns() -> u64 {
    u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0)
}

/// Makes the failure of a trail that cannot be written to.
pub(crate) fn refused(error: &sealtrail_engine::TrailError) -> Failure {
    let failure = Failure::of("trail.refused", error);
    if error.is_locked() {
        return failure.exit(Exit::Unavailable).hint("stop the daemon first, or let it do the work: it has the trail open");
    }
    match error {
        sealtrail_engine::TrailError::Missing { path } => trail::missing(path),
        _ => failure.hint("find out what is wrong: sealtrail doctor, sealtrail verify-integrity"),
    }
}
