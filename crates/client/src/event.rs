//! An event as the API answers it.

use sealtrail_event::{AuditId, Outcome, outcome_of};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One event: members as in `docs/format/event.md`, every slot that the token shows merged in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = Object))]
#[serde(transparent)]
pub struct Event(pub Value);

impl Event {
    /// Returns what stands at a path: `resource.path`.
    pub fn get(&self, path: &str) -> Option<&Value> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        // A member may have a dot in its name.
        if let Some(whole) = self.0.get(path) {
            return Some(whole);
        }
        let found = self.0.get(first)?;
        rest.map_or(Some(found), |rest| rest.split('.').try_fold(found, |value, name| value.get(name)))
    }

    /// Returns the text at a path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.get(path)?.as_str()
    }

    /// Returns its id; nothing when the question left it out.
    pub fn audit_id(&self) -> Option<AuditId> {
        AuditId::parse(self.text("audit_id")?).ok()
    }

    /// Returns how it ended; nothing where nothing ends.
    pub fn outcome(&self) -> Option<Outcome> {
        self.text("outcome").map(outcome_of)
    }

    /// Returns the seal that proves it anywhere, if it was asked for and a checkpoint covers the event.
    pub fn seal(&self) -> Option<&Value> {
        self.0.get("seal").filter(|seal| !seal.is_null())
    }
}
