//! Hooks that are installed twice: the client starts each of them, and the trail has every event twice.

use serde_json::Value;

use super::{Check, State};
use crate::field::text;
use crate::settings;

/// 3 calls: one or two may be a retry of a delivery whose answer was lost.
const TOLD_TWICE_MIN: usize = 3;

/// Looks for a second way in which the client starts our hook, and for calls that were told twice; nothing when there is neither.
pub(super) fn check(recent: Option<&[Value]>) -> Option<Check> {
    let ways = ways();
    let twice = recent.unwrap_or_default().iter().filter(|event| is_told_again(event)).count();
    if ways.len() < 2 && twice < TOLD_TWICE_MIN {
        return None;
    }
    let found = match ways.len() {
        0 | 1 => "hooks tell calls twice: something starts our hook a second time".to_owned(),
        _ => format!("hooks are installed more than once: {}", ways.join("; ")),
    };
    let check = Check::new("doubles", State::Warning, found)
        .more("the client starts each that is not the very same handler: a call still counts once, other events are in the trail twice");
    let check = if twice > 0 { check.more(format!("calls told twice, among the newest events: {twice}")) } else { check };
    Some(check.fix("keep one: sealtrail uninstall takes the hooks out of settings, /plugin disable sealtrail the plug-in's"))
}

/// The settings that start our hook, and those that switch the plug-in on, which brings it too.
fn ways() -> Vec<String> {
    let mut hooks = Vec::new();
    let mut plugins = Vec::new();
    let mut seen = Vec::new();
    for place in settings::every() {
        // In the home folder the project's file is the user's.
        if seen.contains(&place.path) {
            continue;
        }
        seen.push(place.path.clone());
        let Ok(text) = place.read() else { continue };
        if settings::installed(&text).is_ok_and(|found| !found.is_empty()) {
            hooks.push(format!("{} settings", place.name));
        }
        if has_plugin(&text) {
            plugins.push(place.name.to_owned());
        }
    }
    // A plug-in that several files switch on is loaded once.
    hooks.extend((!plugins.is_empty()).then(|| format!("the plug-in, which the {} settings switch on", plugins.join(" and the "))));
    hooks
}

fn has_plugin(settings: &str) -> bool {
    let settings: Value = serde_json::from_str(settings).unwrap_or_default();
    let plugins = settings.get("enabledPlugins").and_then(Value::as_object);
    let is_ours = |name: &str| name.split('@').next() == Some("sealtrail");
    plugins.is_some_and(|plugins| plugins.iter().any(|(name, on)| is_ours(name) && *on != Value::Bool(false)))
}

/// Tells whether a hook told a call that another delivery had told.
fn is_told_again(event: &Value) -> bool {
    text(event, "hook_event_name") == "PreToolUse" && text(event, "reason") == "repeated"
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Protects the warning from other plug-ins and from one that is switched off.
    #[test]
    fn only_our_plugin_counts() {
        for (plugins, ours) in [
            (json!({"sealtrail@sealtrail": true, "x@y": true}), true),
            (json!({"sealtrail@inner": false}), false),
            (json!({"other@sealtrail": true}), false),
            (json!([]), false),
        ] {
            assert_eq!(has_plugin(&json!({"enabledPlugins": plugins}).to_string()), ours, "{plugins}");
        }
        assert!(!has_plugin("no json"));
    }
}
