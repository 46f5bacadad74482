//! What a client was started with: of its command line the flags that grant and forbid, and nothing else of it.
//!
//! A command line also holds prompts, and whatever a person typed. So it is read as the client reads it, flag by flag; a value is kept only if
//! the flag is one of those that grant or forbid, and only if it looks like what the flag takes.

use serde_json::{Map, Value, json};

use crate::path;

/// Stands for the command line where snapshots name the path of a file.
pub const COMMAND_LINE: &str = "command line";

/// Stands for settings that were typed into the command line as JSON.
pub const INLINE_SETTINGS: &str = "command line --settings";

/// 256 KiB: the flags of a client; longer ones carry a prompt, which may push flags out of sight, so nothing is concluded from them.
pub const COMMAND_LINE_BYTES_MAX: u64 = 256 * 1024;

/// 1 KiB: the longest rule, folder or mode that is kept.
const VALUE_BYTES_MAX: usize = 1024;

/// 4,096 rules of a list, as of a settings file.
const VALUES_MAX: usize = 4096;

/// What a flag takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Nothing,
    One,
    /// All that follow, up to the next flag.
    Many,
}

/// Flags whose presence is told, with what they take.
const TOLD: &[(&str, Takes)] = &[
    ("--add-dir", Takes::Many),
    ("--allow-dangerously-skip-permissions", Takes::Nothing),
    ("--allowedTools", Takes::Many),
    ("--bare", Takes::Nothing),
    ("--dangerously-skip-permissions", Takes::Nothing),
    ("--disallowedTools", Takes::Many),
    ("--mcp-config", Takes::Many),
    ("--permission-mode", Takes::One),
    ("--permission-prompt-tool", Takes::One),
    ("--permission-prompts", Takes::One),
    ("--plugin-dir", Takes::One),
    ("--plugin-url", Takes::One),
    ("--setting-sources", Takes::One),
    ("--settings", Takes::One),
    ("--strict-mcp-config", Takes::Nothing),
    ("--tools", Takes::Many),
];

/// Other flags that take values: known so that no value of theirs is taken for a flag.
const PASSED_BY: &[(&str, Takes)] = &[
    ("--agent", Takes::One),
    ("--agents", Takes::One),
    ("--append-system-prompt", Takes::One),
    ("--append-system-prompt-file", Takes::One),
    ("--autocompact", Takes::One),
    ("--betas", Takes::Many),
    ("--debug-file", Takes::One),
    ("--effort", Takes::One),
    ("--environment", Takes::One),
    ("--fallback-model", Takes::One),
    ("--file", Takes::Many),
    ("--input-format", Takes::One),
    ("--json-schema", Takes::One),
    ("--max-budget-usd", Takes::One),
    ("--max-thinking-tokens", Takes::One),
    ("--max-turns", Takes::One),
    ("--model", Takes::One),
    ("--name", Takes::One),
    ("-n", Takes::One),
    ("--output-format", Takes::One),
    ("--remote-control-session-name-prefix", Takes::One),
    ("--session-id", Takes::One),
    ("--system-prompt", Takes::One),
    ("--system-prompt-file", Takes::One),
    ("--system-prompt-snapshot", Takes::One),
];

/// Modes that a client can be started in.
const MODES: &[&str] = &["acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "manual", "plan"];
const SOURCES: &[&str] = &["user", "project", "local"];

/// Settings that a command line brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchSettings {
    /// A file, absolute.
    File(String),
    /// The JSON itself.
    Inline(Vec<u8>),
}

/// What a command line grants and forbids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Launched {
    /// In the form of a settings file; nothing when no flag is told.
    pub flags: Option<Vec<u8>>,
    /// What `--settings` names.
    pub settings: Option<LaunchSettings>,
}

/// Reads a command line as the system gives it, each word ended by a zero byte; `folder` is where the client was started.
pub fn launched(words: &[u8], folder: Option<&str>) -> Launched {
    let mut words = words.split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).unwrap_or_default()).skip(1).peekable();
    let mut found = Flags::default();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        let (name, given) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let name = match name {
            "--allowed-tools" => "--allowedTools",
            "--disallowed-tools" => "--disallowedTools",
            name => name,
        };
        let Some((name, takes)) = TOLD.iter().chain(PASSED_BY).find(|(known, _)| *known == name) else { continue };
        let mut values: Vec<&str> = given.into_iter().collect();
        if *takes != Takes::Nothing && given.is_none() {
            values.extend(words.next());
            while *takes == Takes::Many
                && let Some(next) = words.next_if(|next| next.len() < 2 || !next.starts_with('-'))
            {
                values.push(next);
            }
        }
        found.take(name, &values, folder);
    }
    found.done()
}

