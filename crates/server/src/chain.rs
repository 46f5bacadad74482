//! Who led to an event, and what it led to, as far as the token shows it.

use sealtrail_trace::chain::{self, Link as Traced};
use sealtrail_trace::field::text;
use sealtrail_trace::story::Story;
use serde_json::Value;

use crate::reading::Reading;
use crate::refusal::Refusal;
use crate::types::{Chain, Link};

/// Members by which records without a session name one another.
const NAMES: &[&str] = &["audit_id", "parent_audit_id", "execution_id", "parent_execution", "request_id"];

impl Reading<'_> {
    /// Returns the chain around one event as JSON, and how many events it was made of.
    pub fn chain(&self, id: &str) -> Result<(Value, u64), Refusal> {
        let (stored, view) = self.find(id)?;
        let session = text(&view, "session_id");
        let (found, seen) = if session.is_empty() {
            let ids: Vec<String> = NAMES.iter().map(|name| text(&view, name)).filter(|id| !id.is_empty()).collect();
            let related: Vec<Value> =
                self.exactly(NAMES, &ids)?.into_iter().filter(|(other, _)| other.seq != stored.seq).map(|(_, view)| view).collect();
            (chain::of_records(&view, &related), related.len())
        } else {
            let (story, seen) = self.story(&session)?;
            (chain::of_session(&view, &story), seen)
        };
        let missing = self.grant.hides().chain(found.missing).collect();
        let answer = Chain {
            audit_id: text(&view, "audit_id"),
            above: found.above.into_iter().map(link).collect(),
            event: link(found.target),
            below: found.below.into_iter().map(link).collect(),
            missing,
        };
        Ok((serde_json::to_value(answer).unwrap_or_default(), seen as u64 + 1))
    }

    /// Returns the story of a session, and of how many events.
    pub(crate) fn story(&self, session: &str) -> Result<(Story, usize), Refusal> {
        let events = self.exactly(&["session_id"], &[session.to_owned()])?;
        let (mut story, seen) = (Story::default(), events.len());
        for (_, view) in events {
            story.add(view);
        }
        Ok((story, seen))
    }
}

fn link(traced: Traced) -> Link {
    let Traced { depth, kind, id, about, outcome, event } = traced;
    Link { depth, kind, id, about, outcome, audit_id: event }
}
