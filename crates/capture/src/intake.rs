//! What arrives beside the bytes of a hook: who sent it, when, and the files it points to.

use memchr::memmem;
use sealtrail_event::AuditId;
use serde_json::Value;

use crate::parse;
use crate::sender::Sender;
use crate::settings::Look;

/// 1 MiB: a subagent's meta file has about 500 bytes.
const META_BYTES_MAX: u64 = 1024 * 1024;

/// 7 MiB: a side file becomes a member of a slot of at most 8 MiB.
const OUTPUT_BYTES_MAX: u64 = 7 * 1024 * 1024;

/// What the recorder knows about one delivery of a hook; the hook's own JSON names no person, machine, version or time.
#[derive(Clone, Debug, PartialEq)]
pub struct Intake {
    /// Id of the delivery: becomes the id of the first event, so that a delivery made twice is recognised.
    pub delivery: AuditId,
    /// When the hook process got the bytes, in nanoseconds since 1970.
    pub received_unix_ns: u64,
    /// User id of the process that sent the bytes, as the kernel says.
    pub uid: u32,
    /// Name of that user.
    pub user: Option<String>,
    /// Name of the machine.
    pub host: Option<String>,
    /// Version of the client.
    pub client_version: Option<String>,
    /// Process id of the client.
    pub client_pid: Option<u32>,
    /// Milliseconds between the hook and now, when the bytes waited in a spool.
    pub late_ms: Option<u64>,
    /// Bytes that the client gave the hook, when more than what arrived here.
    pub input_bytes: Option<u64>,
    /// The files that [`needs`] asked for, as far as they could be read.
    pub side: Vec<Side>,
    /// The client's settings files, when they were looked at.
    pub settings: Option<Look>,
    /// Who handed it in, when it came over the network; then `uid` says nothing.
    pub sender: Option<Sender>,
}

impl Intake {
    /// Makes an intake that knows only the delivery, its time and the sender's user id.
    pub fn new(delivery: AuditId, received_unix_ns: u64, uid: u32) -> Self {
        Self {
            delivery,
            received_unix_ns,
            uid,
            user: None,
            host: None,
            client_version: None,
            client_pid: None,
            late_ms: None,
            input_bytes: None,
            side: Vec::new(),
            settings: None,
            sender: None,
        }
    }
}

/// One side file, read by the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Side {
    /// The path that was asked for.
    pub path: String,
    /// Its bytes, at most [`SideFile::bytes_max`].
    pub bytes: Vec<u8>,
    /// Its full size.
    pub size_bytes: u64,
}

/// Why a side file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SideKind {
    /// The client's description of a subagent: its parent, and the call that started it.
    SubagentMeta,
    /// The whole output of a command whose hook JSON holds only the beginning.
    ToolOutput,
}

/// A file beside the hook JSON that belongs to the event.
///
/// The path comes from the sender. The reader must open it without following a link at its end, and take it only if it is a
/// regular file that belongs to the sender's user id; otherwise a sender could make a more privileged recorder read for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideFile {
    /// What it is.
    pub kind: SideKind,
    /// Absolute path.
    pub path: String,
    /// Most bytes to read.
    pub bytes_max: u64,
}

/// Returns the side files that the hook JSON `bytes` points to; cheap for the hooks that point to none.
pub fn needs(bytes: &[u8]) -> Vec<SideFile> {
    let has = |text: &[u8]| memmem::find(bytes, text).is_some();
    let subagent = has(b"\"Subagent") || (has(b"\"agent_id\"") && has(b"\"PreToolUse\""));
    if !subagent && memmem::find(bytes, b"\"persistedOutputPath\"").is_none() {
        return Vec::new();
    }
    let Ok(read) = parse::strict(bytes) else { return Vec::new() };
    let hook = read.members;
    let word = |name: &str| hook.get(name).and_then(Value::as_str);
    let (Some(folder), Some(name)) = (word("transcript_path").and_then(session_folder), word("hook_event_name")) else {
        return Vec::new();
    };
    match name {
        // The client writes the meta file a moment after SubagentStart: a call of the agent is the first hook that surely finds it.
        "SubagentStart" | "SubagentStop" | "PreToolUse" => word("agent_id")
            .filter(|id| is_plain(id))
            .map(|id| SideFile {
                kind: SideKind::SubagentMeta,
                path: format!("{folder}/subagents/agent-{id}.meta.json"),
                bytes_max: META_BYTES_MAX,
            })
            .into_iter()
            .collect(),
        "PostToolUse" => hook
            .get("tool_response")
            .and_then(|response| response.get("persistedOutputPath"))
            .and_then(Value::as_str)
            .filter(|path| path.strip_prefix(&format!("{folder}/tool-results/")).is_some_and(is_plain))
            .map(|path| SideFile { kind: SideKind::ToolOutput, path: path.to_owned(), bytes_max: OUTPUT_BYTES_MAX })
            .into_iter()
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns the client's version from the text that it gives its children (`claude-code_2-1-329_…` is 2.1.329).
pub fn client_version(agent: &str) -> Option<String> {
    let version = agent.strip_prefix("claude-code_")?.split('_').next()?.replace('-', ".");
    let plain = !version.is_empty() && version.len() <= 32 && version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    plain.then_some(version)
}

/// Returns the folder that the client keeps beside a transcript: its path without `.jsonl`.
fn session_folder(transcript: &str) -> Option<&str> {
    let folder = transcript.strip_suffix(".jsonl")?;
    let climbs = folder.split('/').any(|part| part == ".." || part == ".");
    (folder.starts_with('/') && !climbs && !folder.contains('\0')).then_some(folder)
}

/// Tells whether `name` is one file name that can climb nowhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
