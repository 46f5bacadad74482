//! Redaction of a JSON value: every string, every member name, and what member names say about their values.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::environment::Known;
use super::{ENVIRONMENT, FoundAt, Redactor, SECRET_FIELD, environment, judge, variables};

/// JSON parsers stop at 128 levels; what is deeper was built by hand and is not looked into.
const DEPTH_MAX: usize = 128;
/// A JSON text in a string in a JSON text in a string …
const NESTED_TEXTS_MAX: usize = 4;
/// 2 MiB: a longer string is redacted as text only.
const NESTED_TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Redacts `value` in place.
pub(super) fn redact(redactor: &Redactor, value: &mut Value) -> Vec<FoundAt> {
    let mut walk = Walk { redactor, path: String::new(), found: Vec::new(), texts: 0 };
    walk.value(value, Meaning::Plain, 0);
    walk.found
}

/// What the member name above a value says about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Plain,
    /// A password, a token, a key: no string below is kept.
    Secret,
    /// A word that often, but not always, names a secret (`token`, `auth`): long or machine-made strings are not kept.
    Likely,
    /// Environment variables: names stay, values go.
    Environment,
    /// Text in which names and values of variables stand.
    Dump,
    /// Text that is values of variables without their names.
    Values,
}

struct Walk<'a> {
    redactor: &'a Redactor,
    path: String,
    found: Vec<FoundAt>,
    texts: usize,
}

