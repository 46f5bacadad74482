//! What an agent hands in, looked at before it is taken: everything that is wrong is said at once, with what would be right.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// 256 KiB: an event tells of something; what it tells of is kept elsewhere.
pub const EVENT_BYTES_MAX: usize = 256 * 1024;

/// 128 bytes: the longest word of an envelope.
const WORD_BYTES_MAX: usize = 128;

/// 64 frameworks or tags.
const TAGS_MAX: usize = 64;

const OUTCOMES: [&str; 6] = ["success", "failure", "denied", "error", "pending", "unknown"];
const SEVERITIES: [&str; 8] = ["debug", "info", "low", "warning", "medium", "high", "critical", "notice"];

/// Checks the arguments of `log_event`; returns the record that they are, or what is wrong with them.
pub fn event(arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut check = Check { tool: "log_event", arguments: &arguments, problems: Vec::new() };
    check.size();
    let kinds = ["event_type", "eventType", "action", "type"];
    if !kinds.iter().any(|name| arguments.contains_key(*name)) {
        check.wrong("it does not say what happened: give `event_type` (`data.file_read`) or `action` (file_read, file_write, tool_execution, api_call)");
    }
    for name in kinds {
        check.word(name);
    }
    if let Some(kind) = arguments.get("event_type").or(arguments.get("eventType")).and_then(Value::as_str)
        && kind.starts_with("ledger.")
    {
        check.wrong("`event_type` begins with `ledger.`: only the ledger tells of itself");
    }
    check.one_of("outcome", &OUTCOMES);
    check.one_of("severity", &SEVERITIES);
    check.time("timestamp");
    for name in ["userId", "user_id", "sessionId", "session_id", "agent_id", "tool_use_id", "audit_id"] {
        check.text(name);
    }
    for name in ["complianceTags", "compliance_tags", "tags"] {
        check.texts(name);
    }
    for name in ["metadata"] {
        if arguments.get(name).is_some_and(|value| !value.is_object()) {
            check.wrong(&format!("`{name}` is {}, it must be an object", kind_of(&arguments[name])));
        }
    }
    check.done()?;
    Ok(arguments)
}

/// Checks the arguments of `log_decision`; returns the record that they are, or what is wrong with them.
pub fn decision(mut arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<String>> {
    let mut check = Check { tool: "log_decision", arguments: &arguments, problems: Vec::new() };
    check.size();
    if arguments.get("decision").is_none_or(|decision| decision.is_null() || decision.as_str() == Some("")) {
        check.wrong("`decision` is missing: say what was decided");
    }
    if let Some(confidence) = arguments.get("confidence") {
        let fits = confidence.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)) || confidence.is_string();
        if !fits {
            check.wrong(&format!("`confidence` is {confidence}, it must be a number from 0 to 1, or a word"));
        }
    }
    for name in ["factors_considered", "alternative_options"] {
        if arguments.get(name).is_some_and(|value| !value.is_array() && !value.is_object()) {
            check.wrong(&format!("`{name}` is {}, it must be a list", kind_of(&arguments[name])));
        }
    }
    check.time("timestamp");
    for name in ["sessionId", "session_id", "agent_id", "userId", "user_id"] {
        check.text(name);
    }
    check.done()?;
    arguments.insert("event_type".to_owned(), json!("workflow.ai_decision"));
    Ok(arguments)
}

struct Check<'a> {
    tool: &'static str,
    arguments: &'a Map<String, Value>,
    problems: Vec<String>,
}

impl Check<'_> {
    fn wrong(&mut self, what: &str) {
        self.problems.push(what.to_owned());
    }

    fn size(&mut self) {
        let bytes = Value::Object(self.arguments.clone()).to_string().len();
        if bytes > EVENT_BYTES_MAX {
            self.wrong(&format!("it has {bytes} bytes, at most {EVENT_BYTES_MAX} are taken"));
        }
    }

    fn text(&mut self, name: &str) {
        if let Some(value) = self.arguments.get(name).filter(|value| !value.is_string()) {
            self.wrong(&format!("`{name}` is {}, it must be a text", kind_of(value)));
        }
    }

    fn word(&mut self, name: &str) {
        let Some(value) = self.arguments.get(name) else { return };
        let fits = |word: &str| {
            !word.is_empty() && word.len() <= WORD_BYTES_MAX && word.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
        };
        match value.as_str() {
            Some(word) if fits(word) => {}
            Some(_) => self.wrong(&format!("`{name}` must be one word of at most {WORD_BYTES_MAX} printable characters")),
            None => self.wrong(&format!("`{name}` is {}, it must be a word", kind_of(value))),
        }
    }

    fn one_of(&mut self, name: &str, words: &[&str]) {
        let Some(value) = self.arguments.get(name) else { return };
        if !value.as_str().is_some_and(|word| words.contains(&word)) {
            self.wrong(&format!("`{name}` is {value}, it must be one of {}", words.join(", ")));
        }
    }

    fn time(&mut self, name: &str) {
        let Some(value) = self.arguments.get(name) else { return };
        if value.as_str().is_none_or(|text| text.parse::<Timestamp>().is_err()) {
            self.wrong(&format!("`{name}` is {value}, it must be a time as in RFC 3339: 2026-03-01T09:30:00Z"));
        }
    }

    fn texts(&mut self, name: &str) {
        let Some(value) = self.arguments.get(name) else { return };
        let fits = value.as_array().is_some_and(|items| items.len() <= TAGS_MAX && items.iter().all(Value::is_string));
        if !fits {
            self.wrong(&format!("`{name}` must be a list of at most {TAGS_MAX} texts"));
        }
    }

    fn done(self) -> Result<(), Vec<String>> {
        if self.problems.is_empty() {
            return Ok(());
        }
        let mut problems = self.problems;
        problems[0] = format!("{} does not take this: {}", self.tool, problems[0]);
        Err(problems)
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
