//! Sealing from the command line: one writer, opened, fed and closed.

use std::sync::Arc;

use jiff::Timestamp;
use sealtrail_capture::redact::Redactor;
use sealtrail_disk::RealDisk;
use sealtrail_engine::{Home, HookInput, Trail};
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
use sealtrail_ledger::read::Reader;
use serde_json::Value;

use crate::cmd::import::Taken;
use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;

/// 256 records: one write and one sync for all of them.
const BATCH: usize = 256;

/// The writer.
pub(crate) struct Recorder {
    trail: Trail,
    reader: Reader,
    redactor: Redactor,
    waiting: Vec<Event>,
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
    /// Opens the trail of the home for writing; the spool is drained first.
    pub(crate) fn open(call: &Call) -> Result<Self, Failure> {
        let path = home::find(&call.global)?;
        Self::open_home(&Home::new(path))
    }

    /// Opens the trail in `home` for writing.
    pub(crate) fn open_home(home: &Home) -> Result<Self, Failure> {
        let loaded = config::load(home.path())?;
        let (trail, _) = Trail::open(home, &loaded).map_err(|error| refused(&error))?;
        let reader = Reader::open(Arc::new(RealDisk), &home.ledger()).map_err(|error| trail::unreadable(&error))?;
        Ok(Self { trail, reader, redactor: Redactor::new(), waiting: Vec::new() })
    }

    /// Seals what a client gave a hook.
    pub(crate) fn hook(&mut self, taken: &Taken) -> Result<(), String> {
        let input = HookInput { bytes: &taken.body, received_unix_ns: taken.received_unix_ns, client: &taken.client };
        self.trail.hook(&input).map(drop).map_err(|error| error.to_string())
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
        self.waiting.push(event);
        if self.waiting.len() == BATCH {
            self.flush().map_err(|error| error.to_string())?;
        }
        Ok(Recorded::Fresh)
    }

    /// Tells whether the trail has this event; another one under the same id is refused.
    fn has(&self, event: &Event) -> Result<bool, String> {
        let id = &event.envelope.audit_id;
        let waits = self.waiting.iter().find(|other| other.envelope.audit_id == *id).map(Event::to_json);
        let known = match waits {
            Some(known) => Some(known),
            None => self.reader.find(id).map_err(|error| crate::failure::chain(&error))?.map(|stored| stored.view()),
        };
        let Some(mut known) = known else { return Ok(false) };
        let mut fresh = event.to_json();
        for view in [&mut known, &mut fresh] {
            view.as_object_mut().map(|members| members.shift_remove("recorded_at"));
        }
        if known == fresh { Ok(true) } else { Err(format!("the trail has another event with the id {id}")) }
    }

    /// Seals what waits, publishes, and gives the trail back.
    pub(crate) fn close(mut self) -> Result<(), Failure> {
        self.flush().map_err(|error| refused(&error))?;
        self.trail.close().map_err(|error| refused(&error))
    }

    fn flush(&mut self) -> Result<(), sealtrail_engine::TrailError> {
        let waiting = std::mem::take(&mut self.waiting);
        if !waiting.is_empty() {
            self.trail.append(waiting)?;
            self.reader.refresh().map_err(sealtrail_engine::TrailError::from)?;
        }
        self.trail.tick()
    }
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
