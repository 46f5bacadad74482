//! The clocks, the randomness and the ids made of them: the one place of the engine that reads them.

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use sealtrail_event::{AuditId, Token};
use sealtrail_intake::Delivery;
use sealtrail_ledger::Stamp;

/// Reads the clocks for one boot of the machine.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    boot: String,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self { boot: boot.trim().to_owned() }
    }

    /// Returns wall clock, monotonic clock and boot id of now.
    pub(crate) fn stamp(&self) -> Stamp {
        let mono = clock_gettime(ClockId::Boottime);
        let mono_ns = u64::try_from(i128::from(mono.tv_sec) * 1_000_000_000 + i128::from(mono.tv_nsec)).unwrap_or(0);
        Stamp { unix_ns: i128::from(unix_ns()), mono_ns, boot: self.boot.clone() }
    }
}

/// Returns nanoseconds since 1970.
pub(crate) fn unix_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

/// Returns a time in the notation of events.
pub(crate) fn time_token(unix_ns: u64) -> Option<Token> {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns)).ok()?;
    Token::parse(&format!("{time:.9}")).ok()
}

/// Makes a new id of now.
pub(crate) fn new_id() -> AuditId {
    let mut tail = [0u8; 10];
    random(&mut tail);
    AuditId::new(unix_ns() / 1_000_000, tail)
}

/// Makes a new delivery id of now.
pub(crate) fn new_delivery() -> Delivery {
    let mut tail = [0u8; 10];
    random(&mut tail);
    Delivery::new(unix_ns(), tail)
}

/// Returns the event id that a delivery's first event has.
pub(crate) fn id_of(delivery: &Delivery) -> AuditId {
    AuditId::new(delivery.unix_ms(), delivery.tail())
}

/// Fills `into` from the kernel.
pub(crate) fn random(into: &mut [u8]) {
    getrandom::fill(into).expect("the kernel has randomness once processes of users run");
}
