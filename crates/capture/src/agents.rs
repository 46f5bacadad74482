//! Who started which agent: user -> main agent -> subagent -> its subagent.

use sealtrail_event::{SlotName, Token};
use serde_json::{Map, Value, json};

use crate::draft::{Draft, token};
use crate::hook::Work;
use crate::intake::SideKind;
use crate::sessions::{Session, Sessions};
use crate::{parse, redacted};

/// 16: the client allows a depth of a few; the bound ends a chain that was made to run in circles.
const CHAIN_MAX: usize = 16;

/// Adds the parent of the acting agent, where it is known.
pub(crate) fn name_parent(draft: &mut Draft, sessions: &Sessions) {
    let Some(agent) = &draft.envelope.agent_id else { return };
    let known = sessions.session(draft.envelope.session_id.as_ref()).and_then(|session| session.agents.get(agent));
    draft.envelope.parent_agent_id = known.and_then(|agent| agent.parent.clone());
}

/// A call of an agent that no start could explain: with several Agent calls open, only the client's description tells whose it is.
///
/// Gives an event of its own, so that replaying the trail knows it too.
pub(crate) fn meet(draft: &mut Draft, work: &mut Work<'_>) -> Option<Draft> {
    if draft.envelope.event_type.as_str() != "tool.requested" {
        return None;
    }
    let agent = draft.envelope.agent_id.clone()?;
    let session = work.sessions.session(draft.envelope.session_id.as_ref());
    if session.is_some_and(|session| session.agents.contains_key(&agent)) {
        return None;
    }
    let mut met = work.derived("agent.subagent_spawned", draft);
    let meta = meta(&mut met, work);
    let origin = from_meta(meta.as_ref(), session)?;
    draft.envelope.parent_agent_id = origin.parent.clone();
    met.envelope.subagent_id = Some(agent.clone());
    met.envelope.category = Some(sealtrail_event::Category::SessionLifecycle);
    met.resource().kind = token("agent");
    tell(&mut met, &agent, origin, meta, session);
    Some(met)
}

/// SubagentStart and SubagentStop: says which agent it is, who started it, and how that is known.
pub(crate) fn subagent(draft: &mut Draft, work: &Work<'_>) -> Vec<Draft> {
    let Some(agent) = draft.envelope.agent_id.clone() else { return Vec::new() };
    draft.envelope.subagent_id = Some(agent.clone());
    draft.resource().kind = token("agent");
    let starts = draft.envelope.event_type.as_str() == "agent.subagent_spawned";
    let meta = meta(draft, work);
    let session = work.sessions.session(draft.envelope.session_id.as_ref());
    let origin = from_meta(meta.as_ref(), session).or_else(|| from_state(&agent, starts, session)).unwrap_or_default();
    tell(draft, &agent, origin, meta, session);
    Vec::new()
}

/// Writes down who started an agent, how that is known, and the chain from the user down to it.
fn tell(draft: &mut Draft, agent: &Token, origin: Origin, meta: Option<Map<String, Value>>, session: Option<&Session>) {
    draft.envelope.parent_agent_id = origin.parent.clone();
    draft.envelope.parent_audit_id = origin
        .call
        .as_ref()
        .and_then(|call| session?.call(call))
        .and_then(|call| call.requested.clone())
        .or(draft.envelope.parent_audit_id.take());
    let mut delegation = json!({"how": origin.how});
    if let Some(call) = &origin.call {
        delegation["tool_use_id"] = call.as_str().into();
    }
    if let Some(depth) = meta.as_ref().and_then(|meta| meta.get("spawnDepth")) {
        delegation["depth"] = depth.clone();
    }
    draft.put(SlotName::Content, "delegation", delegation);
    if origin.how != "unknown" {
        let chain = chain(draft, agent, origin.parent.as_ref(), session);
        draft.put(SlotName::Identity, "delegation_chain", chain);
    }
    if let Some(meta) = meta {
        draft.put(SlotName::Content, "subagent_meta", Value::Object(meta));
    }
}

