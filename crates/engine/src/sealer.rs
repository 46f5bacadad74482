//! Seals what is queued: batches as large as the queue is long, one write and one sync each, then the answers.

use sealtrail_event::Event;
use sealtrail_intake::Answer;
use sealtrail_ledger::{AppendError, BuildError, Gap, Job, JobError, Ledger, Outcome, Receipt, TickError};

use crate::clock::Clock;
use crate::queue::{What, Work};

/// What became of one piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Sealed; the receipt is that of its first event.
    Sealed(Receipt),
    /// Sealed as the ledger's own record, under this number.
    Own(u64),
    /// Not sealed, and it may be tried again.
    Later,
    /// The ledger cannot take it, now or later.
    Rejected,
}

/// Why sealing stopped.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The disk is full. The ledger goes on.
    Full,
    /// The disk failed, or nobody knows what is durable. Only opening the ledger again tells.
    Stop(AppendError),
}

/// The ledger's writer, used by one thread.
///
/// Building a batch costs a few microseconds an event and syncing it a millisecond or more, so a second thread to overlap the two would gain little
/// and cost a lone event two more wake-ups. What takes long (publishing, sealing segments) are jobs for another thread.
pub(crate) struct Sealer {
    pub(crate) ledger: Ledger,
    pub(crate) clock: Clock,
}

impl Sealer {
    /// Seals the works in order; returns the fate of each of their parts, and what stopped it if something did.
    pub(crate) fn seal(&mut self, works: &[Work]) -> (Vec<Fate>, Option<Trouble>) {
        let mut fates = vec![Fate::Later; works.iter().map(Work::parts).sum()];
        let (mut at, mut part) = (0, 0);
        while at < works.len() {
            let (until, trouble) = match &works[at].what {
                What::Gap(gap) => {
                    let sealed = self.gap(gap);
                    if sealed.is_ok() {
                        fates[part] = Fate::Own(self.ledger.size().0 - 1);
                    }
                    (at + 1, sealed.err())
                }
                _ => {
                    let until = works[at..].iter().position(|work| matches!(work.what, What::Gap(_))).map_or(works.len(), |gap| at + gap);
                    (until, self.seal_events(&works[at..until], &mut fates[part..]))
                }
            };
            if trouble.is_some() {
                return (fates, trouble);
            }
            part += works[at..until].iter().map(Work::parts).sum::<usize>();
            at = until;
        }
        (fates, None)
    }

    /// Seals a run of works, in as many batches as the ledger's limits ask for.
    fn seal_events(&mut self, works: &[Work], fates: &mut [Fate]) -> Option<Trouble> {
        let mut events: Vec<&Event> = Vec::new();
        let mut owners = Vec::new();
        let mut part = 0;
        for work in works {
            match &work.what {
                What::Delivery(_, own) | What::Own(own) => {
                    events.extend(own);
                    owners.extend(std::iter::repeat_n(part, own.len()));
                }
                What::Many(many) => {
                    events.extend(many);
                    owners.extend(part..part + many.len());
                }
                What::Gap(_) => {}
            }
            part += work.parts();
        }
        let mut done = 0;
        while done < events.len() {
            match self.append(&events[done..]) {
                Ok(receipts) => {
                    for (receipt, owner) in receipts.iter().zip(&owners[done..]) {
                        if fates[*owner] == Fate::Later {
                            fates[*owner] = Fate::Sealed(*receipt);
                        }
                    }
                    done += receipts.len();
                }
                Err(AppendError::Build { source: BuildError::Rejected { index, .. } }) if done + index < events.len() => {
                    // The rest of that delivery is left out too: half of it would be a wrong story.
                    let owner = owners[done + index];
                    fates[owner] = Fate::Rejected;
                    let keep: Vec<bool> = owners.iter().enumerate().map(|(n, other)| n < done || *other != owner).collect();
                    let mut kept = keep.iter();
                    events.retain(|_| *kept.next().unwrap_or(&true));
                    let mut kept = keep.iter();
                    owners.retain(|_| *kept.next().unwrap_or(&true));
                }
                Err(error) => {
                    // Who was only partly sealed is not acknowledged.
                    for owner in &owners[done..] {
                        fates[*owner] = Fate::Later;
                    }
                    return Some(self.trouble(error));
                }
            }
        }
        None
    }

    fn append(&mut self, events: &[&Event]) -> Result<Vec<Receipt>, AppendError> {
        let (builder, committer) = self.ledger.split();
        loop {
            let batch = builder.build(events, &self.clock.stamp())?;
            let receipts = committer.commit(batch).inspect_err(|_| committer.rewind(builder))?;
            // A batch of the ledger's own events may have to go first.
            if !receipts.is_empty() {
                return Ok(receipts);
            }
        }
    }

    /// Seals a record of losses, from the reserve when the disk is full.
    pub(crate) fn gap(&mut self, gap: &Gap) -> Result<(), Trouble> {
        self.ledger.gap(gap, &self.clock.stamp()).map_err(|error| self.trouble(error))
    }

    /// Writes the heartbeat when it is due, and lays the reserve back when there is room.
    ///
    /// Background work that is due is done too, here and now: a caller with a thread for it starts that first.
    pub(crate) fn tick(&mut self) -> Result<(), Trouble> {
        match self.ledger.tick(&self.clock.stamp()) {
            Err(TickError::Append(error)) => Err(self.trouble(error)),
            // A failed job is tried again.
            Ok(()) | Err(TickError::Job(_)) => Ok(()),
        }
    }

    /// Returns the background job that is due.
    pub(crate) fn job(&mut self) -> Result<Option<Job>, JobError> {
        self.ledger.job(&self.clock.stamp())
    }

    /// Takes note of what came of a job.
    pub(crate) fn finish(&mut self, outcome: Outcome) -> Result<(), JobError> {
        self.ledger.split().1.finish(outcome)
    }

    fn trouble(&self, error: AppendError) -> Trouble {
        match error {
            AppendError::Full { .. } => Trouble::Full,
            other => Trouble::Stop(other),
        }
    }
}

impl Fate {
    /// Returns the number of the first event, if it is sealed.
    pub(crate) fn seq(self) -> Option<u64> {
        match self {
            Self::Sealed(receipt) => Some(receipt.seq.0),
            Self::Own(seq) => Some(seq),
            Self::Later | Self::Rejected => None,
        }
    }

    /// Returns what the sender is told.
    pub(crate) fn answer(self) -> Answer {
        match self {
            Self::Sealed(receipt) => Answer::Sealed(receipt.seq.0),
            Self::Own(seq) => Answer::Sealed(seq),
            Self::Later => Answer::Retry,
            Self::Rejected => Answer::Discarded,
        }
    }
}
