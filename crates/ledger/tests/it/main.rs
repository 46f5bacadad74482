//! Integration tests of the ledger.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod attack_damage;
mod attack_erase;
mod attack_forge;
mod attack_honest;
mod attack_keys;
mod attack_order;
mod attack_rollback;
mod attack_spec;
mod crash_faults;
mod crash_images;
mod crash_support;
mod crash_torn;
mod mirror;
mod mirror_faults;
mod read_access;
mod read_line;
mod read_prove;
mod read_reader;
mod verify_findings;
mod verify_golden;
mod write_basics;
mod write_erase;
mod write_full;
mod write_machine;
mod write_support;
