//! The client's settings files and the flags it was started with: which there are, and what events tell of them.
//!
//! The engine reads the files ([`Look`]); here they become events. A file is told once per session and content: whoever wants to know what was
//! granted at a time takes the newest snapshot of each file before it.

mod events;
mod launch;
mod view;

pub use launch::{COMMAND_LINE, COMMAND_LINE_BYTES_MAX, INLINE_SETTINGS, LaunchSettings, Launched, launched};

pub(crate) use events::{Rules, fingerprint_of, rules_of, tell};

use memchr::memmem;
use sealtrail_event::SettingsScope;
use serde_json::Value;

use crate::parse;
use crate::provenance::InstructionFile;

/// 1 MiB: a settings file of some 10,000 rules; the client's own has a few kilobytes.
pub const SETTINGS_BYTES_MAX: u64 = 1024 * 1024;

/// 8 MiB: the client's file of states grows with its projects; only one flag of it is told.
pub const TRUST_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// 4 KiB: the longest path that Linux opens.
const PATH_BYTES_MAX: usize = 4096;

/// Event of one settings file as it was found.
pub(crate) const SNAPSHOT: &str = "auth.permission_snapshot";

/// Why the files were looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Why {
    /// A session began.
    #[default]
    SessionStart,
    /// The client said that its configuration changed.
    ConfigChange,
    /// The first hook of a session whose start was not seen.
    FirstSeen,
    /// The session went to a folder that has settings of its own.
    NewFolder,
    /// A file is not the one that was read before.
    Changed,
    /// The client said that it loaded instructions.
    InstructionsLoaded,
}

impl Why {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::SessionStart => "session_start",
            Self::ConfigChange => "config_change",
            Self::FirstSeen => "first_seen",
            Self::NewFolder => "new_folder",
            Self::Changed => "changed_on_disk",
            Self::InstructionsLoaded => "instructions_loaded",
        }
    }
}

/// Why a file that exists was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It is larger than the limit.
    TooLarge,
    /// It is a folder, a pipe, a device.
    NotAFile,
    /// It belongs to somebody else than the sender, and the recorder is neither.
    Owner,
    /// It is a link, which a recorder does not follow for another user.
    Link,
    /// The system refused.
    Refused,
}

impl Unreadable {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "too_large",
            Self::NotAFile => "not_a_file",
            Self::Owner => "owner",
            Self::Link => "link",
            Self::Refused => "refused",
        }
    }
}

/// What was found at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The whole file.
    Present(Vec<u8>),
    /// Nothing.
    Missing,
    /// Something that was not read.
    Unreadable(Unreadable),
}

/// One place where the client looks for settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsFile {
    /// Whose settings.
    pub scope: SettingsScope,
    /// Absolute path.
    pub path: String,
    /// What is there.
    pub found: Found,
}

/// The settings files, and those of instructions, as the engine found them for one hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Why they were looked at.
    pub why: Why,
    /// When, in nanoseconds since 1970.
    pub read_unix_ns: u64,
    /// The folder that counts as the session's project; for [`Why::NewFolder`] the new one.
    pub folder: Option<String>,
    /// The settings files.
    pub files: Vec<SettingsFile>,
    /// The files of instructions.
    pub instructions: Vec<InstructionFile>,
    /// How many more files of instructions there are than were looked at.
    pub instructions_left_out: u64,
}

/// What a hook says, as far as it decides whether and where to look; slices of the bytes, found without understanding them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark<'a> {
    /// The session.
    pub session: &'a [u8],
    /// The working folder, as written in the JSON.
    pub cwd: &'a [u8],
    /// The hook.
    pub hook: &'a [u8],
}

/// Looks for the members of a [`Mark`] in the bytes of a hook. It may be wrong about odd bytes: it only decides whether [`places`] is asked.
pub fn mark(bytes: &[u8]) -> Option<Mark<'_>> {
    let session = text_after(bytes, b"\"session_id\"")?;
    let cwd = text_after(bytes, b"\"cwd\"").unwrap_or_default();
    let hook = text_after(bytes, b"\"hook_event_name\"").unwrap_or_default();
    Some(Mark { session, cwd, hook })
}

fn text_after<'a>(bytes: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let rest = &bytes[memmem::find(bytes, name)? + name.len()..];
    let rest = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    rest.get(..memchr::memchr(b'"', rest)?)
}

/// Where the client of a hook has its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The session.
    pub session: String,
    /// The working folder.
    pub cwd: Option<String>,
    /// The client's folder, which holds the user's settings and the transcripts.
    pub config: Option<String>,
}

/// Reads from the hook JSON `bytes` where the client has its settings; nothing for bytes that name no session.
pub fn places(bytes: &[u8]) -> Option<Places> {
    let members = parse::strict(bytes).ok()?.members;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let config = text("transcript_path").filter(|path| is_plain(path)).and_then(config_of).map(str::to_owned);
    Some(Places { session: text("session_id")?.to_owned(), cwd: text("cwd").filter(|path| is_plain(path)).map(str::to_owned), config })
}

/// Returns the client's folder: transcripts are `<folder>/projects/<project>/<session>.jsonl`.
fn config_of(transcript: &str) -> Option<&str> {
    let (folder, _session) = transcript.rsplit_once('/')?;
    let (folder, _project) = folder.rsplit_once('/')?;
    folder.strip_suffix("/projects").filter(|folder| !folder.is_empty())
}

/// Tells whether a path is absolute and climbs nowhere.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= PATH_BYTES_MAX
        && !path.contains('\0')
        && !path.split('/').any(|part| part == ".." || part == ".")
}
