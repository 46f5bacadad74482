//! Sessions of clients with the server, each watched by itself.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::HeaderMap;
use sealtrail_capture::mcp::{End, Known, Link, Watch};
use sealtrail_capture::redact::Redactor;

use crate::desk::{Desk, Terms};
use crate::keeper::Keeper;
use crate::recorder::Recorder;

/// 1,024 sessions at once; of more, the one that was used least lately is ended for the record. Its requests still pass.
const SESSIONS_MAX: usize = 1_024;

/// 256 bytes: a session's id is a UUID or a token.
const ID_BYTES_MAX: usize = 256;

/// All sessions.
pub(super) struct Sessions {
    link: Link,
    keeper: Option<Keeper>,
    recorder: Arc<Recorder>,
    terms: Terms,
    redactor: Arc<Redactor>,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    desks: HashMap<String, (Arc<Desk>, u64)>,
    /// Counts uses, to find the one that was used least lately.
    uses: u64,
}

impl Sessions {
    pub(super) fn new(link: Link, keeper: Option<Keeper>, recorder: Arc<Recorder>, terms: Terms) -> Self {
        Self { link, keeper, recorder, terms, redactor: Arc::new(Redactor::new()), open: Mutex::default() }
    }

    /// Returns the desk of a session; one of its own for a request that names none.
    pub(super) fn desk(&self, id: Option<&str>) -> Arc<Desk> {
        let Some(id) = id else { return self.fresh() };
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.uses += 1;
            let now = open.uses;
            if let Some((desk, used)) = open.desks.get_mut(id) {
                *used = now;
                return Arc::clone(desk);
            }
        }
        // A session that began before this proxy did.
        let desk = self.fresh();
        self.register(id.to_owned(), Arc::clone(&desk));
        desk
    }

    /// Gives a session its desk.
    pub(super) fn register(&self, id: String, desk: Arc<Desk>) {
        let oldest = {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.uses += 1;
            let now = open.uses;
            open.desks.insert(id, (desk, now));
            let full = open.desks.len() > SESSIONS_MAX;
            let oldest = open.desks.iter().filter(|_| full).min_by_key(|(_, (_, used))| *used).map(|(id, _)| id.clone());
            oldest.and_then(|id| open.desks.remove(&id))
        };
        if let Some((desk, _)) = oldest {
            desk.ended(&End { reason: "evicted", ..End::default() });
        }
    }

    /// Ends a session.
    pub(super) fn end(&self, id: &str, end: &End) {
        let gone = self.open.lock().unwrap_or_else(PoisonError::into_inner).desks.remove(id);
        if let Some((desk, _)) = gone {
            desk.ended(end);
        }
    }

    /// Ends all sessions.
    pub(super) fn end_all(&self, reason: &'static str) {
        let all = std::mem::take(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner).desks);
        for (desk, _) in all.into_values() {
            desk.ended(&End { reason, ..End::default() });
        }
    }

    fn fresh(&self) -> Arc<Desk> {
        let known = self.keeper.as_ref().map_or_else(Known::default, Keeper::read);
        let watch = Watch::new(self.link.clone(), Arc::clone(&self.redactor), known);
        Arc::new(Desk::new(watch, Arc::clone(&self.recorder), self.terms))
    }
}

/// Returns the session that headers name.
pub(super) fn id_of(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("mcp-session-id")?.to_str().ok()?;
    (!id.is_empty() && id.len() <= ID_BYTES_MAX).then(|| id.to_owned())
}
