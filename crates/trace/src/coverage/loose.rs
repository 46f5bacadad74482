//! Events that name no session: a server behind HTTP is told none, only the call. They are joined by the call or the request.

use std::collections::BTreeMap;

use serde_json::Value;

use super::session::Session;
use super::told::Told;

/// 65,536 events of a few hundred bytes each, without content: some 30 MB.
pub const LOOSE_MAX: usize = 65_536;

/// Members that the join and the matrix need; inputs among them, outputs not.
const KEPT: &[&str] = &[
    "audit_id",
    "event_type",
    "timestamp",
    "witness",
    "phase",
    "outcome",
    "policy_result",
    "reason",
    "source",
    "tool_use_id",
    "request_id",
    "tool_name",
    "mcp_server",
    "model",
    "input_tokens",
    "output_tokens",
    "tool_input",
    "redactions",
    "parent_audit_id",
];

/// 4 KiB of an input: a longer one is not compared.
const INPUT_BYTES_MAX: usize = 4 * 1024;

/// Events without a session, until a session has their call or request.
#[derive(Clone, Debug, Default)]
pub struct Loose {
    by_call: BTreeMap<String, Vec<Value>>,
    by_request: BTreeMap<String, Vec<Value>>,
    held: usize,
    /// Events that found no room, or have neither call nor request.
    pub left_out: u64,
}

impl Loose {
    /// Keeps an event that names no session.
    pub fn add(&mut self, view: &Value) {
        let Some(told) = Told::new(view).filter(|told| told.session.is_empty() && told.witness.is_some()) else { return };
        let list = match (told.call, told.request) {
            _ if self.held >= LOOSE_MAX => None,
            ("", "") => None,
            ("", request) => Some(self.by_request.entry(request.to_owned()).or_default()),
            (call, _) => Some(self.by_call.entry(call.to_owned()).or_default()),
        };
        let Some(list) = list else {
            self.left_out += 1;
            return;
        };
        if list.iter().any(|known| known.get("audit_id").and_then(Value::as_str) == Some(told.id)) {
            return;
        }
        list.push(slim(view));
        self.held += 1;
    }

    /// Gives a session the events of its calls and requests.
    pub fn join(&mut self, session: &mut Session) {
        let calls = session.calls.keys().filter_map(|call| self.by_call.remove(call.as_ref()));
        let requests = session.models.keys().filter_map(|request| self.by_request.remove(request.as_ref()));
        let found: Vec<Value> = calls.chain(requests).flatten().collect();
        self.held = self.held.saturating_sub(found.len());
        found.iter().for_each(|view| session.add(view));
    }

    /// Returns how many events no session claimed, and the first of them by id.
    pub(super) fn rest(&self) -> (u64, Option<&str>) {
        let rest = self.by_call.values().chain(self.by_request.values()).flatten();
        let first = rest.filter_map(|view| view.get("audit_id")?.as_str()).min();
        (self.held as u64 + self.left_out, first)
    }
}

fn slim(view: &Value) -> Value {
    let small = |value: &Value| !value.is_object() || value.to_string().len() <= INPUT_BYTES_MAX;
    let kept = KEPT.iter().filter_map(|name| Some((*name, view.get(*name)?))).filter(|(_, value)| small(value));
    Value::Object(kept.map(|(name, value)| (name.to_owned(), value.clone())).collect())
}
