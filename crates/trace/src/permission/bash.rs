//! Rules for command lines: the patterns, what stands around a command, and what the client lets run without any rule.

use super::shell::{self, Line, Simple};

/// 64 KiB: nobody judges a longer line by patterns.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Variables that may be set in front of a permitted command; all others change what it does.
const HARMLESS: &[&str] = &[
    "NODE_ENV",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LC_TIME",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "FORCE_COLOR",
    "TZ",
    "RUST_BACKTRACE",
    "RUST_LOG",
];

/// Programs that run the rest of their line, for every rule: name, and the options that take a value.
const RUNNERS: &[(&str, &[&str])] = &[
    ("timeout", &["-s", "-k", "--signal", "--kill-after"]),
    ("time", &[]),
    ("nice", &["-n"]),
    ("nohup", &[]),
    ("stdbuf", &[]),
    ("command", &[]),
    ("builtin", &[]),
    ("noglob", &[]),
];

/// The same, only for rules that forbid or ask.
const RUNNERS_AGAINST: &[(&str, &[&str])] = &[
    ("env", &["-u", "-C", "-S"]),
    ("sudo", &["-u", "-g", "-h", "-p", "-C", "-D", "-R", "-T", "-U"]),
    ("doas", &["-u", "-C"]),
    ("exec", &["-a"]),
    ("watch", &["-n"]),
    ("setsid", &[]),
    ("ionice", &["-c", "-n"]),
];

/// A command line, cut once for all rules.
pub(crate) struct Command {
    text: String,
    pub(crate) line: Line,
    pub(crate) too_long: bool,
}

impl Command {
    pub(crate) fn new(text: &str) -> Self {
        let too_long = text.len() > LINE_BYTES_MAX;
        let line = if too_long { Line::default() } else { shell::cut(text) };
        Self { text: text.trim().to_owned(), line, too_long }
    }

    /// Tells whether a rule is the whole line, word by word.
    pub(crate) fn is(&self, pattern: &str) -> bool {
        pattern == self.text
    }

    /// Tells whether a rule against commands means any command of the line.
    pub(crate) fn is_against(&self, pattern: &str) -> bool {
        holds(pattern, &self.text) || self.line.commands.iter().any(|command| readings(command).iter().any(|text| holds(pattern, text)))
    }
}

/// Tells whether a pattern permits one command.
pub(crate) fn permits(pattern: &str, command: &Simple) -> bool {
    let mut words = &command.raw[..];
    loop {
        if holds(pattern, &words.join(" ")) {
            return true;
        }
        match strip(words, true) {
            Some(rest) if !rest.is_empty() => words = rest,
            _ => return false,
        }
    }
}

/// Returns the texts under which a command is known to rules against it.
fn readings(command: &Simple) -> Vec<String> {
    let mut readings = Vec::new();
    for words in [&command.raw[..], &command.plain[..]] {
        let mut words = words;
        loop {
            readings.push(words.join(" "));
            if let Some((first, rest)) = words.split_first()
                && let Some((_, base)) = first.rsplit_once('/')
            {
                readings.push([&[base.to_owned()], rest].concat().join(" "));
            }
            match strip(words, false) {
                Some(rest) if !rest.is_empty() => words = rest,
                _ => break,
            }
        }
    }
    readings
}

/// Takes one assignment or one program that runs the rest from the front of a command.
fn strip(words: &[String], permitting: bool) -> Option<&[String]> {
    let (first, rest) = words.split_first()?;
    if let Some(name) = shell::assignment(first) {
        return (!permitting || HARMLESS.contains(&name)).then_some(rest);
    }
    if first == "xargs" {
        return rest.first().is_some_and(|next| !next.starts_with('-')).then_some(rest);
    }
    let known = |list: &[(&str, &'static [&'static str])]| list.iter().find(|(name, _)| name == first).map(|(_, valued)| *valued);
    let valued = known(RUNNERS).or_else(|| if permitting { None } else { known(RUNNERS_AGAINST) })?;
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        if !word.starts_with('-') {
            break;
        }
        at += 1 + usize::from(valued.contains(&word.as_str()));
    }
    // The duration.
    at += usize::from(first == "timeout");
    rest.get(at..)
}

