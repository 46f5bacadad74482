//! What applications tell over OTLP: logs, metrics and spans in, redacted events out.
//!
//! It is **not** a server and keeps no connection, clock or key: bytes, times and the key of the ids are arguments.
//!
//! Invariants:
//! - One record (log record, span, metric data point) is one event, whichever encoding it came in.
//! - Every attribute of a record, its resource and its scope is in the event: in a field, or under its own name.
//! - The id of an event follows from what the record says, under a secret key: a request that is sent again makes the same events, and no id
//!   lets anybody test a guess of what was erased.
//! - A number missing between two records of one process is told, once.

mod answer;
mod attributes;
mod client;
mod decode;
mod error;
mod event;
mod gap;
mod place;
mod plain;
mod sequence;
mod unparsed;

pub use answer::{answer, refusal};
pub use decode::{EXPANDED_BYTES_MAX, Export, RECORDS_MAX, decode};
pub use error::OtelError;
pub use event::{ATTRIBUTES_MAX, Arrival, Made, Making};
pub use gap::gap;
pub use sequence::{Heard, Missing, PATIENCE_NS, PROCESSES_MAX, RANGES_MAX, Sequences};
pub use unparsed::unparsed;

/// What kind of telemetry a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Log records; the client's events are among them.
    Logs,
    /// Data points of metrics.
    Metrics,
    /// Spans.
    Traces,
}

/// How a request is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// OTLP's JSON: ids in hexadecimal, 64-bit numbers as text, enumerations as numbers.
    Json,
    /// Protobuf, over HTTP or gRPC.
    Protobuf,
}

impl Signal {
    /// Every signal.
    pub const ALL: &[Self] = &[Self::Logs, Self::Metrics, Self::Traces];

    /// Returns the name of one record, as it stands in events.
    pub fn record(self) -> &'static str {
        match self {
            Self::Logs => "log",
            Self::Metrics => "metric",
            Self::Traces => "span",
        }
    }

    /// Names of the lists in a request, from the outside in: by resource, by scope, the records.
    fn lists(self) -> [&'static str; 3] {
        match self {
            Self::Logs => ["resourceLogs", "scopeLogs", "logRecords"],
            Self::Metrics => ["resourceMetrics", "scopeMetrics", "metrics"],
            Self::Traces => ["resourceSpans", "scopeSpans", "spans"],
        }
    }
}
