//! Where events are sealed: by the daemon of this process.

use sealtrail_engine::{Handle, Ingested, count_loss};
use sealtrail_event::Event;

/// Takes events to be sealed. The daemon's handle does; tests put something in its place that refuses.
pub trait Seal: Send + Sync + 'static {
    /// Seals events; `done` learns the fate of each, in order, and must not wait. This never blocks on the disk.
    fn submit(&self, events: Vec<Event>, done: Box<dyn FnOnce(Vec<Ingested>) + Send>);

    /// Counts events that will never be sealed, so that the trail says how many; it may block.
    fn lost(&self, count: u64);
}

/// The daemon of this process.
pub struct HandleSeal(pub Handle);

impl Seal for HandleSeal {
    fn submit(&self, events: Vec<Event>, done: Box<dyn FnOnce(Vec<Ingested>) + Send>) {
        self.0.submit(events, done);
    }

    fn lost(&self, count: u64) {
        count_loss(self.0.home(), "model_calls", "gateway_unsealed", count);
    }
}
