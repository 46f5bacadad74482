//! Which folder is the trail: the same rule as in the hook, so that both find the same one.

use std::env;
use std::path::{Path, PathBuf};

use crate::args::Global;
use crate::failure::Failure;

/// The home of the system service.
const SYSTEM_HOME: &str = "/var/lib/sealtrail";

/// Returns the home that the arguments, the environment or the defaults name, as an absolute path.
pub(crate) fn find(global: &Global) -> Result<PathBuf, Failure> {
    match global.home.as_ref().filter(|home| !home.as_os_str().is_empty()) {
        Some(home) => absolute(home),
        None => Ok(default()),
    }
}

/// Returns the home that a hook without arguments finds.
pub(crate) fn default() -> PathBuf {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")));
    let Some(own) = state.map(|state| state.join("sealtrail")) else { return SYSTEM_HOME.into() };
    let system = PathBuf::from(SYSTEM_HOME);
    if !own.exists() && system.exists() { system } else { own }
}

/// Makes a path absolute without following links.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::file("find", path, &error))
}
