//! One hook of the client becomes events.

use sealtrail_event::{AuditId, Event, SlotName, domain_of};
use serde_json::{Map, Value};

use crate::draft::{Draft, token, word};
use crate::intake::Intake;
use crate::measure::measure;
use crate::sessions::Sessions;
use crate::{agents, batch, calls, canary, close, outcome, parse, place, provenance, raw, redacted, settings, step, table};

/// What one hook became: the event of the hook itself first, under the id of the delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// Redacted events, in order; never empty.
    pub events: Vec<Event>,
}

/// What every module needs that adds events to the first one.
pub(crate) struct Work<'a> {
    pub(crate) intake: &'a Intake,
    pub(crate) sessions: &'a Sessions,
    pub(crate) ids: &'a mut dyn FnMut() -> AuditId,
    /// True when redaction replaced something in this hook: then no hash of its content is told, because a hash
    /// would let a short secret be guessed.
    pub(crate) replaced: bool,
}

impl Work<'_> {
    /// Starts another event that was concluded from `first`.
    pub(crate) fn derived(&mut self, event_type: &str, first: &Draft) -> Draft {
        let mut draft = Draft::of_intake(self.intake, (self.ids)(), event_type);
        let (new, old) = (&mut draft.envelope, &first.envelope);
        new.grade = sealtrail_event::Grade::Derived;
        new.session_id = old.session_id.clone();
        new.prompt_id = old.prompt_id.clone();
        new.agent_id = old.agent_id.clone();
        new.parent_agent_id = old.parent_agent_id.clone();
        new.agent_type = old.agent_type.clone();
        new.hook_event_name = old.hook_event_name.clone();
        new.permission_mode = old.permission_mode.clone();
        new.parent_audit_id = Some(old.audit_id.clone());
        if let Some(cwd) = first.member(SlotName::Resource, "cwd") {
            draft.put(SlotName::Resource, "cwd", cwd.clone());
        }
        draft
    }
}

/// Turns the bytes that the client gave one of its hooks into redacted events, and takes them into account in `sessions`.
///
/// Every byte ends up in some event: bytes that are not one unambiguous JSON object become `system.unparsed`. `ids` makes the ids
/// of all events but the first, whose id is `intake.delivery`. If the events cannot be sealed, `sessions` knows more than the trail:
/// make it anew with [`Sessions::replay`].
pub fn hook(bytes: &[u8], intake: &Intake, sessions: &mut Sessions, ids: &mut dyn FnMut() -> AuditId) -> Captured {
    let drafts = match parse::strict(bytes) {
        Ok(parsed) => {
            let mut drafts = drafts_of(parsed.members, intake, sessions, ids);
            if let (1.., Some(first)) = (parsed.numbers_as_text, drafts.first_mut()) {
                first.put(SlotName::Content, "numbers_as_text", parsed.numbers_as_text.into());
            }
            drafts
        }
        Err(error) => vec![raw::unparsed(bytes, &error, intake, &sessions.redactor)],
    };
    Captured { events: settle(drafts, intake.received_unix_ns, sessions, ids) }
}

/// Applies the events to the state and ends their making; what the state had to forget becomes an event too.
pub(crate) fn settle(drafts: Vec<Draft>, unix_ns: u64, sessions: &mut Sessions, ids: &mut dyn FnMut() -> AuditId) -> Vec<Event> {
    let mut lost = Vec::new();
    let mut events = Vec::with_capacity(drafts.len());
    for draft in drafts {
        if let Some(step) = step::of(&draft) {
            lost.extend(sessions.apply(step));
        }
        events.push(draft.finish());
    }
    for lost in lost {
        events.push(close::unknown(&lost.session, &lost.who, &lost.call, step::EVICTED, unix_ns, ids()).finish());
    }
    events
}

fn drafts_of(members: Map<String, Value>, intake: &Intake, sessions: &Sessions, ids: &mut dyn FnMut() -> AuditId) -> Vec<Draft> {
    let measures = measure(&members);
    let (members, rules) = redacted::members(&sessions.redactor, members);
    let name = members.get().get("hook_event_name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fields: Vec<String> = members.get().keys().cloned().collect();
    let row = table::row_of(&name);

    let mut draft = Draft::of_intake(intake, intake.delivery.clone(), row.map_or(table::UNKNOWN_HOOK, |row| row.event_type));
    if let Some(row) = row {
        draft.envelope.category = row.category;
        draft.envelope.severity = row.severity;
        draft.envelope.phase = row.phase;
    }
    place::place(members, !rules.is_empty(), &mut draft);
    disclose(&mut draft, &rules);
    let mut work = Work { intake, sessions, ids, replaced: !rules.is_empty() };
    agents::name_parent(&mut draft, sessions);
    let met = agents::meet(&mut draft, &mut work);
    place::name_resource(&mut draft);
    let mut more = match name.as_str() {
        "SessionStart" => close::session_start(&mut draft, &mut work),
        "PreToolUse" => calls::requested(&mut draft, &work),
        "PermissionRequest" => calls::asked(&mut draft, &work),
        "PermissionDenied" => calls::denied(&mut draft, &work),
        "PostToolUse" | "PostToolUseFailure" => outcome::ended(&mut draft, measures, &mut work),
        "PostToolBatch" => batch::batch(&mut draft, &mut work),
        "SubagentStart" | "SubagentStop" => agents::subagent(&mut draft, &work),
        "StopFailure" => {
            draft.envelope.reason = draft.member(SlotName::Content, "error").and_then(Value::as_str).and_then(token);
            Vec::new()
        }
        "SessionEnd" => close::session_end(&mut draft, &mut work),
        _ => Vec::new(),
    };
    more.extend(met);
    if let Some(change) = canary::change(&draft, row, &fields, &mut work) {
        more.push(change);
    }
    more.extend(settings::tell(&mut draft, &mut work));
    more.extend(provenance::tell(&mut draft, &mut work));
    more.insert(0, draft);
    more
}

/// Says which rules replaced how much.
pub(crate) fn disclose(draft: &mut Draft, rules: &[String]) {
    if rules.is_empty() {
        return;
    }
    draft.envelope.redactions = Some(u32::try_from(rules.len()).unwrap_or(u32::MAX));
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    for rule in rules {
        *counts.entry(rule).or_default() += 1;
    }
    let counts: Map<String, Value> = counts.into_iter().map(|(rule, count)| (rule.to_owned(), count.into())).collect();
    draft.put(SlotName::Content, "redacted", Value::Object(counts));
}

/// Gives `draft` the type that the tool call has.
pub(crate) fn set_type(draft: &mut Draft, event_type: &'static str) {
    draft.envelope.event_type = word(event_type);
    draft.envelope.domain = domain_of(event_type);
}
