//! Where the trail is: `--home`, `SEALTRAIL_HOME`, the user's state folder, or that of the system service.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

const SYSTEM_HOME: &str = "/var/lib/sealtrail";

/// Why there is nothing to do.
pub(crate) enum Stop {
    /// A question was answered.
    Said,
    /// The arguments are wrong.
    Wrong(String),
}

/// Reads the arguments and finds the home folder.
pub(crate) fn from_arguments() -> Result<PathBuf, Stop> {
    let mut home = None;
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--home") => home = Some(arguments.next().ok_or_else(|| Stop::Wrong("--home needs a folder".into()))?),
            Some("--witness") if arguments.next().as_deref() == Some("hook".as_ref()) => {}
            Some("--witness") => return Err(Stop::Wrong("--witness must be `hook`".into())),
            Some("--version") => {
                // A closed standard output leaves nobody to tell.
                let _ = writeln!(std::io::stdout(), "sealtrail-hook {}", env!("CARGO_PKG_VERSION"));
                return Err(Stop::Said);
            }
            _ => return Err(Stop::Wrong(format!("unknown argument `{}`", argument.to_string_lossy()))),
        }
    }
    Ok(find(home))
}

fn find(home: Option<OsString>) -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(home) = home.or_else(|| set("SEALTRAIL_HOME")) {
        return home.into();
    }
    let state = set("XDG_STATE_HOME").map(PathBuf::from).or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    let Some(own) = state.map(|state| state.join("sealtrail")) else { return SYSTEM_HOME.into() };
    let system = PathBuf::from(SYSTEM_HOME);
    if !own.exists() && system.exists() { system } else { own }
}
