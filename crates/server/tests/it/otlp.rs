//! OTLP as exporters send it: over HTTP and gRPC, packed and not, again and damaged; what is answered is in the ledger.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use http_body_util::{BodyExt, Full};
use hyper::HeaderMap;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sealtrail_server::{Scope, Server, ServerOptions};
use serde_json::{Value, json};

use crate::kit::{Response, Test, start};

const JSON: (&str, &str) = ("Content-Type", "application/json");
const PROTOBUF: (&str, &str) = ("Content-Type", "application/x-protobuf");
const LOGS: &str = "opentelemetry.proto.collector.logs.v1.LogsService";

fn fixture(name: &str) -> Vec<u8> {
    fs::read(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/claude-code/otlp").join(name)).unwrap()
}

fn export(test: &Test, key: &str, path: &str, body: &[u8], headers: &[(&str, &str)]) -> Response {
    test.ask_bytes("POST", key, path, body, headers)
}

/// Every event of OTLP in the ledger.
fn heard(test: &Test) -> Vec<Value> {
    test.events().into_iter().filter(|event| event["witness"] == "otel").collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// What a call of gRPC ended with.
struct Called {
    status: String,
    message: String,
    trailers: HeaderMap,
    body: Vec<u8>,
}

/// Calls a method of gRPC over HTTP/2, as exporters do on `http://`.
fn call(address: SocketAddr, key: &str, service: &str, packed: bool, message: &[u8]) -> Called {
    let mut frame = vec![u8::from(packed)];
    frame.extend_from_slice(&u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(message);
    let mut request = hyper::Request::post(format!("http://{address}/{service}/Export"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", format!("Bearer {key}"));
    if packed {
        request = request.header("grpc-encoding", "gzip");
    }
    let request = request.body(Full::new(Bytes::from(frame))).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        let connection = tokio::spawn(connection);
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200);
        let mut trailers = response.headers().clone();
        let body = response.into_body().collect().await.unwrap();
        trailers.extend(body.trailers().cloned().unwrap_or_default());
        let body = body.to_bytes().to_vec();
        connection.abort();
        let text = |name: &str| trailers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        Called { status: text("grpc-status"), message: text("grpc-message"), body, trailers: trailers.clone() }
    })
}

/// Protects what the client tells: every record of a captured session is sealed when it is answered, marked with its sender; a request that comes again
/// adds nothing, and no gap is told of a session that is whole.
#[test]
fn a_session_is_sealed_once() {
    let mut test = start(&[]);
    let key = test.key("laptop", Some("claude"));
    let requests = [
        ("/v1/logs", "api-errors.logs.01.json"),
        ("/v1/logs", "api-errors.logs.02.json"),
        ("/v1/logs", "api-errors.logs.03.json"),
        ("/v1/logs", "api-errors.logs.04.json"),
        ("/v1/logs", "api-errors.logs.05.json"),
        ("/v1/metrics", "api-errors.metrics.02.json"),
        ("/v1/traces", "api-errors.traces.01.json"),
    ];
    let mut counts = Vec::new();
    for _ in 0..2 {
        for (path, name) in requests {
            let answer = export(&test, &key, path, &fixture(name), &[JSON]);
            assert_eq!((answer.status, answer.body.as_str()), (200, "{}"), "{name}");
        }
        counts.push(heard(&test).len());
    }
    assert!(counts[0] > 60 && counts[0] == counts[1], "{counts:?}");
    let events = heard(&test);
    assert!(events.iter().all(|event| event["application_id"] == "claude" && event["collector"]["key"] == "laptop"));
    let call = events.iter().find(|event| event["phase"] == "outcome" && event["tool_use_id"] == "toolu_01SEKtwqrV8YzfhKoLVU2SHT").unwrap();
    assert_eq!((&call["event_type"], &call["tool_name"], &call["outcome"]), (&json!("tool.command"), &json!("Bash"), &json!("success")));
    // Another server on the same home knows nothing of the numbers, and makes the same ids.
    test.server.take().unwrap().stop();
    let options = ServerOptions { listen: SocketAddr::from(([127, 0, 0, 1], 0)), ..ServerOptions::default() };
    test.server = Some(Server::start(test.daemon.as_ref().unwrap().handle(), options).unwrap());
    let (path, name) = requests[4];
    assert_eq!(export(&test, &key, path, &fixture(name), &[JSON]).status, 200);
    assert_eq!(heard(&test).len(), counts[0]);
    test.server.take().unwrap().stop();
    assert_eq!(test.of_type("system.witness_gap"), Vec::<Value>::new());
}

/// Protects exporters of every kind: protobuf, gzip, and a body of unknown length give the same events as the plain request.
#[test]
fn every_form_of_a_body_is_taken() {
    let test = start(&[]);
    let key = test.key("w", None);
    let message = fixture("http-protobuf.logs.01.bin");
    let answer = export(&test, &key, "/v1/logs", &message, &[PROTOBUF]);
    assert_eq!((answer.status, answer.body.as_str(), answer.headers["content-type"].as_str()), (200, "", "application/x-protobuf"));
    let count = heard(&test).len();
    assert!(count > 0);
    let packed = export(&test, &key, "/v1/logs", &gzip(&message), &[PROTOBUF, ("Content-Encoding", "gzip")]);
    assert_eq!(packed.status, 200);
    assert_eq!(heard(&test).len(), count);
    let body = fixture("tour.logs.02.json");
    let mut request = format!("POST /v1/logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in body.chunks(1_000) {
        request.extend(format!("{:x}\r\n", piece.len()).bytes().chain(piece.iter().copied()).chain(*b"\r\n"));
    }
    request.extend(b"0\r\n\r\n");
    assert_eq!(test.raw(&request).status, 200);
    assert!(heard(&test).len() > count);
}

/// Protects exporters over gRPC: every service takes what the client sent, packed or not, and it is the same event as over HTTP.
#[test]
fn grpc_is_taken() {
    let test = start(&[]);
    let key = test.key("w", None);
    for (service, name) in [
        (LOGS, "grpc.logs.01.bin"),
        ("opentelemetry.proto.collector.metrics.v1.MetricsService", "grpc.metrics.01.bin"),
        ("opentelemetry.proto.collector.trace.v1.TraceService", "grpc.traces.01.bin"),
    ] {
        let before = heard(&test).len();
        let called = call(test.address(), &key, service, false, &fixture(name));
        assert_eq!((called.status.as_str(), called.body.as_slice()), ("0", &[0u8; 5][..]), "{name}: {}", called.message);
        let count = heard(&test).len();
        assert!(count > before, "{name}");
        assert_eq!(call(test.address(), &key, service, true, &gzip(&fixture(name))).status, "0");
        assert_eq!(heard(&test).len(), count, "{name}");
    }
    let count = heard(&test).len();
    assert_eq!(export(&test, &key, "/v1/logs", &fixture("grpc.logs.01.bin"), &[PROTOBUF]).status, 200);
    assert_eq!(heard(&test).len(), count);
}

/// Protects what is not understood: the sender learns it in the form of its protocol, is not made to send it again, and the bytes are sealed.
#[test]
fn what_is_malformed_is_refused_and_kept() {
    let test = start(&[]);
    let key = test.key("w", None);
    let answer = export(&test, &key, "/v1/logs", b"{\"resourceLogs\":7}", &[JSON]);
    assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(3)));
    let answer = export(&test, &key, "/v1/traces", b"\xff\xff", &[PROTOBUF]);
    assert_eq!((answer.status, answer.headers["content-type"].as_str()), (400, "application/x-protobuf"));
    let called = call(test.address(), &key, LOGS, false, b"\xff\xff\xff");
    assert_eq!(called.status, "3", "{}", called.message);
    let kept = test.of_type("system.unparsed");
    assert_eq!(
        kept.iter().map(|event| event["reason"].as_str().unwrap()).collect::<Vec<_>>(),
        ["not_otlp", "not_protobuf", "not_protobuf"]
    );
    assert!(kept.iter().all(|event| event["witness"] == "otel" && event["collector"]["key"] == "w"));
    assert_eq!(kept[0]["raw"]["text"], "{\"resourceLogs\":7}");
    assert_eq!(export(&test, &key, "/v1/logs", b"x", &[("Content-Type", "text/plain")]).status, 415);
    assert_eq!(export(&test, &key, "/v1/logs", b"x", &[JSON, ("Content-Encoding", "br")]).status, 415);
}

