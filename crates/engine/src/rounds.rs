//! What the daemon's threads do over and over: sealing, background jobs, and looking after spool and clients.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver as Jobs, SyncSender};
use std::time::{Duration, Instant};

use crypto_box::SecretKey;
use sealtrail_ledger::Job;
use sealtrail_ledger::read::Reader;

use crate::clock::unix_ns;
use crate::drain::{Drain, Drained, gap_of};
use crate::health::Heartbeat;
use crate::lost::{Patience, Watch};
use crate::queue::{What, Work};
use crate::sealer::{Fate, Sealer, Trouble};
use crate::shared::{Queued, Shared};
use crate::trail::replayed;

/// How often publishing, sealing of segments, and a full disk are looked at again.
const JOB_EVERY: Duration = Duration::from_secs(1);

/// How often the spool and the clients are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The sealing thread: takes what is queued, seals it, answers. Gives the ledger back at the end.
pub(crate) struct Sealing<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) sealer: Sealer,
    pub(crate) reader: Reader,
    pub(crate) jobs: SyncSender<Job>,
    /// The full disk is already told; the next success begins anew.
    pub(crate) full_told: bool,
}

impl Sealing<'_> {
    pub(crate) fn run(mut self) -> Sealer {
        let mut looked = Instant::now();
        loop {
            let taken = self.shared.queue.take(JOB_EVERY.saturating_sub(looked.elapsed()));
            let finished = !taken.outcomes.is_empty();
            for outcome in taken.outcomes {
                // A failed job is due again at the next look.
                let _ = self.sealer.finish(outcome);
            }
            let mut result = self.work(taken.works);
            if looked.elapsed() >= JOB_EVERY {
                looked = Instant::now();
                // A full disk gets another try.
                self.shared.full.store(false, Ordering::SeqCst);
                self.start_job();
                result = result.and_then(|()| self.sealer.tick());
            } else if finished {
                self.start_job();
            }
            self.trouble(result);
            if taken.stop {
                return self.sealer;
            }
        }
    }

    /// Seals a batch of work and answers it.
    fn work(&mut self, works: Vec<Work>) -> Result<(), Trouble> {
        if works.is_empty() {
            return Ok(());
        }
        let (fates, trouble) = self.sealer.seal(&works);
        self.settle(&works, &fates);
        if fates.iter().any(|fate| fate.seq().is_some()) {
            self.full_told = false;
            self.shared.size.store(self.sealer.ledger.size().0, Ordering::Relaxed);
            self.shared.last_seal_unix_ns.store(unix_ns(), Ordering::Relaxed);
        }
        if let Some(Trouble::Full) = trouble {
            // Before anybody is answered: a sender that hears "later" and comes again must meet a state without its first try.
            self.full();
        }
        let mut fates = &fates[..];
        for work in works {
            let (own, rest) = fates.split_at(work.parts());
            fates = rest;
            work.answer(own);
        }
        match trouble {
            Some(Trouble::Stop(error)) => Err(Trouble::Stop(error)),
            _ => Ok(()),
        }
    }

    fn settle(&self, works: &[Work], fates: &[Fate]) {
        let mut receiver = self.shared.receiver();
        let mut fates = fates;
        for work in works {
            let (own, rest) = fates.split_at(work.parts());
            fates = rest;
            match (&work.what, own) {
                (What::Delivery(id, _), [fate]) => receiver.settled(id, fate.seq()),
                (What::Many(events), own) => {
                    for (event, fate) in events.iter().zip(own) {
                        receiver.settled(&event.envelope.audit_id, fate.seq());
                    }
                }
                _ => {}
            }
        }
    }

    /// The disk is full: sends everything back, forgets what was captured and not sealed, and says so in the ledger from its reserve.
    fn full(&mut self) {
        self.shared.fill();
        let mut receiver = self.shared.receiver();
        // Nobody can queue while the state is locked, so this is everything.
        let taken = self.shared.queue.take(Duration::ZERO);
        for work in taken.works {
            work.send_back();
        }
        for outcome in taken.outcomes {
            // Dropped, it would keep the ledger waiting for that job for ever. A failed one is due again at the next look.
            let _ = self.sealer.finish(outcome);
        }
        match self.reader.refresh().and_then(|()| replayed(&self.reader)) {
            Ok(fresh) => *receiver = fresh,
            // Without the state nothing may go on; a restart gets it from the ledger.
            Err(_) => self.shared.stop(),
        }
        drop(receiver);
        if !self.full_told {
            let now = unix_ns();
            self.full_told = self.sealer.gap(&gap_of("disk_full", Vec::new(), now, now)).is_ok();
        }
    }

    fn start_job(&mut self) {
        // A job that cannot be made, or for which the thread has no room yet, is due again at the next look.
        if let Ok(Some(job)) = self.sealer.job()
            && let Err(refused) = self.jobs.try_send(job)
        {
            let (std::sync::mpsc::TrySendError::Full(job) | std::sync::mpsc::TrySendError::Disconnected(job)) = refused;
            self.shared.queue.push_outcome(job.run());
        }
    }

    fn trouble(&mut self, result: Result<(), Trouble>) {
        match result {
            Ok(()) => {}
            Err(Trouble::Full) => self.full(),
            Err(Trouble::Stop(error)) => self.shared.fail(error),
        }
    }
}

/// The thread for jobs that take long.
pub(crate) fn run_jobs(shared: &Shared, jobs: &Jobs<Job>) {
    for job in jobs {
        shared.queue.push_outcome(job.run());
    }
}

/// The thread that looks after the spool, the counted losses and the clients; its last round comes when the daemon stops.
pub(crate) fn look_after(shared: &Shared, key: &SecretKey) -> Drained {
    let mut watch = Watch::default();
    let mut heartbeat = Heartbeat::start(Instant::now());
    let mut total = Drained::default();
    loop {
        let stops = shared.wait_for_stop(LOOK_EVERY);
        if stops {
            // Nothing comes in any more; what came in is queued or answered.
            shared.wait_for_connections(Duration::from_secs(5));
        }
        if !shared.full.load(Ordering::SeqCst) {
            let mut sink = Queued(shared);
            let side_files = shared.side_files.load(Ordering::Relaxed);
            let drain = Drain { home: &shared.home, key, side_files, watch: &shared.watch };
            // A spool that cannot be listed now is listed in the next round, or by the next start.
            if let Ok(drained) = drain.run(&mut sink) {
                total.add(drained);
            }
            let patience = if stops { Patience::Now } else { Patience::TwoLooks };
            // Not sealed: the sessions are still open, and closed in the next round or by the next start.
            let _ = watch.look(&mut sink, patience);
            let _due_again = heartbeat.look(&mut sink, Instant::now());
        }
        if stops {
            return total;
        }
    }
}
