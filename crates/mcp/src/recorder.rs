//! One thread that has events kept, and a bounded queue before it: messages pass meanwhile.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sealtrail_capture::mcp::Known;
use sealtrail_engine::Kept;
use sealtrail_event::Event;

use crate::keeper::Keeper;
use crate::sink::NotSealed;
use crate::store::Store;

/// 4,096 events or 64 MiB wait at most; beyond it, and when nothing can be kept, events are counted as lost.
const EVENTS_MAX: usize = 4_096;
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// 256 events or 8 MiB go to the trail at a time.
const CHUNK_EVENTS: usize = 256;
const CHUNK_BYTES: usize = 8 * 1024 * 1024;

/// 250 ms between two tries: a daemon that restarts is back in about a second.
const RETRY: Duration = Duration::from_millis(250);

/// 1 s for room in the queue: then the trail is slower than the server, and the message does not wait for it any longer.
const ROOM_PATIENCE: Duration = Duration::from_secs(1);

/// 1,024: more than wait at once.
const REFUSED_MAX: usize = 1_024;

/// The queue, and the thread behind it.
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    events: usize,
    bytes: usize,
    /// Number of the last job that was put in, and of the last one that is done with.
    put: u64,
    done: u64,
    /// Numbers of the newest jobs that are done with and were not taken.
    refused: VecDeque<u64>,
    failing_since: Option<Instant>,
    closing: bool,
    lost: u64,
}

struct Job {
    events: Vec<Event>,
    bytes: usize,
    known: Option<Known>,
}

impl Recorder {
    /// Starts the thread; `keeper` keeps what a server described, once the event that tells of it is durable.
    pub fn start(store: Box<dyn Store>, keeper: Option<Keeper>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("record".into()).spawn(move || run(&own, &*store, keeper.as_ref()))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Has events kept some time; those for which there is no room are counted as lost.
    pub fn tell(&self, events: Vec<Event>, known: Option<Known>) {
        if !events.is_empty() {
            self.put(events, known);
        }
    }

    /// Has events kept and waits for it, at most `patience`; tells whether they are durable. Those that are not are tried again later.
    pub fn keep(&self, events: Vec<Event>, known: Option<Known>, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let Some(number) = self.put(events, known) else { return false };
        let mut state = self.shared.lock();
        loop {
            if state.done >= number {
                return !state.refused.contains(&number);
            }
            // Who has waited in vain before does not make every call wait again.
            let hopeless = state.failing_since.is_some_and(|since| since.elapsed() > patience);
            let left = deadline.saturating_duration_since(Instant::now());
            if hopeless || left.is_zero() {
                return false;
            }
            state = self.shared.wait(state, left);
        }
    }

    /// Waits until everything is durable, at most `patience`; returns how many events are not.
    pub fn settle(&self, patience: Duration) -> u64 {
        let deadline = Instant::now() + patience;
        let mut state = self.shared.lock();
        while state.done < state.put {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.shared.wait(state, left);
        }
        state.lost + state.jobs.iter().map(|job| job.events.len() as u64).sum::<u64>()
    }

    /// Returns how many events were lost until now.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    /// Queues events; returns the number of the job, or nothing when there was no room.
    fn put(&self, events: Vec<Event>, known: Option<Known>) -> Option<u64> {
        let bytes: usize = events.iter().flat_map(|event| &event.slots).map(|slot| slot.json.len()).sum();
        let deadline = Instant::now() + ROOM_PATIENCE;
        let mut state = self.shared.lock();
        while state.events + events.len() > EVENTS_MAX || state.bytes + bytes > BYTES_MAX {
            let left = deadline.saturating_duration_since(Instant::now());
            if state.failing_since.is_some() || left.is_zero() || state.jobs.is_empty() {
                state.lost += events.len() as u64;
                return None;
            }
            state = self.shared.wait(state, left);
        }
        state.events += events.len();
        state.bytes += bytes;
        state.put += 1;
        let number = state.put;
        state.jobs.push_back(Job { events, bytes, known });
        drop(state);
        self.shared.changed.notify_all();
        Some(number)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.shared.lock().closing = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A panic of the thread is a defect that was shown where it happened.
            let _ = thread.join();
        }
    }
}

impl State {
    /// Notes which jobs are done with; an event without a fate was not taken, and is lost.
    fn settle(&mut self, chunk: &[Job], mut fates: &[Kept]) {
        for job in chunk {
            self.done += 1;
            let (own, rest) = fates.split_at(job.events.len().min(fates.len()));
            fates = rest;
            let taken = own.iter().filter(|fate| **fate != Kept::Rejected).count();
            if taken < job.events.len() {
                self.lost += (job.events.len() - taken) as u64;
                self.refused.push_back(self.done);
            }
        }
        while self.refused.len() > REFUSED_MAX {
            self.refused.pop_front();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, patience: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, patience).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state)
    }
}

fn run(shared: &Shared, store: &dyn Store, keeper: Option<&Keeper>) {
    let mut state = shared.lock();
    loop {
        if state.jobs.is_empty() {
            if state.closing {
                return;
            }
            state = shared.wait(state, Duration::from_secs(3600));
            continue;
        }
        let chunk = next(&mut state.jobs);
        drop(state);
        let all: Vec<Event> = chunk.iter().flat_map(|job| job.events.iter().cloned()).collect();
        let kept = store.keep(&all);
        if matches!(&kept, Err(NotSealed::Later(_))) {
            state = shared.lock();
            for job in chunk.into_iter().rev() {
                state.jobs.push_front(job);
            }
            state.failing_since.get_or_insert_with(Instant::now);
            shared.changed.notify_all();
            if state.closing {
                return;
            }
            state = shared.wait(state, RETRY);
            continue;
        }
        let fates = kept.unwrap_or_default();
        let whole = fates.len() == all.len() && !fates.contains(&Kept::Rejected);
        let known = chunk.iter().rev().find_map(|job| job.known.as_ref()).filter(|_| whole);
        if let (Some(keeper), Some(known)) = (keeper, known) {
            // Before anybody learns that all is done and ends the process. What cannot be kept is compared with what was kept before: the same change is
            // then told twice, never not at all.
            let _ = keeper.keep(known);
        }
        state = shared.lock();
        state.failing_since = None;
        state.settle(&chunk, &fates);
        state.events -= all.len();
        state.bytes -= chunk.iter().map(|job| job.bytes).sum::<usize>();
        shared.changed.notify_all();
    }
}

/// Takes the next jobs out, as many as go to the trail at a time.
fn next(jobs: &mut VecDeque<Job>) -> Vec<Job> {
    let (mut chunk, mut events, mut bytes) = (Vec::new(), 0, 0);
    while let Some(job) = jobs.front() {
        let fits = events + job.events.len() <= CHUNK_EVENTS && bytes + job.bytes <= CHUNK_BYTES;
        if !fits && !chunk.is_empty() {
            break;
        }
        (events, bytes) = (events + job.events.len(), bytes + job.bytes);
        chunk.extend(jobs.pop_front());
    }
    chunk
}
