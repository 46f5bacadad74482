//! Makes the records that benchmarks and large tests run on: a company's agents at work, the same for the same seed.
//!
//! It is **not** shipped and nothing shipped depends on it; it makes plain JSON records, not events, so that each user of them
//! goes the way that a record from outside goes.
//!
//! Invariants:
//! - The same seed, count and end give the same records, byte for byte.
//! - Times rise, ids are UUIDv7 of their time, and a session belongs to one user, one agent and one address.
//! - What the benchmark queries look for (see [`needles`]) is in them at a known rate, whatever the count.

mod load;
pub mod needles;
mod words;

pub use load::Load;
