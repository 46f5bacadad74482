//! The left-hand side of a predicate: a path into an event, and how its values are found.

use std::fmt;

use sealtrail_event::{FIELDS, Kind, Place, known};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::QueryError;
use crate::key::KeyValue;
use crate::lex::{KEYWORDS, is_word};
use crate::operand::write_quoted;

/// 64: as deep as a record may be.
const STEPS_MAX: usize = 64;

/// A dotted path, in the words of the user; lists on the way are gone through, `[2]` takes one item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct FieldPath {
    written: Written,
    kind: Option<Kind>,
    status: bool,
    /// Whether the record's own word counts: not where only the recorder speaks.
    sent: bool,
    /// The canonical path, then the path as written where it is another one.
    paths: Vec<Path>,
}

/// How a field was written: in quotes it is taken as it stands, without aliases and without suggestions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    field: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    quoted: bool,
}

/// A path taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    text: String,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The name at these bytes of the text.
    Name(usize, usize),
    /// An item of a list.
    Item(usize),
}

impl FieldPath {
    /// Parses a field as a user wrote it; a name that looks like a slip of the pen is an error with the near name.
    pub fn parse(field: &str) -> Result<Self, QueryError> {
        Self::new(Written { field: field.to_owned(), quoted: false }, 0)
    }

    pub(crate) fn written(field: &str, quoted: bool, at: usize) -> Result<Self, QueryError> {
        Self::new(Written { field: field.to_owned(), quoted }, at)
    }

    fn new(written: Written, at: usize) -> Result<Self, QueryError> {
        if !written.quoted && means_something(&written.field) {
            let message = format!("`{}` is no field name", written.field);
            return Err(QueryError::new(at, message).hint("put a name of your own in quotes"));
        }
        let as_written = Path::parse(&written.field, written.quoted, at)?;
        let name = as_written.text.clone();
        let field = if written.quoted { None } else { known(&name) };
        if field.is_none()
            && !written.quoted
            && let Some(near) = near(&name)
        {
            let message = format!("no field `{name}`");
            return Err(QueryError::new(at, message).hint(format!("write {near}, or \"{name}\" in quotes for a field of your own")));
        }
        let mut paths = vec![as_written];
        let whole = paths[0].steps.iter().all(|step| matches!(step, Step::Name(..)));
        if let Some(field) = field.filter(|field| whole && field.path != name) {
            paths.insert(0, Path::parse(field.path, true, at)?);
        }
        let status = matches!(name.rsplit('.').next(), Some("status" | "outcome"));
        let head = name.split('.').next().and_then(known);
        let sent = head.is_none_or(|field| field.place != Place::Recorder && name != "event_type");
        Ok(Self { written, kind: field.map(|field| field.kind), status, sent, paths })
    }

    /// Returns the canonical path.
    pub fn canonical(&self) -> &str {
        &self.paths[0].text
    }

    /// Returns the name of a column that holds the values: the canonical path, or the path as written where items of lists are chosen.
    pub fn column(&self) -> String {
        if self.has_items() { self.written.field.clone() } else { self.canonical().to_owned() }
    }

    /// Whether one item of a list is chosen on the way: `workflow_steps[0]`.
    pub fn has_items(&self) -> bool {
        self.paths[0].steps.iter().any(|step| matches!(step, Step::Item(_)))
    }

