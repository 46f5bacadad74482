//! The ledger: appends sealed events, reads them back, proves and verifies them, and forgets slots.

pub mod line;
pub mod prove;
pub mod read;
pub mod report;
pub mod verify;
