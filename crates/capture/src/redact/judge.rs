//! Judgement of a candidate value: is it a secret, or a word, a variable, a stand-in?

/// What kind of value a rule expects; each asks for different evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Class {
    /// Anything that is no stand-in: the pattern itself is proof enough.
    Any,
    /// A word that a person may have chosen.
    Password,
    /// Long and not a word, or a password with digits.
    Opaque,
    /// Machine-made: high entropy and many changes between letters and digits.
    Random,
}

/// Whether `value` may be a secret of this `class`. `sure` says that the place leaves no doubt (a quoted
/// value of a shell variable, a command flag), so that plain words count too.
pub(super) fn is_secret(class: Class, value: &[u8], sure: bool) -> bool {
    if stands_in(value) {
        return false;
    }
    match class {
        Class::Any => true,
        Class::Password => value.len() >= 3 && (sure || value.len() >= 5 && !is_word(value)),
        Class::Opaque => value.len() >= 8 && (has_digit(value) || value.len() >= 16) && !is_word(value),
        Class::Random => is_random(value) || (sure && is_mixed(value)),
    }
}

/// Whether `value` only stands in for a secret: a variable, a template, a mask, a well-known filler.
pub(super) fn stands_in(value: &[u8]) -> bool {
    let Some(&first) = value.first() else { return true };
    let second = value.get(1).copied().unwrap_or(0);
    match first {
        b'$' if second.is_ascii_alphabetic() || matches!(second, b'_' | b'{' | b'(' | b'$') => return true,
        b'$' if second.is_ascii_digit() && value.len() <= 3 => return true,
        b'{' | b'<' | b'(' => return true,
        b'%' if second == b'(' || value.len() <= 3 || (value.len() > 2 && value.ends_with(b"%")) => return true,
        b'@' if value.len() > 2 && value.ends_with(b"@") => return true,
        _ => {}
    }
    if value.starts_with(b"[redacted") || value.iter().all(|b| *b == first) {
        return true;
    }
    if value.iter().all(|b| matches!(b, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'#' | b'?')) {
        return true;
    }
    is_filler(value) || is_reference(value)
}

/// 4 KiB: a longer value is no filler.
const FILLER_BYTES_MAX: usize = 64;

fn is_filler(value: &[u8]) -> bool {
    if value.len() > FILLER_BYTES_MAX {
        return false;
    }
    let lower: Vec<u8> = value.iter().filter(|b| b.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase).collect();
    let lower = lower.as_slice();
    FILLERS.iter().any(|word| lower == word.as_bytes())
        || FILLER_STARTS.iter().any(|word| lower.starts_with(word.as_bytes()))
        || lower.windows(7).any(|part| part == b"example")
        || lower.windows(11).any(|part| part == b"placeholder")
}

/// Whether `value` is code that names where the secret comes from (`process.env.X`, `self.token`).
fn is_reference(value: &[u8]) -> bool {
    REFERENCES.iter().any(|start| value.starts_with(start.as_bytes())) || value.contains(&b'(')
}

/// Whether `value` consists of words only: letters with separators, or `camelCase`.
fn is_word(value: &[u8]) -> bool {
    value.iter().all(|b| b.is_ascii_alphabetic() || matches!(b, b'_' | b'-' | b'.' | b' ' | b':' | b'/' | b'!' | b'?' | b'*'))
        && !(value.len() >= 16 && case_changes(value) * 3 >= value.len())
}

/// Whether `value` mixes large and small letters more than words do; not enough where code may stand.
fn is_mixed(value: &[u8]) -> bool {
    value.len() >= 16 && has_digit(value) && entropy(value) >= 3.2 && case_changes(value) * 5 >= value.len()
}

/// Whether `value` looks machine-made.
pub(super) fn is_random(value: &[u8]) -> bool {
    if value.len() < 10 {
        return false;
    }
    // A random string of n symbols over 62 has about log2(n) bits per symbol until n nears 62; words have less.
    let floor = match value.len() {
        0..=15 => 2.9,
        16..=23 => 3.2,
        _ => 3.4,
    };
    let is_hex = value.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-');
    let floor: f64 = if is_hex { 2.8 } else { floor };
    let changes = digit_changes(value);
    entropy(value) >= floor && (changes * 8 >= value.len() || (changes >= 2 && case_changes(value) * 4 >= value.len()))
}

/// Shannon entropy in bits per byte.
pub(super) fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    for byte in value {
        counts[usize::from(*byte)] += 1;
    }
    let total = value.len() as f64;
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total).map(|p| -p * p.log2()).sum()
}

/// How often a letter follows a digit or a digit a letter.
fn digit_changes(value: &[u8]) -> usize {
    let changes = |pair: &&[u8]| {
        (pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()) || (pair[0].is_ascii_alphabetic() && pair[1].is_ascii_digit())
    };
    value.windows(2).filter(changes).count()
}

fn case_changes(value: &[u8]) -> usize {
    let changes = |pair: &&[u8]| {
        (pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase()) || (pair[0].is_ascii_uppercase() && pair[1].is_ascii_lowercase())
    };
    value.windows(2).filter(changes).count()
}

pub(super) fn has_digit(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit)
}

/// Whole values (letters and digits only, lower case) that stand for "a secret goes here".
const FILLERS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "pwd",
    "secret",
    "token",
    "apikey",
    "key",
    "changeme",
    "changeit",
    "none",
    "null",
    "nil",
    "true",
    "false",
    "undefined",
    "string",
    "str",
    "text",
    "int",
    "integer",
    "bool",
    "boolean",
    "bytes",
    "optional",
    "required",
    "redacted",
    "hidden",
    "masked",
    "removed",
    "todo",
    "tbd",
    "na",
    "empty",
    "unset",
    "default",
    "value",
    "foo",
    "bar",
    "baz",
    "foobar",
    "xxx",
    "abc",
    "secretkey",
    "accesstoken",
    "authtoken",
    "bearer",
    "basic",
    "inherit",
    "username",
    "user",
    "login",
    "email",
    "name",
    "yes",
    "no",
    "on",
    "off",
    "password123",
    "passw0rd1",
    "mypassword",
    "mysecret",
    "mytoken",
    "mykey",
    "supersecret",
    "somesecret",
    "sometoken",
    "somepassword",
    "plaintext",
    "object",
    "number",
    "any",
    "unknown",
    "stdin",
    "prompt",
    "disabled",
    "enabled",
    "newpassword",
    "oldpassword",
];

const FILLER_STARTS: &[&str] = &["your", "insert", "enter", "replace", "dummy", "xxxx", "redacted", "fixme", "1234567890abcdef"];

const REFERENCES: &[&str] = &[
    "process.env",
    "os.environ",
    "os.getenv",
    "env.",
    "self.",
    "this.",
    "config.",
    "settings.",
    "req.",
    "request.",
    "args.",
    "opts.",
    "options.",
    "params.",
    "ctx.",
    "context.",
    "secrets.",
    "var.",
    "local.",
    "data.",
    "module.",
    "vault:",
    "arn:aws:",
    "file:",
    "!Ref",
    "&str",
    "&self",
    "String::",
    "Option<",
    "std::",
    "cfg.",
    "props.",
    "state.",
    "user.",
    "session.",
    "response.",
    "res.",
    "event.",
    "import ",
    "github.",
    "inputs.",
    "steps.",
    "needs.",
    "azurerm_",
    "aws_",
    "google_",
    "kubernetes_",
    "random_",
    "https:",
    "http:",
];
