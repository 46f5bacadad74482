//! The trail as a reader sees it: opened, and what waited in the spool sealed first.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sealtrail_engine::{Finder, Home};
use sealtrail_event::AuditId;
use sealtrail_index::{Answer, Hits, Index, IndexError, Options};
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_ledger::read::{ReadError, Reader, Stored};
use sealtrail_query::Search;
use sealtrail_tlog::Seq;

use crate::config;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::progress::Progress;
use crate::run::Call;

/// 2.5 s: a checkpoint is published at most a second after an event, on a busy disk a little later.
const PUBLISH_WAIT: Duration = Duration::from_millis(2_500);
/// 5 s: commands hold the ledger while they read; a longer one is not waited for.
const WRITER_WAIT: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// 65,536 events: indexed in two seconds or so; a command that answers at once waits no longer for the index.
pub(crate) const CATCH_UP_MAX: u64 = 65_536;

/// A trail that is open for reading.
pub(crate) struct Trail {
    pub(crate) home: Home,
    pub(crate) reader: Reader,
    pub(crate) index: Index,
    pub(crate) access: Access,
}

/// Who records that the trail is read.
pub(crate) enum Access {
    /// The daemon.
    Daemon,
    /// This command, which holds the ledger.
    Writer(Box<sealtrail_engine::Trail>),
    /// It is done.
    Nobody,
    /// Another command, which holds the ledger and will give it back.
    Busy,
    /// Nobody can, and why.
    Refused(String),
}

/// Opens the trail of the home; with no daemon running, the spool is drained first.
pub(crate) fn open(call: &mut Call) -> Result<Trail, Failure> {
    open_indexing(call, u64::MAX)
}

/// Opens the trail like [`open`], without indexing more than [`CATCH_UP_MAX`] events first.
pub(crate) fn open_as_it_is(call: &mut Call) -> Result<Trail, Failure> {
    open_indexing(call, CATCH_UP_MAX)
}

fn open_indexing(call: &mut Call, events_max: u64) -> Result<Trail, Failure> {
    let home = Home::new(home::find(&call.global)?);
    if !home.exists() {
        return Err(missing(home.path()));
    }
    let access = writer(call, &home)?;
    let mut finder = Finder::open(&home).map_err(|error| unanswered(&error))?;
    let mut progress = Progress::new(&call.screen, "indexing");
    let behind = finder.reader.size().0.saturating_sub(finder.index.indexed_to());
    if behind <= events_max
        && let Err(error) = finder.catch_up(&home, &mut |now| progress.at(now.done, now.total))
    {
        call.screen.warn(&format!("what is not indexed is looked at event by event: {}", crate::failure::chain(&error)));
    }
    progress.finish();
    let Finder { reader, index } = finder;
    Ok(Trail { home, reader, index, access })
}

/// Searches for single events.
pub(crate) fn hits<'a>(
    reader: &'a Reader,
    index: Option<&'a Index>,
    search: &Search,
    options: &Options,
    progress: &'a mut dyn FnMut(sealtrail_index::Progress),
) -> Result<Hits<'a>, Failure> {
    match sealtrail_index::run(reader, index, search, options, progress).map_err(|error| unanswered(&error))? {
        Answer::Events(hits) => Ok(hits),
        Answer::Table(_) | Answer::Matches(_) => Err(Failure::usage("a report or a sequence is no list of events")),
    }
}

/// Makes the failure of a search that broke off.
pub(crate) fn unanswered(error: &IndexError) -> Failure {
    Failure::of("search.failed", error)
        .exit(Exit::NotVerified)
        .hint("look at every event instead: --scan")
        .hint("find out whether the ledger is damaged: sealtrail verify-integrity")
}

/// Opens the writer when no daemon has it: what waits in the spool becomes readable, and the reading can be recorded.
pub(crate) fn writer(call: &mut Call, home: &Home) -> Result<Access, Failure> {
    if daemon_answers(home) {
        return Ok(Access::Daemon);
    }
    let loaded = config::load(home.path())?;
    match sealtrail_engine::Trail::open(home, &loaded) {
        Ok((mut writer, opened)) => {
            if opened.drained.sealed > 0 {
                call.screen.say(&format!("{} events that waited in the spool were sealed", opened.drained.sealed));
            }
            if let Err(error) = writer.tick() {
                call.screen.warn(&format!("no checkpoint could be published: {error}"));
            }
            Ok(Access::Writer(Box::new(writer)))
        }
        Err(error) if error.is_locked() => Ok(Access::Busy),
        Err(error) => Ok(Access::Refused(crate::failure::chain(&error))),
    }
}

