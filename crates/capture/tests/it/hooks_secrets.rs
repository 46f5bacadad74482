//! Secrets on every way into an event.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use sealtrail_capture::redact::Redactor;
use sealtrail_capture::{Intake, RAW_BYTES_MAX, Sessions, Side, hook};
use sealtrail_event::{AuditId, Event};
use serde_json::{Value, json};

use crate::kit::Bench;
use crate::redact_plant::{Dice, Plant, fill, plants};

/// Protects "nothing leaves that did not go through redaction": a secret at any place of a hook is in no event.
#[test]
fn a_secret_is_in_no_event() {
    let secret = format!("{}_{}", "ghp", "k3J9sLq2Xw8ZbV5nR7tYcD1fG4hM6pQaE0uI");
    assert_ne!(Redactor::new().text(&secret).text, secret, "the rule of this token is gone");
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

/// Returns every form in which `secret` must not be in an event: itself, as JSON text, in hex, in both base64 alphabets at each alignment.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned(), json!(secret).to_string().trim_matches('"').to_owned()];
    forms.push(secret.bytes().map(|b| format!("{b:02x}")).collect());
    for shift in 0..3_usize {
        let shifted = format!("{}{secret}", &"xx"[..shift]);
        // The first symbols mix with what stands before, the last with what follows.
        let encoded = [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)];
        forms.extend(encoded.into_iter().map(|text| text[4..text.len() - 4].to_owned()));
    }
    forms
}

/// Returns every byte of an event that is stored: the envelope with the slots, and each slot as it lies in the ledger.
fn stored(event: &Event) -> String {
    let slots: String = event.slots.iter().map(|slot| slot.json.as_str()).collect();
    format!("{}{slots}", event.to_json())
}

fn events(bytes: &[u8], side: Option<Side>) -> Vec<Event> {
    let mut intake = Intake::new(AuditId::parse("d1").unwrap(), 1_795_229_029_000_000_000, 1000);
    intake.side.extend(side);
    let mut ids = 0;
    hook(bytes, &intake, &mut Sessions::new(), &mut || {
        ids += 1;
        AuditId::parse(&format!("e{ids}")).unwrap()
    })
    .events
}

/// Protects "redacted before anything is written": planted secrets of every kind, on every way into an event, are in no stored byte in any
/// form; and the event says which rules replaced how much.
#[test]
fn no_stored_byte_holds_a_planted_secret() {
    for (number, Plant { what, text, secret }) in plants(21).into_iter().enumerate() {
        let call = json!({"session_id": "s1", "cwd": "/p", "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_use_id": "toolu_1",
                          "transcript_path": "/h/s1.jsonl", "tool_input": {"command": "make"}, "tool_response": {"stdout": "x", "stderr": ""}});
        let mut call = call;
        let mut side = None;
        match number % 8 {
            0 => call["tool_response"]["stdout"] = text.clone().into(),
            1 => call["tool_input"]["command"] = format!("cat <<'EOF'\n{text}EOF").into(),
            2 => call["hook_event_name"] = json!("UserPromptSubmit"),
            3 => call["tool_response"] = json!([{"type": "text", "text": json!({"inner": text}).to_string()}]),
            4 => call["future_member"] = json!({"deep": [{"er": text}]}),
            5 => call["tool_response"]["persistedOutputPath"] = "/h/s1/tool-results/b1.txt".into(),
            6 => {
                call = json!({"session_id": "s1", "hook_event_name": "PostToolBatch", "tool_calls": [
                {"tool_name": "Bash", "tool_use_id": "toolu_9", "tool_input": {"command": "make"}, "tool_response": text}]})
            }
            _ => {}
        }
        if number % 8 == 2 {
            call["prompt"] = text.clone().into();
        }
        if number % 8 == 5 {
            side = Some(Side {
                path: "/h/s1/tool-results/b1.txt".to_owned(),
                size_bytes: text.len() as u64,
                bytes: text.clone().into_bytes(),
            });
        }
        // Every eighth time the bytes are no JSON at all.
        let bytes = if number % 8 == 7 { format!("{{\"session_id\":\"s1\", {text}") } else { call.to_string() };
        let events = events(bytes.as_bytes(), side);
        for event in &events {
            let stored = stored(event);
            for line in secret.lines().filter(|line| line.len() >= 8) {
                assert!(!forms(line).iter().any(|form| stored.contains(form)), "{what} ({}): {line} is in {stored}", number % 8);
            }
        }
        let view = events[0].to_json();
        let told: u64 = view["redacted"].as_object().unwrap_or_else(|| panic!("{what}: {view:#}")).values().filter_map(Value::as_u64).sum();
        assert!(told > 0 && view["redactions"] == told, "{what}: {view:#}");
    }
}

