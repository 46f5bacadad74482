//! Jobs on several threads, while this one tells how far they are.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Ten times a second is smooth enough for a progress bar.
const TICK: Duration = Duration::from_millis(100);

/// Returns how many threads to use when `wanted` are asked for; 0 means as many as the machine has.
pub(super) fn count(wanted: usize) -> usize {
    match wanted {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        wanted => wanted.min(256),
    }
}

/// Runs `work` for every job and returns the results in the order of the jobs.
pub(super) fn run<T: Send>(threads: usize, jobs: usize, work: impl Fn(usize) -> T + Sync, tick: &mut dyn FnMut()) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(jobs));
    let (sender, receiver) = channel::<()>();
    std::thread::scope(|scope| {
        for _ in 0..threads.min(jobs) {
            let (next, done, work, sender) = (&next, &done, &work, sender.clone());
            scope.spawn(move || {
                // Dropped at the end of the thread: the receiver learns that all are gone.
                let _sender = sender;
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= jobs {
                        break;
                    }
                    let result = work(job);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((job, result));
                }
            });
        }
        drop(sender);
        while receiver.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            tick();
        }
    });
    tick();
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(job, _)| *job);
    done.into_iter().map(|(_, result)| result).collect()
}
