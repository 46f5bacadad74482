//! Following the client's transcript files.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tree::Node;
use crate::walk::Walk;

/// Following the client's transcript files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Transcripts {
    /// Whether the daemon follows transcripts and seals what they tell.
    pub enabled: bool,
    /// Folders with transcripts, absolute or beginning with `~/`. Left out: the client's own folder of the daemon's user. The folders that hooks
    /// point to are always among them, for files of the user who sent the hook.
    pub folders: Vec<String>,
    /// Milliseconds between two looks at files that grow.
    #[schemars(range(min = 50, max = 60_000))]
    pub poll_ms: u32,
}

impl Default for Transcripts {
    fn default() -> Self {
        Self { enabled: false, folders: Vec::new(), poll_ms: 1_000 }
    }
}

/// Checks that folders are what they can be: a relative one would be another for each place from which the daemon is started.
pub(crate) fn meaning(walk: &mut Walk<'_>, transcripts: &Node) {
    let Some((_, _, folders)) = transcripts.member("folders") else { return };
    for (n, folder) in folders.items().iter().enumerate() {
        let path = format!("audit.transcripts.folders[{n}]");
        if let Some(text) = folder.text().filter(|text| !text.starts_with('/') && !text.starts_with("~/")) {
            let hint = Some("write the whole path: /home/dev/.claude/projects, or ~/.claude/projects".to_owned());
            walk.error(folder.place, &path, format!("`{path}` is `{text}`, which is no absolute path"), hint);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::load;

    /// Protects operators from following nothing: a folder that cannot be meant is an error with its place, and nothing is followed by default.
    #[test]
    fn folders_are_absolute() {
        assert!(!load(None).unwrap().config.audit.transcripts.enabled);
        let good = "audit: {transcripts: {enabled: true, folders: [/a/b, ~/c], poll_ms: 50}}";
        assert_eq!(load(Some(("f", good))).unwrap().config.audit.transcripts.folders, ["/a/b", "~/c"]);
        let bad = load(Some(("f", "audit:\n  transcripts:\n    folders:\n      - projects\n"))).unwrap_err();
        assert_eq!((bad[0].line, bad[0].message.as_str()), (4, "`audit.transcripts.folders[0]` is `projects`, which is no absolute path"));
    }
}
