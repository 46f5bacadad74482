//! One record becomes one event.

use std::collections::HashMap;
use std::sync::Arc;
use std::vec::IntoIter;

use aws_lc_rs::hmac;
use sealtrail_event::{AuditId, Event, Grade, Outcome, Severity, SlotName, Witness};
use serde_json::{Map, Value, json};

use super::attributes::Attributes;
use super::client;
use super::decode::{Export, Group};
use super::place::{ATTRIBUTES, OTEL, keep, keep_head, name_person};
use super::plain::whole;
use super::sequence::Heard;
use super::{Signal, unparsed};
use crate::draft::{Draft, time_token, token};
use crate::hash::{self, Hash};
use crate::hook::disclose;
use crate::redact::Redactor;
use crate::redacted;

/// 1,024 attributes of one record; exporters stop at 128 by default.
pub const ATTRIBUTES_MAX: usize = 1_024;

/// 100 bytes of a name become part of an event type; the whole name is in `otel.name`.
const TYPE_BYTES_MAX: usize = 100;

/// What stands beside the bytes of a request.
#[derive(Clone)]
pub struct Arrival {
    /// When they came, in nanoseconds since 1970.
    pub recorded_unix_ns: u64,
    /// Replaces secrets.
    pub redactor: Arc<Redactor>,
    /// The secret key under which ids follow from records; the same for the life of a trail.
    pub id_key: [u8; 32],
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq)]
pub struct Made {
    /// The event.
    pub event: Event,
    /// Which number of which process it has, if it says so.
    pub heard: Option<Heard>,
    /// Why it was not understood: then the event keeps it as text.
    pub refused: Option<String>,
}

/// Makes the events of one request, some at a time.
pub struct Making {
    signal: Signal,
    arrival: Arrival,
    groups: IntoIter<Group>,
    current: Option<(Head, IntoIter<Map<String, Value>>)>,
    /// How often the same record came in this request.
    times: HashMap<Hash, u32>,
}

/// What stands above the records of a group, redacted.
pub(super) struct Head {
    pub(super) members: Map<String, Value>,
    rules: Vec<String>,
    print: Hash,
}

impl Export {
    /// Begins to make its events.
    pub fn events(self, arrival: Arrival) -> Making {
        Making { signal: self.signal, arrival, groups: self.groups.into_iter(), current: None, times: HashMap::new() }
    }
}

impl Iterator for Making {
    type Item = Made;

    fn next(&mut self) -> Option<Made> {
        loop {
            if let Some((head, records)) = &mut self.current
                && let Some(record) = records.next()
            {
                return Some(make(self.signal, head, record, &self.arrival, &mut self.times));
            }
            let group = self.groups.next()?;
            self.current = Some((Head::new(group.head, &self.arrival.redactor), group.records.into_iter()));
        }
    }
}

impl Head {
    fn new(members: Map<String, Value>, redactor: &Redactor) -> Self {
        let (members, rules) = redacted::members(redactor, members);
        let members = Value::Object(members.into_inner());
        let print = hash::of_value(&members);
        Self { members: if let Value::Object(members) = members { members } else { Map::new() }, rules, print }
    }

    /// Returns an attribute of the resource that is a text.
    pub(super) fn resource(&self, key: &str) -> Option<&str> {
        self.members.get("resource")?.get(ATTRIBUTES)?.get(key)?.as_str()
    }

    pub(super) fn scope(&self) -> &str {
        self.members.get("scope").and_then(|scope| scope.get("name")).and_then(Value::as_str).unwrap_or_default()
    }

    fn metric(&self) -> Option<&str> {
        self.members.get("metric")?.get("name")?.as_str()
    }
}

fn make(signal: Signal, head: &Head, mut record: Map<String, Value>, arrival: &Arrival, times: &mut HashMap<Hash, u32>) -> Made {
    let unix_ns = time_of(&record).unwrap_or(arrival.recorded_unix_ns);
    let count = record.get(ATTRIBUTES).and_then(Value::as_object).map_or(0, Map::len);
    if count > ATTRIBUTES_MAX {
        let why = format!("a record has {count} attributes, at most {ATTRIBUTES_MAX} are taken");
        let text = Value::Object(record).to_string();
        return Made { event: unparsed::record(text.as_bytes(), &why, unix_ns, arrival), heard: None, refused: Some(why) };
    }
    client::open_texts(head, &mut record);
    let (record, mut rules) = redacted::members(&arrival.redactor, record);
    rules.extend(head.rules.iter().cloned());
    let mut record = record.into_inner();
    client::close_texts(&mut record);
    let record = Value::Object(record);
    let print = hash::of_value(&record);
    let id = id_of(&arrival.id_key, unix_ns, &head.print, &print, times);
    let mut record = if let Value::Object(record) = record { record } else { Map::new() };
    let mut attributes = match record.shift_remove(ATTRIBUTES) {
        Some(Value::Object(attributes)) => Attributes(attributes),
        _ => Attributes(Map::new()),
    };
    let heard = heard(&attributes, head, unix_ns);
    let name = name_of(signal, head, &record, &attributes);
    if signal == Signal::Logs && name.as_deref() == attributes.text("event.name") {
        attributes.take("event.name");
    }
    let mut draft = Draft::at(unix_ns, id, &type_of(signal, name.as_deref()), Witness::Otel);
    draft.envelope.grade = Grade::Asserted;
    draft.envelope.recorded_at = Some(time_token(arrival.recorded_unix_ns));
    disclose(&mut draft, &rules);
    draft.put_in(SlotName::Content, OTEL, "signal", signal.record().into());
    if let Some(name) = &name {
        draft.put_in(SlotName::Content, OTEL, "name", name.as_str().into());
    }
    attributes.fill(&mut draft.envelope);
    name_person(&mut attributes, &mut draft);
    if let (None, Some(host)) = (draft.member(SlotName::Identity, "host"), head.resource("host.name")) {
        draft.put(SlotName::Identity, "host", host.into());
    }
    if client::is_client(head) {
        client::describe(signal, name.as_deref().unwrap_or_default(), head, &mut attributes, &mut record, &mut draft);
    } else {
        draft.envelope.application_id = head.resource("service.name").and_then(token);
    }
    judge(signal, &record, &attributes, &mut draft);
    keep(attributes, &mut draft);
    keep_head(&head.members, &mut draft);
    for (member, value) in record {
        keep_member(signal, &member, value, &mut draft);
    }
    Made { event: draft.finish(), heard, refused: None }
}