/// Protects what is kept of bytes that are cut: a secret that lies across the end of the kept part is not kept by half.
#[test]
fn a_secret_across_the_end_of_what_is_kept_is_not_kept() {
    let mut dice = Dice(23);
    let secret = fill("ghp_<w:30><crc62:ghp_>", &mut dice);
    for before in [1, 5, 12, 20, 39] {
        let start = RAW_BYTES_MAX - before;
        let mut bytes = "word ".repeat(start / 5 + 1).into_bytes();
        bytes.truncate(start - 1);
        bytes.push(b'=');
        bytes.extend(secret.bytes());
        bytes.extend(" and so on".repeat(20).bytes());
        for event in events(&bytes, None) {
            assert!(before < 8 || !stored(&event).contains(&secret[..before]), "{before} bytes of the secret are kept");
        }
        // The engine reads a side file up to a limit: its end may be the first half of a secret.
        let call = json!({"session_id": "s1", "hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_use_id": "toolu_1", "transcript_path": "/h/s1.jsonl",
                          "tool_response": {"stdout": "x", "persistedOutputPath": "/h/s1/tool-results/b1.txt"}});
        let side =
            Side { path: "/h/s1/tool-results/b1.txt".to_owned(), bytes: bytes[..RAW_BYTES_MAX].to_vec(), size_bytes: bytes.len() as u64 };
        for event in events(call.to_string().as_bytes(), Some(side)) {
            assert!(before < 8 || !stored(&event).contains(&secret[..before]), "{before} bytes of the secret are kept");
        }
    }
}

/// Protects the metadata ledger from becoming a leak: personal data in prompts, inputs, outputs, errors, paths and unknown members is in
/// the slots, which can be erased, and in no envelope.
#[test]
fn no_envelope_holds_content() {
    let personal = ["maria.schmidt@example.org", "+4915112345678", "DE89370400440532013000", "4111111111111111", "Kurfürstendamm"];
    for person in personal {
        let call = |more: Value| {
            let mut hook = json!({"session_id": "s1", "cwd": format!("/home/{person}"), "hook_event_name": "PostToolUse", "tool_name": "Bash",
                                  "tool_use_id": "toolu_1", "tool_input": {"command": format!("grep {person} customers.csv")},
                                  "tool_response": {"stdout": person, "stderr": person}});
            hook.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            hook
        };
        let hooks = [
            call(json!({})),
            call(
                json!({"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": format!("/p/{person}.txt"), "content": person}}),
            ),
            call(json!({"hook_event_name": "PostToolUseFailure", "error": person})),
            call(json!({"hook_event_name": "UserPromptSubmit", "prompt": person})),
            call(json!({"tool_name": "WebFetch", "tool_input": {"url": format!("https://example.net/?q={person}"), "prompt": person}})),
            call(
                json!({"tool_name": "mcp__crm__find", "tool_input": {"who": person}, "tool_response": [{"type": "text", "text": person}]}),
            ),
            call(json!({"hook_event_name": "Stop", "mood": {"of": [person]}, "last_assistant_message": person})),
            call(json!({"hook_event_name": "PostToolBatch", "tool_calls": [
                {"tool_name": "Bash", "tool_use_id": "toolu_9", "tool_input": {"command": person}, "tool_response": person}]})),
        ];
        for hook in hooks {
            for event in events(hook.to_string().as_bytes(), None) {
                let mut line = Vec::new();
                event.envelope.write_members_to(&mut line);
                let line = String::from_utf8(line).unwrap();
                assert!(!line.contains(person), "{hook} gives the envelope {line}");
            }
        }
        let garbled = format!("{{\"prompt\": \"{person}");
        let mut line = Vec::new();
        events(garbled.as_bytes(), None)[0].envelope.write_members_to(&mut line);
        assert!(!String::from_utf8(line).unwrap().contains(person));
    }
}
