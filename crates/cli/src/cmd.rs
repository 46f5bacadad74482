//! One module a command.

pub(crate) mod init;
pub(crate) mod uninstall;
pub(crate) mod version;
