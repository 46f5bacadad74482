//! The instructions that a session was given: which files there are, and what events tell of them.
//!
//! The engine reads the files, together with the settings ([`crate::settings::Look`]); here they become events. A file is told once per session and content; its
//! text is told only the first time that anybody's session brings it, and found again by its hash.

mod change;
mod events;
mod known;

pub(crate) use events::{found_in, is_told, tell};
pub(crate) use known::{PathKey, Provenance, Seen};

use sealtrail_event::SettingsScope;
use serde_json::Value;

use crate::parse;
use crate::settings::Found;

/// 256 KiB: the client warns of instructions beyond 40,000 characters; of a longer file only that it is there is told.
pub const INSTRUCTIONS_BYTES_MAX: u64 = 256 * 1024;

/// 256 files of one session: its memory files, rules, agents, skills, commands. Further ones are counted.
pub const INSTRUCTION_FILES_MAX: usize = 256;

/// 1 KiB: paths are remembered; of a file in a deeper folder only the hook itself tells.
const PATH_BYTES_MAX: usize = 1024;

/// What a file of instructions is to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstructionKind {
    /// `CLAUDE.md`, and whatever it includes.
    Memory,
    /// A file in a folder `rules`.
    Rule,
    /// The definition of an agent.
    Agent,
    /// A skill.
    Skill,
    /// A slash command.
    Command,
    /// A style of output.
    OutputStyle,
}

impl InstructionKind {
    /// Returns the word that events use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Rule => "rule",
            Self::Agent => "agent",
            Self::Skill => "skill",
            Self::Command => "command",
            Self::OutputStyle => "output_style",
        }
    }
}

/// One file of instructions, as the engine found it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstructionFile {
    /// What it is.
    pub kind: InstructionKind,
    /// Whose it is.
    pub scope: SettingsScope,
    /// Absolute path.
    pub path: String,
    /// Whether the client said that it loaded it; else it lies where the client offers it from.
    pub loaded: bool,
    /// What is there.
    pub found: Found,
}

/// A file that the client says it loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// What it is.
    pub kind: InstructionKind,
    /// Whose it is, as the client says.
    pub scope: SettingsScope,
    /// Absolute path.
    pub path: String,
}

/// Reads from the JSON of an `InstructionsLoaded` which file was loaded; nothing for a path that is relative or climbs.
pub fn named(bytes: &[u8]) -> Option<Named> {
    let members = parse::strict(bytes).ok()?.members;
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let path = text("file_path").filter(|path| is_plain(path))?.to_owned();
    let scope = match text("memory_type").unwrap_or_default() {
        "Managed" => SettingsScope::Managed,
        "Local" => SettingsScope::Local,
        "User" => SettingsScope::User,
        _ => SettingsScope::Project,
    };
    let kind = if path.contains("/.claude/rules/") { InstructionKind::Rule } else { InstructionKind::Memory };
    Some(Named { kind, scope, path })
}

/// Tells whether a path is absolute and climbs nowhere.
fn is_plain(path: &str) -> bool {
    path.starts_with('/')
        && path.len() <= PATH_BYTES_MAX
        && !path.contains('\0')
        && !path.split('/').any(|part| part == ".." || part == ".")
}
