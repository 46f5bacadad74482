//! What an exporter is told: how many records were not taken, and why.

use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use prost::Message;
use serde_json::{Map, Value, json};

use super::{Encoding, Signal};

/// Makes the body that answers a request which was taken, but for `rejected` records.
pub fn answer(signal: Signal, encoding: Encoding, rejected: u64, why: &str) -> Vec<u8> {
    if rejected == 0 {
        return if encoding == Encoding::Json { b"{}".to_vec() } else { Vec::new() };
    }
    match encoding {
        Encoding::Json => {
            json!({"partialSuccess": {(rejected_name(signal)): rejected.to_string(), "errorMessage": why}}).to_string().into_bytes()
        }
        Encoding::Protobuf => protobuf(signal, i64::try_from(rejected).unwrap_or(i64::MAX), why.to_owned()),
    }
}

fn rejected_name(signal: Signal) -> &'static str {
    match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Traces => "rejectedSpans",
    }
}

fn protobuf(signal: Signal, rejected: i64, error_message: String) -> Vec<u8> {
    match signal {
        Signal::Logs => {
            let partial_success = Some(ExportLogsPartialSuccess { rejected_log_records: rejected, error_message });
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Metrics => {
            let partial_success = Some(ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message });
            ExportMetricsServiceResponse { partial_success }.encode_to_vec()
        }
        Signal::Traces => {
            let partial_success = Some(ExportTracePartialSuccess { rejected_spans: rejected, error_message });
            ExportTraceServiceResponse { partial_success }.encode_to_vec()
        }
    }
}

/// Makes the body that answers a request which was not taken: `google.rpc.Status`.
pub fn refusal(encoding: Encoding, code: i32, why: &str) -> Vec<u8> {
    match encoding {
        Encoding::Json => {
            let status = Map::from_iter([("code".to_owned(), Value::from(code)), ("message".to_owned(), Value::from(why))]);
            Value::Object(status).to_string().into_bytes()
        }
        Encoding::Protobuf => Status { code, message: why.to_owned() }.encode_to_vec(),
    }
}

/// `google.rpc.Status` without its details.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}
