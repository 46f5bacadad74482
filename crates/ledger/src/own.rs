//! The events that the ledger writes about itself (`docs/format/ledger.md`, section 4).

use sealtrail_event::{AuditId, Envelope, Event, Severity, SlotName, Token, Witness};
use serde_json::{Map, Value, json};

use crate::line::Time;
use crate::stamp::{Entropy, Stamp};

/// A record of events that were lost before they reached the ledger.
#[derive(Clone, Debug)]
pub struct Gap {
    /// Which witness lost them.
    pub witness: Witness,
    /// How many, if known.
    pub lost: Option<u64>,
    /// How many of each class, as far as known.
    pub by: Vec<(Token, u64)>,
    /// When the loss began.
    pub since: Option<Token>,
    /// When it ended.
    pub until: Option<Token>,
    /// Why: a code such as `disk_full`, not a sentence.
    pub cause: Token,
}

/// The log that a new log continues after a loss.
#[derive(Clone, Debug)]
pub struct ForkOf {
    /// Origin of the old log.
    pub origin: String,
    /// Largest size that was ever published or noted.
    pub size: u64,
    /// Root of that size, base64.
    pub root: String,
    /// Why: a code such as `accept_loss`, not a sentence.
    pub reason: Token,
}

/// Makes events of the recorder: an id, the time, a type, the members.
pub(crate) struct Own<'a> {
    pub(crate) stamp: &'a Stamp,
    pub(crate) entropy: &'a mut dyn Entropy,
}

impl Own<'_> {
    /// Makes one event. `kind` is a word of ours; every string in `members` must fit an envelope, which the builder checks.
    pub(crate) fn event(&mut self, kind: &str, severity: Severity, members: Value) -> Option<Event> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        let unix_ms = u64::try_from(self.stamp.unix_ns / 1_000_000).unwrap_or(0);
        let time = Token::parse(&Time::from_unix_ns(self.stamp.unix_ns).to_string()).ok()?;
        let mut envelope = Envelope::new(AuditId::new(unix_ms, random), Token::parse(kind).ok()?, time.clone(), Witness::Recorder);
        envelope.recorded_at = Some(time);
        envelope.severity = severity;
        envelope.ledger = match members {
            Value::Object(members) => Some(members),
            _ => None,
        };
        Some(Event { envelope, slots: Vec::new() })
    }

    pub(crate) fn clock(&mut self, step_ms: i64) -> Option<Event> {
        self.event("ledger.clock", Severity::Warning, json!({ "step_ms": step_ms }))
    }

    pub(crate) fn epoch(&mut self, epoch: u64, key: &str, why: &str, lost: Option<u64>) -> Option<Event> {
        let mut members = json!({ "epoch": epoch, "key": key, "why": why });
        if let (Some(lost), Some(members)) = (lost, members.as_object_mut()) {
            members.insert("break".into(), true.into());
            members.insert("lost_epoch".into(), lost.into());
        }
        let severity = if lost.is_some() { Severity::High } else { Severity::Info };
        self.event("ledger.epoch", severity, members)
    }

    pub(crate) fn gap(&mut self, gap: &Gap) -> Option<Event> {
        let by: Map<String, Value> = gap.by.iter().map(|(class, n)| (class.to_string(), (*n).into())).collect();
        let mut members = json!({ "witness": gap.witness, "lost": gap.lost, "by": by });
        if let Some(members) = members.as_object_mut() {
            for (name, time) in [("since", &gap.since), ("until", &gap.until)] {
                if let Some(time) = time {
                    members.insert(name.into(), time.as_str().into());
                }
            }
            members.insert("cause".into(), gap.cause.as_str().into());
        }
        self.event("ledger.gap", Severity::Warning, members)
    }

    pub(crate) fn fork(&mut self, fork: &ForkOf) -> Option<Event> {
        let members = json!({ "origin": fork.origin, "size": fork.size, "root": fork.root, "reason": fork.reason });
        self.event("ledger.fork", Severity::High, members)
    }
}

/// Puts free text and persons where they can be erased.
pub(crate) fn with_content(mut event: Event, content: Map<String, Value>) -> Event {
    event.put(SlotName::Content, content);
    event
}
