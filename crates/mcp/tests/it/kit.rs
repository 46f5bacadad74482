//! What the tests share: a sink in memory that can be made to fail, and desks that record into it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use sealtrail_capture::mcp::{Known, Link, Transport, Watch};
use sealtrail_capture::redact::Redactor;
use sealtrail_engine::Kept;
use sealtrail_event::Event;
use sealtrail_mcp::{Desk, NotSealed, Recorder, Store, Terms};
use serde_json::Value;

/// 20 s: every condition of these tests holds within milliseconds on a machine that is not overloaded.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A trail in memory.
#[derive(Default)]
pub(crate) struct Memory {
    views: Mutex<Vec<Value>>,
    changed: Condvar,
    pub(crate) failing: AtomicBool,
    pub(crate) refusing: AtomicBool,
}

/// The trail, shared.
#[derive(Clone, Default)]
pub(crate) struct Trail(pub(crate) Arc<Memory>);

impl Store for Trail {
    fn keep(&self, events: &[Event]) -> Result<Vec<Kept>, NotSealed> {
        if self.0.failing.load(Ordering::SeqCst) {
            return Err(NotSealed::Later("it was told to fail".into()));
        }
        if self.0.refusing.load(Ordering::SeqCst) {
            return Err(NotSealed::Never("it was told to refuse".into()));
        }
        let mut views = self.0.views.lock().unwrap();
        views.extend(events.iter().map(Event::to_json));
        self.0.changed.notify_all();
        Ok(vec![Kept::Sealed; events.len()])
    }
}

impl Trail {
    pub(crate) fn events(&self) -> Vec<Value> {
        self.0.views.lock().unwrap().clone()
    }

    pub(crate) fn of_type(&self, kind: &str) -> Vec<Value> {
        self.events().into_iter().filter(|event| event["event_type"] == kind).collect()
    }

    /// Waits until the trail is as `so`, and returns its events.
    pub(crate) fn wait(&self, so: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        let mut views = self.0.views.lock().unwrap();
        while !so(&views) {
            assert!(Instant::now() < deadline, "not in time: {views:#?}");
            views = self.0.changed.wait_timeout(views, Duration::from_millis(100)).unwrap().0;
        }
        views.clone()
    }
}

pub(crate) fn link(transport: Transport) -> Link {
    Link {
        server: "demo".into(),
        transport,
        target: "demo-server".into(),
        session_id: Some("s1".into()),
        client_version: None,
        client_pid: None,
        uid: 1000,
        user: None,
        host: None,
        cwd: None,
    }
}

pub(crate) fn terms(block: bool) -> Terms {
    Terms { block, patience: Duration::from_millis(if block { 300 } else { 5_000 }) }
}

pub(crate) fn desk(trail: &Trail, block: bool) -> (Arc<Desk>, Arc<Recorder>) {
    let recorder = Arc::new(Recorder::start(Box::new(trail.clone()), None).unwrap());
    let watch = Watch::new(link(Transport::Stdio), Arc::new(Redactor::new()), Known::default());
    (Arc::new(Desk::new(watch, Arc::clone(&recorder), terms(block))), recorder)
}
