//! What one side asks of the other, and what it tells without asking.

use sealtrail_event::{Category, Outcome, Phase, Severity, SlotName};
use serde_json::{Map, Value, json};

use super::watch::{Kind, Open, Seen, Watch, hash_of};
use super::{Now, Way};
use crate::draft::{Draft, token, word};
use crate::hook::disclose;
use crate::parse::ParseError;
use crate::{raw, redacted, tools};

/// The member in which the client says which call of the model this is.
const TOOL_USE_ID: &str = "claudecode/toolUseId";

/// 64 names of notifications that this version does not know are told of; the others are counted.
const ODD_NOTIFICATIONS_MAX: u64 = 64;

/// 256 bytes of a method's name are kept; the protocol's own have at most 40.
const METHOD_BYTES_MAX: usize = 256;

/// What a server may say has changed.
const LISTS: [&str; 4] = ["tools", "prompts", "resources", "skills"];

/// Notifications that are counted and nothing else: signs of life, and progress of what is told of anyway.
const COUNTED: &[&str] = &[
    "notifications/initialized",
    "notifications/progress",
    "notifications/message",
    "notifications/resources/updated",
    "notifications/roots/list_changed",
    "notifications/tasks/status",
];

impl Kind {
    /// Tells whether it asks the server to do something or to give something away: then it is told of before it goes on, and its end before the answer.
    pub(super) fn is_call(self) -> bool {
        matches!(self, Self::Call | Self::Access)
    }

    pub(super) fn of(method: &str, way: Way) -> Self {
        match (method, way) {
            ("tools/call", Way::ToServer) => Self::Call,
            ("resources/read" | "prompts/get", Way::ToServer) => Self::Access,
            ("initialize" | "server/discover", Way::ToServer) => Self::Hello,
            ("tools/list", Way::ToServer) => Self::Tools,
            ("prompts/list", Way::ToServer) => Self::Prompts,
            ("sampling/createMessage", Way::ToClient) => Self::Sampling,
            ("elicitation/create", Way::ToClient) => Self::Elicitation,
            ("ping", _) => Self::Ping,
            _ => Self::Other,
        }
    }
}

impl Watch {
    /// Takes a request: tells of it where it asks for something, and remembers it until its answer.
    pub(super) fn request(
        &mut self,
        way: Way,
        scope: u64,
        (id, method, params): (&Value, String, Map<String, Value>),
        now: &mut Now<'_>,
        seen: &mut Seen,
    ) {
        let kind = Kind::of(&method, way);
        let first_page = !params.contains_key("cursor");
        let (params, rules) = redacted::members(&self.redactor, params);
        let params = params.into_inner();
        let call = params.get("_meta").and_then(|meta| meta.get(TOOL_USE_ID)).and_then(Value::as_str).and_then(token);
        let named = ["name", "uri", "ref"].iter().find_map(|name| params.get(*name)).and_then(Value::as_str);
        let target = named.map(str::to_owned);
        let method = redacted::text(&self.redactor, &method[..method.floor_char_boundary(METHOD_BYTES_MAX)]).0.into_inner();
        let tool = target.as_deref().filter(|_| kind == Kind::Call).and_then(|name| token(&self.link.tool(name)));
        let mut open =
            Open { way, scope, id: hash_of(id), kind, method, target, tool, call, first_page, asked: None, since_ns: now.unix_ns };
        if let Some(mut draft) = self.asked(&open, params, now) {
            disclose(&mut draft, &rules);
            seen.hold |= kind.is_call();
            open.asked = Some(seen.tell(draft));
        }
        self.opened(open, now, seen);
    }

    /// Makes the event of a request that asks for something.
    pub(super) fn asked(&self, open: &Open, mut params: Map<String, Value>, now: &mut Now<'_>) -> Option<Draft> {
        let kind = match open.kind {
            Kind::Call | Kind::Access => "tool.requested",
            Kind::Sampling => "mcp.sampling_requested",
            Kind::Elicitation => "mcp.elicitation_requested",
            Kind::Hello | Kind::Tools | Kind::Prompts | Kind::Ping | Kind::Other => return None,
        };
        let mut draft = self.link.draft(kind, now);
        self.name(&mut draft, open);
        draft.envelope.phase = Some(Phase::Intent);
        match open.kind {
            Kind::Call => {
                draft.envelope.category = Some(Category::ToolInvocation);
                draft.envelope.action_type = Some(word("mcp.tool_call"));
                let input = params.shift_remove("arguments").unwrap_or_else(|| json!({}));
                draft.put(SlotName::Input, "tool_input", input);
            }
            Kind::Access => {
                draft.envelope.category = Some(Category::ToolInvocation);
                draft.envelope.action_type = Some(word(accessed(&open.method)));
                if let Some(input) = params.shift_remove("arguments") {
                    draft.put(SlotName::Input, "tool_input", input);
                }
            }
            Kind::Sampling => draft.put(SlotName::Prompt, "prompt", Value::Object(std::mem::take(&mut params))),
            _ => draft.put(SlotName::Content, "elicitation", Value::Object(std::mem::take(&mut params))),
        }
        if !params.is_empty() {
            draft.put_in(SlotName::Content, "mcp", "params", Value::Object(params));
        }
        Some(draft)
    }