struct Origin {
    how: &'static str,
    parent: Option<Token>,
    call: Option<Token>,
}

impl Default for Origin {
    fn default() -> Self {
        Self { how: "unknown", parent: None, call: None }
    }
}

/// Reads the client's own description, if the engine found it.
fn meta(draft: &mut Draft, work: &Work<'_>) -> Option<Map<String, Value>> {
    let side = work.intake.side.iter().find(|side| side.path.ends_with(".meta.json"))?;
    match parse::strict(&side.bytes) {
        Ok(parsed) => {
            let (members, rules) = redacted::members(&work.sessions.redactor, parsed.members);
            draft.envelope.redactions = match draft.envelope.redactions.unwrap_or(0) + u32::try_from(rules.len()).unwrap_or(u32::MAX) {
                0 => None,
                count => Some(count),
            };
            Some(members.into_inner())
        }
        Err(error) => {
            let notice = json!({"kind": kind_name(SideKind::SubagentMeta), "path": side.path, "size_bytes": side.size_bytes, "refused": error.reason()});
            draft.put(SlotName::Content, "side_file", notice);
            None
        }
    }
}

/// Returns the name of a kind of side file in events.
pub(crate) fn kind_name(kind: SideKind) -> &'static str {
    match kind {
        SideKind::SubagentMeta => "subagent_meta",
        SideKind::ToolOutput => "tool_output",
    }
}

/// The client says who started the agent: by its id, or by the call, whose agent is known.
fn from_meta(meta: Option<&Map<String, Value>>, session: Option<&Session>) -> Option<Origin> {
    let meta = meta?;
    let word = |name: &str| meta.get(name).and_then(Value::as_str).and_then(token);
    let (parent, call) = (word("parentAgentId"), word("toolUseId"));
    if parent.is_none() && call.is_none() {
        return None;
    }
    let caller = call.as_ref().and_then(|call| session?.call(call)).and_then(|call| call.agent.clone());
    Some(Origin { how: "meta", parent: parent.or(caller), call })
}

/// Without the client's description: what earlier events told, or the only call that can have started it.
///
/// An end is never joined to an open call: the client's own agents (compaction) end without having started.
fn from_state(agent: &Token, starts: bool, session: Option<&Session>) -> Option<Origin> {
    let session = session?;
    if let Some(known) = session.agents.get(agent) {
        return Some(Origin { how: "earlier_event", parent: known.parent.clone(), call: known.call.clone() });
    }
    if !starts {
        return None;
    }
    let taken = |id: &Option<Token>| session.agents.values().any(|agent| agent.call == *id);
    let mut candidates = session
        .open()
        .filter(|call| call.action.as_ref().is_some_and(|action| action.as_str() == "agent.subagent_spawned") && !taken(&call.id));
    match (candidates.next(), candidates.next()) {
        (Some(only), None) => Some(Origin { how: "only_open_call", parent: only.agent.clone(), call: only.id.clone() }),
        _ => None,
    }
}

/// Returns the chain from the user down to `agent`; the main agent goes by the session's id.
fn chain(draft: &Draft, agent: &Token, parent: Option<&Token>, session: Option<&Session>) -> Value {
    let mut up = vec![format!("agent:{agent}")];
    let mut next = parent;
    while let Some(agent) = next.filter(|_| up.len() < CHAIN_MAX) {
        up.push(format!("agent:{agent}"));
        next = session.and_then(|session| session.agents.get(agent)).and_then(|agent| agent.parent.as_ref());
    }
    if let Some(session) = &draft.envelope.session_id {
        up.push(format!("session:{session}"));
    }
    if let Some(user) = draft.member(SlotName::Identity, "user_id").and_then(Value::as_str) {
        up.push(format!("user:{user}"));
    }
    up.reverse();
    up.into()
}