/// Protects exporters from believing that a part was whole: records over a limit are told in the answer, and the others are sealed.
#[test]
fn a_part_is_told_as_one() {
    let test = start(&[]);
    let key = test.key("w", None);
    let many: Vec<Value> = (0..1_100).map(|n| json!({"key": format!("k{n}"), "value": {"intValue": n}})).collect();
    let logs =
        json!([{"timeUnixNano": "1795229088670000000", "attributes": many}, {"timeUnixNano": "1795229088670000000", "eventName": "fine"}]);
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": logs}]}]}).to_string();
    let answer = export(&test, &key, "/v1/logs", body.as_bytes(), &[JSON]);
    assert_eq!((answer.status, &answer.json()["partialSuccess"]["rejectedLogRecords"]), (200, &json!("1")));
    assert!(answer.json()["partialSuccess"]["errorMessage"].as_str().unwrap().contains("1100 attributes"));
    assert_eq!((test.of_type("otel.fine").len(), test.of_type("system.unparsed").len()), (1, 1));
}

/// Protects against silence of the witness: a number that never came is told, with its session, when the server ends at the latest.
#[test]
fn a_missing_number_is_told() {
    let mut test = start(&[]);
    let key = test.key("w", None);
    for name in ["api-errors.logs.01.json", "api-errors.logs.03.json"] {
        assert_eq!(export(&test, &key, "/v1/logs", &fixture(name), &[JSON]).status, 200);
    }
    assert_eq!(test.of_type("system.witness_gap"), Vec::<Value>::new());
    test.server.take().unwrap().stop();
    test.daemon.take().unwrap().stop().unwrap();
    let gaps = test.of_type("system.witness_gap");
    assert_eq!(gaps.len(), 1);
    assert_eq!((&gaps[0]["gap"]["missing"], &gaps[0]["gap"]["from"], &gaps[0]["severity"]), (&json!(1), &json!(40), &json!("high")));
    assert_eq!(gaps[0]["session_id"], heard(&test)[0]["session_id"]);
}