#[derive(Default)]
struct Flags {
    names: Vec<&'static str>,
    allow: Vec<String>,
    deny: Vec<String>,
    folders: Vec<String>,
    mode: Option<String>,
    sources: Option<Vec<String>>,
    settings: Option<LaunchSettings>,
    /// Values that are none such as the flag takes.
    odd: u64,
}

impl Flags {
    fn take(&mut self, name: &'static str, values: &[&str], folder: Option<&str>) {
        if !TOLD.iter().any(|(told, _)| *told == name) {
            return;
        }
        if !self.names.contains(&name) {
            self.names.push(name);
        }
        let first = values.first().copied().unwrap_or_default();
        match name {
            "--allowedTools" => self.odd += rules(values, &mut self.allow),
            "--disallowedTools" => self.odd += rules(values, &mut self.deny),
            "--add-dir" => {
                let folders = values.iter().filter(|value| is_folder(value)).map(|value| path::absolute(value, folder));
                let known = self.folders.len();
                self.folders.extend(folders.filter(|path| path.starts_with('/')));
                self.odd += (values.len() - (self.folders.len() - known)) as u64;
            }
            "--permission-mode" if MODES.contains(&first) => self.mode = Some(if first == "manual" { "default" } else { first }.to_owned()),
            "--permission-mode" => self.odd += 1,
            "--dangerously-skip-permissions" => self.mode = Some("bypassPermissions".to_owned()),
            "--setting-sources" => {
                let named = first.split(',').map(str::trim);
                self.sources = Some(named.filter(|name| SOURCES.contains(name)).map(str::to_owned).collect());
            }
            "--settings" if first.trim_start().starts_with('{') => {
                self.settings = Some(LaunchSettings::Inline(first.as_bytes().to_vec()));
            }
            "--settings" if !first.is_empty() && first.len() <= VALUE_BYTES_MAX => {
                self.settings = Some(LaunchSettings::File(path::absolute(first, folder)));
            }
            _ => {}
        }
    }

    fn done(self) -> Launched {
        if self.names.is_empty() {
            return Launched::default();
        }
        let mut permissions = Map::new();
        for (name, list) in [("allow", self.allow), ("deny", self.deny), ("additionalDirectories", self.folders)] {
            if !list.is_empty() {
                permissions.insert(name.to_owned(), list.into());
            }
        }
        permissions.extend(self.mode.map(|mode| ("defaultMode".to_owned(), mode.into())));
        let mut launch = Map::from_iter([("flags".to_owned(), self.names.into())]);
        launch.extend(self.sources.map(|sources| ("setting_sources".to_owned(), sources.into())));
        match &self.settings {
            Some(LaunchSettings::File(path)) => drop(launch.insert("settings".to_owned(), path.as_str().into())),
            Some(LaunchSettings::Inline(_)) => drop(launch.insert("settings".to_owned(), "inline".into())),
            None => {}
        }
        if self.odd > 0 {
            launch.insert("odd_values".to_owned(), self.odd.into());
        }
        let flags = json!({"permissions": permissions, "launch": launch});
        Launched { flags: Some(flags.to_string().into_bytes()), settings: self.settings }
    }
}

/// Returns what is kept of the flags, which stand in the place of a settings file.
pub(super) fn flags_of(whole: &Value) -> Option<Map<String, Value>> {
    whole.get("launch")?.as_object().cloned()
}

/// Takes rules out of values that may each hold several; returns how many values were none. What follows the rules by mistake, a prompt most
/// likely, is no rule and is not kept, and no word of it.
fn rules(values: &[&str], into: &mut Vec<String>) -> u64 {
    let mut odd = 0;
    for value in values {
        let rules = split(value);
        if rules.iter().all(|rule| is_rule(rule)) && into.len() + rules.len() <= VALUES_MAX {
            into.extend(rules.into_iter().map(str::to_owned));
        } else {
            odd += 1;
        }
    }
    odd
}

