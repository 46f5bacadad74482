//! Transcripts of the real client, line by line: what they become, and that it is always the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;
use sealtrail_capture::transcript::{
    Changed, FileFacts, LINE_BYTES_MAX, Origin, Reading, changed, deleted, hook_transcript, meta_path, rewritten, role_of,
};
use sealtrail_event::{ENVELOPE_BYTES_MAX, Event, SLOT_BYTES_MAX};
use serde_json::{Value, json};

use crate::kit::fixtures;

const NOW: u64 = 1_795_300_000_000_000_000;

fn text(name: &str) -> String {
    fs::read_to_string(fixtures().join("transcripts").join(name)).unwrap()
}

fn origin(session: &str, agent: Option<&str>, meta: Option<&str>) -> Origin {
    Origin {
        path: format!("/home/dev/.claude/projects/p/{session}.jsonl"),
        session_id: Some(session.to_owned()),
        agent_id: agent.map(str::to_owned),
        meta: meta.map(|name| text(name).into_bytes()),
        uid: Some(1000),
        user: Some("dev".to_owned()),
        host: Some("devbox".to_owned()),
    }
}

fn events_of(reading: &mut Reading, text: &str) -> Vec<Event> {
    let mut events: Vec<Event> = text.lines().flat_map(|line| reading.read(line.as_bytes(), NOW)).collect();
    events.extend(reading.rest(NOW));
    events
}

fn views(name: &str, origin: Origin) -> Vec<Value> {
    let events = events_of(&mut Reading::new(origin), &text(name));
    events.iter().for_each(check);
    events.iter().map(Event::to_json).collect()
}

fn check(event: &Event) {
    event.envelope.check().unwrap();
    assert!(serde_json::to_vec(&event.envelope).unwrap().len() < ENVELOPE_BYTES_MAX);
    assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
}

fn tour() -> Vec<Value> {
    views("session-tool-tour.jsonl", origin("67f895cc-c4d3-4dbe-b22f-9ccae7030c8c", None, None))
}

fn of_type<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["event_type"] == kind).collect()
}

/// Protects the witness: every tool call of the session has one intent and one outcome, with the outcome that the client told.
#[test]
fn every_call_has_an_intent_and_an_outcome() {
    let events = tour();
    let mut calls: BTreeMap<&str, (usize, Vec<&str>)> = BTreeMap::new();
    for event in &events {
        let Some(call) = event["tool_use_id"].as_str() else { continue };
        match event["phase"].as_str() {
            Some("intent") => calls.entry(call).or_default().0 += 1,
            Some("outcome") => calls.entry(call).or_default().1.push(event["outcome"].as_str().unwrap()),
            _ => panic!("{event}"),
        }
        assert_eq!((&event["witness"], &event["grade"]), (&json!("transcript"), &json!("asserted")));
        assert_eq!((&event["user_id"], &event["prompt_id"].is_string()), (&json!("dev"), &true));
    }
    assert_eq!(calls.len(), 19);
    assert!(calls.values().all(|(intents, outcomes)| *intents == 1 && outcomes.len() == 1), "{calls:?}");
    let count = |word: &str| calls.values().filter(|(_, outcomes)| outcomes == &[word]).count();
    assert_eq!((count("success"), count("failure"), count("denied"), count("error")), (10, 3, 2, 4));
}

/// Protects searches over all witnesses: a call has the type, the verb and the target here that hooks give it.
#[test]
fn a_call_is_told_in_the_words_of_hooks() {
    let events = tour();
    let write = of_type(&events, "data.file_write");
    assert_eq!(write[0]["resource"]["path"], "/home/dev/project/notes.txt");
    assert_eq!(
        (&write[0]["phase"], &write[0]["tool_name"], &write[0]["policy_result"]),
        (&json!("outcome"), &json!("Write"), &json!("allowed"))
    );
    let asked = events.iter().find(|event| event["tool_use_id"] == write[0]["tool_use_id"] && event["phase"] == "intent").unwrap();
    assert_eq!((&asked["event_type"], &asked["action_type"]), (&json!("tool.requested"), &json!("data.file_write")));
    assert_eq!(asked["tool_input"]["content"], "alpha\nbeta\ngamma\n");
    let denied = events.iter().find(|event| event["outcome"] == "denied").unwrap();
    assert_eq!((&denied["reason"], &denied["policy_result"]), (&json!("deny_rule"), &json!("denied")));
    assert_eq!(denied["transcript"]["permissionDecision"]["ruleSource"], "userSettings");
    assert_eq!(of_type(&events, "mcp.tool_call")[0]["mcp_server"], "demo");
}

