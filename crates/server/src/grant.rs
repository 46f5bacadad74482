//! What the holder of a token may see and ask.

use jiff::Timestamp;
use sealtrail_event::{Place, SlotName, known};
use sealtrail_ledger::read::Stored;
use sealtrail_query::{Expr, FieldPath, Query, Search, Source};
use serde_json::{Map, Value};

use crate::refusal::Refusal;
use crate::token::Token;

/// Slots that a token without content does not open: everything but what was touched.
const CONTENT: &[SlotName] = &[SlotName::Identity, SlotName::Prompt, SlotName::Input, SlotName::Output, SlotName::Content, SlotName::Raw];

/// A read token at one moment.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The token's name.
    pub name: String,
    filter: Option<Query>,
    content: bool,
}

impl Grant {
    /// Returns what `token` opens at `now`.
    pub(crate) fn of(token: &Token, now: Timestamp) -> Result<Self, Refusal> {
        let filter = token.filter.as_deref().map(|filter| Query::parse_at(filter, now)).transpose();
        let filter = filter.map_err(|error| Refusal::Token { name: token.name.clone(), why: error.to_string() })?;
        Ok(Self { name: token.name.clone(), filter, content: token.content })
    }

    /// Whether the event may be known of at all.
    pub(crate) fn sees(&self, view: &Value) -> bool {
        self.filter.as_ref().is_none_or(|filter| filter.matches(view))
    }

    /// Returns the search that finds only what is visible; refuses one that asks about what is not.
    pub(crate) fn narrowed(&self, search: Search) -> Result<Search, Refusal> {
        if !self.content {
            allowed(&search)?;
        }
        Ok(match &self.filter {
            Some(filter) => search.narrowed(filter.clone()),
            None => search,
        })
    }

    /// Returns the event without what is not visible.
    pub(crate) fn shown(&self, stored: Stored, view: Value) -> (Stored, Value) {
        if self.content {
            return (stored, view);
        }
        let erased = stored.erased();
        let withheld: Vec<SlotName> = stored.slots.iter().map(|slot| slot.name).filter(|name| CONTENT.contains(name)).collect();
        let mut stored = stored;
        stored.slots.retain(|slot| !CONTENT.contains(&slot.name));
        let mut view = stored.view();
        if let Some(members) = view.as_object_mut() {
            list(members, "erased", &erased);
            list(members, "withheld", &withheld);
        }
        (stored, view)
    }

    /// Says what may be missing because of the token: a chain must not call that unseen.
    pub(crate) fn hides(&self) -> impl Iterator<Item = String> {
        let content = (!self.content).then_some("persons and content: this token does not show them");
        let filter = self.filter.is_some().then_some("whatever the filter of this token hides");
        content.into_iter().chain(filter).map(str::to_owned)
    }

    /// Whether whole events are shown.
    pub(crate) fn shows_content(&self) -> bool {
        self.content
    }
}

fn list(members: &mut Map<String, Value>, name: &str, slots: &[SlotName]) {
    if slots.is_empty() {
        members.shift_remove(name);
    } else {
        members.insert(name.to_owned(), slots.iter().map(|slot| slot.as_str()).collect());
    }
}

/// Refuses a search that names a field of a slot which is not visible: its answer would tell what the field holds.
fn allowed(search: &Search) -> Result<(), Refusal> {
    let mut fields: Vec<&FieldPath> = search.pipe.iter().flat_map(|stage| stage.fields()).collect();
    let mut plans: Vec<&Expr> = Vec::new();
    match &search.source {
        Source::Events(query) => plans.push(query.plan()),
        Source::Sequence(sequence) => {
            for step in sequence.steps().iter().chain(sequence.until()) {
                plans.push(step.query.plan());
                fields.extend(sequence.keys_of(step));
            }
        }
    }
    for plan in plans {
        if has_text(plan) {
            return Err(Refusal::Content { what: "free text".to_owned() });
        }
        fields.extend(plan.fields());
    }
    match fields.into_iter().find(|field| !is_visible(field)) {
        None => Ok(()),
        Some(field) => Err(Refusal::Content { what: format!("`{}`", field.canonical()) }),
    }
}

fn has_text(plan: &Expr) -> bool {
    match plan {
        Expr::And(parts) | Expr::Or(parts) => parts.iter().any(has_text),
        Expr::Not(inner) => has_text(inner),
        Expr::Field(..) => false,
        Expr::Text(_) => true,
    }
}

/// A field of the envelope, or of what was touched. What the schema does not know lies in the slot of content.
fn is_visible(field: &FieldPath) -> bool {
    field.paths().all(|path| match known(path).map(|field| field.place) {
        Some(Place::Envelope | Place::Recorder) => true,
        Some(Place::Slot(slot)) => !CONTENT.contains(&slot),
        None => false,
    })
}
