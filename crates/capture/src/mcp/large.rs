//! Messages that are too large to be held: they pass, and their size, their hash and both their ends are told.

use sealtrail_event::{AuditId, Outcome, Severity, SlotName};
use serde_json::{Map, Value, json};

use super::message::{Glimpse, glimpse};
use super::watch::{Kind, Open, Seen, Watch, hash_of};
use super::{Now, Way};
use crate::draft::{Draft, word};
use crate::hash;
use crate::hook::disclose;
use crate::redact::Redactor;
use crate::redacted;

/// 64 KiB of the beginning are kept.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// 16 KiB: the longest secret that is one token is found whole across a cut.
const BORDER_BYTES: usize = 16 * 1024;

/// A message that is passing.
#[derive(Debug)]
pub(super) struct Large {
    /// The event that told of its beginning.
    begun: AuditId,
}

/// A message that has passed.
#[derive(Clone, Copy, Debug)]
pub struct Whole<'a> {
    /// Its beginning: as much of it as was held.
    pub head: &'a [u8],
    /// Its last bytes, a few kilobytes.
    pub tail: &'a [u8],
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256 of all of it.
    pub sha256: [u8; 32],
}

impl Watch {
    /// A message to the server is too large to be held; `head` is its beginning. What it asks for is told now, before it goes on.
    pub fn large_begins(&mut self, scope: u64, head: &[u8], now: &mut Now<'_>) -> Seen {
        let mut seen = Seen { hold: true, ..Seen::default() };
        let (text, rules) = head_of(&self.redactor, head);
        let glimpse = glimpse(&String::from_utf8_lossy(&head[..head.len().min(HEAD_BYTES_MAX)]), "");
        seen.asked.extend(glimpse.id.clone());
        let open = self.open_of(&glimpse, scope, now);
        let params = json!({"arguments": {"cut": {"head": text}}});
        let params = if let Value::Object(params) = params { params } else { Map::new() };
        let mut draft = match self.asked(&open, params, now) {
            Some(draft) => draft,
            None => self.oversized(Way::ToServer, now),
        };
        disclose(&mut draft, &rules);
        self.large[Way::ToServer as usize] = Some(Large { begun: seen.tell(draft) });
        seen
    }

    /// A message too large to be held has passed.
    pub fn large_ends(&mut self, way: Way, scope: u64, whole: &Whole<'_>, now: &mut Now<'_>) -> Seen {
        let mut seen = Seen::default();
        self.bytes[way as usize] += whole.size_bytes;
        self.count("oversized");
        let begun = self.large[way as usize].take();
        let (head, tail) =
            (String::from_utf8_lossy(&whole.head[..whole.head.len().min(HEAD_BYTES_MAX)]), String::from_utf8_lossy(whole.tail));
        let glimpse = glimpse(&head, &tail);
        let (text, rules) = head_of(&self.redactor, whole.head);
        let mut cut = json!({"size_bytes": whole.size_bytes, "head": text});
        if rules.is_empty() {
            cut["sha256"] = hash::hex(&whole.sha256).into();
        }
        if way == Way::ToServer {
            let mut open = self.open_of(&glimpse, scope, now);
            open.asked = begun.map(|large| large.begun);
            let mut draft = self.oversized(way, now);
            self.name(&mut draft, &open);
            draft.put_in(SlotName::Content, "mcp", "message", without_head(cut));
            seen.tell(draft);
            if glimpse.method.is_some() && glimpse.id.is_some() {
                self.opened(open, now, &mut seen);
            }
            return seen;
        }
        let open = glimpse.id.as_ref().filter(|_| glimpse.method.is_none()).and_then(|id| self.close(way, scope, id));
        seen.hold = open.as_ref().is_some_and(|open| open.kind.is_call());
        let told = open.as_ref().and_then(|open| self.outcome(open, now));
        let mut draft = told.unwrap_or_else(|| self.oversized(way, now));
        draft.envelope.outcome = Some(if glimpse.is_error { Outcome::Failure } else { Outcome::Success });
        draft.result().size_bytes = Some(whole.size_bytes);
        draft.put(SlotName::Output, "tool_response", json!({"cut": cut}));
        disclose(&mut draft, &rules);
        seen.tell(draft);
        seen
    }

    fn oversized(&self, way: Way, now: &mut Now<'_>) -> Draft {
        let mut draft = self.link.draft("mcp.message_oversized", now);
        draft.envelope.severity = Severity::Warning;
        draft.envelope.source = Some(word(match way {
            Way::ToServer => "client",
            Way::ToClient => "server",
        }));
        draft
    }

    fn open_of(&self, glimpse: &Glimpse, scope: u64, now: &Now<'_>) -> Open {
        let method = glimpse.method.clone().unwrap_or_default();
        let kind = Kind::of(&method, Way::ToServer);
        let plain = |text: &String| redacted::text(&self.redactor, text).0.into_inner();
        let target = glimpse.tool.as_ref().map(plain);
        Open {
            way: Way::ToServer,
            scope,
            id: hash_of(&glimpse.id.clone().unwrap_or_default()),
            kind,
            method: plain(&method),
            tool: target.as_deref().filter(|_| kind == Kind::Call).and_then(|name| crate::draft::token(&self.link.tool(name))),
            target,
            call: glimpse.call.as_deref().and_then(crate::draft::token),
            first_page: true,
            asked: None,
            since_ns: now.unix_ns,
        }
    }
}

fn without_head(mut cut: Value) -> Value {
    if let Some(members) = cut.as_object_mut() {
        members.shift_remove("head");
    }
    cut
}

/// Returns the beginning of a message, redacted, and the rules that matched.
fn head_of(redactor: &Redactor, head: &[u8]) -> (String, Vec<String>) {
    let lossy = String::from_utf8_lossy(&head[..head.len().min(HEAD_BYTES_MAX + BORDER_BYTES)]);
    let (text, rules) = redacted::head(redactor, &lossy, HEAD_BYTES_MAX.min(lossy.len()));
    (text.into_inner(), rules)
}
