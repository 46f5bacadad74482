//! What is missing: actions that a witness should have seen, grouped by likely cause, and losses that the recorder itself counted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::action::Action;
use super::cause::Cause;
use super::moment::time;
use super::told::Told;
use super::words::{Class, Phases, Witness};

/// 100 actions of one gap are named; the others are counted. A reader who needs them narrows the range.
pub(super) const ITEMS_MAX: usize = 100;

/// Actions of one session that one witness should have seen and did not, for one likely cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The session.
    pub session: String,
    /// The witness.
    pub witness: Witness,
    /// The class of the actions.
    pub class: Class,
    /// The likely cause.
    pub cause: Cause,
    /// The subagent, when it has to do with the cause.
    pub agent: Option<String>,
    /// How many.
    pub count: u64,
    /// The first and the last of them, in milliseconds since 1970.
    pub span: (i64, i64),
    /// The first of them.
    pub items: Vec<Item>,
}

/// One action of a gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub key: String,
    /// The tool or the model.
    pub name: String,
    /// When it began, in milliseconds since 1970.
    pub at: i64,
    /// Who saw it.
    pub seen_by: Vec<Witness>,
    /// The first event of it.
    pub event: String,
    /// The phases that are missing; none when all of it is.
    pub lacks: Phases,
}

/// Events that the recorder, or a witness, says were lost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// The witness whose events were lost, as the record says.
    pub witness: String,
    /// Why, as the record says.
    pub cause: String,
    /// How many; nothing where nobody knows.
    pub lost: Option<u64>,
    /// When, in milliseconds since 1970.
    pub span: (i64, i64),
    /// The event that says so.
    pub event: String,
    /// The session, when it is of one.
    pub session: Option<String>,
    /// The kind of the record: `ledger.gap` of the recorder, `system.witness_gap` of a witness.
    pub record: String,
}

/// What the gaps of a session are grouped by.
pub(super) type Place = (Witness, Class, Cause, Option<String>);

/// Adds an action to the gap that it belongs to; actions come in the order of their time.
pub(super) fn note(gaps: &mut BTreeMap<Place, Gap>, session: &str, place: Place, item: Item) {
    let (witness, class, cause, agent) = place.clone();
    let gap = gaps.entry(place).or_insert_with(|| Gap {
        session: session.to_owned(),
        witness,
        class,
        cause,
        agent,
        count: 0,
        span: (item.at, item.at),
        items: Vec::new(),
    });
    gap.count += 1;
    gap.span = (gap.span.0.min(item.at), gap.span.1.max(item.at));
    if gap.items.len() < ITEMS_MAX {
        gap.items.push(item);
    }
}

/// 1 s on both sides of a counted loss: the recorder notes it a moment after it happened.
pub(super) const LOSS_SLACK_MS: i64 = 1_000;

impl Item {
    pub(super) fn new(key: &str, action: &Action, lacks: Phases) -> Self {
        let (at, event) = action.first().map_or((0, String::new()), |(at, id)| (at, id.text()));
        let seen_by = action.all().map(|(witness, _)| witness).collect();
        Self { key: key.to_owned(), name: action.name().to_owned(), at, seen_by, event, lacks }
    }

    fn to_json(&self) -> Value {
        let seen_by: Vec<&str> = self.seen_by.iter().map(|witness| witness.word()).collect();
        json!({
            "key": self.key, "name": self.name, "at": time(self.at), "seen_by": seen_by, "audit_id": self.event,
            "lacks": self.lacks.words(),
        })
    }
}

impl Gap {
    /// Returns it as one JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "session_id": self.session, "witness": self.witness.word(), "class": self.class.word(), "cause": self.cause.word(),
            "about": self.cause.about(), "agent_id": self.agent, "count": self.count, "since": time(self.span.0), "until": time(self.span.1),
            "items": self.items.iter().map(Item::to_json).collect::<Vec<_>>(), "items_left_out": self.count.saturating_sub(self.items.len() as u64),
        })
    }
}

impl Loss {
    /// Reads a record of lost events; nothing when it is none.
    pub fn new(view: &Value) -> Option<Self> {
        let told = Told::new(view)?;
        if !matches!(told.kind, "ledger.gap" | "system.witness_gap") {
            return None;
        }
        let word = |names: &[&str]| names.iter().find_map(|name| told.member(name)?.as_str()).unwrap_or_default().to_owned();
        let number = |names: &[&str]| names.iter().find_map(|name| told.member(name)?.as_u64());
        let moment = |names: &[&str]| super::moment::unix_ms(&word(names));
        let own = told.witness.map(Witness::word).unwrap_or_default().to_owned();
        let named = word(&["ledger.witness", "witness_gap.witness", "gap.witness"]);
        Some(Self {
            witness: if named.is_empty() { own } else { named },
            cause: word(&["ledger.cause", "witness_gap.cause", "gap.cause", "reason"]),
            lost: number(&["ledger.lost", "gap.missing", "gap.lost", "witness_gap.lost"]),
            span: (
                moment(&["ledger.since", "witness_gap.since", "gap.since"]).unwrap_or(told.at),
                moment(&["ledger.until", "witness_gap.until", "gap.until"]).unwrap_or(told.at),
            ),
            event: told.id.to_owned(),
            record: told.kind.to_owned(),
            session: Some(told.session).filter(|session| !session.is_empty()).map(str::to_owned),
        })
    }

    /// Tells whether the recorder counted lost events of a witness at that time, or a moment before or after.
    pub(super) fn counts(&self, witness: Witness, at: i64) -> bool {
        self.record == "ledger.gap" && self.witness == witness.word() && self.touches(at - LOSS_SLACK_MS, at + LOSS_SLACK_MS)
    }

    /// Tells whether it was within a span of time.
    pub fn touches(&self, from: i64, to: i64) -> bool {
        self.span.0 <= to && self.span.1 >= from
    }

    /// Returns it as one JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "witness": self.witness, "cause": self.cause, "lost": self.lost, "since": time(self.span.0), "until": time(self.span.1),
            "audit_id": self.event, "session_id": self.session, "record": self.record,
        })
    }
}
