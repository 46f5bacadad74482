//! The trail opened for writing by one process: ledger, pairing state and spool, in one thread.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use crypto_box::SecretKey;
use sealtrail_config::{Compression, Config, Loaded};
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_event::{Event, Token};
use sealtrail_intake::{Answer, Frame, Kind};
use sealtrail_ledger::read::{ReadError, Reader};
use sealtrail_ledger::{AppendError, Gap, Ledger, OpenError, OpenOptions, Receipt, Recovery, SegmentLimits, TickError};
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::clock::{Clock, new_delivery, random, unix_ns};
use crate::drain::{Drain, Drained, id_in};
use crate::home::{Home, HomeError};
use crate::ingest::Ingested;
use crate::lost::{Patience, Watch};
use crate::queue::{Reply, What, Work};
use crate::receive::{Arrival, Received, Receiver};
use crate::sealer::{Fate, Sealer, Trouble};
use crate::settings;
use crate::side;
use crate::sink::{NotSealed, Sink};

/// 8,192 events: more than the daemon's queue and one batch hold, so everything that a crash left unanswered is among them.
const REPLAY_EVENTS: u64 = 8_192;
/// 32,768 events: where other witnesses tell more than hooks do, as many of the hooks' events lie further back; a tenth of a second of reading.
const REPLAY_EVENTS_MAX: u64 = 32_768;

