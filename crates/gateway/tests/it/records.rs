//! What the record says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sealtrail_config::GatewayContent;
use serde_json::{Value, json};

use crate::kit::{ASK, Api, Run, SESSION, document, events, post, sha256, streamed};

/// Protects the minimum record of a model call: who, where, with which model, how much, how long, and the hashes of what passed.
#[test]
fn the_minimum_record_is_whole() {
    let run = Run::start(Api::answering(streamed(77)).address, |config| {
        config.user_header = Some("x-user".to_owned());
        config.data_classification = Some("internal".to_owned());
    });
    let headers = [
        SESSION,
        ("x-user", "ada@example.com"),
        ("x-claude-code-agent-id", "a1"),
        ("x-claude-code-parent-agent-id", "a0"),
        ("User-Agent", "claude-cli/2.1.329 (external, sdk-cli)"),
    ];
    run.send(&post("/v1/messages", &headers, ASK));
    let request = run.trail.wait_for("model.request", 1)[0].clone();
    let response = run.trail.wait_for("model.response", 1)[0].clone();
    for event in [&request, &response] {
        for (name, value) in [
            ("user_id", "ada@example.com"),
            ("session_id", SESSION.1),
            ("agent_id", "a1"),
            ("parent_agent_id", "a0"),
            ("model", "claude-test-1"),
            ("application_id", "claude-cli"),
            ("data_classification", "internal"),
            ("client_version", "2.1.329"),
            ("source_ip", "127.0.0.1"),
            ("grade", "observed"),
            ("category", "cost"),
        ] {
            assert_eq!(event[name], value, "{name} in {event}");
        }
    }
    assert_eq!(
        (&request["prompt_hash"], &request["request"]["messages"], &request["resource"]["size_bytes"]),
        (&sha256(ASK).as_str().into(), &1.into(), &ASK.len().into())
    );
    assert_eq!(
        (&response["input_tokens"], &response["output_tokens"], &response["usage"]["cache_read_input_tokens"]),
        (&11.into(), &42.into(), &5.into())
    );
    assert_eq!(
        (&response["stop_reason"], &response["status"], &response["request_id"], &response["outcome"]),
        (&"tool_use".into(), &"200".into(), &"req_011A".into(), &"success".into())
    );
    assert!(response["duration_ms"].is_u64() && response["passed"]["first_byte_ms"].is_u64(), "{response}");
    assert_eq!(
        response["blocks"],
        json!([{"type": "text", "size_bytes": 7}, {"type": "tool_use", "size_bytes": 24, "tool_use_id": "toolu_1"}])
    );
    let call = run.trail.wait_for("tool.requested", 1)[0].clone();
    assert_eq!(
        (&call["phase"], &call["tool_use_id"], &call["tool_name"], &call["action_type"]),
        (&"intent".into(), &"toolu_1".into(), &"Bash".into(), &"infra.git".into())
    );
    assert_eq!((&call["parent_audit_id"], &call["request_id"]), (&response["audit_id"], &"req_011A".into()));
}

/// Protects content and credentials: by default nothing of either is in any event, only hashes.
#[test]
fn by_default_no_content_is_kept() {
    let run = Run::start(Api::answering(streamed(77)).address, |_| {});
    let headers = [SESSION, ("x-api-key", "sk-ant-api03-verysecret"), ("Authorization", "Bearer oauth-verysecret")];
    run.send(&post("/v1/messages", &headers, ASK));
    run.trail.wait_for("tool.requested", 1);
    let all = format!("{:?}", run.trail.events());
    for word in ["verysecret", "hello", "I look", "git status"] {
        assert!(!all.contains(word), "{word} in {all}");
    }
    let call = &run.trail.of("tool.requested")[0];
    assert_eq!(call["tool_input_sha256"], sha256(br#"{"command":"git status"}"#).as_str());
    assert!(run.trail.of("model.request")[0]["credential"].as_str().unwrap().starts_with("key:"));
}

/// Protects "told once" and redaction: with content configured, each turn tells its new messages only, and secrets are replaced.
#[test]
fn with_content_each_message_is_told_once() {
    let run = Run::start(Api::answering(streamed(77)).address, |config| config.content = GatewayContent::Redacted);
    let secret = format!("ghp_{}", "a0Bz9Yk3Xq7".repeat(4).get(..36).unwrap());
    let first = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "one", "cache_control": {"type": "ephemeral"}}]}]});
    let second = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "one"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "git status"}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": format!("token {secret}")}]}]});
    for body in [&first, &second, &second] {
        run.send(&post("/v1/messages", &[SESSION], body.to_string().as_bytes()));
    }
    run.trail.wait_for("model.response", 3);
    let requests = run.trail.of("model.request");
    let told = |n: usize| (requests[n]["messages"]["kept"].as_u64().unwrap(), requests[n]["prompt"].as_array().map_or(0, Vec::len));
    assert_eq!((told(0), told(1), told(2)), ((0, 1), (1, 2), (3, 0)));
    assert_eq!(requests[1]["messages"]["kept_sha256"], requests[0]["messages"]["sha256"]);
    assert_eq!(requests[0]["prompt"][0]["message"]["content"][0]["text"], "one");
    let all = format!("{:?}", run.trail.events());
    assert!(!all.contains(&secret) && all.contains("[redacted:"), "{all}");
    let ended: Vec<Value> =
        run.trail.events().into_iter().filter(|event| event["phase"] == "outcome" && event["tool_use_id"] == "toolu_1").collect();
    assert_eq!((ended.len(), &ended[0]["event_type"], &ended[0]["outcome"]), (1, &"infra.git".into(), &"success".into()));
    assert_eq!((&ended[0]["command"], &ended[0]["parent_audit_id"]), (&"git status".into(), &requests[1]["audit_id"]));
    assert_eq!(run.trail.of("model.response")[0]["response"][0]["text"], "I look.");
}