    /// Returns the dotted paths under which the values stand, the canonical one first; chosen items of lists are left out.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| path.text.as_str())
    }

    /// Whether a value that the record sent under this name (`as_sent`) counts, too.
    pub fn looks_at_sent(&self) -> bool {
        self.sent
    }

    /// Returns what the values may be, for a known field.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether the values are status words, to be compared by what they mean.
    pub fn is_status(&self) -> bool {
        self.status
    }

    /// Returns the scalars of the field in `event`, in their order: those of the first of its names that has any.
    pub fn values(&self, event: &Value) -> Vec<KeyValue> {
        let mut found = Vec::new();
        let sent = event.get("as_sent").filter(|_| self.sent);
        for (path, event) in self.paths.iter().map(|path| (path, event)).chain(self.paths.last().zip(sent)) {
            let _goes_through_all = path.any(event, 0, &mut |value| {
                found.extend(KeyValue::of(value).filter(|key| *key != KeyValue::Null));
                false
            });
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// Returns what stands in the field, whole: null when nothing does, a list when it stands there more than once.
    pub fn found(&self, event: &Value) -> Value {
        let mut found = Vec::new();
        let sent = event.get("as_sent").filter(|_| self.sent);
        for (path, event) in self.paths.iter().map(|path| (path, event)).chain(self.paths.last().zip(sent)) {
            let _goes_through_all = path.walk(event, 0, &mut |value| {
                found.push(value.clone());
                false
            });
            if found.iter().any(|value| !value.is_null()) {
                break;
            }
        }
        if found.len() > 1 { Value::Array(found) } else { found.pop().unwrap_or(Value::Null) }
    }

    /// Whether any value of the field in `event` passes `test`; a list passes when an item does.
    pub(crate) fn any(&self, event: &Value, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        if self.paths.iter().any(|path| path.any(event, 0, test)) {
            return true;
        }
        let as_sent = event.get("as_sent").filter(|_| self.sent);
        as_sent.is_some_and(|sent| self.paths.last().is_some_and(|path| path.any(sent, 0, test)))
    }
}

impl Path {
    fn parse(field: &str, quoted: bool, at: usize) -> Result<Self, QueryError> {
        let mut text = String::new();
        let mut steps = Vec::new();
        for part in field.split('.') {
            let (name, items) = if quoted { (part, "") } else { part.split_at(part.find('[').unwrap_or(part.len())) };
            if !quoted && (name.is_empty() || !name.chars().all(is_word)) {
                return Err(QueryError::new(at, format!("`{field}` is no field name")).hint("put a name of your own in quotes"));
            }
            if !steps.is_empty() {
                text.push('.');
            }
            steps.push(Step::Name(text.len(), text.len() + name.len()));
            text.push_str(name);
            for item in items.split_inclusive(']') {
                let inner = item.strip_prefix('[').and_then(|item| item.strip_suffix(']'));
                match inner {
                    Some("" | "*") => {}
                    Some(index) if index.len() <= 7 && index.bytes().all(|b| b.is_ascii_digit()) => {
                        steps.push(Step::Item(index.parse().unwrap_or(usize::MAX)));
                    }
                    _ => return Err(QueryError::new(at, format!("field `{field}`: write [0], [1], … or [] after a list"))),
                }
            }
        }
        if steps.len() > STEPS_MAX {
            return Err(QueryError::new(at, format!("a field has at most {STEPS_MAX} steps, this one has {}", steps.len())));
        }
        Ok(Self { text, steps })
    }

    /// Whether any value at the path, or item of a list there, passes `test`.
    fn any(&self, value: &Value, from: usize, test: &mut dyn FnMut(&Value) -> bool) -> bool {
        self.walk(value, from, &mut |value| leaves(value, test))
    }

    /// Goes on from step `from` at `value` until `end` says that it is enough. A name may stand for several steps (`"http.status": 200` is `http.status`).
    fn walk(&self, value: &Value, from: usize, end: &mut dyn FnMut(&Value) -> bool) -> bool {
        let Some(step) = self.steps.get(from) else { return end(value) };
        match (value, *step) {
            (Value::Array(items), Step::Item(index)) => items.get(index).is_some_and(|item| self.walk(item, from + 1, end)),
            (Value::Array(items), Step::Name(..)) => items.iter().any(|item| self.walk(item, from, end)),
            (Value::Object(members), Step::Name(start, _)) => (from..self.steps.len()).any(|last| {
                let Step::Name(_, end_of_name) = self.steps[last] else { return false };
                let joined = self.steps[from..last].iter().all(|step| matches!(step, Step::Name(..)));
                joined && members.get(&self.text[start..end_of_name]).is_some_and(|inner| self.walk(inner, last + 1, end))
            }),
            _ => false,
        }
    }
}

/// Whether a bare word means something else where a condition begins.
fn means_something(word: &str) -> bool {
    word.starts_with(['!', '|']) || word.starts_with("&&") || KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Tests a value, or the items of a list.
fn leaves(value: &Value, test: &mut dyn FnMut(&Value) -> bool) -> bool {
    test(value) || value.as_array().is_some_and(|items| items.iter().any(|item| leaves(item, test)))
}

/// Returns the nearest known names, when `name` looks like a slip of the pen for one.
fn near(name: &str) -> Option<String> {
    let below_known =
        name.match_indices('.').any(|(at, _)| known(&name[..at]).is_some_and(|field| matches!(field.kind, Kind::Any | Kind::List)));
    if below_known || name.len() < 4 || name.len() > 64 {
        return None;
    }
    let far = if name.len() < 6 { 1 } else { 2 };
    let names = FIELDS.iter().flat_map(|field| field.aliases.iter().chain([&field.path]));
    let mut found: Vec<(usize, &str)> = names.map(|known| (distance(name, known), *known)).filter(|(steps, _)| *steps <= far).collect();
    found.sort_unstable();
    let best = found.first()?.0;
    let best: Vec<String> = found.iter().take_while(|(steps, _)| *steps == best).take(3).map(|(_, name)| format!("`{name}`")).collect();
    Some(best.join(" or "))
}

/// Returns how many letters must be changed, added, removed or swapped to make `a` of `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.written.quoted { write_quoted(f, &self.written.field, true) } else { f.write_str(&self.written.field) }
    }
}

impl TryFrom<Written> for FieldPath {
    type Error = QueryError;
    fn try_from(written: Written) -> Result<Self, QueryError> {
        Self::new(written, 0)
    }
}

impl From<FieldPath> for Written {
    fn from(path: FieldPath) -> Self {
        path.written
    }
}
