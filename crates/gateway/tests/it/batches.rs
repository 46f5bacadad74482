//! Batches: made, fetched, fetched again.

use std::collections::BTreeSet;
use std::sync::Arc;

use sealtrail_config::{Budget, BudgetPer, Gateway as Config, Price};
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_gateway::{Gateway, HandleSeal, Options, Past, look_back};
use serde_json::{Value, json};

use crate::kit::{Api, Got, Run, Step, chunk, connect, document, post, read_message, sha256};
use crate::sealed::views;

const BATCH: &str = "msgbatch_013Zva2CMHLNnXjNJJKqJ2EF";

/// The results of a batch: an answer with a call, an error, one that was called off, and one that took too long.
fn results() -> Vec<u8> {
    let message = json!({"id": "msg_7", "type": "message", "role": "assistant", "model": "claude-test-1", "stop_reason": "tool_use",
        "usage": {"input_tokens": 100, "output_tokens": 20, "cache_read_input_tokens": 10, "service_tier": "batch"},
        "content": [{"type": "text", "text": "hello there"}, {"type": "tool_use", "id": "toolu_b1", "name": "Bash", "input": {"command": "git status"}}]});
    let error = json!({"type": "error", "error": {"type": "invalid_request_error", "message": "max_tokens: too many"}, "request_id": null});
    [
        json!({"custom_id": "one", "result": {"type": "succeeded", "message": message}}),
        json!({"custom_id": "two", "result": {"type": "errored", "error": error}}),
        json!({"custom_id": "three", "result": {"type": "canceled"}}),
        json!({"custom_id": "four", "result": {"type": "expired"}}),
    ]
    .iter()
    .flat_map(|line| format!("{line}\n").into_bytes())
    .collect()
}

/// An API that makes a batch, and gives its results in small pieces.
fn api() -> Api {
    Api::start(|_, got: &Got| {
        if got.head.starts_with("POST") {
            let made = json!({"id": BATCH, "type": "message_batch", "processing_status": "in_progress", "results_url": null}).to_string();
            return vec![Step::Write(document("200 OK", "request-id: req_1\r\n", made.as_bytes()))];
        }
        let mut answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-jsonl\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        results().chunks(37).for_each(|piece| answer.extend(chunk(piece)));
        answer.extend_from_slice(b"0\r\n\r\n");
        vec![Step::Write(answer)]
    })
}

