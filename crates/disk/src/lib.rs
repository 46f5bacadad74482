//! Files done durably: locks, preallocation, the order of syncs; and the disks that lie, for tests.
//!
//! It is **not** a format, a cache or a buffer: it knows bytes and names, never what they mean.
//!
//! Invariants:
//! - Every change of a file or folder goes through [`Disk`] and [`DiskFile`], so that [`LyingDisk`] can fail any of them
//!   and [`SimDisk`] can lose any of them that was not synced.
//! - Files are created 0600 and folders 0700; nothing here widens a mode.
//! - A failed sync is reported once and never retried here: after it only a restart knows what is on the disk.
//!
//! [`SimDisk`], [`Replay`] and [`LyingDisk`] are test disks. They are compiled always, so that every crate can use them
//! in its tests without a feature that changes the product.

mod disk;
mod durable;
mod lying;
mod real;
mod replay;
mod sim;

pub use disk::{Disk, DiskError, DiskFile, Lock, Open, Step};
pub use durable::{FileReader, create_whole, read_exact_at, replace, write_all_at};
pub use lying::{Fault, LyingDisk};
pub use real::RealDisk;
pub use replay::{Crash, Data, Names, Replay};
pub use sim::SimDisk;
