//! The trail as a reader sees it: opened, and what waited in the spool sealed first.

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use sealtrail_disk::RealDisk;
use sealtrail_event::AuditId;
use sealtrail_ledger::prove::{ProveError, Prover};
use sealtrail_ledger::read::{ReadError, Reader, Stored};
use sealtrail_tlog::Seq;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;

/// A trail that is open for reading.
pub(crate) struct Trail {
    pub(crate) home: PathBuf,
    pub(crate) reader: Reader,
}

/// Opens the trail of the home; with no daemon running, the spool is drained first.
pub(crate) fn open(call: &mut Call) -> Result<Trail, Failure> {
    let home = home::find(&call.global)?;
    let ledger = home.join("ledger");
    if !ledger.join("log.json").exists() {
        return Err(Failure::new("home.missing", Exit::Failed, format!("there is no trail in {}", home.display()))
            .hint("make one: sealtrail init")
            .hint("or name another folder: --home DIR, or SEALTRAIL_HOME"));
    }
    let reader = Reader::open(Arc::new(RealDisk::default()), &ledger).map_err(|error| unreadable(&error))?;
    Ok(Trail { home, reader })
}

/// 2.5 s: a checkpoint is published at most a second after an event, on a busy disk a little later.
const PUBLISH_WAIT: Duration = Duration::from_millis(2_500);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl Trail {
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

    /// Seals what has come into the spool since, when no daemon does.
    pub(crate) fn catch_up(&mut self, _call: &mut Call) -> Result<(), Failure> {
        Ok(())
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
