//! Losses that hooks counted: taken to be sealed, and set to zero, cause by cause, once they are.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags};
use sealtrail_intake::{Class, GAP_BYTES, Gap, GapTable};

use crate::drain::gap_of;
use crate::home::Home;
use crate::shared::Shared;
use crate::sink::Sink;

/// 100 tries, 20 ms apart: the table is held while its losses are sealed, which takes a sync or two.
const TRIES: u32 = 100;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// The counted losses, locked: no hook can count while this is held.
struct HeldGaps {
    file: File,
    table: GapTable,
}

/// Returns the losses that are counted and not sealed yet.
pub fn gaps(home: &Home) -> io::Result<Vec<Gap>> {
    let mut bytes = [0u8; GAP_BYTES];
    match open(home) {
        Ok(file) => file.read_exact_at(&mut bytes, 0)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(GapTable::from_bytes(&bytes).gaps())
}

/// Counts events that a part of the daemon's process could not have sealed, so that the next round says how many. Failing to do so is the end of
/// the road: nobody is left to tell.
pub fn count_loss(home: &Home, class: &str, cause: &str, count: u64) {
    let counted = open(home).and_then(|file| {
        rustix::fs::flock(&file, FlockOperation::LockExclusive)?;
        let mut bytes = [0u8; GAP_BYTES];
        file.read_exact_at(&mut bytes, 0)?;
        let mut table = GapTable::from_bytes(&bytes);
        if let Some(changed) = table.count(class, cause, count, crate::clock::unix_ns()) {
            file.write_all_at(&table.as_bytes()[changed.clone()], changed.start as u64)?;
        }
        file.sync_data()
    });
    drop(counted);
}

/// Takes the losses and keeps the table locked; nothing when there are none, or when a hook is counting right now.
fn take(home: &Home) -> io::Result<Option<HeldGaps>> {
    if gaps(home)?.is_empty() {
        return Ok(None);
    }
    let file = open(home)?;
    if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let mut bytes = [0u8; GAP_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(Some(HeldGaps { file, table: GapTable::from_bytes(&bytes) }))
}

/// Seals the losses that were counted, one event a cause, and returns how many they were. A cause is set to zero in the table only after that.
pub(crate) fn seal(home: &Home, sink: &mut dyn Sink) -> io::Result<u64> {
    let Some(mut held) = take(home)? else { return Ok(0) };
    let gaps = held.table.gaps();
    let mut causes: Vec<&str> = gaps.iter().map(|gap| gap.cause.as_str()).collect();
    causes.sort_unstable();
    causes.dedup();
    let mut lost = 0;
    for cause in causes {
        let of_cause: Vec<_> = gaps.iter().filter(|gap| gap.cause == cause).collect();
        let by = of_cause.iter().map(|gap| (gap.class.as_str(), gap.count)).collect();
        let since = of_cause.iter().map(|gap| gap.first_unix_ns).min().unwrap_or(0);
        let until = of_cause.iter().map(|gap| gap.last_unix_ns).max().unwrap_or(0);
        if sink.gap(gap_of(cause, by, since, until)).is_err() {
            // The next round tries again.
            return Ok(lost);
        }
        held.forget(cause)?;
        lost += of_cause.iter().map(|gap| gap.count).sum::<u64>();
    }
    Ok(lost)
}

/// Counts one lost event, as a hook does that can spool nothing. Failing to do so is the end of the road: nobody is left to tell.
pub(crate) fn count(shared: &Shared, class: Class, cause: &str, now_unix_ns: u64) {
    let _ = try_count(shared, class, cause, now_unix_ns);
}

fn try_count(shared: &Shared, class: Class, cause: &str, now_unix_ns: u64) -> io::Result<()> {
    let file = open(&shared.home)?;
    let mut tries = 0;
    while let Err(error) = rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        tries += 1;
        if tries > TRIES {
            return Err(error.into());
        }
        // A daemon that stops waits no less: the loss is the last thing that it learns.
        let _ = shared.wait_for_stop(TRY_EVERY);
    }
    let mut bytes = [0u8; GAP_BYTES];
    file.read_exact_at(&mut bytes, 0)?;
    let mut table = GapTable::from_bytes(&bytes);
    if let Some(changed) = table.count(class.as_str(), cause, 1, now_unix_ns) {
        file.write_all_at(&table.as_bytes()[changed.clone()], changed.start as u64)?;
    }
    file.sync_data()
}

impl HeldGaps {
    /// Sets the losses of one cause to zero. Called once they are sealed; a crash before this seals them twice.
    fn forget(&mut self, cause: &str) -> io::Result<()> {
        self.table.forget(cause);
        self.file.write_all_at(self.table.as_bytes(), 0)?;
        self.file.sync_data()
    }
}

fn open(home: &Home) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
    File::options().read(true).write(true).custom_flags(flags).open(home.spool().join("gaps"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sealtrail_event::Event;
    use sealtrail_intake::Answer;

    use super::*;
    use crate::home::CreateHome;
    use crate::ingest::Ingested;
    use crate::receive::{Arrival, Receiver};
    use crate::sink::NotSealed;

    /// A ledger that has room for so many records of losses.
    struct Place {
        room: usize,
        told: Vec<(String, Option<u64>)>,
    }

    impl Sink for Place {
        fn deliver(&mut self, _: Vec<Arrival<'_>>) -> Vec<Answer> {
            Vec::new()
        }

        fn ingest(&mut self, _: Vec<Event>) -> Vec<Ingested> {
            Vec::new()
        }

        fn look(&mut self, _: &mut dyn FnMut(&mut Receiver)) {}

        fn conclude(&mut self, _: &mut dyn FnMut(&mut Receiver) -> Vec<Event>) -> Result<usize, NotSealed> {
            Ok(0)
        }

        fn gap(&mut self, gap: sealtrail_ledger::Gap) -> Result<(), NotSealed> {
            self.room = self.room.checked_sub(1).ok_or(NotSealed)?;
            self.told.push((gap.cause.to_string(), gap.lost));
            Ok(())
        }
    }

    /// Protects the count of losses on a full disk: a cause that found room is told once, also when the next one found none.
    #[test]
    fn what_found_room_is_not_told_again() {
        let folder = tempfile::tempdir().unwrap();
        let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
        count_loss(&home, "tool_invocation", "disk_full", 3);
        count_loss(&home, "other", "disk_full", 1);
        count_loss(&home, "model_calls", "gateway_unsealed", 2);
        let mut place = Place { room: 1, told: Vec::new() };
        assert_eq!(seal(&home, &mut place).unwrap(), 4);
        count_loss(&home, "other", "disk_full", 5);
        assert_eq!(seal(&home, &mut place).unwrap(), 0);
        place.room = 9;
        assert_eq!(seal(&home, &mut place).unwrap(), 7);
        let told = [("disk_full", 4), ("disk_full", 5), ("gateway_unsealed", 2)].map(|(cause, lost)| (cause.to_owned(), Some(lost)));
        assert_eq!(place.told, told);
        assert!(gaps(&home).unwrap().is_empty());
    }
}