/// Protects the count of tokens: an answer of several lines is one event, with the tokens of one line; its blocks are events of their own.
#[test]
fn an_answer_is_told_once() {
    let events = tour();
    let answers = of_type(&events, "model.response");
    let ids: BTreeSet<&str> = answers.iter().map(|answer| answer["message_id"].as_str().unwrap()).collect();
    assert_eq!((answers.len(), ids.len()), (20, 20));
    assert!(answers.iter().all(|answer| answer["phase"] == "outcome" && answer["request_id"].is_string() && answer["model"].is_string()));
    let sum = |name: &str| answers.iter().map(|answer| answer[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("input_tokens"), sum("output_tokens"), sum("cache_read_tokens")), (20 * 120, 20 * 42, 20 * 1000));
    assert_eq!(of_type(&events, "model.message").iter().filter(|event| event["source"] == "thinking").count(), 1);
    let requests = of_type(&events, "model.request");
    assert_eq!(requests.len(), 20);
    assert!(answers.iter().all(|answer| requests.iter().any(|request| request["request_ref"] == answer["request_ref"])));
}

/// Protects the chain of agents: events of a subagent name it and its parent, as the client's description says.
#[test]
fn agents_have_their_parents() {
    let nested = views(
        "session-lifecycle.subagent-nested.jsonl",
        origin("9c5e117c-7fe1-40cf-9fc6-a9e3406d0edf", Some("a9155d0e6645f8ba8"), Some("session-lifecycle.subagent-nested.meta.json")),
    );
    for event in &nested {
        assert_eq!((&event["agent_id"], &event["parent_agent_id"]), (&json!("a9155d0e6645f8ba8"), &json!("ad4c99e08e1937e16")), "{event}");
        assert_eq!(event["agent_type"], "general-purpose");
    }
    assert_eq!(of_type(&nested, "model.response").len(), 2);
    let main = views("session-lifecycle.jsonl", origin("9c5e117c-7fe1-40cf-9fc6-a9e3406d0edf", None, None));
    let done = of_type(&main, "agent.subagent_finished");
    assert_eq!((&done[0]["subagent_id"], &done[0]["phase"]), (&json!("ad4c99e08e1937e16"), &json!("outcome")));
    assert!(done[0]["input_tokens"].is_null(), "the agent's own answers tell its tokens");
}

/// Protects completeness: every line gives an event, also kinds that nobody knows, and no member of it is lost.
#[test]
fn no_line_is_lost() {
    let mut reading = Reading::new(origin("s", None, None));
    let line =
        json!({"type": "brand-new", "uuid": "u-1", "timestamp": "2026-11-21T02:44:32.023Z", "sessionId": "s", "thing": {"a": [1, null]}});
    let events = reading.read(line.to_string().as_bytes(), NOW);
    let view = events[0].to_json();
    assert_eq!((&view["event_type"], &view["transcript"]["thing"]), (&json!("transcript.brand_new"), &json!({"a": [1, null]})));
    assert_eq!(view["timestamp"], "2026-11-21T02:44:32.023000000Z");
    for name in ["session-tool-tour.jsonl", "session-lifecycle.jsonl", "session-tool-tour.subagent.jsonl"] {
        let mut reading = Reading::new(origin("s", None, None));
        for line in text(name).lines() {
            let events = reading.read(line.as_bytes(), NOW);
            assert!(events.iter().any(|event| event.envelope.event_type.as_str() != "model.response"), "{line}");
        }
    }
    for broken in ["{\"type\":\"user\"", "[1]", "{\"a\":1,\"a\":2}", "\u{fffd}"] {
        let events = reading.read(broken.as_bytes(), NOW);
        assert_eq!((events.len(), events[0].envelope.event_type.as_str()), (1, "system.unparsed"));
    }
    let huge = vec![b'x'; LINE_BYTES_MAX + 1];
    assert_eq!(reading.read(&huge, NOW)[0].envelope.reason.as_ref().unwrap().as_str(), "too_large");
}

