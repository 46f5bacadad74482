//! Which variables, files and commands have to do with an environment.

use super::environment::Known;

/// Whether values of this name are kept.
pub(super) fn is_harmless(name: &[u8]) -> bool {
    HARMLESS.iter().any(|known| known.as_bytes() == name) || name.starts_with(b"LC_")
}

/// Whether a file of this name holds an environment: `.env`, `.env.local`, `prod.env`, `.envrc`, `/proc/1/environ`.
pub(super) fn is_environment_file(path: &str) -> bool {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name == ".envrc" || name.starts_with(".env.") || name.ends_with(".env") || (name == "environ" && path.contains("/proc/"))
}

/// What the output of a shell command tells of the environment.
pub(super) fn of_command(command: &str) -> Known {
    let command = without_substitutions(command.replace("||", ";").replace("2>&1", ""));
    let mut known = Known::Nothing;
    for pipeline in command.split([';', '&', '\n', '(', ')']).take(PARTS_MAX) {
        let mut parts = pipeline.split('|').map(words);
        let first = of_words(&parts.next().unwrap_or_default());
        let shown = parts.all(|words| words.first().is_some_and(|word| FILTERS.contains(word)));
        match first {
            Known::Values if shown => return Known::Values,
            Known::Dump => known = Known::Dump,
            _ => {}
        }
    }
    known
}

fn words(part: &str) -> Vec<&str> {
    let words = part.split_whitespace().map(|word| word.trim_matches(['"', '\'', '<']));
    words.filter(|word| !word.is_empty() && !word.starts_with(['>', '2'])).take(WORDS_MAX).collect()
}

/// Drops `$(…)` and `` `…` ``: their output is an argument of another command, not the output that is seen.
fn without_substitutions(mut command: String) -> String {
    for (open, close) in [("$(", ')'), ("`", '`')] {
        while let Some(start) = command.find(open) {
            let end = command[start + open.len()..].find(close).map_or(command.len(), |n| start + open.len() + n + 1);
            command.replace_range(start..end, "");
        }
    }
    command
}

/// Commands that show what they read.
const FILTERS: &[&str] = &[
    "base64", "cat", "column", "cut", "fold", "grep", "head", "less", "more", "nl", "od", "rev", "sed", "sort", "tail", "tee", "tr",
    "uniq", "wc", "xxd", "awk",
];

/// 64 parts of 64 words: a longer command is a script, in which a dump is found by its look.
const PARTS_MAX: usize = 64;
const WORDS_MAX: usize = 64;

fn of_words(words: &[&str]) -> Known {
    let name = |word: &str| word.rsplit('/').next().unwrap_or(word).to_owned();
    if let Some(at) = words.iter().position(|word| name(word) == "printenv") {
        let mut asked = words[at + 1..].iter().filter(|word| !word.starts_with(['-', '>', '2'])).peekable();
        if asked.peek().is_none() {
            return Known::Dump;
        }
        let harmless = asked.all(|word| is_harmless(word.as_bytes()));
        return if harmless { Known::Nothing } else { Known::Values };
    }
    let first = words.iter().find(|word| !matches!(**word, "sudo" | "command" | "builtin" | "-E")).copied().unwrap_or_default();
    if matches!(first, "echo" | "printf") && words.iter().any(|word| tells_secret(word)) {
        return Known::Values;
    }
    let last = words.last().copied().unwrap_or_default();
    let dumps = name(last) == "env"
        || (name(first) == "env" && words[1..].iter().all(|word| word.starts_with('-') || word.contains('=') || word.starts_with('>')))
        || matches!(
            words,
            ["set" | "export" | "declare" | "typeset"] | ["export" | "declare" | "typeset" | "readonly", "-p" | "-x" | "-px" | "-xp"]
        )
        || words.iter().any(|word| is_environment_file(word));
    if dumps { Known::Dump } else { Known::Nothing }
}

/// Whether `word` is expanded to the value of a variable whose name says that it is secret.
fn tells_secret(word: &str) -> bool {
    let Some((_, rest)) = word.split_once('$') else { return false };
    let name: String = rest.trim_start_matches('{').chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let name = name.to_ascii_uppercase();
    !name.ends_with("_FILE")
        && ["TOKEN", "SECRET", "PASS", "PWD", "KEY", "CRED", "AUTH", "DSN"]
            .iter()
            .any(|part| name != "PWD" && name != "OLDPWD" && name.contains(part))
}

/// Names whose values say nothing secret and help a reader to understand what ran.
const HARMLESS: &[&str] = &[
    "PATH",
    "HOME",
    "PWD",
    "OLDPWD",
    "LANG",
    "LANGUAGE",
    "SHELL",
    "TERM",
    "USER",
    "LOGNAME",
    "SHLVL",
    "HOSTNAME",
    "TZ",
    "EDITOR",
    "PAGER",
    "DISPLAY",
    "COLORTERM",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "XDG_SESSION_TYPE",
    "LINES",
    "COLUMNS",
    "UID",
    "EUID",
    "PPID",
    "BASH",
    "BASH_VERSION",
    "OSTYPE",
    "HOSTTYPE",
    "MACHTYPE",
    "IFS",
    "PS1",
    "PS4",
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_PROJECT_DIR",
    "GIT_EDITOR",
    "NODE_ENV",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "CI",
    "DEBIAN_FRONTEND",
    "VIRTUAL_ENV",
    "CARGO_HOME",
    "RUSTUP_HOME",
    "GOPATH",
    "JAVA_HOME",
    "_",
];
