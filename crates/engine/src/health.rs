//! The heartbeat of the hooks: once an hour an event says which hooks came in since the last one, so that their silence is a record, too.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sealtrail_event::{Event, Severity};
use serde_json::json;

use crate::clock::{time_token, unix_ns};
use crate::handle::own;
use crate::sink::{NotSealed, Sink};

/// 1 hour: 24 small events a day, and hooks that fall silent stand out on the day on which they do.
const EVERY: Duration = Duration::from_hours(1);

/// 64 names; the client has 33. What comes under further ones is counted together.
const NAMES_MAX: usize = 64;

/// 16 versions of the client at the same time.
const VERSIONS_MAX: usize = 16;

/// Under this name stand the hooks whose names are too many.
const OTHERS: &str = "(others)";

/// What came in since the last heartbeat.
#[derive(Clone, Debug, Default)]
pub(crate) struct HookHealth {
    hooks: BTreeMap<String, u64>,
    late: u64,
    versions: BTreeSet<String>,
    last_unix_ns: u64,
}

impl HookHealth {
    /// Counts a hook by its first event.
    pub(crate) fn heard(&mut self, first: &Event, received_unix_ns: u64, late: bool) {
        let name = first.envelope.hook_event_name.as_ref().map_or(OTHERS, |name| name.as_str());
        let name = if self.hooks.len() < NAMES_MAX || self.hooks.contains_key(name) { name } else { OTHERS };
        *self.hooks.entry(name.to_owned()).or_default() += 1;
        self.late += u64::from(late);
        if let Some(version) = &first.envelope.client_version
            && self.versions.len() < VERSIONS_MAX
        {
            self.versions.insert(version.as_str().to_owned());
        }
        self.last_unix_ns = self.last_unix_ns.max(received_unix_ns);
    }

    /// Puts back what was taken and could not be told.
    fn put_back(&mut self, taken: Self) {
        taken.hooks.into_iter().for_each(|(name, count)| *self.hooks.entry(name).or_default() += count);
        self.late += taken.late;
        self.versions.extend(taken.versions);
        self.last_unix_ns = self.last_unix_ns.max(taken.last_unix_ns);
    }

    /// Makes the event; `sessions_open` are those whose end was not seen.
    fn event(&self, since_unix_ns: u64, sessions_open: usize) -> Option<Event> {
        let time = |ns: u64| time_token(ns).map(|time| time.to_string());
        let health = json!({
            "since": time(since_unix_ns),
            "hooks": self.hooks,
            "late": self.late,
            "last_hook_at": (self.last_unix_ns > 0).then(|| time(self.last_unix_ns)),
            "client_versions": self.versions,
            "sessions_open": sessions_open,
        });
        let mut event = own(&json!({"event_type": "system.hook_health", "hook_health": health})).ok()?;
        event.envelope.severity = Severity::Info;
        Some(event)
    }
}

/// When the next heartbeat is due.
#[derive(Debug)]
pub(crate) struct Heartbeat {
    due: Instant,
    since_unix_ns: u64,
}

impl Heartbeat {
    /// Starts to count.
    pub(crate) fn start(now: Instant) -> Self {
        Self { due: now + EVERY, since_unix_ns: unix_ns() }
    }

    /// Seals the heartbeat if it is due; one that cannot be sealed is due again at the next look.
    pub(crate) fn look(&mut self, sink: &mut dyn Sink, now: Instant) -> Result<bool, NotSealed> {
        if now < self.due {
            return Ok(false);
        }
        let mut taken = HookHealth::default();
        let told = sink.conclude(&mut |receiver| {
            taken = std::mem::take(&mut receiver.health);
            let open = receiver.sessions.live().filter(|session| !session.ended).count();
            taken.event(self.since_unix_ns, open).into_iter().collect()
        });
        if told.is_err() {
            sink.look(&mut |receiver| receiver.health.put_back(std::mem::take(&mut taken)));
        }
        told?;
        *self = Self::start(now);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use sealtrail_intake::Answer;
    use sealtrail_ledger::Gap;
    use serde_json::Value;

    use super::*;
    use crate::ingest::Ingested;
    use crate::receive::{Arrival, Receiver};

    /// A place that keeps what is concluded, or is full.
    struct Place {
        receiver: Receiver,
        events: Vec<Event>,
        full: bool,
    }

    impl Sink for Place {
        fn deliver(&mut self, _: Vec<Arrival<'_>>) -> Vec<Answer> {
            Vec::new()
        }

        fn ingest(&mut self, _: Vec<Event>) -> Vec<Ingested> {
            Vec::new()
        }

        fn look(&mut self, work: &mut dyn FnMut(&mut Receiver)) {
            work(&mut self.receiver);
        }

        fn conclude(&mut self, make: &mut dyn FnMut(&mut Receiver) -> Vec<Event>) -> Result<usize, NotSealed> {
            let events = make(&mut self.receiver);
            if self.full {
                return Err(NotSealed);
            }
            self.events.extend(events);
            Ok(self.events.len())
        }

        fn gap(&mut self, _: Gap) -> Result<(), NotSealed> {
            Ok(())
        }
    }

    fn hook(name: &str) -> Event {
        own(&json!({"event_type": "data.file_read", "hook_event_name": name, "client_version": "2.1.300"})).unwrap()
    }

    /// Protects silence: a heartbeat comes when it is due, also when no hook came; what a full disk refused is in the next one.
    #[test]
    fn silence_is_a_record() {
        let start = Instant::now();
        let mut place = Place { receiver: Receiver::new(0), events: Vec::new(), full: true };
        let mut heartbeat = Heartbeat::start(start);
        for name in ["PreToolUse", "PreToolUse", "PostToolUse"] {
            place.receiver.health.heard(&hook(name), 7, name == "PostToolUse");
        }
        assert_eq!(heartbeat.look(&mut place, start + EVERY / 2), Ok(false));
        assert_eq!(heartbeat.look(&mut place, start + EVERY), Err(NotSealed));
        place.full = false;
        assert_eq!(heartbeat.look(&mut place, start + EVERY), Ok(true));
        assert_eq!(heartbeat.look(&mut place, start + EVERY), Ok(false));
        assert_eq!(heartbeat.look(&mut place, start + EVERY * 2), Ok(true));
        let told: Vec<Value> = place.events.iter().map(Event::to_json).collect();
        assert_eq!(told.iter().map(|event| &event["event_type"]).collect::<Vec<_>>(), ["system.hook_health"; 2]);
        let [busy, silent] = [&told[0]["hook_health"], &told[1]["hook_health"]];
        assert_eq!(busy["hooks"], json!({"PreToolUse": 2, "PostToolUse": 1}));
        assert_eq!((&busy["late"], &busy["client_versions"]), (&json!(1), &json!(["2.1.300"])));
        assert_eq!((&silent["hooks"], &silent["last_hook_at"]), (&json!({}), &Value::Null));
    }

    /// Protects the size of a heartbeat from names that somebody makes up.
    #[test]
    fn names_are_bounded() {
        let mut health = HookHealth::default();
        for n in 0..200 {
            health.heard(&hook(&format!("Made{n}")), 1, false);
        }
        assert_eq!(health.hooks.len(), NAMES_MAX + 1);
        assert_eq!(health.hooks[OTHERS], 200 - NAMES_MAX as u64);
    }
}