/// Tells whether a value is a folder rather than a prompt that follows by mistake.
fn is_folder(value: &str) -> bool {
    let led = ["/", "./", "../"].iter().any(|lead| value.starts_with(lead));
    let fits = !value.is_empty() && value.len() <= VALUE_BYTES_MAX && !value.contains(['\n', '\r']);
    fits && !value.starts_with('~') && (led || !value.contains(char::is_whitespace))
}

/// Splits at commas and spaces outside parentheses.
fn split(value: &str) -> Vec<&str> {
    let (mut found, mut depth, mut from) = (Vec::new(), 0usize, 0);
    for (at, c) in value.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' | ' ' if depth == 0 => {
                found.push(&value[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    found.push(&value[from..]);
    found.retain(|rule| !rule.is_empty());
    found
}

/// Tells whether a text has the form of a rule: the name of a tool, alone or with something in parentheses.
fn is_rule(text: &str) -> bool {
    let (tool, rest) = text.split_once('(').map_or((text, ")"), |(tool, rest)| (tool, rest));
    let named = tool.starts_with(|c: char| c.is_ascii_uppercase()) || tool.starts_with("mcp__") || tool == "*";
    let plain = tool.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-*.".contains(&byte));
    named && plain && rest.ends_with(')') && text.len() <= VALUE_BYTES_MAX
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn read(words: &[&str]) -> (Value, Option<LaunchSettings>) {
        let words: Vec<u8> = words.iter().flat_map(|word| [word.as_bytes(), &[0]].concat()).collect();
        let launched = launched(&words, Some("/p"));
        (launched.flags.map_or(Value::Null, |flags| serde_json::from_slice(&flags).unwrap()), launched.settings)
    }

    /// Protects the reading of flags: in every form the client takes, and in the order in which values belong to flags.
    #[test]
    fn flags_are_read_as_the_client_reads_them() {
        let (told, settings) = read(&[
            "claude",
            "-p",
            "--allowedTools",
            "Bash(git log:*),Edit Read(~/x y/**)",
            "mcp__a__b",
            "--disallowed-tools=WebFetch",
            "--add-dir",
            "../q",
            "/r",
            "--permission-mode",
            "plan",
            "--setting-sources",
            "user, local",
            "--settings",
            "extra.json",
        ]);
        assert_eq!(
            told,
            json!({
                "permissions": {
                    "allow": ["Bash(git log:*)", "Edit", "Read(~/x y/**)", "mcp__a__b"], "deny": ["WebFetch"],
                    "additionalDirectories": ["/q", "/r"], "defaultMode": "plan",
                },
                "launch": {
                    "flags": ["--allowedTools", "--disallowedTools", "--add-dir", "--permission-mode", "--setting-sources", "--settings"],
                    "setting_sources": ["user", "local"], "settings": "/p/extra.json",
                },
            })
        );
        assert_eq!(settings, Some(LaunchSettings::File("/p/extra.json".to_owned())));
        let (told, settings) = read(&["claude", "--settings", r#"{"a":1}"#, "--dangerously-skip-permissions"]);
        assert_eq!(told["permissions"], json!({"defaultMode": "bypassPermissions"}));
        assert_eq!((&told["launch"]["settings"], settings), (&json!("inline"), Some(LaunchSettings::Inline(br#"{"a":1}"#.to_vec()))));
        assert_eq!(read(&["claude", "-c", "--model", "opus"]).0, Value::Null);
    }

    /// Protects what people type: no prompt and no value of another flag is kept, wherever it stands.
    #[test]
    fn nothing_else_of_a_command_line_is_kept() {
        let secret = "my password is Hunter2";
        for words in [
            vec!["claude", "-p", secret, "--allowedTools", "Bash"],
            vec!["claude", "-p", "--allowedTools", "Bash", secret],
            vec!["claude", "--append-system-prompt", "--allowedTools Hunter2", "--bare"],
            vec!["claude", "--bare", "--", "--allowedTools", "Hunter2"],
            vec!["claude", "--permission-mode", "Hunter2", "--tools", secret, "--mcp-config", secret],
            vec!["claude", "--json-schema", "--disallowedTools", "--bare", "Hunter2(x)"],
            vec!["claude", "--add-dir", "/q", secret],
        ] {
            let (told, _) = read(&words);
            assert!(told.is_object() && !told.to_string().contains("Hunter2"), "{words:?} {told}");
        }
    }
}
