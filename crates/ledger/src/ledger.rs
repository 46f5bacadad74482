//! The ledger as one piece: a builder and a committer that take turns.

use std::path::Path;

use sealtrail_event::{Event, Severity, Token};
use sealtrail_tlog::TreeSize;
use serde_json::json;

use crate::build::{Batch, Builder, Extra, Receipt};
use crate::job::{Job, JobError};
use crate::line::LogInfo;
use crate::own::Gap;
use crate::stamp::Stamp;
use crate::write::{AppendError, Committer};

/// The one writer of a log.
pub struct Ledger {
    pub(crate) builder: Builder,
    pub(crate) committer: Committer,
}

/// Why a tick was not all done.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The heartbeat was not written.
    #[error("cannot write the heartbeat of the ledger")]
    Append(#[from] AppendError),
    /// A job failed; the ledger goes on and tries it again.
    #[error("cannot finish the background work of the ledger")]
    Job(#[from] JobError),
}

impl Ledger {
    /// Seals events: when this returns, they are durable, in the tree and signed. In one batch if they fit.
    ///
    /// An error part of the way leaves the batches before it sealed; [`Ledger::size`] tells how far it came.
    pub fn append(&mut self, events: &[Event], stamp: &Stamp) -> Result<Vec<Receipt>, AppendError> {
        let mut receipts = Vec::with_capacity(events.len());
        while receipts.len() < events.len() {
            let done = receipts.len();
            let batch = self.builder.build(&events[done..], stamp);
            let batch = batch.map_err(|error| AppendError::from(error.after(done)))?;
            receipts.extend(self.commit(batch)?);
        }
        Ok(receipts)
    }

    /// Seals a record of lost events. It may be written even when the disk is full.
    pub fn gap(&mut self, gap: &Gap, stamp: &Stamp) -> Result<(), AppendError> {
        let batch = self.builder.gap(gap, stamp)?;
        self.commit(batch).map(drop)
    }

    /// Does what is due: the heartbeat, a checkpoint, sealing. Call it about once a second; needs no call to be safe.
    pub fn tick(&mut self, stamp: &Stamp) -> Result<(), TickError> {
        if let Some(batch) = self.builder.tick(stamp).map_err(AppendError::from)? {
            self.commit(batch)?;
        }
        self.committer.restore_reserve();
        while let Some(job) = self.committer.job(stamp)? {
            self.committer.finish(job.run())?;
        }
        Ok(())
    }

    /// Returns the next background job, to be run on another thread; see [`Committer::job`].
    pub fn job(&mut self, stamp: &Stamp) -> Result<Option<Job>, JobError> {
        self.committer.job(stamp)
    }

    /// Publishes a checkpoint now, if there is anything new, and finishes all other background work.
    pub fn publish(&mut self, stamp: &Stamp) -> Result<(), JobError> {
        while let Some(job) = self.committer.job_now(stamp)? {
            self.committer.finish(job.run())?;
        }
        Ok(())
    }

    /// Writes a `ledger.stop`, publishes, and lets go of the log. `why` is a word such as `shutdown`.
    pub fn close(mut self, why: &Token, stamp: &Stamp) -> Result<(), TickError> {
        let own = self.builder.own(stamp).event("ledger.stop", Severity::Info, json!({ "why": why })).into_iter().collect();
        let batch = self.builder.assemble(&[], stamp, Extra { own, ..Extra::default() }).map_err(AppendError::from)?;
        self.commit(batch)?;
        Ok(self.publish(stamp)?)
    }

    /// Returns the size of the durable tree.
    pub fn size(&self) -> TreeSize {
        self.committer.size()
    }

    /// Returns what `log.json` says.
    pub fn log(&self) -> &LogInfo {
        &self.committer.info
    }

    /// Returns the name of the log.
    pub fn origin(&self) -> &str {
        &self.committer.info.origin
    }

    /// Returns the verifier key of the log.
    pub fn vkey(&self) -> &str {
        &self.committer.info.vkey
    }

    /// Returns the folder of the log.
    pub fn dir(&self) -> &Path {
        &self.committer.layout.dir
    }

    /// Tells whether a disk failure stopped this ledger for good.
    pub fn is_poisoned(&self) -> bool {
        self.committer.is_poisoned()
    }

    /// Lends the two halves, so that one thread builds while another commits.
    pub fn split(&mut self) -> (&mut Builder, &mut Committer) {
        (&mut self.builder, &mut self.committer)
    }

    /// Gives up the whole for its halves.
    pub fn into_parts(self) -> (Builder, Committer) {
        (self.builder, self.committer)
    }

    /// Puts the halves together again; what was built and not committed is forgotten.
    pub fn from_parts(mut builder: Builder, committer: Committer) -> Self {
        committer.rewind(&mut builder);
        Self { builder, committer }
    }

    pub(crate) fn commit(&mut self, batch: Batch) -> Result<Vec<Receipt>, AppendError> {
        let done = self.committer.commit(batch);
        if done.is_err() {
            self.committer.rewind(&mut self.builder);
        }
        done
    }
}
