//! The machine: room on the disk, and whether a sync really reaches it.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Check, State};
use crate::when::bytes;

/// 1 GiB: about a million events; below it somebody should act.
const FREE_BYTES_LOW: u64 = 1 << 30;
/// 64 MiB: four times what the ledger takes at once.
const FREE_BYTES_MIN: u64 = 64 << 20;
/// Syncs measured; the middle one counts.
const SYNCS: usize = 9;
/// Ten microseconds: no disk with power behind it is faster; a sync that returns sooner reached a cache.
const SYNC_TOO_FAST: Duration = Duration::from_micros(10);
/// 50 ms: each tool call waits for two of them.
const SYNC_SLOW: Duration = Duration::from_millis(50);

pub(super) fn checks(home: &Path) -> Vec<Check> {
    if !home.exists() {
        return vec![Check::new("disk", State::Skipped, "no trail to look at")];
    }
    vec![room(home), sync(home)]
}

fn room(home: &Path) -> Check {
    let stat = match rustix::fs::statvfs(home) {
        Ok(stat) => stat,
        Err(error) => return Check::new("disk", State::Warning, format!("cannot ask for the free space: {error}")),
    };
    let free = stat.f_bavail * stat.f_frsize;
    let (state, what) = match free {
        ..FREE_BYTES_MIN => (State::Failed, "events will soon be lost"),
        FREE_BYTES_MIN..FREE_BYTES_LOW => (State::Warning, "make room, or move the trail"),
        _ => (State::Ok, "and 1 MiB in reserve for the record that says the disk is full"),
    };
    let reserve = home.join("ledger/reserve").exists();
    let check = Check::new("disk", state, format!("{} free", bytes(free)));
    if reserve || state != State::Ok {
        check.more(what)
    } else {
        Check { state: State::Warning, ..check }
            .more("the reserve for a full disk is used up; it is made again when the trail is opened with room")
    }
}

/// Writes and syncs a small file, as the ledger does for each batch.
fn sync(home: &Path) -> Check {
    match measure(home) {
        Ok(median) => {
            let shown = format!("a write and sync takes {:.2} ms (median of {SYNCS})", median.as_secs_f64() * 1000.0);
            if median < SYNC_TOO_FAST {
                Check::new("sync", State::Warning, shown)
                    .more("that is faster than any disk: this file system does not survive a power cut")
            } else if median > SYNC_SLOW {
                Check::new("sync", State::Warning, shown).more("each tool call of an agent waits for it twice")
            } else {
                Check::new("sync", State::Ok, shown)
            }
        }
        Err(error) => Check::new("sync", State::Failed, format!("cannot write and sync in {}: {error}", home.display())),
    }
}

fn measure(home: &Path) -> io::Result<Duration> {
    let path = home.join(format!(".doctor-{}", std::process::id()));
    let measured = File::options().write(true).create_new(true).open(&path).and_then(|file| times(&file));
    let removed = std::fs::remove_file(&path);
    let mut times = measured?;
    removed?;
    times.sort();
    Ok(times[SYNCS / 2])
}

fn times(mut file: &File) -> io::Result<[Duration; SYNCS]> {
    let mut times = [Duration::ZERO; SYNCS];
    for time in &mut times {
        let started = Instant::now();
        file.write_all(&[0; 1024])?;
        file.sync_data()?;
        *time = started.elapsed();
    }
    Ok(times)
}