fn make() -> Vec<u8> {
    let params = json!({"model": "claude-test-1", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
    let requests: Vec<Value> = ["one", "two", "three", "four"].iter().map(|id| json!({"custom_id": id, "params": params})).collect();
    post("/v1/messages/batches", &[], json!({"requests": requests}).to_string().as_bytes())
}

fn fetch() -> Vec<u8> {
    format!("GET /v1/messages/batches/{BATCH}/results HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n").into_bytes()
}

fn of<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().find(|event| event["batch"]["custom_id"] == name).unwrap()
}

/// Protects the record of batched requests: the file passes untouched, and each of its lines is the end of a call of the model, with its tokens, cost and
/// calls, joined to the request that made the batch.
#[test]
fn results_of_a_batch_are_ends_of_its_requests() {
    let run = Run::start(api().address, |config| {
        config.prices = vec![Price { model: "claude-test-*".to_owned(), input: 10.0, output: 20.0, cache_read: 1.0, cache_write: 0.0 }];
    });
    run.send(&make());
    run.trail.wait_for("gateway.response", 1);
    let (_, body) = run.send(&fetch());
    assert_eq!(body, results());
    let ends = run.trail.wait_for("model.response", 4);
    let (asked, answered) = (run.trail.wait_for("gateway.request", 2), run.trail.wait_for("gateway.response", 2));
    assert_eq!((&asked[0]["request"]["requests"], &answered[0]["batch"]), (&4.into(), &json!({"id": BATCH, "made": true})));
    assert_eq!((&answered[1]["passed"]["results"], &answered[1]["passed"]["results_unread"]), (&4.into(), &0.into()));

    let one = of(&ends, "one");
    let line = results();
    let line = line.split(|byte| *byte == b'\n').next().unwrap();
    for (name, value) in [
        ("parent_audit_id", asked[0]["audit_id"].clone()),
        ("batch", json!({"id": BATCH, "custom_id": "one", "result": "succeeded"})),
        ("outcome", "success".into()),
        ("model", "claude-test-1".into()),
        ("stop_reason", "tool_use".into()),
        ("input_tokens", 100.into()),
        ("output_tokens", 20.into()),
        ("message_id", "msg_7".into()),
        ("grade", "observed".into()),
        ("response_hash", sha256(line).into()),
    ] {
        assert_eq!(one[name], value, "{name} in {one}");
    }
    let cost = one["cost_usd"].as_f64().unwrap();
    assert!((cost - (1000.0 + 400.0 + 10.0) / 2_000_000.0).abs() < 1e-12, "requests of a batch cost half: {cost}");
    let reasons: Vec<&Value> = ["two", "three", "four"].iter().map(|name| &of(&ends, name)["reason"]).collect();
    assert_eq!(reasons, ["invalid_request_error", "canceled", "expired"]);
    assert!(ends.iter().filter(|end| end["outcome"] == "error").count() == 3);
    let call = &run.trail.wait_for("tool.requested", 1)[0];
    assert_eq!(
        (&call["parent_audit_id"], &call["tool_use_id"], &call["tool_name"], &call["action_type"], &call["phase"]),
        (&one["audit_id"], &"toolu_b1".into(), &"Bash".into(), &"infra.git".into(), &"intent".into())
    );
    let all = format!("{:?}", run.trail.events());
    assert!(!all.contains("hello there") && !all.contains("git status"), "no content by default: {all}");
}

/// Protects budgets: a batch counts when its results pass, and once, also when they pass again and after a restart.
#[test]
fn results_count_for_budgets_once() {
    let budget = Budget { per: BudgetPer::Day, tokens: Some(130), usd: None, block: false };
    let run = Run::start(api().address, |config| config.budgets = vec![budget.clone()]);
    run.send(&fetch());
    run.send(&fetch());
    run.trail.wait_for("gateway.response", 2);
    assert_eq!(run.trail.of("budget.crossed").len(), 1);
    let ids: BTreeSet<String> = run.trail.of("model.response").iter().map(|end| end["audit_id"].to_string()).collect();
    assert_eq!(ids.len(), 4, "the same result has the same id");

    let mut past = Past::default();
    run.trail.events().iter().take(6).for_each(|event| past.see(event));
    let run = Run::start_with(api().address, |config| config.budgets = vec![Budget { tokens: Some(200), ..budget }], past, None);
    run.send(&fetch());
    run.trail.wait_for("gateway.response", 1);
    assert!(run.trail.of("budget.crossed").is_empty());
}

/// Protects "each once": with the ledger of a real trail, results that are fetched again and by another process are sealed once, joined to the making of the
/// batch that the first one saw.
#[test]
fn results_are_sealed_once() {
    let folder = tempfile::tempdir().unwrap();
    let (home, _) = Home::create(folder.path().join("home"), &CreateHome::default()).unwrap();
    let api = api();
    for asks in [vec![make(), fetch(), fetch()], vec![fetch()]] {
        let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
        let config = Config { upstream: format!("http://{}", api.address), ..Config::default() };
        let options = Options::of(&config, "127.0.0.1:0".parse().unwrap(), None).unwrap();
        let gateway = Gateway::start(Arc::new(HandleSeal(daemon.handle())), options, look_back(&home, true).unwrap()).unwrap();
        for ask in asks {
            let mut stream = connect(gateway.address());
            std::io::Write::write_all(&mut stream, &ask).unwrap();
            read_message(&mut stream, true).unwrap();
        }
        gateway.stop();
        daemon.stop().unwrap();
    }
    let events = views(&home);
    let of_type = |kind: &str| events.iter().filter(|event| event["event_type"] == kind).collect::<Vec<_>>();
    assert_eq!((of_type("model.response").len(), of_type("tool.requested").len(), of_type("gateway.response").len()), (4, 1, 4));
    let maker = &of_type("gateway.request")[0]["audit_id"];
    assert!(of_type("model.response").iter().all(|end| end["parent_audit_id"] == *maker), "{events:?}");
}
