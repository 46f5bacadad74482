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

/// The kind under which results of batches are remembered.
pub(crate) const BATCHED: &str = "batched";

/// What the trail says of calls before this start.
#[derive(Debug, Default)]
pub struct Past {
    /// The newest time of an event.
    last_ms: u64,
    open: BTreeMap<String, Value>,
    told: Vec<(&'static str, Option<String>, String)>,
    used: Vec<(Option<String>, String, u64, Used)>,
    batches: Vec<(String, AuditId)>,
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
        let batch = |name: &str| event.get("batch").and_then(|batch| batch.get(name)).and_then(Value::as_str);
        // A result of a batch ends a request of the batch, not the call that its parent tells of.
        let result = batch("id").zip(batch("custom_id"));
        let parent = text("parent_audit_id").filter(|_| matches!(kind, "model.response" | "gateway.response"));
        if let Some(parent) = parent.filter(|_| result.is_none()) {
            self.open.remove(parent);
        }
        if text("witness") != Some("gateway") {
            return;
        }
        if let Some((batch, name)) = result {
            self.told.push((BATCHED, Some(batch.to_owned()), name.to_owned()));
        }
        if let (Some(id), Some(Ok(parent)), true) = (batch("id"), parent.map(AuditId::parse), event["batch"]["made"] == true) {
            self.batches.push((id.to_owned(), parent));
        }
        match (kind, text("phase"), text("tool_use_id")) {
            ("model.request" | "gateway.request", Some("intent"), _) => {
                self.open.insert(id.to_owned(), event.clone());
                while self.open.len() > OPEN_MAX {
                    self.open.pop_first();
                }
            }
            ("model.response", ..) => {
                let own = AuditId::parse(id).ok().and_then(|id| id.unix_ms());
                // Results of batches have ids without a time; they lie about where the events around them do.
                self.last_ms = own.unwrap_or(self.last_ms);
                let unix_ns = self.last_ms.saturating_mul(1_000_000);
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
        for (batch, request) in self.batches {
            state.batches.made(&batch, request);
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
        call: Call { form, what: if model { What::Message } else { What::Other }, model: text("model"), batch: None },
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
