//! The binary, run as a user runs it.

mod arguments;
mod reference;
mod run;
mod settings;
mod token;
mod trail;
