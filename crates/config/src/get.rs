//! One value by its path: `audit.destinations[0].encrypt_at_rest`.

use serde_json::Value;

use crate::load::Loaded;
use crate::near::nearest;

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetError {
    /// The path is no path.
    Malformed {
        /// Byte at which it stops being one.
        at: usize,
    },
    /// There is nothing of that name.
    Unknown {
        /// The first part that is not there.
        part: String,
        /// What is there instead and looks similar.
        near: Option<String>,
    },
}

impl std::fmt::Display for GetError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed { at } => {
                write!(f, "cannot read path: byte {at} does not belong there; write it like audit.destinations[0].name")
            }
            Self::Unknown { part, near: Some(near) } => write!(f, "there is no `{part}`; did you mean `{near}`?"),
            Self::Unknown { part, near: None } => write!(f, "there is no `{part}`"),
        }
    }
}

impl std::error::Error for GetError {}

/// Returns the value at `path`, literal secrets masked. What was not written is there with its default.
pub fn get(loaded: &Loaded, path: &str) -> Result<Value, GetError> {
    let values = loaded.masked();
    let mut value = &values;
    for (at, part) in parts(path)? {
        let next = match part {
            Part::Name(name) => value.get(name),
            Part::Index(index) => value.get(index),
        };
        value = next.ok_or_else(|| {
            let names = value.as_object().into_iter().flat_map(|members| members.keys().map(String::as_str));
            let near = if let Part::Name(name) = part { nearest(name, names) } else { None };
            GetError::Unknown { part: path[..at].to_owned(), near: near.map(str::to_owned) }
        })?;
    }
    Ok(value.clone())
}

#[derive(Clone, Copy)]
enum Part<'a> {
    Name(&'a str),
    Index(usize),
}

/// Splits a path; each part comes with the byte behind it.
fn parts(path: &str) -> Result<Vec<(usize, Part<'_>)>, GetError> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < path.len() {
        let rest = &path[at..];
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']').ok_or(GetError::Malformed { at })?;
            let index = inner[..end].parse().map_err(|_| GetError::Malformed { at: at + 1 })?;
            at += end + 2;
            parts.push((at, Part::Index(index)));
            continue;
        }
        let start = if parts.is_empty() { 0 } else { usize::from(rest.starts_with('.')) };
        if !parts.is_empty() && start == 0 {
            return Err(GetError::Malformed { at });
        }
        let name = &rest[start..];
        let end = name.find(['.', '[']).unwrap_or(name.len());
        if end == 0 {
            return Err(GetError::Malformed { at: at + start });
        }
        at += start + end;
        parts.push((at, Part::Name(&name[..end])));
    }
    Ok(parts)
}
