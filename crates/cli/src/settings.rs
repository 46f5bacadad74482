//! The client's settings files: where they are, how our hooks get in, and how exactly they get out again.

mod apply;
mod edit;
mod handler;
mod place;

pub(crate) use apply::{Change, write};
pub(crate) use edit::{install, installed, uninstall};
pub(crate) use handler::{EVENTS, Handler, NOT_INSTALLED, hook_binary, input};
pub(crate) use place::{Place, cleanup_period_days, every};