/// Protects content addresses: a message whose hash the client computed is recognised, a changed one is told, and nothing of it is stored twice.
#[test]
fn content_addresses_are_checked() {
    let mut reading = Reading::new(origin("s", None, None));
    for line in text("blob-hash-vectors.jsonl").lines() {
        let vector: Value = serde_json::from_str(line).unwrap();
        let blob =
            |message: &Value| json!({"type": "api-request-blob", "sessionId": "s", "hash": vector["hash"], "message": message}).to_string();
        let good = reading.read(blob(&vector["message"]).as_bytes(), NOW)[0].to_json();
        assert_eq!((&good["content_address"]["matches"], &good["content_address"]["hash"]), (&json!(true), &vector["hash"]));
        assert!(!good.to_string().contains("Summary turn"), "hash only");
        let mut marked = vector["message"].clone();
        marked["content"][0]["cache_control"] = json!({"type": "ephemeral"});
        assert_eq!(reading.read(blob(&marked).as_bytes(), NOW)[0].to_json()["content_address"]["matches"], true);
        // A content of one text may stand there without its block.
        let mut plain = vector["message"].clone();
        if plain["content"].as_array().unwrap().len() == 1 {
            plain["content"] = plain["content"][0]["text"].clone();
            assert_eq!(reading.read(blob(&plain).as_bytes(), NOW)[0].to_json()["content_address"]["matches"], true);
        }
        marked["content"][0]["text"] = json!("other");
        let bad = reading.read(blob(&marked).as_bytes(), NOW)[0].to_json();
        assert_eq!((&bad["reason"], &bad["severity"]), (&json!("hash_mismatch"), &json!("warning")));
    }
}

/// Protects secrets: they are replaced before anything leaves, and no hash of what held one is told.
#[test]
fn secrets_do_not_leave() {
    let secret = format!("ghp_{}", "a0Bz9Yk3Xq7".repeat(4)[..36].to_owned());
    let mut reading = Reading::new(origin("s", None, None));
    let hash = "ab".repeat(32);
    let lines = [
        json!({"type": "user", "uuid": "u1", "sessionId": "s", "message": {"role": "user", "content": format!("use {secret}")}}),
        json!({"type": "api-request-blob", "sessionId": "s", "hash": hash, "message": {"role": "user", "content": secret}}),
        json!({"type": "api-request", "sessionId": "s", "id": "r1", "keep": 0, "tail": [hash], "params": {"model": "m"}}),
    ];
    let events: Vec<Event> = lines.iter().flat_map(|line| reading.read(line.to_string().as_bytes(), NOW)).collect();
    let all = events.iter().map(|event| event.to_json().to_string()).collect::<String>();
    assert!(!all.contains(&secret) && !all.contains(&hash), "{all}");
    assert_eq!(events[0].envelope.redactions, Some(1));
}

/// Protects against a model's answer that grows after it seemed complete: the second telling has no phase, so that it does not count twice.
#[test]
fn more_of_an_answer_is_an_update() {
    let mut reading = Reading::new(origin("s", None, None));
    let line = |uuid: &str, tokens: u64| {
        let usage = json!({"input_tokens": 1, "output_tokens": tokens});
        let message = json!({"id": "msg_1", "model": "m", "content": [{"type": "text", "text": uuid}], "usage": usage});
        json!({"type": "assistant", "uuid": uuid, "timestamp": "2026-11-21T02:44:32Z", "sessionId": "s", "requestId": "req_1", "message": message}).to_string()
    };
    reading.read(line("a", 1).as_bytes(), NOW);
    let first = reading.rest(NOW);
    assert_eq!((first.len(), first[0].envelope.output_tokens), (1, Some(1)));
    assert!(reading.rest(NOW).is_empty());
    reading.read(line("b", 1).as_bytes(), NOW);
    assert!(reading.rest(NOW).is_empty(), "the same tokens are not told again");
    reading.read(line("c", 9).as_bytes(), NOW);
    let more = reading.rest(NOW);
    assert_eq!((more[0].envelope.phase, more[0].envelope.output_tokens), (None, Some(9)));
    assert_ne!(more[0].envelope.audit_id, first[0].envelope.audit_id);
}