/// Returns when it happened: a span when it began.
fn time_of(record: &Map<String, Value>) -> Option<u64> {
    let time = |name: &str| record.get(name).and_then(Value::as_u64).filter(|time| *time > 0);
    // A data point has both times, and stands for the later one; a span has no `timeUnixNano`.
    time("timeUnixNano").or_else(|| time("startTimeUnixNano")).or_else(|| time("observedTimeUnixNano"))
}

/// Returns the id that follows from what the record says. Two records that say the same in one request are two events.
///
/// It is made under a key: ids stand in envelopes for ever, and without the key they would let anybody test a guess of what was erased.
fn id_of(key: &[u8; 32], unix_ns: u64, head: &Hash, print: &Hash, times: &mut HashMap<Hash, u32>) -> AuditId {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    context.update(b"sealtrail/otel\0");
    context.update(head);
    context.update(print);
    context.update(&unix_ns.to_be_bytes());
    let mut same = [0; 32];
    same.copy_from_slice(context.clone().sign().as_ref());
    let times = times.entry(same).or_default();
    context.update(&times.to_be_bytes());
    *times += 1;
    let mut entropy = [0; 10];
    entropy.copy_from_slice(&context.sign().as_ref()[..10]);
    AuditId::new(unix_ns / 1_000_000, entropy)
}

/// Returns the number that a process gave the record.
fn heard(attributes: &Attributes, head: &Head, unix_ns: u64) -> Option<Heard> {
    let number = match attributes.get("event.sequence")? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => whole(text).and_then(|number| number.as_u64()),
        _ => None,
    }?;
    let session = token(attributes.text("session.id")?)?;
    let process = hash::of_value(&json!([session.as_str(), head.members.get("resource")]));
    Some(Heard { process, session, number, unix_ns })
}

/// Returns what the record calls itself.
fn name_of(signal: Signal, head: &Head, record: &Map<String, Value>, attributes: &Attributes) -> Option<String> {
    let member = |name: &str| record.get(name).and_then(Value::as_str);
    let name = match signal {
        Signal::Logs => attributes.text("event.name").or_else(|| member("eventName")),
        Signal::Metrics => head.metric(),
        Signal::Traces => member("name"),
    };
    name.filter(|name| !name.is_empty()).map(str::to_owned)
}

/// Returns the event type of a record that has no better one.
fn type_of(signal: Signal, name: Option<&str>) -> String {
    let Some(name) = name.filter(|_| signal != Signal::Metrics) else { return format!("otel.{}", signal.record()) };
    let fits = |c: char| if c.is_ascii_alphanumeric() || "._-/:".contains(c) { c } else { '_' };
    format!("otel.{}", name.chars().map(fits).take(TYPE_BYTES_MAX).collect::<String>())
}

/// Says how it ended and how much it matters, where the record tells and nobody said it yet.
fn judge(signal: Signal, record: &Map<String, Value>, attributes: &Attributes, draft: &mut Draft) {
    let envelope = &mut draft.envelope;
    if signal == Signal::Traces {
        let time = |name: &str| record.get(name).and_then(Value::as_u64);
        if let (None, Some(from), Some(to)) = (envelope.duration_ms, time("startTimeUnixNano"), time("endTimeUnixNano")) {
            envelope.duration_ms = to.checked_sub(from).map(|ns| ns / 1_000_000);
        }
    }
    if envelope.outcome.is_none() {
        let status = record.get("status").and_then(|status| status.get("code")).and_then(Value::as_u64);
        envelope.outcome = match (attributes.flag("success"), status) {
            (Some(true), _) | (None, Some(1)) => Some(Outcome::Success),
            (Some(false), _) => Some(Outcome::Failure),
            (None, Some(2)) => Some(Outcome::Error),
            _ => None,
        };
        if matches!(envelope.outcome, Some(Outcome::Failure | Outcome::Error)) {
            envelope.severity = Severity::Warning;
        }
    }
    // OTLP: 1-8 trace and debug, 9-12 info, 13-16 warning, 17-20 error, 21-24 fatal.
    let said = match record.get("severityNumber").and_then(Value::as_u64) {
        Some(1..=8) => Severity::Debug,
        Some(13..=16) => Severity::Warning,
        Some(17..=24) => Severity::High,
        _ => return,
    };
    envelope.severity = if said == Severity::Debug { said } else { envelope.severity.max(said) };
}

/// Keeps what a record says beside its attributes.
fn keep_member(signal: Signal, member: &str, value: Value, draft: &mut Draft) {
    match member {
        // The event's own time says it.
        "timeUnixNano" if signal != Signal::Traces => {}
        "name" if signal == Signal::Traces => {}
        "asInt" | "asDouble" if signal == Signal::Metrics => draft.put_in(SlotName::Content, "metric", "value", value),
        _ => draft.put_in(SlotName::Content, OTEL, member, value),
    }
}
