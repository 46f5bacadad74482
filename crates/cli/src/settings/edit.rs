//! Edits of settings text that leave every byte alone that is not ours.

use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstNode, CstObject, CstRootNode};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::handler::{EVENTS, Handler, input, is_ours};

/// The outcome of an edit.
pub(crate) struct Edit {
    /// The new text; the same as the old one when nothing had to change.
    pub(crate) text: String,
    /// How many handlers were added, changed or removed.
    pub(crate) changed: usize,
}

/// Puts `handler` into every event, once; handlers of ours that differ are replaced.
pub(crate) fn install(text: &str, handler: &Handler) -> Result<Edit, Failure> {
    let old = if text.trim().is_empty() { "{}\n" } else { text };
    let (root, top) = parse(old)?;
    let hooks = match top.get("hooks") {
        None => top.object_value_or_set("hooks"),
        Some(_) => top.object_value("hooks").ok_or_else(|| wrong("`hooks` is not an object"))?,
    };
    let mut changed = 0;
    for event in EVENTS {
        let wanted = handler.json(event);
        let groups = match hooks.get(event) {
            None => hooks.array_value_or_set(event),
            Some(_) => hooks.array_value(event).ok_or_else(|| wrong(&format!("`hooks.{event}` is not an array")))?,
        };
        let ours = our_handlers(&groups);
        if ours.len() == 1 && ours[0].to_serde_value().as_ref() == Some(&wanted) {
            continue;
        }
        changed += 1;
        remove_handlers(&groups);
        groups.append(input(&json!({"hooks": [wanted]})));
    }
    if changed == 0 {
        return Ok(Edit { text: text.to_owned(), changed });
    }
    checked(old, root.to_string(), changed)
}

/// Takes our handlers out, and with them the groups, events and the `hooks` member that held nothing else.
pub(crate) fn uninstall(text: &str) -> Result<Edit, Failure> {
    if text.trim().is_empty() {
        return Ok(Edit { text: text.to_owned(), changed: 0 });
    }
    let (root, top) = parse(text)?;
    let Some(hooks) = top.object_value("hooks") else { return Ok(Edit { text: text.to_owned(), changed: 0 }) };
    let mut changed = 0;
    for property in hooks.properties() {
        let Some(groups) = property.array_value() else { continue };
        let removed = remove_handlers(&groups);
        changed += removed;
        if removed > 0 && groups.elements().is_empty() {
            property.remove();
        }
    }
    if changed > 0
        && hooks.properties().is_empty()
        && let Some(property) = top.get("hooks")
    {
        property.remove();
    }
    let new = if changed == 0 { text.to_owned() } else { root.to_string() };
    checked(text, new, changed)
}

/// Returns the events in which our handler stands, with the handler.
pub(crate) fn installed(text: &str) -> Result<Vec<(String, Value)>, Failure> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let (_, top) = parse(text)?;
    let Some(hooks) = top.object_value("hooks") else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for property in hooks.properties() {
        let Some(groups) = property.array_value() else { continue };
        let name = property.name().and_then(|name| name.decoded_value().ok()).unwrap_or_default();
        found.extend(our_handlers(&groups).iter().filter_map(|node| Some((name.clone(), node.to_serde_value()?))));
    }
    Ok(found)
}

fn parse(text: &str) -> Result<(CstRootNode, CstObject), Failure> {
    let options = ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
    };
    let root = CstRootNode::parse(text, &options).map_err(|error| wrong(&error.to_string()))?;
    let top = root.object_value().ok_or_else(|| wrong("it is not one JSON object"))?;
    Ok((root, top))
}

fn wrong(why: &str) -> Failure {
    Failure::new("settings.unreadable", Exit::Config, "cannot understand the settings file").cause(why)
}

/// Returns our handlers in the groups of one event.
fn our_handlers(groups: &CstArray) -> Vec<CstNode> {
    let mut found = Vec::new();
    for group in groups.elements() {
        let Some(handlers) = group.as_object().and_then(|group| group.array_value("hooks")) else { continue };
        found.extend(handlers.elements().into_iter().filter(|node| node.to_serde_value().as_ref().is_some_and(is_ours)));
    }
    found
}

/// Removes our handlers from the groups of one event, and the groups that held nothing else.
fn remove_handlers(groups: &CstArray) -> usize {
    let mut removed = 0;
    for group in groups.elements() {
        let Some(handlers) = group.as_object().and_then(|group| group.array_value("hooks")) else { continue };
        let before = handlers.elements().len();
        for node in handlers.elements() {
            if node.to_serde_value().as_ref().is_some_and(is_ours) {
                node.remove();
            }
        }
        let left = handlers.elements().len();
        removed += before - left;
        if before > left && left == 0 {
            group.remove();
        }
    }
    removed
}

/// Both ends hold: what is not ours means the same before and after, or nothing is changed at all.
fn checked(old: &str, new: String, changed: usize) -> Result<Edit, Failure> {
    if others(old)? != others(&new)? {
        return Err(wrong("editing it would change something that is not ours; it was left alone")
            .hint("add the hooks by hand: sealtrail init --settings new.json shows them"));
    }
    Ok(Edit { text: new, changed })
}

/// Returns the settings without our handlers and without what is empty once they are gone.
fn others(text: &str) -> Result<Value, Failure> {
    let (root, _) = parse(text)?;
    let mut value = root.to_serde_value().unwrap_or_default();
    let Some(hooks) = value.get_mut("hooks").and_then(Value::as_object_mut) else { return Ok(value) };
    for groups in hooks.values_mut() {
        let Some(groups) = groups.as_array_mut() else { continue };
        for group in groups.iter_mut() {
            if let Some(handlers) = group.get_mut("hooks").and_then(Value::as_array_mut) {
                handlers.retain(|handler| !is_ours(handler));
            }
        }
        groups.retain(|group| group.get("hooks").and_then(Value::as_array).is_none_or(|handlers| !handlers.is_empty()));
    }
    hooks.retain(|_, groups| groups.as_array().is_none_or(|groups| !groups.is_empty()));
    if hooks.is_empty()
        && let Some(top) = value.as_object_mut()
    {
        top.remove("hooks");
    }
    Ok(value)
}
