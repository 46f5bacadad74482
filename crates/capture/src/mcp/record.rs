//! What an agent hands in itself, by calling a tool: its word, redacted, joined to the call by which it came.

use std::collections::BTreeMap;

use sealtrail_event::{AuditId, Event, EventError, FromContext, Grade, SlotName, Witness};
use serde_json::{Map, Value};

use super::Link;
use crate::draft::{Draft, time_token, token};
use crate::hook::disclose;
use crate::redact::Redactor;
use crate::redacted;

/// Who hands something in, and how.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The connection it came by.
    pub link: &'a Link,
    /// The call of the model that it came in.
    pub tool_use_id: Option<&'a str>,
    /// When, nanoseconds since 1970.
    pub received_unix_ns: u64,
}

/// Makes the event of a record in any shape; `id` is taken when it names none of its own.
///
/// What the record says of session, person and time stays as it says; what it does not say is added from the connection.
pub fn record(members: Map<String, Value>, id: AuditId, sender: &Sender<'_>, redactor: &Redactor) -> Result<Event, EventError> {
    let (members, rules) = redacted::members(redactor, members);
    let recorded_at = time_token(sender.received_unix_ns);
    let context = FromContext { audit_id_if_missing: id.clone(), recorded_at, witness: Witness::Mcp, grade: Grade::Asserted };
    let mut event = Event::from_json(&Value::Object(members.into_inner()), &context)?;
    let envelope = &mut event.envelope;
    if envelope.audit_id.as_str().contains("[redacted:") {
        envelope.audit_id = id;
    }
    envelope.session_id = envelope.session_id.take().or_else(|| sender.link.session_id.as_deref().and_then(token));
    envelope.client_version = envelope.client_version.take().or_else(|| sender.link.client_version.as_deref().and_then(token));
    // The call it came in is known, whatever the record says.
    envelope.tool_use_id = sender.tool_use_id.and_then(token).or(envelope.tool_use_id.take());
    // A phase is what this witness saw of a call; a record only says so.
    let claimed = envelope.phase.take();
    let mut draft = Draft { envelope: event.envelope.clone(), slots: BTreeMap::new() };
    if let Some(phase) = claimed {
        draft.put(SlotName::Content, "claimed_phase", phase.as_str().into());
    }
    let says_who = event.to_json().get("user_id").is_some();
    let link = sender.link;
    let user = link.user.clone().unwrap_or_else(|| format!("uid:{}", link.uid));
    draft.put(SlotName::Identity, "os_user", user.as_str().into());
    draft.put(SlotName::Identity, "uid", link.uid.into());
    if !says_who {
        draft.put(SlotName::Identity, "user_id", user.into());
    }
    if let Some(host) = &link.host {
        draft.put(SlotName::Identity, "host", host.as_str().into());
    }
    disclose(&mut draft, &rules);
    event.envelope.redactions = draft.envelope.redactions;
    for (slot, members) in draft.slots {
        event.put(slot, members);
    }
    Ok(event)
}
