//! The binary, run as a user runs it.

mod arguments;
mod permission;
mod reference;
mod run;
mod search;
mod settings;
mod token;
mod trail;
