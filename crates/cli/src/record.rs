//! Sealing from the command line: one writer, opened, fed and closed.

use jiff::Timestamp;
use sealtrail_capture::redact::Redactor;
use sealtrail_engine::{Home, HookInput, Trail};
use sealtrail_event::{AuditId, Event, FromContext, Grade, Token, Witness};
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
    redactor: Redactor,
    waiting: Vec<Event>,
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
        Ok(Self { trail, redactor: Redactor::new(), waiting: Vec::new() })
    }

    /// Seals what a client gave a hook.
    pub(crate) fn hook(&mut self, taken: &Taken) -> Result<(), String> {
        let input = HookInput { bytes: &taken.body, received_unix_ns: taken.received_unix_ns, client: &taken.client };
        self.trail.hook(&input).map(drop).map_err(|error| error.to_string())
    }

    /// Seals a record of any known shape, as something that somebody asserts.
    pub(crate) fn record(&mut self, record: &Value) -> Result<(), String> {
        let now = Timestamp::now();
        let mut record = record.clone();
        let found = self.redactor.value(&mut record).len();
        let mut entropy = [0; 10];
        getrandom::fill(&mut entropy).map_err(|error| error.to_string())?;
        let recorded_at = Token::parse(&format!("{now:.9}")).map_err(|error| error.to_string())?;
        let id = AuditId::new(u64::try_from(now.as_millisecond()).unwrap_or(0), entropy);
        let context = FromContext { audit_id_if_missing: id, recorded_at, witness: Witness::Api, grade: Grade::Asserted };
        let mut event = Event::from_json(&record, &context).map_err(|error| error.to_string())?;
        if found > 0 {
            event.envelope.redactions = u32::try_from(found).ok();
        }
        self.waiting.push(event);
        if self.waiting.len() == BATCH { self.flush().map_err(|error| error.to_string()) } else { Ok(()) }
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
