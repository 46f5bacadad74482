//! One module a command.

pub(crate) mod config;
pub(crate) mod daemon;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod erase;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod init;
pub(crate) mod jobs;
pub(crate) mod mcp;
pub(crate) mod permission;
pub(crate) mod prove;
pub(crate) mod query;
pub(crate) mod related;
pub(crate) mod restore;
pub(crate) mod saved;
pub(crate) mod search;
pub(crate) mod session;
pub(crate) mod shim;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod token;
pub(crate) mod trace;
pub(crate) mod uninstall;
pub(crate) mod verify;
pub(crate) mod version;