    /// Says which call, tool, resource or prompt an event is about.
    pub(super) fn name(&self, draft: &mut Draft, open: &Open) {
        draft.envelope.tool_name = open.tool.clone();
        draft.envelope.tool_use_id = open.call.clone();
        draft.envelope.parent_audit_id = open.asked.clone();
        draft.put_in(SlotName::Content, "mcp", "method", open.method.as_str().into());
        draft.put_in(SlotName::Content, "mcp", "transport", self.link.transport.as_str().into());
        let Some(target) = open.target.as_deref() else { return };
        match open.kind {
            Kind::Call => {
                let name = open.tool.as_ref().map_or(target, |tool| tool.as_str()).to_owned();
                tools::describe(draft, "call", "mcp_tool", Some(&name));
                draft.put_in(SlotName::Content, "mcp", "tool", target.into());
            }
            Kind::Access if open.method == "resources/read" => tools::describe(draft, "read", "url", Some(target)),
            Kind::Access => tools::describe(draft, "read", "mcp_prompt", Some(target)),
            _ => {}
        }
    }

    /// Takes a notification.
    pub(super) fn notification(
        &mut self,
        way: Way,
        (method, params): (&str, Map<String, Value>),
        first: bool,
        now: &mut Now<'_>,
        seen: &mut Seen,
    ) {
        let what =
            method.strip_prefix("notifications/").and_then(|rest| rest.strip_suffix("/list_changed")).filter(|what| *what != "roots");
        let odd = self.counts.get("odd_notifications").copied().unwrap_or(0);
        let mut draft = match (method, what) {
            ("notifications/cancelled", _) => self.cancelled(way, &params, now),
            (_, Some(what)) => {
                let mut draft = self.link.draft("mcp.list_changed", now);
                draft.envelope.reason = LISTS.iter().find(|list| **list == what).copied().map(word);
                draft
            }
            _ if COUNTED.contains(&method) || !first || odd >= ODD_NOTIFICATIONS_MAX => return,
            _ => {
                self.count("odd_notifications");
                let mut draft = self.link.draft("mcp.notification", now);
                draft.envelope.severity = Severity::Debug;
                draft
            }
        };
        let (params, rules) = redacted::members(&self.redactor, params);
        let (name, _) = redacted::text(&self.redactor, &method[..method.floor_char_boundary(METHOD_BYTES_MAX)]);
        draft.put_in(SlotName::Content, "mcp", "method", name.into_inner().into());
        draft.put_in(SlotName::Content, "mcp", "params", Value::Object(params.into_inner()));
        disclose(&mut draft, &rules);
        seen.tell(draft);
    }

    /// The asking side does not want the answer any more; the call is still open, and may still end.
    fn cancelled(&self, way: Way, params: &Map<String, Value>, now: &mut Now<'_>) -> Draft {
        let mut draft = self.link.draft("mcp.call_cancelled", now);
        draft.envelope.severity = Severity::Warning;
        let id = params.get("requestId").map(hash_of);
        if let Some(open) = self.open.iter().rfind(|open| Some(open.id) == id && open.way == way) {
            self.name(&mut draft, open);
        }
        draft
    }

    /// Keeps bytes that are no message, or one that readers could understand differently.
    pub(super) fn unparsed(&self, way: Way, bytes: &[u8], error: &ParseError, now: &mut Now<'_>) -> Draft {
        let mut draft = self.link.draft("system.unparsed", now);
        draft.envelope.severity = Severity::Warning;
        draft.envelope.reason = Some(word(error.reason()));
        draft.envelope.source = Some(word(match way {
            Way::ToServer => "client",
            Way::ToClient => "server",
        }));
        raw::keep_bytes(&mut draft, bytes, None, &self.redactor);
        draft
    }

    /// Nobody will learn how a request ended.
    pub(super) fn lost(&self, open: &Open, reason: &'static str, now: &mut Now<'_>, seen: &mut Seen) {
        if let Some(mut draft) = self.outcome(open, now) {
            draft.envelope.outcome = Some(Outcome::Unknown);
            draft.envelope.severity = Severity::Warning;
            draft.envelope.reason = Some(word(reason));
            seen.tell(draft);
        }
    }
}

/// Returns the event of a thing that was read.
pub(super) fn accessed(method: &str) -> &'static str {
    if method == "resources/read" { "mcp.resource_read" } else { "mcp.prompt_read" }
}
