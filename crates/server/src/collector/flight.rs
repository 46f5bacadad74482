//! How much is being taken in at the same time: bytes that were read and are not sealed yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bytes of all requests together.
#[derive(Debug)]
pub(crate) struct Flights {
    used: AtomicUsize,
    max: usize,
}

impl Flights {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { used: AtomicUsize::new(0), max })
    }

    /// Returns how many bytes there are now.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// The bytes of one request; they count until this goes.
#[derive(Debug)]
pub(crate) struct Room {
    flights: Arc<Flights>,
    bytes: usize,
}

impl Room {
    pub(crate) fn new(flights: &Arc<Flights>) -> Self {
        Self { flights: Arc::clone(flights), bytes: 0 }
    }

    /// Takes `bytes` more, if there is room for them.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let before = self.flights.used.fetch_add(bytes, Ordering::SeqCst);
        self.bytes += bytes;
        before.saturating_add(bytes) <= self.flights.max
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.flights.used.fetch_sub(self.bytes, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the memory: what is over the limit is refused, and what goes gives its room back, refused or not.
    #[test]
    fn room_is_given_back() {
        let flights = Flights::new(10);
        let (mut one, mut two) = (Room::new(&flights), Room::new(&flights));
        assert!(one.grow(6) && !two.grow(5));
        drop(two);
        assert_eq!(flights.used(), 6);
        assert!(one.grow(4));
        drop(one);
        assert_eq!(flights.used(), 0);
    }
}