/// Protects telemetry from a daemon that cannot seal: exporters are told to come again, each in the way that it understands, and nothing is said to be kept.
#[test]
fn what_cannot_be_sealed_is_to_come_again() {
    let mut test = start(&[]);
    let key = test.key("w", None);
    test.daemon.take().unwrap().stop().unwrap();
    let answer = export(&test, &key, "/v1/logs", &fixture("api-errors.logs.02.json"), &[JSON]);
    assert_eq!((answer.status, answer.headers["retry-after"].as_str(), &answer.json()["code"]), (503, "1", &json!(14)));
    let called = call(test.address(), &key, LOGS, false, &fixture("grpc.logs.01.bin"));
    assert_eq!(called.status, "14", "{}", called.message);
    assert!(called.trailers.contains_key("grpc-status-details-bin"));
    assert_eq!(heard(&test), Vec::<Value>::new());
}

/// Protects the memory from a message that unpacks to far more than it is: it is refused over both protocols, for good, and the server goes on.
#[test]
fn a_bomb_is_refused() {
    let test = start(&[]);
    let key = test.key("w", None);
    let bomb = gzip(&vec![0u8; 20 << 20]);
    assert_eq!(export(&test, &key, "/v1/logs", &bomb, &[PROTOBUF, ("Content-Encoding", "gzip")]).status, 413);
    let called = call(test.address(), &key, LOGS, true, &bomb);
    assert!(matches!(called.status.as_str(), "8" | "11"), "{} {}", called.status, called.message);
    assert!(!called.trailers.contains_key("grpc-status-details-bin"));
    assert_eq!(export(&test, &key, "/v1/logs", &fixture("tour.logs.02.json"), &[JSON]).status, 200);
}

/// Protects many exporters at once: what each of them sends is sealed once, whatever the order, and no gap is told.
#[test]
fn many_send_at_once() {
    let mut test = start(&[]);
    let key = test.key("w", None);
    let bodies: Vec<Vec<u8>> = (1..=5).map(|n| fixture(&format!("api-errors.logs.0{n}.json"))).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            for body in &bodies {
                // An event that is on its way with another request is to come again.
                scope.spawn(|| while export(&test, &key, "/v1/logs", body, &[JSON]).status == 503 {});
            }
        }
    });
    let mut numbers: Vec<u64> = heard(&test).iter().map(|event| event["attributes"]["event.sequence"].as_u64().unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..55).collect::<Vec<u64>>());
    test.server.take().unwrap().stop();
    assert_eq!(test.of_type("system.witness_gap"), Vec::<Value>::new());
}

/// Protects the door: without a key, and with a token that reads, nothing is taken over either protocol.
#[test]
fn only_write_keys_hand_in() {
    let test = start(&[]);
    let reader = test.token("r", Scope::Read, None, true);
    assert_eq!(export(&test, "", "/v1/logs", &fixture("tour.logs.02.json"), &[JSON]).status, 401);
    assert_eq!(export(&test, &reader, "/v1/logs", &fixture("tour.logs.02.json"), &[JSON]).status, 403);
    assert_eq!(heard(&test), Vec::<Value>::new());
}
