//! Which file tells what: sessions and agents by the names that the client gives their transcripts.

use memchr::memmem;

/// 4 KiB: the longest path of the systems that the client runs on.
const PATH_BYTES_MAX: usize = 4_096;

/// Whose transcript a file is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// The session.
    pub session_id: String,
    /// The agent; none for the main one.
    pub agent_id: Option<String>,
}

/// Returns whose transcript `path` is: `…/<session>.jsonl` or `…/<session>/subagents/agent-<id>.jsonl`; nothing for any other file.
pub fn role_of(path: &str) -> Option<Role> {
    let mut parts = path.rsplit('/');
    let stem = parts.next()?.strip_suffix(".jsonl").filter(|stem| is_plain(stem))?;
    match (stem.strip_prefix("agent-"), parts.next()) {
        (Some(agent), Some("subagents")) => {
            let session = parts.next().filter(|session| is_plain(session))?;
            Some(Role { session_id: session.to_owned(), agent_id: Some(agent.to_owned()) })
        }
        // Earlier clients kept agents beside the sessions; their lines name the session.
        (Some(agent), _) => Some(Role { session_id: String::new(), agent_id: Some(agent.to_owned()) }),
        (None, _) => Some(Role { session_id: stem.to_owned(), agent_id: None }),
    }
}

/// Returns the client's description that lies beside the transcript of an agent.
pub fn meta_path(path: &str) -> Option<String> {
    let role = role_of(path)?;
    role.agent_id?;
    Some(format!("{}.meta.json", path.strip_suffix(".jsonl")?))
}

/// Returns the transcript that the hook JSON `bytes` names, without reading all of it.
pub fn hook_transcript(bytes: &[u8]) -> Option<String> {
    let name = b"\"transcript_path\"";
    let at = memmem::find(bytes, name)? + name.len();
    let rest = bytes[at..].trim_ascii_start().strip_prefix(b":")?.trim_ascii_start();
    let mut values = serde_json::Deserializer::from_slice(&rest[..rest.len().min(PATH_BYTES_MAX)]).into_iter::<String>();
    let path = values.next()?.ok()?;
    let climbs = path.split('/').any(|part| part == ".." || part == ".");
    (path.starts_with('/') && !climbs && !path.contains('\0') && role_of(&path).is_some()).then_some(path)
}

/// Tells whether `name` is one word that can climb nowhere.
fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && name.len() <= 128
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}
