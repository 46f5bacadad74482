//! Text in; configuration, origins and problems out.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::audit::Config;
use crate::check;
use crate::problem::{Level, Problem};
use crate::tree::{self, Kind, Node, Place};
use crate::walk::{Walk, resolve};

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody wrote it.
    Default,
    /// Somebody wrote it here.
    File {
        /// The file, as it was given.
        file: String,
        /// Line, from 1.
        line: u64,
        /// Column, from 1.
        column: u64,
    },
}

/// A configuration that can be used.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values, defaults filled in.
    pub config: Config,
    /// The values as JSON, defaults filled in; what [`crate::get()`] looks at. It holds literal secrets: show [`Loaded::shown`] instead.
    pub values: Value,
    /// What the author should know although it can be used.
    pub notices: Vec<Problem>,
    origins: BTreeMap<String, Origin>,
    secrets: Vec<String>,
}

impl Loaded {
    /// Returns where the value at `path` comes from; a part of a written value has the origin of the whole.
    pub fn origin(&self, path: &str) -> Origin {
        let mut path = path;
        loop {
            if let Some(origin) = self.origins.get(path) {
                return origin.clone();
            }
            match path.rfind(['.', '[']) {
                Some(at) => path = &path[..at],
                None => return Origin::Default,
            }
        }
    }

    /// Returns every single value with its path, ready to be shown: a literal secret is masked, a reference stays one.
    pub fn shown(&self) -> Vec<(String, Value, Origin)> {
        let mut out = Vec::new();
        leaves(&self.values, String::new(), &mut |path, value| {
            let value = if self.is_secret(path) { mask(value) } else { value.clone() };
            out.push((path.to_owned(), value, self.leaf_origin(path)));
        });
        out
    }

    /// Returns all values as JSON with literal secrets masked.
    pub fn masked(&self) -> Value {
        let mut values = self.values.clone();
        for path in &self.secrets {
            let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
            if let Some(value) = values.pointer_mut(&pointer) {
                *value = mask(value);
            }
        }
        values
    }

    fn is_secret(&self, path: &str) -> bool {
        self.secrets.iter().any(|secret| secret == path)
    }

    /// Only a leaf that was written has an origin of its own: siblings of written keys are defaults.
    fn leaf_origin(&self, path: &str) -> Origin {
        self.origins.get(path).cloned().unwrap_or(Origin::Default)
    }
}

/// Reads a configuration. Without any text, everything is at its default.
///
/// Every problem of the text is reported at once, in the order of the lines; the notices of a usable one are in [`Loaded::notices`].
pub fn load(source: Option<(&str, &str)>) -> Result<Loaded, Vec<Problem>> {
    let schema = schema();
    let (file, text) = source.unwrap_or(("default", ""));
    let mut walk = Walk { file, schema: &schema, problems: Vec::new() };
    let root = match tree::parse(text) {
        Ok(root) => lift(&mut walk, root),
        Err((message, place)) => {
            walk.error(place, "", format!("cannot read YAML: {message}"), None);
            return Err(walk.problems);
        }
    };
    walk.visit(&root, &schema, "");
    check::meaning(&mut walk, &root);
    let config = match serde_json::from_value::<Config>(drop_nothing(root.to_json())) {
        Ok(config) => Some(config),
        Err(error) if walk.problems.iter().all(|problem| problem.level < Level::Error) => {
            // The schema let something through that the types do not take.
            walk.error(root.place, "", format!("cannot use the file: {error}"), None);
            None
        }
        Err(_) => None,
    };
    walk.problems.sort_by_key(|problem| (problem.line, problem.column));
    match config {
        Some(config) if walk.problems.iter().all(|problem| problem.level < Level::Error) => {
            let values = serde_json::to_value(&config).unwrap_or_default();
            let (mut origins, mut secrets) = (BTreeMap::new(), Vec::new());
            collect(file, &root, &schema, &schema, String::new(), &mut origins, &mut secrets);
            Ok(Loaded { config, values, notices: walk.problems, origins, secrets })
        }
        _ => Err(walk.problems),
    }
}

/// Returns the JSON Schema of `audit.yaml`.
pub fn schema() -> Value {
    schemars::schema_for!(Config).to_value()
}

/// `retention` and `rotation` may also stand at the top, `compliance` also under `audit`.
fn lift(walk: &mut Walk<'_>, mut root: Node) -> Node {
    for (name, from, to) in [("retention", "", "audit"), ("rotation", "", "audit"), ("compliance", "audit", "")] {
        let Some(member) = take(&mut root, from, name) else { continue };
        if to.is_empty() && root.member(name).is_some()
            || !to.is_empty() && root.member(to).is_some_and(|inner| inner.2.member(name).is_some())
        {
            let hint = if to.is_empty() { format!("keep `{name}` at the top") } else { format!("keep `{to}.{name}`") };
            walk.error(member.1, name, format!("`{name}` stands twice"), Some(hint));
            continue;
        }
        put(&mut root, to, member);
    }
    root
}

type Member = (String, Place, Node);

fn members_of<'a>(root: &'a mut Node, path: &str) -> Option<&'a mut Vec<Member>> {
    let Kind::Object(members) = &mut root.value else { return None };
    if path.is_empty() {
        return Some(members);
    }
    match &mut members.iter_mut().find(|member| member.0 == path)?.2.value {
        Kind::Object(inner) => Some(inner),
        _ => None,
    }
}

fn take(root: &mut Node, path: &str, name: &str) -> Option<Member> {
    let members = members_of(root, path)?;
    let at = members.iter().position(|member| member.0 == name)?;
    Some(members.remove(at))
}

fn put(root: &mut Node, path: &str, member: Member) {
    if members_of(root, path).is_none()
        && let Some(members) = members_of(root, "")
    {
        members.retain(|old| old.0 != path);
        members.push((path.to_owned(), member.1, Node { place: member.1, value: Kind::Object(Vec::new()) }));
    }
    if let Some(members) = members_of(root, path) {
        members.push(member);
    }
}

/// A key with nothing behind it is as if it were not there.
fn drop_nothing(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name, drop_nothing(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(drop_nothing).collect(),
        other => other,
    }
}

fn collect(
    file: &str,
    node: &Node,
    schema: &Value,
    root: &Value,
    path: String,
    origins: &mut BTreeMap<String, Origin>,
    secrets: &mut Vec<String>,
) {
    if schema["x-secret"] == true {
        secrets.push(path.clone());
    }
    let (schema, _) = resolve(root, schema);
    for (name, _, member) in node.members() {
        let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        let inner = schema["properties"].get(name).unwrap_or(&schema["additionalProperties"]);
        collect(file, member, inner, root, below, origins, secrets);
    }
    for (n, item) in node.items().iter().enumerate() {
        collect(file, item, &schema["items"], root, format!("{path}[{n}]"), origins, secrets);
    }
    origins.insert(path, Origin::File { file: file.to_owned(), line: node.place.line, column: node.place.column });
}

fn leaves(value: &Value, path: String, each: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                leaves(member, if path.is_empty() { name.clone() } else { format!("{path}.{name}") }, each);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (n, item) in items.iter().enumerate() {
                leaves(item, format!("{path}[{n}]"), each);
            }
        }
        leaf => each(&path, leaf),
    }
}

fn mask(value: &Value) -> Value {
    match value.as_str() {
        Some(text) if check::is_reference(text) => value.clone(),
        _ => "***".into(),
    }
}
