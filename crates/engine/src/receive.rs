//! One delivery becomes events: known ones are recognised, new ones go through capture, all in one order.

use sealtrail_capture::settings::Look;
use sealtrail_capture::{Intake, Sender, Sessions, Side};
use sealtrail_event::{AuditId, Event, EventError, FromContext, Grade, SlotName, Witness};
use sealtrail_intake::{Frame, Kind};
use serde_json::{Value, json};

use crate::clock::{id_of, new_id, time_token};
use crate::health::HookHealth;
use crate::identity::{People, client_version};
use crate::recent::{Known, Recent};
use crate::settings::one;

/// One delivery and what the machine knows about it.
pub(crate) struct Arrival<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) body: &'a [u8],
    /// Its sender, as the kernel says: the peer of the socket, or the owner of the spool file.
    pub(crate) uid: u32,
    /// The client's process, when its number means the same to us.
    pub(crate) client_pid: Option<u32>,
    /// Files beside it, already read.
    pub(crate) side: Vec<Side>,
    /// The client's settings files, when there was a reason to look at them.
    pub(crate) settings: Option<Look>,
    /// How long it waited in a spool.
    pub(crate) late_ms: Option<u64>,
    /// Who stands behind it, when it came over the network; then user and process say nothing.
    pub(crate) remote: Option<Remote>,
}

/// Who stands behind a delivery that came over the network.
#[derive(Clone, Debug)]
pub(crate) struct Remote {
    pub(crate) sender: Sender,
    /// The person, as the client's settings say.
    pub(crate) user: Option<String>,
    /// The machine, as the client's settings say.
    pub(crate) host: Option<String>,
}

/// What a delivery is.
pub(crate) enum Received {
    /// Sealed before, its first event under this number.
    Known(u64),
    /// On its way to the ledger right now.
    InFlight,
    /// New: these events, the first under the id of the delivery.
    Fresh(AuditId, Vec<Event>),
    /// No event can be made of it.
    Refused(EventError),
}

/// The state that deliveries change, one after the other.
#[derive(Debug)]
pub(crate) struct Receiver {
    pub(crate) sessions: Sessions,
    pub(crate) recent: Recent,
    pub(crate) people: People,
    /// Which hooks came in since the last heartbeat; not rebuilt from the trail.
    pub(crate) health: HookHealth,
}

impl Receiver {
    /// Makes the state of a trail that may hold events of ids up to a time (milliseconds since 1970) which are not replayed into it.
    pub(crate) fn new(forgotten_ms: u64) -> Self {
        Self { sessions: Sessions::new(), recent: Recent::after(forgotten_ms), people: People::new(), health: HookHealth::default() }
    }

    /// Takes a stored event into account, in the order of the ledger.
    pub(crate) fn replay(&mut self, seq: u64, view: &Value) {
        self.sessions.replay(view);
        if let Some(Ok(id)) = view.get("audit_id").and_then(Value::as_str).map(AuditId::parse) {
            self.recent.put(id, Known::Sealed(seq));
        }
    }

    /// Remembers those of `found` that [`Recent`] had forgotten, with their numbers.
    pub(crate) fn remember(&mut self, found: Vec<(AuditId, u64)>) {
        for (id, seq) in found {
            self.recent.put(id, Known::Sealed(seq));
        }
    }

    /// Makes events of a delivery. A fresh one counts as being on its way until [`Receiver::settled`].
    pub(crate) fn receive(&mut self, arrival: Arrival<'_>) -> Received {
        let id = id_of(&arrival.frame.delivery);
        match self.recent.get(&id) {
            Some(Known::Sealed(seq)) => return Received::Known(seq),
            Some(Known::InFlight) => return Received::InFlight,
            None => {}
        }
        let events = match arrival.frame.kind {
            Kind::Record => match self.record(&id, &arrival) {
                Ok(event) => vec![event],
                Err(error) => return Received::Refused(error),
            },
            // No delivery: each of them has an id and a fate of its own, on the socket and in the spool.
            Kind::Events => return Received::Refused(EventError::NotAnObject { found: "a list of events" }),
            Kind::Hook | Kind::Status => {
                let (received, late) = (arrival.frame.received_unix_ns, arrival.late_ms.is_some());
                let events = self.hook(&id, arrival);
                events.iter().take(1).for_each(|first| self.health.heard(first, received, late));
                events
            }
        };
        self.recent.put(id.clone(), Known::InFlight);
        Received::Fresh(id, events)
    }

    /// Notes what became of a fresh delivery: its number, or nothing when it did not reach the ledger.
    pub(crate) fn settled(&mut self, id: &AuditId, seq: Option<u64>) {
        match seq {
            Some(seq) => self.recent.put(id.clone(), Known::Sealed(seq)),
            None => self.recent.forget(id),
        }
    }

    fn hook(&mut self, id: &AuditId, arrival: Arrival<'_>) -> Vec<Event> {
        let Arrival { frame, body, uid, client_pid, side, settings, late_ms, remote } = arrival;
        let (user, host, sender) = match remote {
            None => (self.people.user(uid), self.people.host(), None),
            Some(remote) => (remote.user, remote.host, Some(remote.sender)),
        };
        let intake = Intake {
            user,
            host,
            sender,
            client_version: client_version(&frame.client),
            client_pid,
            late_ms,
            side,
            settings,
            ..Intake::new(id.clone(), frame.received_unix_ns, uid)
        };
        let mut events = sealtrail_capture::hook(body, &intake, &mut self.sessions, &mut new_id).events;
        if frame.seen > body.len() as u64
            && let Some(first) = events.first_mut()
        {
            first.put(SlotName::Content, one("input_cut", json!({ "bytes_seen": frame.seen, "bytes_kept": body.len() })));
        }
        events
    }

    fn record(&mut self, id: &AuditId, arrival: &Arrival<'_>) -> Result<Event, EventError> {
        let record: Value = serde_json::from_slice(arrival.body).unwrap_or_default();
        let recorded_at = time_token(arrival.frame.received_unix_ns).or_else(|| time_token(0)).expect("1970 can be written");
        let context = FromContext { audit_id_if_missing: id.clone(), recorded_at, witness: Witness::Recorder, grade: Grade::Observed };
        let mut event = Event::from_json(&record, &context)?;
        event.envelope.audit_id = id.clone();
        let who = json!({ "uid": arrival.uid, "user_id": self.people.user(arrival.uid), "host": self.people.host() });
        if let Value::Object(mut who) = who {
            who.retain(|_, value| !value.is_null());
            event.put(SlotName::Identity, who);
        }
        Ok(event)
    }
}
