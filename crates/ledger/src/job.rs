//! Work that follows from appending and stalls nobody: publishing and sealing, as jobs that another thread may run.

use sealtrail_disk::DiskError;
use sealtrail_tlog::{CheckpointError, TreeSize};

use crate::head::Clocks;
use crate::publish::PublishJob;
use crate::seal::{SealError, SealJob};
use crate::stamp::Stamp;
use crate::write::Committer;

/// 1 second: a checkpoint is published at most this often.
const PUBLISH_NS: u64 = 1_000_000_000;

/// What was published last.
pub(crate) struct Published {
    pub(crate) size: TreeSize,
    /// First position of the WAL that the mark points into.
    pub(crate) wal: u64,
    /// End of the record of checkpoints.
    pub(crate) notes_end: u64,
    /// When a publication was last tried.
    pub(crate) tried: Option<Clocks>,
}

/// One piece of background work. It may run on any thread, beside appends; a crash in any step of it is repaired by opening.
pub struct Job(Kind);

enum Kind {
    Publish(Box<PublishJob>),
    Seal(SealJob),
}

/// What came of a [`Job`]; to be given to [`Committer::finish`].
pub struct Outcome(Result<Done, JobError>);

pub(crate) enum Done {
    Published { size: TreeSize, wal: u64, notes_end: u64 },
    Sealed { first: u64 },
}

/// Why a job failed. It is tried again at a later tick.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Publishing met a disk that refused.
    #[error("cannot publish the checkpoint of size {size}")]
    Publish {
        /// Its size.
        size: u64,
        /// What the disk said.
        source: DiskError,
    },
    /// The checkpoint could not be signed.
    #[error("cannot sign a checkpoint")]
    Sign {
        /// Why.
        #[from]
        source: CheckpointError,
    },
    /// Sealing a segment failed.
    #[error("cannot seal the segment that starts at {first}")]
    Seal {
        /// First position of the segment.
        first: u64,
        /// Why.
        source: SealError,
    },
}

impl Job {
    /// Does the work.
    pub fn run(self) -> Outcome {
        Outcome(match self.0 {
            Kind::Publish(job) => {
                let size = job.size().0;
                job.run().map_err(|source| JobError::Publish { size, source })
            }
            Kind::Seal(job) => {
                let first = job.first;
                job.run().map(|()| Done::Sealed { first }).map_err(|source| JobError::Seal { first, source })
            }
        })
    }
}

impl Committer {
    /// Returns the next job that is due, if any; at most one is out at a time.
    pub fn job(&mut self, stamp: &Stamp) -> Result<Option<Job>, JobError> {
        let now = Clocks::of(stamp);
        let rested = self.published.tried.as_ref().is_none_or(|tried| now.since(tried) >= PUBLISH_NS);
        self.next_job(&now, rested)
    }

    /// As [`Committer::job`], but publishes without waiting for the second to pass.
    pub(crate) fn job_now(&mut self, stamp: &Stamp) -> Result<Option<Job>, JobError> {
        self.next_job(&Clocks::of(stamp), true)
    }

    fn next_job(&mut self, now: &Clocks, publish: bool) -> Result<Option<Job>, JobError> {
        if self.busy || self.poisoned {
            return Ok(None);
        }
        if publish && self.size() > self.published.size {
            self.published.tried = Some(now.clone());
            let job = PublishJob::of(self)?;
            self.busy = true;
            return Ok(Some(Job(Kind::Publish(Box::new(job)))));
        }
        // A WAL goes only when the mark points past it: opening starts from the mark.
        match self.closed.front() {
            Some(first) if *first < self.published.wal => {
                self.busy = true;
                let next = self.closed.get(1).copied().unwrap_or(self.wal.first);
                Ok(Some(Job(Kind::Seal(SealJob::of(self, *first, next)))))
            }
            _ => Ok(None),
        }
    }

    /// Takes note of what came of a job.
    pub fn finish(&mut self, outcome: Outcome) -> Result<(), JobError> {
        self.busy = false;
        match outcome.0? {
            Done::Published { size, wal, notes_end } => {
                self.published = Published { size, wal, notes_end, tried: self.published.tried.take() };
                self.edge.trim(size);
            }
            Done::Sealed { first } => self.closed.retain(|closed| *closed != first),
        }
        Ok(())
    }
}
