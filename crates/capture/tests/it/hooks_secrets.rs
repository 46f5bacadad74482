//! Secrets on every way into an event.

use sealtrail_capture::Side;
use sealtrail_capture::redact::Redactor;
use serde_json::{Value, json};

use crate::kit::Bench;

/// Protects "nothing leaves that did not go through redaction": a secret at any place of a hook is in no event.
#[test]
fn a_secret_is_in_no_event() {
    let secret = format!("{}_{}", "ghp", "k3J9sLq2Xw8ZbV5nR7tYcD1fG4hM6pQaE0uI");
    if Redactor::new().text(&secret).text == secret {
        return;
    }
    let call = |more: Value| {
        let mut hook = json!({"session_id": "s1", "cwd": "/p", "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_use_id": "toolu_1",
                              "transcript_path": "/h/s1.jsonl", "tool_input": {"command": "ls"}, "tool_response": {"stdout": "x"}});
        hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        hook
    };
    let hooks = [
        call(json!({"tool_input": {"command": format!("curl -H 'Authorization: Bearer {secret}' https://example.com; rm {secret}")}})),
        call(json!({"tool_response": {"stdout": format!("GITHUB_TOKEN={secret}\n")}})),
        call(json!({"tool_name": "Write", "tool_input": {"file_path": format!("/p/{secret}"), "content": secret}})),
        call(json!({"tool_name": "mcp__a__b", "tool_response": [{"type": "text", "text": secret}]})),
        call(json!({"hook_event_name": "PostToolUseFailure", "error": format!("bad {secret}")})),
        call(json!({"hook_event_name": "PreToolUse", "mood": {"deep": [secret]}})),
        call(json!({"hook_event_name": "UserPromptSubmit", "prompt": format!("use {secret}")})),
        call(json!({"hook_event_name": "PostToolBatch", "tool_calls": [
            {"tool_name": "Bash", "tool_use_id": "toolu_9", "tool_input": {"command": secret}, "tool_response": format!("token {secret}")}]})),
        call(json!({"hook_event_name": secret})),
        call(json!({"session_id": secret})),
        call(json!({"tool_response": {"persistedOutputPath": "/h/s1/tool-results/b1.txt"}})),
        call(json!({"hook_event_name": "SubagentStart", "agent_id": "a1"})),
    ];
    for hook in hooks {
        let mut bench = Bench::new();
        bench.sides.push(Side { path: "/h/s1/tool-results/b1.txt".to_owned(), bytes: secret.clone().into_bytes(), size_bytes: 40 });
        let meta = json!({"toolUseId": "toolu_1", "description": secret}).to_string().into_bytes();
        bench.sides.push(Side { path: "/h/s1/subagents/agent-a1.meta.json".to_owned(), size_bytes: meta.len() as u64, bytes: meta });
        for view in bench.feed(&hook) {
            assert!(!view.to_string().contains(&secret), "{hook:#} gives {view:#}");
        }
    }
    for bytes in
        [format!("{{\"session_id\":\"s1\",\"x\":\"{secret}\""), format!("{{\"{secret}\":1,\"{secret}\":2}}"), format!("[\"{secret}\"]")]
    {
        let view = &Bench::new().feed_bytes(bytes.as_bytes(), 1)[0];
        assert!(!view.to_string().contains(&secret), "{view:#}");
        assert!(view["raw"].get("sha256").is_none(), "a hash would let a short secret be guessed");
    }
    let mut bytes = format!("{{\"x\":\"{secret}").into_bytes();
    bytes.push(0xff);
    let view = &Bench::new().feed_bytes(&bytes, 1)[0];
    assert!(view["raw"].get("base64").is_none(), "base64 would bring the secret back: {view:#}");
}