/// Holds the text of a command against a pattern: exact, `prefix:*`, or with `*` for any text.
fn holds(pattern: &str, text: &str) -> bool {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(prefix) = pattern.strip_suffix(":*") {
        return !prefix.contains('*') && (text == prefix || text.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(' ')));
    }
    if !pattern.contains('*') {
        return text == pattern.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    // `npm run *` is `npm run` as well.
    let only_star = pattern.matches('*').count() == 1;
    if let Some(prefix) = pattern.strip_suffix(" *").filter(|_| only_star)
        && text == prefix
    {
        return true;
    }
    wild(pattern, &text)
}

fn wild(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Commands that the client runs without a question, whatever the rules permit, as long as they stay in its folders.
const HARMLESS_COMMANDS: &[&str] = &[
    "ls", "cat", "echo", "pwd", "head", "tail", "grep", "rg", "wc", "which", "diff", "stat", "du", "sort", "true", "false", "whoami",
    "date", "sleep", "test", "[", "[[", "ps", "printf", "hostname", "uname", "id", "tree", "basename", "dirname", "jq", "cd",
];

/// Those among them whose words are no files.
const WORDS_ONLY: &[&str] = &["echo", "printf", "basename", "dirname", "true", "false", "sleep", "date", "which"];

/// Subcommands of git that only read.
const GIT_READS: &[&str] = &["status", "log", "diff", "show", "blame", "rev-parse"];

/// Options that make a search change things.
const FIND_CHANGES: &[&str] = &["-delete", "-exec", "-execdir", "-ok", "-okdir", "-fprint", "-fprintf", "-fls"];

/// Commands that `acceptEdits` lets run inside the folders.
const EDIT_COMMANDS: &[&str] = &["mkdir", "touch", "rm", "rmdir", "mv", "cp", "sed"];

/// Commands whose files the client checks against rules for reading.
const FILE_READERS: &[&str] = &["cat", "head", "tail", "sed"];

/// Tells whether the client runs a command without a rule, apart from where its paths lead.
pub(crate) fn is_harmless(command: &Simple) -> bool {
    let words =
        &command.raw[command.raw.iter().take_while(|word| shell::assignment(word).is_some_and(|name| HARMLESS.contains(&name))).count()..];
    let Some((first, rest)) = words.split_first() else { return true };
    let all_set = words.iter().all(|word| shell::assignment(word).is_some());
    let has = |wanted: &[&str]| rest.iter().any(|word| wanted.contains(&word.as_str()));
    match first.as_str() {
        _ if all_set => true,
        "find" => !has(FIND_CHANGES),
        "sed" => !rest.iter().any(|word| word.starts_with("-i") || word.starts_with("--in-place")),
        "git" => match rest {
            [only] => GIT_READS.contains(&only.as_str()) || only == "branch",
            [sub, ..] => GIT_READS.contains(&sub.as_str()),
            [] => false,
        },
        "node" | "python3" | "python" => matches!(rest, [only] if only == "--version"),
        "docker" => matches!(rest, [only] if only == "ps"),
        name => HARMLESS_COMMANDS.contains(&name),
    }
}

/// Tells whether `acceptEdits` lets a command run inside the folders.
pub(crate) fn is_edit(command: &Simple) -> bool {
    command.raw.first().is_some_and(|first| EDIT_COMMANDS.contains(&first.as_str()))
}

/// Tells whether the client holds the files of a command against rules for reading.
pub(crate) fn reads_files(command: &Simple) -> bool {
    command.plain.first().is_some_and(|first| FILE_READERS.contains(&first.rsplit('/').next().unwrap_or(first)))
}

/// Returns the words of a command that may be paths.
pub(crate) fn operands(command: &Simple) -> impl Iterator<Item = &str> {
    let words_only = command.plain.first().is_some_and(|first| WORDS_ONLY.contains(&first.as_str()));
    let plain = if words_only { &[] } else { command.plain.as_slice() };
    plain.iter().skip(1).map(String::as_str).filter(|word| !word.starts_with('-'))
}
