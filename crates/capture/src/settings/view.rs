//! What is kept of a settings file: the members that grant and forbid, and the names of the others. No value of `env`, of hooks or of helpers.

use sealtrail_event::SettingsScope;
use serde_json::{Map, Value, json};

use super::launch;

/// 4,096 rules of one list are told, the rest is counted.
const RULES_MAX: usize = 4096;

/// 64 names of other members are told.
const NAMES_MAX: usize = 64;

/// Members of `permissions`, beside its lists of rules.
const PERMISSIONS: &[&str] =
    &["defaultMode", "additionalDirectories", "disableBypassPermissionsMode", "disableAutoMode", "blockReadsOutsideWorkingDirectories"];

/// Members of `sandbox` that widen or narrow what a command may do; `credentials` and proxies are not among them.
const SANDBOX: &[&str] = &[
    "enabled",
    "autoAllowBashIfSandboxed",
    "excludedCommands",
    "allowUnsandboxedCommands",
    "failIfUnavailable",
    "enableWeakerNestedSandbox",
];
const SANDBOX_NETWORK: &[&str] =
    &["allowedDomains", "deniedDomains", "allowManagedDomainsOnly", "allowUnixSockets", "allowAllUnixSockets", "allowLocalBinding"];
const SANDBOX_FILES: &[&str] = &["disabled", "allowWrite", "denyWrite", "allowRead", "denyRead", "allowManagedReadPathsOnly"];

/// Switches beside `permissions` that decide what may run or who sees it.
const SWITCHES: &[&str] = &[
    "allowManagedPermissionRulesOnly",
    "allowManagedHooksOnly",
    "allowManagedMcpServersOnly",
    "disableAllHooks",
    "disableAutoMode",
    "useAutoModeDuringPlan",
    "skipDangerousModePermissionPrompt",
    "enableAllProjectMcpServers",
    "enabledMcpjsonServers",
    "disabledMcpjsonServers",
];

/// What a file says, not yet redacted.
pub(crate) struct Seen {
    pub(crate) members: Map<String, Value>,
    /// True when a hash of the file would let somebody guess a short secret in it.
    pub(crate) guessable: bool,
    /// The file as JSON, for the redactor to look through; nothing where it cannot be understood.
    pub(crate) whole: Value,
}

/// Reads what is kept of a settings file; nothing for bytes that are no JSON object.
pub(crate) fn of(bytes: &[u8]) -> Option<Seen> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // As the client reads it: of a member that stands twice, the last one counts.
    let whole: Value = serde_json::from_slice(bytes).ok()?;
    let file = whole.as_object()?;
    let mut members = Map::new();
    let permissions = file.get("permissions").and_then(Value::as_object);
    members.insert("permissions".to_owned(), permissions.map_or_else(|| json!({}), permissions_of));
    let sandbox = file.get("sandbox").and_then(Value::as_object).map(sandbox_of).unwrap_or_default();
    insert(&mut members, "sandbox", sandbox);
    insert(&mut members, "switches", kept(file, SWITCHES));
    let hooks = file.get("hooks").and_then(Value::as_object).map(hook_counts).unwrap_or_default();
    insert(&mut members, "hook_counts", hooks);
    let told = |name: &str| matches!(name, "permissions" | "sandbox" | "hooks") || SWITCHES.contains(&name);
    let others: Vec<Value> = file.keys().filter(|name| !told(name)).take(NAMES_MAX).map(|name| name.as_str().into()).collect();
    if !others.is_empty() {
        members.insert("other_members".to_owned(), Value::Array(others));
    }
    let guessable = holds_values(&whole, 0);
    Some(Seen { members, guessable, whole })
}

