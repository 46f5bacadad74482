//! What the trail says of calls before this start: those without an end get one, and what was told and used is remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrail_capture::gateway::{Call, Caller, Exchange, Form, Request, Scribe, State, What};
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_engine::Home;
use sealtrail_event::{AuditId, Event, Grade, Witness};
use sealtrail_ledger::read::{ReadError, Reader};
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::budget::{Budgets, For, Used};
use crate::call::lost;
use crate::desk::unix_ns;

/// 16,384 events: what happened since the newest of them is known; calls that were open longer ago are found by whoever compares the witnesses.
const EVENTS_BACK: u64 = 16_384;

/// 131,072 events when something is counted: more than a day of most machines.
const EVENTS_BACK_COUNTED: u64 = 131_072;

/// 1,024 calls without an end: as many as can run at once.
const OPEN_MAX: usize = 1_024;

/// What the trail says of calls before this start.
#[derive(Debug, Default)]
pub struct Past {
    open: BTreeMap<String, Value>,
    told: Vec<(&'static str, Option<String>, String)>,
    used: Vec<(Option<String>, String, u64, Used)>,
}

/// Reads the end of the ledger; `counted` says whether budgets need more of it.
pub fn look_back(home: &Home, counted: bool) -> Result<Past, ReadError> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let reader = Reader::open(disk, &home.ledger())?;
    let back = if counted { EVENTS_BACK_COUNTED } else { EVENTS_BACK };
    let mut past = Past::default();
    for stored in reader.iter(Seq(reader.size().0.saturating_sub(back))) {
        past.see(&stored?.view());
    }
    Ok(past)
}

impl Past {
    /// Takes note of one event, in the order of the ledger.
    pub fn see(&mut self, event: &Value) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).map(str::to_owned);
        let (Some(kind), Some(id)) = (text("event_type"), text("audit_id")) else { return };
        if matches!(kind, "model.response" | "gateway.response")
            && let Some(parent) = text("parent_audit_id")
        {
            self.open.remove(parent);
        }
        if text("witness") != Some("gateway") {
            return;
        }
        match (kind, text("phase"), text("tool_use_id")) {
            ("model.request" | "gateway.request", Some("intent"), _) => {
                self.open.insert(id.to_owned(), event.clone());
                while self.open.len() > OPEN_MAX {
                    self.open.pop_first();
                }
            }
            ("model.response", ..) => {
                let unix_ns = AuditId::parse(id).ok().and_then(|id| id.unix_ms()).unwrap_or_default().saturating_mul(1_000_000);
                self.used.push((owned("session_id"), owned("user_id").unwrap_or_default(), unix_ns, used(event)));
            }
            (_, Some("intent"), Some(call)) => self.told.push(("intent", owned("session_id"), call.to_owned())),
            (_, Some("outcome"), Some(call)) => self.told.push(("outcome", owned("session_id"), call.to_owned())),
            _ => {}
        }
    }

    /// Gives the calls without an end their end, and hands on the rest.
    pub(crate) fn settle(self, scribe: &Scribe, state: &mut State, budgets: &mut Budgets) -> Vec<Event> {
        for (kind, session, call) in &self.told {
            state.told.first(kind, session.as_deref(), call);
        }
        if budgets.any() {
            for (session, person, unix_ns, used) in &self.used {
                // Crossings were told when they happened.
                budgets.use_up(For { session: session.as_deref(), person, unix_ns: *unix_ns }, *used);
            }
        }
        let now = unix_ns();
        let (ending, answer) = lost();
        let mut events = Vec::new();
        for (id, view) in &self.open {
            let Some(exchange) = exchange(id, view) else { continue };
            for mut event in scribe.answered(&exchange, &ending, &answer, now, state, &mut crate::desk::new_id) {
                (event.envelope.witness, event.envelope.grade) = (Witness::Recorder, Grade::Derived);
                event.envelope.duration_ms = None;
                events.push(event);
            }
        }
        events
    }
}

fn used(event: &Value) -> Used {
    let count = |name: &str| event.get("usage").and_then(|usage| usage.get(name)).and_then(Value::as_u64).unwrap_or_default();
    let names = ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"];
    let tokens = names.iter().map(|name| count(name)).fold(0, u64::saturating_add);
    Used { tokens, usd: event.get("cost_usd").and_then(Value::as_f64).unwrap_or_default() }
}

/// Makes of a stored event the call that it began.
fn exchange(id: &str, view: &Value) -> Option<Exchange> {
    let text = |name: &str| view.get(name).and_then(Value::as_str).map(str::to_owned);
    let model = view.get("event_type").and_then(Value::as_str) == Some("model.request");
    let form = match view.get("source").and_then(Value::as_str) {
        Some("bedrock") => Form::Bedrock,
        Some("vertex") => Form::Vertex,
        _ => Form::Anthropic,
    };
    Some(Exchange {
        id: AuditId::parse(id).ok()?,
        call: Call { form, what: if model { What::Message } else { What::Other }, model: text("model") },
        caller: Caller {
            session_id: text("session_id"),
            agent_id: text("agent_id"),
            parent_agent_id: text("parent_agent_id"),
            user_agent: text("user_agent"),
            user: text("user_id"),
            credential: text("credential"),
            source_ip: text("source_ip"),
        },
        request: Request::default(),
        prompt_hash: None,
        body_bytes: None,
    })
}