impl Walk<'_> {
    fn value(&mut self, value: &mut Value, meaning: Meaning, depth: usize) {
        if depth > DEPTH_MAX {
            *value = Value::String(self.replaced("too-deep", ""));
            return;
        }
        match value {
            Value::String(text) => self.string(text, meaning),
            Value::Array(items) => {
                self.lines(items, meaning);
                for (index, item) in items.iter_mut().enumerate() {
                    self.below(&index.to_string(), |walk| walk.item(item, meaning, depth));
                }
            }
            Value::Object(members) => self.object(members, meaning, depth),
            Value::Number(number) if meaning == Meaning::Secret => *value = Value::String(self.replaced(SECRET_FIELD, &number.to_string())),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// One item of a list; in a list of environment variables `NAME=value` keeps its name.
    fn item(&mut self, item: &mut Value, meaning: Meaning, depth: usize) {
        if let (Meaning::Environment, Value::String(text)) = (meaning, &mut *item)
            && let Some((name, value)) = text.split_once('=')
        {
            if !value.is_empty() && !variables::is_harmless(name.as_bytes()) && !judge::stands_in(value.as_bytes()) {
                *text = format!("{name}={}", self.replaced(ENVIRONMENT, value));
            }
            return;
        }
        let meaning = if meaning == Meaning::Environment { Meaning::Plain } else { meaning };
        self.value(item, meaning, depth + 1);
    }

    fn object(&mut self, members: &mut Map<String, Value>, meaning: Meaning, depth: usize) {
        self.names(members);
        let meaning = if meaning == Meaning::Plain && is_environment(members) { Meaning::Environment } else { meaning };
        let shown = shown(members, meaning);
        let labelled = labelled(members, meaning);
        let is_key = members.get("kty").is_some_and(Value::is_string);
        for (name, value) in members.iter_mut() {
            let below = match meaning {
                Meaning::Secret => Meaning::Secret,
                Meaning::Environment if value.is_string() && labelled.is_none() => {
                    if variables::is_harmless(name.as_bytes()) {
                        Meaning::Plain
                    } else {
                        Meaning::Environment
                    }
                }
                _ if is_key && matches!(name.as_str(), "d" | "p" | "q" | "dp" | "dq" | "qi" | "k") => Meaning::Secret,
                _ => match labelled {
                    Some(meaning) if name == "value" => meaning,
                    _ => match meaning_of(name, value) {
                        Meaning::Plain if !SHOWS_NOTHING.contains(&name.as_str()) => shown,
                        meaning => meaning,
                    },
                },
            };
            self.below(name, |walk| walk.value(value, below, depth + 1));
        }
    }

    /// Secrets that stand as member names.
    fn names(&mut self, members: &mut Map<String, Value>) {
        let redactor = self.redactor;
        let is_clean = |name: &String| name.len() < 8 || redactor.places(name, Known::Nothing).is_empty();
        if members.keys().all(is_clean) {
            return;
        }
        for (name, value) in std::mem::take(members) {
            let redacted = redactor.text(&name);
            for found in redacted.found {
                self.found.push(FoundAt { rule: found.rule, path: format!("{}/{}", self.path, escape(&redacted.text)) });
            }
            let mut unique = redacted.text;
            while members.contains_key(&unique) {
                unique.push('+');
            }
            members.insert(unique, value);
        }
    }

    fn string(&mut self, text: &mut String, meaning: Meaning) {
        if text.starts_with("[redacted:") && text.ends_with(']') {
            return;
        }
        let known = if meaning == Meaning::Dump { Known::Dump } else { Known::Nothing };
        let places = self.redactor.places(text, known);
        let redacted = (!places.is_empty()).then(|| self.redactor.replaced(text, places, text.len()));
        let whole =
            redacted.as_ref().is_some_and(|redacted| matches!(&redacted.found[..], [one] if one.start == 0 && one.end == text.len()));
        let goes = !whole
            && match meaning {
                Meaning::Plain | Meaning::Dump => false,
                Meaning::Values => !text.trim().is_empty() && !judge::stands_in(text.trim().as_bytes()),
                Meaning::Environment => !text.is_empty() && !judge::stands_in(text.as_bytes()),
                Meaning::Secret => !text.is_empty() && !judge::stands_in(text.as_bytes()),
                Meaning::Likely => text.len() >= 12 && !text.contains(' ') && judge::is_secret(judge::Class::Opaque, text.as_bytes(), true),
            };
        if goes {
            let rule = if matches!(meaning, Meaning::Environment | Meaning::Values) { ENVIRONMENT } else { SECRET_FIELD };
            *text = self.replaced(rule, text);
            return;
        }
        if let Some(redacted) = redacted {
            let path = self.path.clone();
            self.found.extend(redacted.found.into_iter().map(|found| FoundAt { rule: found.rule, path: path.clone() }));
            *text = redacted.text;
        }
        self.nested(text, meaning);
    }

    /// Secrets that are spread over the items of a list: lines of a patch or a file, and a flag with its value.
    fn lines(&mut self, items: &mut [Value], meaning: Meaning) {
        if items.len() < 2 || matches!(meaning, Meaning::Secret | Meaning::Environment) || !items.iter().all(Value::is_string) {
            return;
        }
        let texts: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
        let known = if meaning == Meaning::Dump { Known::Dump } else { Known::Nothing };
        let mut changed = self.spread(&texts, "\n", known);
        for at in 0..texts.len() - 1 {
            if texts[at].starts_with('-') && !texts[at].contains('=') && !texts[at + 1].starts_with('-') {
                let pair = self.spread(&texts[at..=at + 1], " ", Known::Nothing);
                changed.extend(pair.into_iter().filter(|(item, _, _)| *item == 1).map(|(_, text, rules)| (at + 1, text, rules)));
            }
        }
        let mut done = std::collections::BTreeSet::new();
        for (item, text, rules) in changed {
            if done.insert(item) {
                self.found.extend(rules.into_iter().map(|rule| FoundAt { rule, path: format!("{}/{item}", self.path) }));
                items[item] = Value::String(text);
            }
        }
    }

    /// Redacts `texts` as if they were one text; returns the items that changed, with the rules that matched.
    fn spread(&self, texts: &[&str], between: &str, known: Known) -> Vec<(usize, String, Vec<String>)> {
        let joined = texts.join(between);
        let places = self.redactor.places(&joined, known);
        let mut changed = Vec::new();
        let mut start = 0;
        for (item, text) in texts.iter().enumerate() {
            let end = start + text.len();
            let mut out = String::new();
            let (mut copied, mut rules) = (start, Vec::new());
            for place in places.iter().filter(|place| place.range.start < end && place.range.end > start) {
                let from = joined.floor_char_boundary(place.range.start.max(start));
                let to = joined.ceil_char_boundary(place.range.end.min(end));
                let rule = self.redactor.rule_name(place.rank);
                out.push_str(&joined[copied..from]);
                out.push_str(&self.redactor.placeholder(rule, &joined[place.range.clone()]));
                rules.push(rule.to_owned());
                copied = to;
            }
            if !rules.is_empty() {
                out.push_str(&joined[copied..end]);
                changed.push((item, out, rules));
            }
            start = end + between.len();
        }
        changed
    }

    /// A string that is itself a JSON text: what is found inside is replaced inside.
    fn nested(&mut self, text: &mut String, meaning: Meaning) {
        let looks_like_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
        if !looks_like_json || self.texts >= NESTED_TEXTS_MAX || text.len() > NESTED_TEXT_BYTES_MAX {
            return;
        }
        let Ok(mut inner) = serde_json::from_str::<Value>(text) else { return };
        let before = self.found.len();
        self.texts += 1;
        self.value(&mut inner, if meaning == Meaning::Dump { meaning } else { Meaning::Plain }, 0);
        self.texts -= 1;
        if self.found.len() > before {
            *text = inner.to_string();
        }
    }

    /// Notes a replacement at the current path and returns the placeholder.
    fn replaced(&mut self, rule: &str, secret: &str) -> String {
        self.found.push(FoundAt { rule: rule.to_owned(), path: self.path.clone() });
        self.redactor.placeholder(rule, secret)
    }

    fn below(&mut self, name: &str, then: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(&escape(name));
        then(self);
        self.path.truncate(length);
    }
}

/// What the members of an object are known to show, by the command that ran or the file that was read.
fn shown(members: &Map<String, Value>, meaning: Meaning) -> Meaning {
    if matches!(meaning, Meaning::Dump | Meaning::Values) {
        return meaning;
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let input = members.get("tool_input").and_then(Value::as_object);
    let command = input.and_then(|input| input.get("command")).and_then(Value::as_str);
    let file =
        text("file_path").or_else(|| text("filePath")).or_else(|| input.and_then(|input| input.get("file_path")).and_then(Value::as_str));
    let known = match (file, command) {
        (Some(file), _) if variables::is_environment_file(file) => Known::Dump,
        (_, Some(command)) => variables::of_command(command),
        _ => Known::Nothing,
    };
    match known {
        Known::Nothing => Meaning::Plain,
        Known::Dump => Meaning::Dump,
        Known::Values => Meaning::Values,
    }
}

/// Whether the members are the variables of a process: many names in capitals, some of which every environment has.
fn is_environment(members: &Map<String, Value>) -> bool {
    let known = members.keys().filter(|name| variables::is_harmless(name.as_bytes())).count();
    known >= 3 && members.values().all(Value::is_string) && environment::are_names(members.keys().map(String::as_bytes))
}

/// Members of a hook that are no output of its command.
const SHOWS_NOTHING: &[&str] = &[
    "tool_input",
    "cwd",
    "session_id",
    "transcript_path",
    "agent_transcript_path",
    "hook_event_name",
    "tool_name",
    "tool_use_id",
    "permission_mode",
    "agent_id",
    "agent_type",
    "prompt_id",
    "file_path",
    "filePath",
    "type",
    "model",
];

/// What an object with `name` (or `key`) and `value` members says about the value.
fn labelled(members: &Map<String, Value>, meaning: Meaning) -> Option<Meaning> {
    let value = members.get("value")?;
    let name = members.get("name").or_else(|| members.get("key"))?.as_str()?;
    if meaning == Meaning::Environment {
        return Some(if variables::is_harmless(name.as_bytes()) { Meaning::Plain } else { Meaning::Environment });
    }
    Some(meaning_of(name, value))
}

/// What a member's name says about its value.
fn meaning_of(name: &str, value: &Value) -> Meaning {
    if value.is_null() || value.is_boolean() {
        return Meaning::Plain;
    }
    let mut bare = String::with_capacity(name.len());
    bare.extend(name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()));
    let bare = bare.as_str();
    if (value.is_object() || value.is_array()) && ENVIRONMENTS.contains(&bare) {
        return Meaning::Environment;
    }
    if SECRET_NAMES.contains(&bare) || SECRET_ENDS.iter().any(|end| bare.ends_with(end)) {
        return if value.is_number() && !bare.ends_with("password") { Meaning::Plain } else { Meaning::Secret };
    }
    if value.is_string() && (LIKELY_NAMES.contains(&bare) || LIKELY_ENDS.iter().any(|end| bare.ends_with(end))) {
        return Meaning::Likely;
    }
    Meaning::Plain
}

const ENVIRONMENTS: &[&str] = &["env", "environ", "environment", "environmentvariables", "envvars", "environmentvars"];

const SECRET_NAMES: &[&str] = &[
    "passwd",
    "pwd",
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "bearer",
    "xapikey",
    "accountkey",
    "mfacode",
    "otp",
    "totp",
    "encryptionkey",
    "signingkey",
    "masterkey",
    "sharedkey",
    "cvv",
    "cvc",
];

/// Endings of member names in lower case without separators.
const SECRET_ENDS: &[&str] = &[
    "password",
    "passphrase",
    "secret",
    "apikey",
    "secretkey",
    "privatekey",
    "secretaccesskey",
    "accesstoken",
    "refreshtoken",
    "sessiontoken",
    "authtoken",
    "bearertoken",
    "idtoken",
    "clientsecret",
    "privatekeydata",
    "clientkeydata",
];

const LIKELY_NAMES: &[&str] = &["auth", "key", "sig", "signature", "connectionstring", "dsn", "jwt", "credential", "credentials"];
const LIKELY_ENDS: &[&str] = &["token", "key", "credential"];

/// Escapes a member name for a JSON pointer.
fn escape(name: &str) -> Cow<'_, str> {
    if name.contains(['~', '/']) { name.replace('~', "~0").replace('/', "~1").into() } else { name.into() }
}
