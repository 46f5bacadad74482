//! OTLP: three paths for its HTTP form and three for gRPC, whose handlers know a signal and not a path.
#![expect(dead_code, reason = "the document is made of these functions and types")]

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::types::Problem;

/// What exporters send over HTTP, as the `opentelemetry-proto` of its path says it: `resourceLogs`, `resourceMetrics`, `resourceSpans`.
#[derive(Serialize, ToSchema)]
#[schema(value_type = Object)]
pub(super) struct OtlpExport(Value);

/// Bytes of a protobuf message, or of a frame of gRPC.
#[derive(Serialize, ToSchema)]
#[schema(value_type = String, format = Binary)]
pub(super) struct Bytes(Vec<u8>);

/// What became of an export: nothing when all of it is sealed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtlpTaken {
    /// The records that were not taken as such.
    #[schema(nullable = false)]
    partial_success: Option<OtlpPartial>,
}

/// Records that were not taken as such; their bytes are in the trail.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct OtlpPartial {
    /// How many logs.
    #[schema(nullable = false)]
    rejected_log_records: Option<String>,
    /// How many data points.
    #[schema(nullable = false)]
    rejected_data_points: Option<String>,
    /// How many spans.
    #[schema(nullable = false)]
    rejected_spans: Option<String>,
    /// What was wrong with the first one.
    error_message: String,
}

/// Why an export was not taken (`google.rpc.Status`).
#[derive(Serialize, ToSchema)]
pub(super) struct OtlpStatus {
    /// A code of gRPC: 3 it is to be mended, 14 it is to be sent again.
    code: i32,
    /// What is wrong.
    message: String,
}

macro_rules! http {
    ($name:ident, $path:literal, $operation:literal, $what:literal) => {
        #[doc = concat!("Export ", $what, " (OTLP over HTTP).")]
        ///
        /// The answer comes when everything is sealed. What cannot be understood as OTLP is kept as `system.unparsed`, up to a limit.
        #[utoipa::path(
            post, path = $path, tag = "otlp", operation_id = $operation, security(("key" = [])),
            request_body(
                description = "An export request. `Content-Encoding` may be gzip or zstd.",
                content((OtlpExport = "application/json"), (Bytes = "application/x-protobuf")),
            ),
            responses(
                (status = 200, description = "All of it is sealed, but for what `partialSuccess` names.",
                    content((OtlpTaken = "application/json"), (Bytes = "application/x-protobuf"))),
                (status = 400, description = "It is no OTLP.", content((OtlpStatus = "application/json"), (Bytes = "application/x-protobuf"))),
                (status = 408, description = "It did not come in time.",
                    content((OtlpStatus = "application/json"), (Bytes = "application/x-protobuf"))),
                (status = 413, description = "It is too large.", content((OtlpStatus = "application/json"), (Bytes = "application/x-protobuf"))),
                (status = 415, description = "It is of another kind, or packed otherwise.",
                    content((OtlpStatus = "application/json"), (Bytes = "application/x-protobuf"), (Problem = "application/problem+json"))),
                (status = 503, description = "Not everything could be sealed: to be sent again after `Retry-After`.",
                    content((OtlpStatus = "application/json"), (Bytes = "application/x-protobuf"), (Problem = "application/problem+json"))),
                (status = "default", response = crate::document::Refused),
            )
        )]
        pub(super) fn $name() {}
    };
}

macro_rules! grpc {
    ($name:ident, $path:literal, $operation:literal, $what:literal) => {
        #[doc = concat!("Export ", $what, " (OTLP over gRPC).")]
        ///
        /// HTTP/2, and messages of `opentelemetry-proto`, plain or packed with gzip. What became of it stands in `grpc-status`.
        #[utoipa::path(
            post, path = $path, tag = "grpc", operation_id = $operation, security(("key" = [])),
            request_body(description = "One message in a frame.", content((Bytes = "application/grpc"))),
            responses(
                (status = 200, description = "The answer, or only a `grpc-status` that says why there is none.", body = Bytes, content_type = "application/grpc"),
                (status = "default", response = crate::document::Refused),
            )
        )]
        pub(super) fn $name() {}
    };
}

http!(logs, "/v1/logs", "exportLogs", "logs");
http!(metrics, "/v1/metrics", "exportMetrics", "metrics");
http!(traces, "/v1/traces", "exportTraces", "traces");
grpc!(grpc_logs, "/opentelemetry.proto.collector.logs.v1.LogsService/Export", "exportLogsGrpc", "logs");
grpc!(grpc_metrics, "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "exportMetricsGrpc", "metrics");
grpc!(grpc_traces, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "exportTracesGrpc", "traces");
