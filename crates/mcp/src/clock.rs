//! The clock and the ids made of it: the one place of this crate that reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use sealtrail_event::AuditId;

/// Returns nanoseconds since 1970.
pub fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Makes a new id of now.
pub fn new_id() -> AuditId {
    let mut tail = [0u8; 10];
    getrandom::fill(&mut tail).expect("the kernel has randomness once processes of users run");
    AuditId::new(unix_ns() / 1_000_000, tail)
}