/// Why the trail cannot be opened or written to.
#[derive(Debug, thiserror::Error)]
pub enum TrailError {
    /// There is no trail.
    #[error("there is no trail in {}", path.display())]
    Missing {
        /// The home.
        path: PathBuf,
    },
    /// The ledger cannot be opened for writing.
    #[error("cannot open the ledger")]
    Ledger(#[from] OpenError),
    /// The ledger cannot be read back.
    #[error("cannot read the end of the ledger")]
    Read(#[from] ReadError),
    /// Something of the home is not as it must be.
    #[error("cannot use the home")]
    Home(#[from] HomeError),
    /// The disk is full, or failed.
    #[error("cannot write to the ledger")]
    Append(#[from] AppendError),
    /// The ledger could not be closed properly; the next start repairs it.
    #[error("cannot close the ledger")]
    Close(#[from] TickError),
    /// The spool cannot be listed.
    #[error("cannot drain the spool")]
    Spool(#[source] std::io::Error),
    /// Not sealed; the reason was told where it happened.
    #[error("the ledger did not take it: the disk is full or failed")]
    NotSealed,
    /// The record is no event.
    #[error("the ledger does not take such an event")]
    Rejected,
}

impl TrailError {
    /// Tells whether another process, most likely the daemon, has the ledger open.
    pub fn is_locked(&self) -> bool {
        matches!(self, Self::Ledger(OpenError::Locked { .. }))
    }
}

/// What opening found and did.
#[derive(Debug)]
pub struct Opened {
    /// What recovery found.
    pub recovery: Recovery,
    /// What came out of the spool.
    pub drained: Drained,
    /// Events that closed sessions of clients that are gone.
    pub closed: usize,
}

/// The bytes of a hook that did not come through the socket.
#[derive(Clone, Debug)]
pub struct HookInput<'a> {
    /// What the client wrote.
    pub bytes: &'a [u8],
    /// When, nanoseconds since 1970; now when nobody knows.
    pub received_unix_ns: Option<u64>,
    /// What the client says it is (`AI_AGENT`).
    pub client: &'a str,
}

/// The trail, opened for writing.
pub struct Trail {
    pub(crate) home: Home,
    pub(crate) sealer: Sealer,
    pub(crate) receiver: Receiver,
    pub(crate) reader: Reader,
    pub(crate) key: SecretKey,
    side_files: bool,
    stopped: bool,
}

impl Trail {
    /// Opens the ledger under its lock, gets the pairing state back, drains the spool, and closes the sessions of clients that are gone.
    pub fn open(home: &Home, loaded: &Loaded) -> Result<(Self, Opened), TrailError> {
        let (mut trail, recovery) = Self::open_only(home, &loaded.config)?;
        trail.tell_change(loaded)?;
        let drained = trail.drain()?;
        let closed = trail.close_lost()?;
        Ok((trail, Opened { recovery, drained, closed }))
    }

    /// Opens the ledger and gets the state back, and nothing else.
    pub(crate) fn open_only(home: &Home, config: &Config) -> Result<(Self, Recovery), TrailError> {
        if !home.exists() {
            return Err(TrailError::Missing { path: home.path().to_owned() });
        }
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let clock = Clock::new();
        let key = home.spool_key()?;
        let options = open_options(config);
        let (ledger, recovery) = Ledger::open(Arc::clone(&disk), &home.ledger(), &home.keys(), options, random, &clock.stamp())?;
        let reader = Reader::open(disk, &home.ledger())?;
        let receiver = replayed(&reader)?;
        let sealer = Sealer { ledger, clock };
        let side_files = config.audit.capture.side_files;
        Ok((Self { home: home.clone(), sealer, receiver, reader, key, side_files, stopped: false }, recovery))
    }

    /// Returns the home.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Returns the number of events in the ledger.
    pub fn size(&self) -> u64 {
        self.sealer.ledger.size().0
    }

    /// Captures and seals what a client gave a hook; returns the number of its first event.
    pub fn hook(&mut self, input: &HookInput<'_>) -> Result<u64, TrailError> {
        let now = unix_ns();
        let frame = Frame {
            kind: Kind::Hook,
            delivery: new_delivery(),
            received_unix_ns: input.received_unix_ns.unwrap_or(now),
            uid: rustix::process::getuid().as_raw(),
            pid: std::process::id(),
            client_pid: 0,
            seen: input.bytes.len() as u64,
            body: u32::try_from(input.bytes.len()).unwrap_or(u32::MAX),
            client: input.client.to_owned(),
        };
        self.deliver_one(&frame, input.bytes)
    }

    /// Seals one event of Sealtrail itself, given as JSON (`{"event_type":"system.audit_log_accessed", …}`); returns its number.
    pub fn note(&mut self, record: &Value) -> Result<u64, TrailError> {
        let body = record.to_string().into_bytes();
        let frame = crate::client::record_frame(&body);
        self.deliver_one(&frame, &body)
    }

    /// Seals events that are made already; returns the number of the first.
    pub fn append(&mut self, events: Vec<Event>) -> Result<u64, TrailError> {
        let views: Vec<Value> = events.iter().map(Event::to_json).collect();
        match self.seal(What::Own(events))? {
            Fate::Sealed(Receipt { seq: Seq(seq), .. }) | Fate::Own(seq) => {
                for (n, view) in views.iter().enumerate() {
                    self.receiver.replay(seq + n as u64, view);
                }
                Ok(seq)
            }
            Fate::Later => Err(TrailError::NotSealed),
            Fate::Rejected => Err(TrailError::Rejected),
        }
    }

    /// Seals events of another witness, each for itself and once by its id; returns the fate of each, in order.
    pub fn ingest(&mut self, events: Vec<Event>) -> Result<Vec<Ingested>, TrailError> {
        self.reader.refresh()?;
        let mut answers = Vec::with_capacity(events.len());
        let mut fresh: Vec<Event> = Vec::with_capacity(events.len());
        for event in events {
            let id = &event.envelope.audit_id;
            let known = self.reader.find(id)?.map(|stored| Ingested::Known { seq: stored.seq.0 });
            let twice = fresh.iter().any(|other| other.envelope.audit_id == *id).then_some(Ingested::Later);
            answers.push(known.or(twice));
            if answers.last() == Some(&None) {
                fresh.push(event);
            }
        }
        let ids: Vec<_> = fresh.iter().map(|event| event.envelope.audit_id.clone()).collect();
        let (reply, _nobody_waits) = sync_channel(1);
        let fates = self.seal_all(&[Work { what: What::Many(fresh), reply: Reply::Answer(reply) }])?;
        let sealed = ids.into_iter().zip(&fates).filter_map(|(id, fate)| Some((id, fate.seq()?)));
        // A daemon goes on with this state: what comes again over its socket must be known.
        self.receiver.remember(sealed.collect());
        let mut fates = fates.into_iter();
        Ok(answers.into_iter().map(|answer| answer.or_else(|| fates.next().map(Ingested::from)).unwrap_or(Ingested::Later)).collect())
    }

    /// Seals everything that waits in the spool, and the counted losses.
    pub fn drain(&mut self) -> Result<Drained, TrailError> {
        let (home, key, side_files) = (self.home.clone(), self.key.clone(), self.side_files);
        let watch = side::Watch::new(rustix::process::getuid().as_raw());
        Drain { home: &home, key: &key, side_files, watch: &watch }.run(self).map_err(TrailError::Spool)
    }

    /// Ends the sessions of clients that are gone; returns how many events that gave.
    pub fn close_lost(&mut self) -> Result<usize, TrailError> {
        Watch::default().look(self, Patience::Now).map_err(|NotSealed| TrailError::NotSealed)
    }

    /// Publishes what is due; call it now and then during long work.
    pub fn tick(&mut self) -> Result<(), TrailError> {
        if let Err(Trouble::Stop(error)) = self.sealer.tick() {
            self.stopped = true;
            return Err(error.into());
        }
        Ok(())
    }

    /// Returns the ledger for what only it can do: erasures and holds.
    pub fn ledger(&mut self) -> &mut Ledger {
        &mut self.sealer.ledger
    }

    /// Says that the writer ends, publishes, and releases the lock.
    pub fn close(self) -> Result<(), TrailError> {
        Ok(close(self.sealer)?)
    }

    /// Seals the record of a changed configuration, if it changed.
    pub(crate) fn tell_change(&mut self, loaded: &Loaded) -> Result<(), TrailError> {
        if let Some(event) = settings::change(&self.home, loaded) {
            self.append(vec![event])?;
            settings::keep_hash(&self.home, loaded);
        }
        Ok(())
    }

    fn deliver_one(&mut self, frame: &Frame, body: &[u8]) -> Result<u64, TrailError> {
        let uid = rustix::process::getuid().as_raw();
        let side = if self.side_files { side::read(sealtrail_capture::needs(body), uid) } else { Vec::new() };
        let arrival = Arrival { frame, body, uid, client_pid: None, side, settings: None, late_ms: None, remote: None };
        match self.deliver(vec![arrival]).pop() {
            Some(Answer::Sealed(seq)) => Ok(seq),
            Some(Answer::Retry) | None => Err(TrailError::NotSealed),
            Some(_) => Err(TrailError::Rejected),
        }
    }

    fn seal(&mut self, what: What) -> Result<Fate, TrailError> {
        let (reply, _nobody_waits) = sync_channel(1);
        let fates = self.seal_all(&[Work { what, reply: Reply::Answer(reply) }])?;
        Ok(fates[0])
    }

    fn seal_all(&mut self, works: &[Work]) -> Result<Vec<Fate>, TrailError> {
        if self.stopped {
            return Err(TrailError::Append(AppendError::Poisoned));
        }
        let (fates, trouble) = self.sealer.seal(works);
        match trouble {
            None => Ok(fates),
            Some(Trouble::Full) => {
                // What was captured and not sealed must not be believed.
                self.reader.refresh()?;
                self.receiver = replayed(&self.reader)?;
                Ok(fates)
            }
            Some(Trouble::Stop(error)) => {
                self.stopped = true;
                Err(error.into())
            }
        }
    }
}

impl Sink for Trail {
    fn deliver(&mut self, arrivals: Vec<Arrival<'_>>) -> Vec<Answer> {
        let mut answers = Vec::with_capacity(arrivals.len());
        let mut works = Vec::new();
        for arrival in arrivals {
            answers.push(match self.receiver.receive(arrival) {
                Received::Known(seq) => Answer::Sealed(seq),
                Received::InFlight => Answer::Retry,
                Received::Refused(_) => Answer::Discarded,
                Received::Fresh(id, events) => {
                    let (reply, _nobody_waits) = sync_channel(1);
                    works.push((answers.len(), Work { what: What::Delivery(id, events), reply: Reply::Answer(reply) }));
                    Answer::Retry
                }
            });
        }
        let (places, works): (Vec<usize>, Vec<Work>) = works.into_iter().unzip();
        let fates = self.seal_all(&works).unwrap_or_else(|_| vec![Fate::Later; works.len()]);
        for ((place, work), fate) in places.into_iter().zip(&works).zip(fates) {
            if let What::Delivery(id, _) = &work.what {
                self.receiver.settled(id, fate.seq());
            }
            answers[place] = fate.answer();
        }
        answers
    }

    fn ingest(&mut self, events: Vec<Event>) -> Vec<Ingested> {
        let count = events.len();
        // Whatever stopped it shows in what comes next; the events stay where they are.
        Trail::ingest(self, events).unwrap_or_else(|_| vec![Ingested::Later; count])
    }

    fn look(&mut self, work: &mut dyn FnMut(&mut Receiver)) {
        work(&mut self.receiver);
    }

    fn conclude(&mut self, make: &mut dyn FnMut(&mut Receiver) -> Vec<Event>) -> Result<usize, NotSealed> {
        let events = make(&mut self.receiver);
        let count = events.len();
        if count == 0 {
            return Ok(0);
        }
        match self.seal(What::Own(events)) {
            Ok(Fate::Sealed(_)) => Ok(count),
            _ => Err(NotSealed),
        }
    }

    fn gap(&mut self, gap: Gap) -> Result<(), NotSealed> {
        match self.seal(What::Gap(Box::new(gap))) {
            Ok(Fate::Own(_)) => Ok(()),
            _ => Err(NotSealed),
        }
    }
}

/// Says that the writer ends, publishes, and releases the lock.
pub(crate) fn close(sealer: Sealer) -> Result<(), TickError> {
    let Sealer { ledger, clock } = sealer;
    ledger.close(&Token::parse("shutdown").expect("a plain word"), &clock.stamp())
}

/// Gets the state back from the end of the ledger.
pub(crate) fn replayed(reader: &Reader) -> Result<Receiver, ReadError> {
    let from = replay_from(reader)?;
    // Nothing was sealed under an id of a time that has not come yet.
    let mut receiver = Receiver::new(if from > 0 { unix_ns() / 1_000_000 } else { 0 });
    for stored in reader.iter(Seq(from)) {
        let stored = stored?;
        if is_of_hooks(&stored.envelope) {
            receiver.replay(stored.seq.0, &stored.view());
        } else if let Some(id) = id_in(&stored.envelope) {
            receiver.remember(vec![(id, stored.seq.0)]);
        }
    }
    Ok(receiver)
}

/// Returns from where on there are [`REPLAY_EVENTS`] events of hooks.
fn replay_from(reader: &Reader) -> Result<u64, ReadError> {
    let (mut hooks, mut from) = (0, reader.size().0);
    for stored in reader.iter_back().take(usize::try_from(REPLAY_EVENTS_MAX).unwrap_or(usize::MAX)) {
        let stored = stored?;
        hooks += u64::from(is_of_hooks(&stored.envelope));
        from = stored.seq.0;
        if hooks == REPLAY_EVENTS {
            break;
        }
    }
    Ok(from)
}

/// Tells whether an envelope line is of a hook, or of what the recorder concludes from hooks or reads beside them.
fn is_of_hooks(envelope: &[u8]) -> bool {
    let witnesses = ["\"witness\":\"hook\"", "\"witness\":\"recorder\"", "\"witness\":\"fs\""];
    witnesses.iter().any(|witness| memchr::memmem::find(envelope, witness.as_bytes()).is_some())
}

/// Returns how the ledger is opened under a configuration.
fn open_options(config: &Config) -> OpenOptions {
    let ledger = &config.audit.ledger;
    let defaults = OpenOptions::default();
    OpenOptions {
        compression: match ledger.compression {
            Compression::Gzip => sealtrail_ledger::line::Compression::Gzip,
            Compression::None => sealtrail_ledger::line::Compression::None,
        },
        highwater_copy: ledger.highwater_mirror.as_ref().map(PathBuf::from),
        segment: SegmentLimits { events: u64::from(ledger.segment_events), ..defaults.segment },
        pid: std::process::id(),
        ..defaults
    }
}