/// Waits for a writer that another command has.
pub(crate) fn writer_in_time(call: &mut Call, home: &Home) -> Access {
    let deadline = Instant::now() + WRITER_WAIT;
    let (_keep, pause) = mpsc::channel::<()>();
    loop {
        match writer(call, home) {
            Ok(Access::Busy) if Instant::now() < deadline => {
                // Nobody sends: this is the wait between two looks.
                let _ = pause.recv_timeout(LOOK_EVERY);
            }
            Ok(access) => return access,
            Err(failure) => return Access::Refused(failure.first_line()),
        }
    }
}

/// Tells whether a daemon of this trail is running.
pub(crate) fn daemon_answers(home: &Home) -> bool {
    !matches!(sealtrail_engine::status(home), Ok(None))
}

/// Makes the failure of a home without a trail.
pub(crate) fn missing(home: &Path) -> Failure {
    Failure::new("home.missing", Exit::Failed, format!("there is no trail in {}", home.display()))
        .hint("make one: sealtrail init")
        .hint("or name another folder: --home DIR, or SEALTRAIL_HOME")
}

/// A command that ends early still gives the ledger back in order.
impl Drop for Trail {
    fn drop(&mut self) {
        if let Access::Writer(writer) = std::mem::replace(&mut self.access, Access::Nobody) {
            // The failure that ends the command is shown; the next opening recovers what this one left.
            let _ = writer.close();
        }
    }
}

impl Trail {
    /// Seals what has come into the spool since, when no daemon does.
    pub(crate) fn catch_up(&mut self, call: &mut Call) -> Result<(), Failure> {
        let waits = sealtrail_engine::spool_depth(&self.home).is_ok_and(|depth| depth.records > 0);
        if waits && let Access::Writer(writer) = writer(call, &self.home)? {
            writer.close().map_err(|error| crate::record::refused(&error))?;
        }
        Ok(())
    }

    /// Waits until a checkpoint covers `size` events; `false` when none did in time.
    pub(crate) fn wait_for_checkpoint(&self, size: u64) -> bool {
        let covered = || Prover::new(&self.reader).is_ok_and(|prover| prover.checkpoint().size.0 >= size);
        let deadline = Instant::now() + PUBLISH_WAIT;
        let (_keep, pause) = mpsc::channel::<()>();
        while !covered() {
            if Instant::now() >= deadline {
                return false;
            }
            // Nobody sends: this is the wait between two looks.
            let _ = pause.recv_timeout(LOOK_EVERY);
        }
        true
    }

    /// Finds an event by its audit id, or by its number in the ledger.
    pub(crate) fn find(&self, name: &str) -> Result<Stored, Failure> {
        let found = match name.parse::<u64>() {
            Ok(seq) => self.reader.get(Seq(seq)),
            Err(_) => {
                let id = AuditId::parse(name).map_err(|error| Failure::because("usage.id", Exit::Usage, "this is no audit id", &error))?;
                self.reader.find(&id)
            }
        };
        found.map_err(|error| unreadable(&error))?.ok_or_else(|| {
            Failure::new("event.missing", Exit::Failed, format!("no event {name} in the trail")).hint("list the newest: sealtrail tail")
        })
    }
}

/// Makes the failure of a ledger that cannot be read.
pub(crate) fn unreadable(error: &ReadError) -> Failure {
    Failure::of("ledger.unreadable", error).exit(Exit::NotVerified).hint("find out what is damaged: sealtrail verify-integrity")
}

/// Makes the failure of a proof that cannot be made.
pub(crate) fn unproved(error: &ProveError) -> Failure {
    let failure = Failure::of("proof.none", error);
    match error {
        ProveError::NotPublished { .. } => {
            failure.exit(Exit::Unavailable).hint("a checkpoint is published at most a second after an event: try again")
        }
        ProveError::NoSuchEvent { .. } => failure,
        _ => failure.exit(Exit::NotVerified).hint("find out what is damaged: sealtrail verify-integrity"),
    }
}