/// Protects answers that come as one document, of a message, a refusal of Bedrock, and a count.
#[test]
fn documents_are_read_too() {
    let answer = json!({"id": "msg_2", "type": "message", "model": "claude-test-2", "content": [{"type": "thinking", "thinking": "hm"}, {"type": "tool_use", "id": "toolu_7", "name": "Read", "input": {"file_path": "/a"}}], "stop_reason": "tool_use", "usage": {"input_tokens": 3, "output_tokens": 4}});
    let run = Run::start(Api::answering(document("200 OK", "", answer.to_string().as_bytes())).address, |_| {});
    run.send(&post("/v1/messages", &[SESSION], ASK));
    let response = &run.trail.wait_for("model.response", 1)[0];
    assert_eq!(
        (&response["model"], &response["output_tokens"], &response["outcome"]),
        (&"claude-test-2".into(), &4.into(), &"success".into())
    );
    assert_eq!(run.trail.wait_for("tool.requested", 1)[0]["action_type"], "data.file_read");

    let run = Run::start(Api::answering(document("400 Bad Request", "x-amzn-RequestId: 7-8\r\n", br#"{"message":"bad"}"#)).address, |_| {});
    run.send(&post("/model/anthropic.claude-x/invoke", &[SESSION], br#"{"messages":[]}"#));
    let response = &run.trail.wait_for("model.response", 1)[0];
    assert_eq!(
        (&response["reason"], &response["request_id"], &response["model"], &response["source"]),
        (&"api_error".into(), &"7-8".into(), &"anthropic.claude-x".into(), &"bedrock".into())
    );

    let run = Run::start(Api::answering(document("200 OK", "", br#"{"input_tokens":9}"#)).address, |_| {});
    run.send(&post("/v1/messages/count_tokens", &[SESSION], ASK));
    let response = &run.trail.wait_for("gateway.response", 1)[0];
    assert_eq!(
        (&response["outcome"], &run.trail.of("gateway.request")[0]["prompt_hash"]),
        (&"success".into(), &sha256(ASK).as_str().into())
    );
}

/// Protects Bedrock and Vertex: the frames of the one and the events of the other say the same as those of the API itself.
#[test]
fn bedrock_and_vertex_are_read() {
    let text = String::from_utf8(events()).unwrap();
    let mut frames = Vec::new();
    for data in text.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let payload = json!({"bytes": STANDARD.encode(data)}).to_string().into_bytes();
        let total = u32::try_from(payload.len() + 16).unwrap();
        frames.extend([&total.to_be_bytes()[..], &[0; 8], &payload, &[0; 4]].concat());
    }
    let answer = [
        format!("HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: {}\r\n\r\n", frames.len())
            .into_bytes(),
        frames.clone(),
    ]
    .concat();
    let run = Run::start(Api::answering(answer).address, |_| {});
    let (_, body) = run.send(&post(
        "/model/us.anthropic.claude-y%3A0/invoke-with-response-stream",
        &[SESSION],
        br#"{"anthropic_version":"bedrock-2023-05-31","messages":[{"role":"user","content":"x"}]}"#,
    ));
    assert_eq!(body, frames);
    assert_eq!(run.trail.wait_for("model.request", 1)[0]["model"], "us.anthropic.claude-y:0");
    let bedrock = &run.trail.wait_for("model.response", 1)[0];
    assert_eq!(
        (&bedrock["output_tokens"], &bedrock["outcome"], &run.trail.wait_for("tool.requested", 1)[0]["tool_use_id"]),
        (&42.into(), &"success".into(), &"toolu_1".into())
    );

    let run = Run::start(Api::answering(streamed(13)).address, |_| {});
    run.send(&post("/v1/projects/p/locations/l/publishers/anthropic/models/claude-z@1:streamRawPredict", &[SESSION], ASK));
    assert_eq!(
        (&run.trail.wait_for("model.request", 1)[0]["source"], &run.trail.wait_for("model.response", 1)[0]["output_tokens"]),
        (&"vertex".into(), &42.into())
    );
}
