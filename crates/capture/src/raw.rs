//! Bytes that are kept beside, or instead of, what could be understood.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealtrail_event::{Severity, SlotName};
use serde_json::{Value, json};

use crate::draft::{Draft, token, word};
use crate::hash;
use crate::hook::{Work, disclose};
use crate::intake::{Intake, SideKind};
use crate::parse::ParseError;
use crate::redact::Redactor;
use crate::redacted::Redacted;
use crate::{agents, redacted};

/// 1 MiB: as JSON text with every byte escaped (6x) and again as base64 (1.4x) it stays under the 8 MiB of a slot.
pub const RAW_BYTES_MAX: usize = 1024 * 1024;

/// 16 KiB: the longest secret that is one token (a token with many claims) is found whole across a cut.
const BORDER_BYTES: usize = 16 * 1024;

/// Makes the event of bytes that are not one unambiguous JSON object.
///
/// Session and hook are read leniently, by the look of the text: enough to find the event again, never enough to pair it.
pub(crate) fn unparsed(bytes: &[u8], error: &ParseError, intake: &Intake, redactor: &Redactor) -> Draft {
    let mut draft = Draft::of_intake(intake, intake.delivery.clone(), "system.unparsed");
    draft.envelope.severity = Severity::Warning;
    draft.envelope.reason = Some(word(error.reason()));
    let (text, _) = redacted::text(redactor, &error.to_string());
    draft.put(SlotName::Content, "unparsed", json!({"error": text.into_inner()}));
    let text = keep_bytes(&mut draft, bytes, intake.input_bytes, redactor);
    draft.envelope.session_id = glimpse(text.get(), "session_id").and_then(token);
    draft.envelope.hook_event_name = glimpse(text.get(), "hook_event_name").and_then(token);
    draft
}

/// Puts the first [`RAW_BYTES_MAX`] bytes into the raw slot, with the size and, where it gives nothing away, the hash of all that arrived;
/// returns them as text.
pub(crate) fn keep_bytes(draft: &mut Draft, bytes: &[u8], input_bytes: Option<u64>, redactor: &Redactor) -> Redacted<String> {
    let head = &bytes[..bytes.len().min(RAW_BYTES_MAX)];
    // A secret across the cut shows only together with what follows it.
    let lossy = String::from_utf8_lossy(&bytes[..bytes.len().min(RAW_BYTES_MAX + BORDER_BYTES)]);
    let kept = String::from_utf8_lossy(head).len();
    let (text, rules) = redacted::head(redactor, &lossy, kept);
    draft.put_in(SlotName::Raw, "raw", "text", text.get().as_str().into());
    let size = input_bytes.unwrap_or(0).max(bytes.len() as u64);
    draft.put_in(SlotName::Raw, "raw", "size_bytes", size.into());
    if size > bytes.len() as u64 {
        draft.put_in(SlotName::Raw, "raw", "arrived_bytes", bytes.len().into());
    }
    if draft.envelope.redactions.is_none() {
        disclose(draft, &rules);
    }
    if draft.envelope.redactions.is_some() {
        return text;
    }
    draft.put_in(SlotName::Raw, "raw", "sha256", hash::hex(&hash::sha256(bytes)).into());
    if std::str::from_utf8(bytes).is_err() {
        draft.put_in(SlotName::Raw, "raw", "base64", STANDARD.encode(head).into());
    }
    text
}

/// Adds the whole output of a command, which the client left in a file.
pub(crate) fn side_output(draft: &mut Draft, work: &Work<'_>) {
    let Some(path) = draft
        .member(SlotName::Output, "tool_response")
        .and_then(|response| response.get("persistedOutputPath"))
        .and_then(Value::as_str)
        .map(str::to_owned)
    else {
        return;
    };
    let Some(side) = work.intake.side.iter().find(|side| side.path == path) else {
        let notice = json!({"kind": agents::kind_name(SideKind::ToolOutput), "path": path, "refused": "not_read"});
        draft.put(SlotName::Content, "side_file", notice);
        return;
    };
    let lossy = String::from_utf8_lossy(&side.bytes);
    let is_cut = (side.bytes.len() as u64) < side.size_bytes;
    // The end of a file that was not read whole may be the beginning of a secret.
    let kept = if is_cut { lossy.len().saturating_sub(BORDER_BYTES) } else { lossy.len() };
    let (text, rules) = redacted::head(&work.sessions.redactor, &lossy, kept);
    let mut output = json!({"text": text.into_inner(), "size_bytes": side.size_bytes});
    if is_cut {
        output["read_bytes"] = side.bytes.len().into();
    }
    if rules.is_empty() && !work.replaced {
        output["sha256"] = hash::hex(&hash::sha256(&side.bytes)).into();
    }
    disclose_more(draft, &rules);
    draft.put(SlotName::Output, "tool_output", output);
    draft.result().size_bytes = Some(side.size_bytes);
}

/// Adds to what the event says of replaced secrets.
fn disclose_more(draft: &mut Draft, rules: &[String]) {
    for rule in rules {
        let told = draft.member(SlotName::Content, "redacted").and_then(|told| told.get(rule)).and_then(Value::as_u64).unwrap_or(0);
        draft.put_in(SlotName::Content, "redacted", rule, (told + 1).into());
        draft.envelope.redactions = Some(draft.envelope.redactions.unwrap_or(0).saturating_add(1));
    }
}

/// Returns the text that seems to be the value of `name`, in a text that may be no JSON at all.
fn glimpse<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let quoted = format!("\"{name}\"");
    let rest = text.split_once(&quoted)?.1.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    Some(rest.split_once('"')?.0)
}
