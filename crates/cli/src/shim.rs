//! The opt-in `claude` that stands before the real one on the PATH: two verbs are ours, everything else is the real client's.
//!
//! It is a symbolic link named `claude` to this program. What it does not answer it hands over by exec: same process, same streams,
//! same signals, same exit code, nothing added to the arguments or the environment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The name that the link has.
pub(crate) const NAME: &str = "claude";

/// What the program was started as.
pub(crate) enum Role {
    /// Itself, with these arguments.
    Sealtrail(Vec<OsString>),
    /// The client; the real one could not be started, and why.
    NoClient(String),
}

/// Looks at the name under which the program was started. Hands over to the real client, and then does not return.
pub(crate) fn role(args: Vec<OsString>) -> Role {
    let name = args.first().map(|name| Path::new(name).file_name().unwrap_or_default().to_owned()).unwrap_or_default();
    if name != NAME {
        return Role::Sealtrail(args);
    }
    let word = |at: usize| args.get(at).and_then(|word: &OsString| word.to_str()).unwrap_or_default();
    let ours: &[&str] = match (word(1), word(2), word(3)) {
        ("code", "audit", _) => &["audit"],
        ("code", "config", "get") => &["config", "get"],
        _ => &[],
    };
    if !ours.is_empty() {
        let rest = args.iter().skip(2 + ours.len()).cloned();
        return Role::Sealtrail(["sealtrail"].iter().chain(ours).map(OsString::from).chain(rest).collect());
    }
    let Some(client) = real() else {
        return Role::NoClient(format!("no other `{NAME}` is on the PATH behind the shim of sealtrail"));
    };
    let error = Command::new(&client).args(&args[1..]).exec();
    Role::NoClient(format!("cannot start {}: {error}", client.display()))
}

/// Returns every `claude` of the PATH, in order.
pub(crate) fn clients() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).map(|folder| folder.join(NAME));
    found.filter(|path| fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)).collect()
}

/// Returns the first `claude` of the PATH that is not sealtrail.
pub(crate) fn real() -> Option<PathBuf> {
    clients().into_iter().find(|path| !is_shim(path))
}

/// Tells whether a file is this program, or a link to one of its name.
pub(crate) fn is_shim(path: &Path) -> bool {
    let named = fs::canonicalize(path).is_ok_and(|target| target.file_name() == Some(OsStr::new("sealtrail")));
    let same = |own: PathBuf| match (fs::metadata(own), fs::metadata(path)) {
        (Ok(own), Ok(other)) => (own.dev(), own.ino()) == (other.dev(), other.ino()),
        _ => false,
    };
    named || env::current_exe().is_ok_and(same)
}

/// Returns where the link is when nobody says.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let data = set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share")));
    data.map(|data| data.join("sealtrail/shim"))
}