/// Protects two answers that an API gave the same id: each request has its own, and so has its tokens.
#[test]
fn an_id_that_comes_again_is_another_answer() {
    let mut reading = Reading::new(origin("s", None, None));
    let line = |request: &str| {
        let message = json!({"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 1, "output_tokens": 1}});
        json!({"type": "assistant", "uuid": request, "timestamp": "2026-11-21T02:44:32Z", "sessionId": "s", "requestId": request, "message": message}).to_string()
    };
    let mut events = events_of(&mut reading, &[line("r1"), line("r1"), line("r2"), line("r1")].join("\n"));
    events.retain(|event| event.envelope.event_type.as_str() == "model.response");
    assert_eq!(events.iter().map(|event| event.envelope.request_id.as_ref().unwrap().as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
    assert!(events.iter().all(|event| event.to_json()["message_id"] == "msg_1"));
}

/// Protects the findings about files: they name the file, say what was sealed, and come out the same when they are made again.
#[test]
fn notices_about_files() {
    let origin = origin("s", Some("a1"), None);
    let facts =
        FileFacts { origin: &origin, sealed_bytes: 10, sealed_lines: 2, sealed_sha256: "ab", read_unix_ns: NOW, noticed_unix_ns: NOW + 1 };
    let how = Changed { how: "edited", size_bytes: 12, sha256: "cd".to_owned(), from_byte: Some(0), was: None };
    let event = changed(&facts, &how);
    assert_eq!(event.envelope.audit_id, changed(&FileFacts { noticed_unix_ns: NOW + 9, ..facts }, &how).envelope.audit_id);
    let view = event.to_json();
    assert_eq!((&view["event_type"], &view["severity"], &view["witness"]), (&json!("transcript.changed"), &json!("high"), &json!("fs")));
    assert_eq!((&view["file"]["sealed_bytes"], &view["session_id"], &view["agent_id"]), (&json!(10), &json!("s"), &json!("a1")));
    let gone = deleted(&facts, Some(3)).to_json();
    assert_eq!(
        (&gone["event_type"], &gone["reason"], &gone["file"]["unsealed_bytes"]),
        (&json!("transcript.deleted"), &json!("not_all_sealed"), &json!(3))
    );
    assert_eq!(deleted(&facts, Some(0)).to_json()["reason"], "all_sealed");
    assert_eq!(deleted(&facts, None).to_json()["reason"], "rest_unknown");
}

/// Protects which files are read: only names that the client gives transcripts, and of a hook only the path it names.
#[test]
fn names_of_transcripts() {
    let role = role_of("/h/.claude/projects/p/9c5e.jsonl").unwrap();
    assert_eq!((role.session_id.as_str(), role.agent_id), ("9c5e", None));
    let role = role_of("/h/.claude/projects/p/9c5e/subagents/agent-a1.jsonl").unwrap();
    assert_eq!((role.session_id.as_str(), role.agent_id.as_deref()), ("9c5e", Some("a1")));
    assert_eq!(meta_path("/p/s/subagents/agent-a1.jsonl").unwrap(), "/p/s/subagents/agent-a1.meta.json");
    assert_eq!(meta_path("/p/s.jsonl"), None);
    for path in ["/etc/passwd", "/p/.jsonl", "/p/a b.jsonl", "/p/s.json", ""] {
        assert_eq!(role_of(path), None, "{path}");
    }
    assert_eq!(hook_transcript(b"{\"x\":1,\"transcript_path\" : \"/p/s.jsonl\",\"y\":{}}").as_deref(), Some("/p/s.jsonl"));
    for body in [
        "{\"transcript_path\":\"/p/../s.jsonl\"}",
        "{\"transcript_path\":\"s.jsonl\"}",
        "{\"transcript_path\":7}",
        "{\"transcript_path\":\"/p/s.jsonl",
    ] {
        assert_eq!(hook_transcript(body.as_bytes()), None, "{body}");
    }
}

proptest! {
    // Each case reads a whole session several times.
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Protects against sealing twice or not at all: wherever reading stops, and begins again with the lines before, the same events come.
    #[test]
    fn any_pause_gives_the_same_events(cut in 0usize..400) {
        let text = text("session-lifecycle.jsonl");
        let lines: Vec<&str> = text.lines().collect();
        let cut = cut.min(lines.len());
        let whole: Vec<Event> = {
            let mut reading = Reading::new(origin("s", None, None));
            lines.iter().flat_map(|line| reading.read(line.as_bytes(), NOW)).collect()
        };
        let mut first = Reading::new(origin("s", None, None));
        let mut parts: Vec<Event> = lines[..cut].iter().flat_map(|line| first.read(line.as_bytes(), NOW)).collect();
        let mut second = Reading::new(origin("s", None, None));
        lines[..cut].iter().for_each(|line| drop(second.read(line.as_bytes(), NOW)));
        parts.extend(lines[cut..].iter().flat_map(|line| second.read(line.as_bytes(), NOW)));
        prop_assert_eq!(parts, whole);
    }

    /// Protects the recorder from whatever somebody writes into a transcript: every line gives sound events, no id comes twice, no call ends twice.
    #[test]
    fn hostile_lines_do_no_harm(lines in prop::collection::vec(hostile(), 1..24)) {
        let mut reading = Reading::new(origin("s", None, None));
        let mut events: Vec<Event> = Vec::new();
        for line in &lines {
            let made = reading.read(line.as_bytes(), NOW);
            prop_assert!(!made.is_empty() || line.trim().is_empty());
            events.extend(made);
        }
        events.extend(reading.rest(NOW));
        let mut ended = BTreeSet::new();
        for event in &events {
            check(event);
            if let (Some(sealtrail_event::Phase::Outcome), Some(call)) = (event.envelope.phase, &event.envelope.tool_use_id) {
                prop_assert!(ended.insert(call.clone()), "two outcomes of {call}");
            }
        }
    }
}

/// Lines that look like a transcript's, with odd values anywhere, cut anywhere.
fn hostile() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("user"),
        Just("assistant"),
        Just("system"),
        Just("attachment"),
        Just("api-request"),
        Just("api-request-blob"),
        Just("x\u{0}y"),
        Just("")
    ];
    let odd = prop_oneof![
        Just(json!(null)),
        Just(json!(-1)),
        Just(json!("t1")),
        Just(json!([1])),
        Just(json!({"type": "tool_result", "tool_use_id": "t1", "content": {"a": 1}, "is_error": true})),
        Just(json!([{"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "rm -rf /"}}, {"type": "tool_use", "id": "t1"}])),
        Just(json!([{"type": "tool_result", "tool_use_id": "t1"}, {"type": "tool_result", "tool_use_id": "t1"}])),
        Just(json!("9".repeat(300))),
    ];
    (word, odd.clone(), odd.clone(), odd.clone(), odd, 0usize..2000).prop_map(|(kind, content, usage, id, other, cut)| {
        let line = json!({
            "type": kind, "uuid": id, "sessionId": other, "agentId": other, "timestamp": other, "promptId": id, "toolUseResult": other,
            "message": {"id": id, "content": content, "usage": usage, "model": other}, "params": usage, "tail": content, "hash": id, "subtype": other,
        });
        let text = line.to_string();
        text.chars().take(if cut > 1000 { usize::MAX } else { cut }).collect()
    })
}

/// Protects the memory of what was sealed: a line that comes again under the same id and says something else is an event of its own, with what it says now;
/// a copy elsewhere, a later description of the agent, better redaction, erased words and growing counts are none.
#[test]
fn a_rewritten_line_is_told() {
    let name = "session-tool-tour.jsonl";
    let whose = || origin("67f895cc-c4d3-4dbe-b22f-9ccae7030c8c", None, None);
    let sealed = tour();
    let again = |text: &str, origin: Origin| -> Vec<Value> {
        let events = events_of(&mut Reading::new(origin), text);
        let pairs = events
            .iter()
            .filter_map(|event| Some((sealed.iter().find(|view| view["audit_id"] == event.envelope.audit_id.as_str())?, event)));
        let told: Vec<Event> = pairs.filter_map(|(view, event)| rewritten(view, event, NOW)).collect();
        told.iter().for_each(check);
        told.iter().map(Event::to_json).collect()
    };
    let original = text(name);
    assert_eq!(again(&original, whose()), Vec::<Value>::new());
    assert_eq!(
        again(&original, Origin { path: "/elsewhere/copy.jsonl".to_owned(), uid: Some(0), user: None, host: None, ..whose() }),
        Vec::<Value>::new()
    );
    // Every member that says something, each in a line of its own.
    let said = |event: &Value| event.get("prompt").or(event.get("response")).and_then(Value::as_str).map(str::to_owned);
    let words: BTreeSet<String> =
        sealed.iter().filter_map(said).filter(|text| text.len() > 8 && !text.contains(['\n', '"', '\\'])).collect();
    assert!(words.len() > 3, "{words:?}");
    for word in &words {
        let told = again(&original.replace(&format!("\"{word}\""), "\"Nothing happened here.\""), whose());
        assert!(!told.is_empty(), "nobody noticed that {word:?} is another text");
        for event in &told {
            assert_eq!(
                (&event["event_type"], &event["reason"], &event["witness"]),
                (&json!("transcript.changed"), &json!("rewritten"), &json!("fs"))
            );
            assert!(sealed.iter().any(|view| view["audit_id"] == event["parent_audit_id"]));
            assert!(event.get("phase").is_none(), "{event}");
        }
    }
    let call = of_type(&sealed, "tool.requested")[0];
    let (mut view, event) = {
        let events = events_of(&mut Reading::new(whose()), &original);
        (call.clone(), events.into_iter().find(|event| event.envelope.audit_id.as_str() == call["audit_id"]).unwrap())
    };
    view["tool_input"] = json!({"command": "something else"});
    assert_eq!(rewritten(&view, &event, NOW).unwrap().to_json()["file"]["members"], json!(["tool_input"]));
    view.as_object_mut().unwrap().shift_remove("tool_input");
    assert_eq!(rewritten(&view, &event, NOW), None, "what was erased is not compared");
    let answer = of_type(&sealed, "model.response")[0];
    let events = events_of(&mut Reading::new(whose()), &original);
    let event = events.iter().find(|event| event.envelope.audit_id.as_str() == answer["audit_id"]).unwrap();
    let counted = |output: u64| rewritten(&merge(answer, &json!({"output_tokens": output})), event, NOW);
    let now = answer["output_tokens"].as_u64().unwrap();
    assert_eq!((counted(now), counted(now - 1)), (None, None));
    assert_eq!(counted(now + 1).unwrap().to_json()["file"]["members"], json!(["output_tokens"]));
}

/// Protects against false alarms: a reader that knows more secrets, or another key for their tags, does not call that an edit; an edit beside a mark is one.
#[test]
fn redaction_is_no_edit() {
    let line = |text: &str| {
        json!({"type": "user", "uuid": "u1", "timestamp": "2026-11-21T02:44:32.023Z", "sessionId": "s1", "promptSource": "sdk",
        "message": {"role": "user", "content": text}})
        .to_string()
    };
    let read = |text: &str| Reading::new(origin("s1", None, None)).read(line(text).as_bytes(), NOW).remove(0);
    let told = |was: &str, is: &str| rewritten(&read(was).to_json(), &read(is), NOW).is_some();
    assert!(!told("use [redacted:github:aa] now", "use [redacted:github:bb] now"));
    assert!(!told("use the key now", "use the [redacted:generic:bb] now"));
    assert!(told("use [redacted:github:aa] now", "use [redacted:github:aa] then"));
    assert!(told("use [redacted:github:aa] now", "use nothing now"));
}

fn merge(view: &Value, more: &Value) -> Value {
    let mut view = view.clone();
    for (name, value) in more.as_object().unwrap() {
        view[name] = value.clone();
    }
    view
}
