//! Redaction of a JSON value: every string, every member name, and what member names say about their values.

use serde_json::{Map, Value};

use super::{ENVIRONMENT, FoundAt, Redactor, SECRET_FIELD, environment, judge};

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
            if !value.is_empty() && !environment::is_harmless(name.as_bytes()) && !judge::stands_in(value.as_bytes()) {
                *text = format!("{name}={}", self.replaced(ENVIRONMENT, value));
            }
            return;
        }
        let meaning = if meaning == Meaning::Environment { Meaning::Plain } else { meaning };
        self.value(item, meaning, depth + 1);
    }

    fn object(&mut self, members: &mut Map<String, Value>, meaning: Meaning, depth: usize) {
        self.names(members);
        let labelled = labelled(members, meaning);
        let is_key = members.get("kty").is_some_and(Value::is_string);
        for (name, value) in members.iter_mut() {
            let below = match meaning {
                Meaning::Secret => Meaning::Secret,
                Meaning::Environment if value.is_string() && labelled.is_none() => {
                    if environment::is_harmless(name.as_bytes()) {
                        Meaning::Plain
                    } else {
                        Meaning::Environment
                    }
                }
                _ if is_key && matches!(name.as_str(), "d" | "p" | "q" | "dp" | "dq" | "qi" | "k") => Meaning::Secret,
                _ => match labelled {
                    Some(meaning) if name == "value" => meaning,
                    _ => meaning_of(name, value),
                },
            };
            let name = name.clone();
            self.below(&name, |walk| walk.value(value, below, depth + 1));
        }
    }

    /// Secrets that stand as member names.
    fn names(&mut self, members: &mut Map<String, Value>) {
        let redactor = self.redactor;
        let is_clean = |name: &String| name.len() < 8 || redactor.places(name).is_empty();
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
        let redacted = self.redactor.text(text);
        let whole = redacted.found.len() == 1 && redacted.found[0].start == 0 && redacted.found[0].end == text.len();
        let goes = !whole
            && match meaning {
                Meaning::Plain => false,
                Meaning::Environment => !text.is_empty() && !judge::stands_in(text.as_bytes()),
                Meaning::Secret => !text.is_empty() && !judge::stands_in(text.as_bytes()),
                Meaning::Likely => text.len() >= 12 && !text.contains(' ') && judge::is_secret(judge::Class::Opaque, text.as_bytes(), true),
            };
        if goes {
            let rule = if meaning == Meaning::Environment { ENVIRONMENT } else { SECRET_FIELD };
            *text = self.replaced(rule, text);
            return;
        }
        if !redacted.found.is_empty() {
            let path = self.path.clone();
            self.found.extend(redacted.found.into_iter().map(|found| FoundAt { rule: found.rule, path: path.clone() }));
            *text = redacted.text;
        }
        self.nested(text);
    }

    /// A string that is itself a JSON text: what is found inside is replaced inside.
    fn nested(&mut self, text: &mut String) {
        let looks_like_json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
        if !looks_like_json || self.texts >= NESTED_TEXTS_MAX || text.len() > NESTED_TEXT_BYTES_MAX {
            return;
        }
        let Ok(mut inner) = serde_json::from_str::<Value>(text) else { return };
        let before = self.found.len();
        self.texts += 1;
        self.value(&mut inner, Meaning::Plain, 0);
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

/// What an object with `name` (or `key`) and `value` members says about the value.
fn labelled(members: &Map<String, Value>, meaning: Meaning) -> Option<Meaning> {
    let value = members.get("value")?;
    let name = members.get("name").or_else(|| members.get("key"))?.as_str()?;
    if meaning == Meaning::Environment {
        return Some(if environment::is_harmless(name.as_bytes()) { Meaning::Plain } else { Meaning::Environment });
    }
    Some(meaning_of(name, value))
}

/// What a member's name says about its value.
fn meaning_of(name: &str, value: &Value) -> Meaning {
    let bare: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
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
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