/// Reads from the client's file of states whether the person trusts `folder`; nothing for bytes that are no JSON object.
pub(crate) fn trust(bytes: &[u8], folder: Option<&str>) -> Option<Map<String, Value>> {
    let file: Value = serde_json::from_slice(bytes).ok()?;
    file.as_object()?;
    let accepted =
        |folder: &str| file.get("projects").and_then(|all| all.get(folder)?.get("hasTrustDialogAccepted")) == Some(&Value::Bool(true));
    let mut at = folder;
    let mut trusted = None;
    while let Some(folder) = at {
        if accepted(folder) {
            trusted = Some(folder);
            break;
        }
        at = folder.rsplit_once('/').map(|(parent, _)| parent).filter(|parent| !parent.is_empty());
    }
    let mut members = Map::new();
    members.insert("trusted".to_owned(), trusted.is_some().into());
    if let Some(parent) = trusted.filter(|trusted| Some(*trusted) != folder) {
        members.insert("trusted_parent".to_owned(), parent.into());
    }
    Some(members)
}

/// Returns the scope's reading of a file.
pub(crate) fn read(scope: SettingsScope, bytes: &[u8], folder: Option<&str>) -> Option<Seen> {
    match scope {
        // The file holds much of the person, and changes all the time: neither its hash nor anything else of it is told.
        SettingsScope::Launch => of(bytes).map(|mut seen| {
            if let Some(flags) = launch::flags_of(&seen.whole) {
                seen.members.shift_remove("other_members");
                seen.members.insert("launch".to_owned(), flags.into());
            }
            seen
        }),
        SettingsScope::Trust => trust(bytes, folder).map(|members| Seen { members, guessable: true, whole: Value::Null }),
        _ => of(bytes),
    }
}

fn permissions_of(from: &Map<String, Value>) -> Value {
    let mut members = Map::new();
    for name in ["allow", "ask", "deny"] {
        let Some(list) = from.get(name).and_then(Value::as_array) else { continue };
        let rules: Vec<Value> = list.iter().filter(|rule| rule.is_string()).take(RULES_MAX).cloned().collect();
        let left_out = list.len() - rules.len();
        members.insert(name.to_owned(), Value::Array(rules));
        if left_out > 0 {
            members.insert(format!("{name}_left_out"), left_out.into());
        }
    }
    members.extend(kept(from, PERMISSIONS));
    Value::Object(members)
}

fn sandbox_of(from: &Map<String, Value>) -> Map<String, Value> {
    let mut members = kept(from, SANDBOX);
    for (name, wanted) in [("network", SANDBOX_NETWORK), ("filesystem", SANDBOX_FILES)] {
        let inner = from.get(name).and_then(Value::as_object).map(|inner| kept(inner, wanted)).unwrap_or_default();
        insert(&mut members, name, inner);
    }
    members
}

/// Counts the handlers of each hook: an agent that takes away the hooks which watch it is seen, and no command of a hook is told.
fn hook_counts(from: &Map<String, Value>) -> Map<String, Value> {
    let handlers = |groups: &Value| -> usize {
        let of_group = |group: &Value| group.get("hooks").and_then(Value::as_array).map_or(0, Vec::len);
        groups.as_array().map_or(0, |groups| groups.iter().map(of_group).sum())
    };
    from.iter().take(NAMES_MAX).map(|(name, groups)| (name.clone(), handlers(groups).into())).collect()
}

/// Returns the wanted members that are flags, numbers, texts, or lists of these.
fn kept(from: &Map<String, Value>, wanted: &[&str]) -> Map<String, Value> {
    let plain = |value: &Value| !value.is_object() && !value.is_array();
    let fits = |value: &Value| plain(value) || value.as_array().is_some_and(|items| items.len() <= RULES_MAX && items.iter().all(plain));
    wanted.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name).filter(|value| fits(value))?.clone()))).collect()
}

fn insert(members: &mut Map<String, Value>, name: &str, inner: Map<String, Value>) {
    if !inner.is_empty() {
        members.insert(name.to_owned(), Value::Object(inner));
    }
}

/// Tells whether a value has members that hold secrets by their nature: environment variables and headers.
fn holds_values(value: &Value, depth: usize) -> bool {
    match value {
        _ if depth > 16 => true,
        Value::Object(members) => members.iter().any(|(name, inner)| {
            let filled = inner.as_object().is_some_and(|inner| !inner.is_empty());
            (filled && matches!(name.as_str(), "env" | "headers")) || holds_values(inner, depth + 1)
        }),
        Value::Array(items) => items.iter().any(|item| holds_values(item, depth + 1)),
        _ => false,
    }
}
