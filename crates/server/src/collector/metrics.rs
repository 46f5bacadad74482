//! What the collector counts: how much, by whom seen, how it ended and how long it took; never what was in it.

use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sealtrail_engine::{DaemonStatus, HookFate, Ingested};
use sealtrail_event::Witness;

/// Words in the source, so there are as many series as words and no sender can make more.
type Labels = Vec<(&'static str, &'static str)>;

/// From a quarter of a millisecond, less than a sync, to the 30 s after which nobody waits.
const SECONDS: [f64; 14] = [0.000_25, 0.000_5, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.25, 1.0, 4.0, 16.0, 30.0];

/// Counters and gauges.
pub(crate) struct Metrics {
    registry: Registry,
    events: Family<Labels, Counter>,
    refusals: Family<Labels, Counter>,
    bytes: Counter,
    seconds: Family<Labels, Histogram>,
    queue: Gauge,
    size: Gauge,
    flight: Gauge,
    full: Gauge,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("sealtrail");
        let events = Family::default();
        registry.register("ingest_events", "events handed in, by witness and what became of them", events.clone());
        let refusals = Family::default();
        registry.register("ingest_refusals", "requests that were not taken, by reason", refusals.clone());
        let bytes = Counter::default();
        registry.register("ingest_bytes", "bytes of the bodies as they came", bytes.clone());
        let seconds: Family<Labels, Histogram> = Family::new_with_constructor(|| Histogram::new(SECONDS));
        registry.register("ingest_seconds", "seconds from capture to the seal, by witness", seconds.clone());
        let gauge = |registry: &mut Registry, name: &str, help: &str| {
            let gauge: Gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let queue = gauge(&mut registry, "queue_events", "events that wait to be sealed");
        let size = gauge(&mut registry, "ledger_events", "events in the ledger");
        let flight = gauge(&mut registry, "ingest_flight_bytes", "bytes of bodies that are being taken in");
        let full = gauge(&mut registry, "disk_full", "1 when nothing can be sealed because the disk is full");
        Self { registry, events, refusals, bytes, seconds, queue, size, flight, full }
    }

    /// Counts what became of events, and how long it took.
    pub(crate) fn sealed(&self, witness: Witness, fates: &[Ingested], took: Duration) {
        let mut counts = [("sealed", 0), ("known", 0), ("rejected", 0), ("later", 0)];
        for fate in fates {
            counts[match fate {
                Ingested::Sealed(_) => 0,
                Ingested::Known { .. } => 1,
                Ingested::Rejected => 2,
                Ingested::Later => 3,
            }]
            .1 += 1;
        }
        let witness = witness.as_str();
        for (result, count) in counts.into_iter().filter(|(_, count)| *count > 0) {
            self.events.get_or_create(&vec![("witness", witness), ("result", result)]).inc_by(count);
        }
        self.seconds.get_or_create(&vec![("witness", witness)]).observe(took.as_secs_f64());
    }

    /// Counts one event that no ledger took.
    pub(crate) fn rejected(&self, witness: Witness, count: u64) {
        if count > 0 {
            self.events.get_or_create(&vec![("witness", witness.as_str()), ("result", "rejected")]).inc_by(count);
        }
    }

    /// Counts one hook, and how long its seal took.
    pub(crate) fn hook(&self, fate: &HookFate, took: Duration) {
        let result = match fate {
            HookFate::Sealed(_) => "sealed",
            HookFate::Off => "off",
            HookFate::Denied(_) => "denied",
            HookFate::Later => "lost",
        };
        let witness = Witness::Hook.as_str();
        self.events.get_or_create(&vec![("witness", witness), ("result", result)]).inc();
        self.seconds.get_or_create(&vec![("witness", witness)]).observe(took.as_secs_f64());
    }

    /// Counts one request that was not taken.
    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&vec![("reason", reason)]).inc();
    }

    /// Counts the bytes of a body.
    pub(crate) fn received(&self, bytes: usize) {
        self.bytes.inc_by(bytes as u64);
    }

    /// Returns everything in the OpenMetrics text format.
    pub(crate) fn text(&self, status: &DaemonStatus, flight_bytes: usize) -> String {
        let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.queue.set(number(status.queue));
        self.size.set(number(status.size));
        self.flight.set(number(flight_bytes as u64));
        self.full.set(i64::from(status.full));
        let mut text = String::new();
        // Writing into memory does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}
