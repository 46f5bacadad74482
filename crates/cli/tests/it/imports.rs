//! `import` and `usage`: what other systems recorded is sealed once, joined to its session, with a daemon and without.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::run::{Machine, Ran};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code/transcripts");
const SESSION: &str = "67f895cc-c4d3-4dbe-b22f-9ccae7030c8c";
const AGENT: &str = "a511d96324327c0c0";

/// Lays the captured session out as the client does.
fn transcripts(machine: &Machine) {
    let text = |name: &str| std::fs::read_to_string(format!("{FIXTURES}/{name}")).unwrap();
    machine.write(&format!("projects/p/{SESSION}.jsonl"), &text("session-tool-tour.jsonl"));
    let folder = format!("projects/p/{SESSION}/subagents/agent-{AGENT}");
    machine.write(&format!("{folder}.jsonl"), &text("session-tool-tour.subagent.jsonl"));
    machine.write(&format!("{folder}.meta.json"), r#"{"agentType":"general-purpose"}"#);
}

fn told(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

fn trail() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    machine
}

fn daemon(machine: &Machine) -> (Child, impl Iterator<Item = std::io::Result<String>>) {
    let program = Path::new(env!("CARGO_BIN_EXE_sealtrail"));
    let mut daemon = machine.command(program, &["daemon"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(daemon.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("listening on "));
    (daemon, said)
}

fn stop(machine: &Machine, mut daemon: Child) {
    assert_eq!(machine.program(Path::new("/bin/kill"), &[&daemon.id().to_string()]).exit, 0);
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

/// Protects an import of transcripts: it seals everything once, with a daemon or without, and `usage` counts what the client counted itself.
#[test]
fn transcripts_are_sealed_once_and_counted() {
    let machine = trail();
    transcripts(&machine);
    let first = told(&machine.run("import transcripts ../projects --output json"));
    assert!(first["sealed"].as_u64().unwrap() > 150 && first["refused"] == json!([]), "{first}");
    let again = told(&machine.run("import transcripts ../projects --output json"));
    assert_eq!((&again["sealed"], &again["known"]), (&json!(0), &first["sealed"]));
    // A copy in which two lines say something else: the trail keeps what was sealed first, and tells both, once.
    let text = std::fs::read_to_string(format!("{FIXTURES}/session-tool-tour.jsonl")).unwrap();
    machine
        .write(&format!("copy/{SESSION}.jsonl"), &text.replace("\"Two calls at once.\"", "\"No call.\"").replace("echo hi\"", "echo ho\""));
    for _ in 0..2 {
        let copied = machine.run("import transcripts ../copy --output json");
        let copied_told = told(&copied);
        assert_eq!((&copied_told["rewritten"], &copied_told["sealed"]), (&json!(2), &json!(0)), "{copied}");
        assert!(copied.stderr.contains("say something else than what was sealed of them"), "{copied}");
    }
    let rewritten = machine.run("search --event-type transcript.changed --all --output ndjson").stdout;
    assert!(rewritten.contains("No call.") && rewritten.contains("echo ho") && rewritten.contains("\"rewritten\""), "{rewritten}");
    assert_eq!(rewritten.lines().count(), 2, "{rewritten}");
    let (running, _said) = daemon(&machine);
    machine.write(
        "projects/p/other.jsonl",
        "{\"type\":\"user\",\"uuid\":\"x\",\"sessionId\":\"other\",\"message\":{\"content\":\"hi\"}}\n{\"half\":",
    );
    let more = machine.run("import transcripts ../projects --output json");
    assert_eq!((&told(&more)["sealed"], &told(&more)["known"]), (&json!(1), &first["sealed"]), "{more}");
    assert!(more.stderr.contains("ends in the middle of a line"), "{more}");
    let usage = told(&machine.run_args(&["usage", "--session", SESSION, "--output", "json"]));
    let whole = usage.as_array().unwrap().iter().find(|row| row["agent_id"] == "(all)").unwrap();
    // The client's own account of this session, in its last line.
    assert_eq!((&whole["answers"], &whole["input_tokens"], &whole["output_tokens"]), (&json!(23), &json!(2760), &json!(966)));
    assert_eq!((&whole["cache_read_tokens"], &whole["cost_source"]), (&json!(23_000), &json!("client")));
    assert_eq!(whole["cost_usd"].as_f64().unwrap(), 0.034_960_000_000_000_005);
    assert_eq!(usage.as_array().unwrap().len(), 3, "main, the subagent, all: {usage}");
    stop(&machine, running);
    let shown = machine.run_args(&["session", "show", SESSION]);
    assert!(shown.stderr.contains("calls 21, of these with unknown outcome 0"), "{shown}");
    assert_eq!(machine.run("verify-integrity").exit, 0);
}

/// Protects a running daemon's trail from being the only way in: records and hooks are imported while it runs, each record once.
#[test]
fn imports_work_beside_the_daemon() {
    let machine = trail();
    let (running, _said) = daemon(&machine);
    machine.write(
        "work/r.ndjson",
        r#"{"event_type":"auth.user_login","audit_id":"audit_evt_1","timestamp":"2026-11-21T10:00:00Z","user_id":"u"}"#,
    );
    let first = machine.run("import events r.ndjson --output json");
    assert_eq!((first.exit, &told(&first)["sealed"]), (0, &json!(1)), "{first}");
    assert_eq!(told(&machine.run("import events r.ndjson --output json"))["known"], 1);
    machine.write("work/h.jsonl", r#"{"session_id":"s","hook_event_name":"UserPromptSubmit","cwd":"/p","prompt":"beside the daemon"}"#);
    assert_eq!(machine.run("import hooks h.jsonl").exit, 0);
    let found = machine.run("search event_type=prompt.submitted --output ndjson");
    assert!(found.stdout.contains("beside the daemon"), "{found}");
    stop(&machine, running);
    assert_eq!(machine.run("verify-integrity").exit, 0);
}

/// Protects the join of CloudTrail: a record that carries a session of the trail belongs to it, the others are counted and listed, bad ones named.
#[test]
fn cloudtrail_is_joined() {
    let machine = trail();
    transcripts(&machine);
    assert_eq!(machine.run("import transcripts ../projects").exit, 0);
    let record = |id: &str, agent: &str| {
        json!({"eventID": id, "eventTime": "2026-11-21T02:44:40Z", "eventSource": "s3.amazonaws.com", "eventName": "GetObject", "userAgent": agent,
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/a"}})
    };
    let stranger = "aws-cli app/11111111-2222-4333-8444-555555555555";
    let records = [record("e1", &format!("aws-cli app/claude-{SESSION}")), record("e2", stranger), json!({"eventID": "e3"})];
    let file = std::fs::File::create(machine.path("work/trail.json.gz")).unwrap();
    let mut packed = GzEncoder::new(file, Compression::fast());
    packed.write_all(json!({"Records": records}).to_string().as_bytes()).unwrap();
    packed.finish().unwrap();
    let ran = machine.run("import cloudtrail trail.json.gz --output json");
    let done = told(&ran);
    assert_eq!((ran.exit, &done["sealed"], &done["unmatched"]["count"]), (4, &json!(2), &json!(1)), "{ran}");
    assert_eq!(done["unmatched"]["rows"][0], "trail.json.gz row 2: user_agent=11111111-2222-4333-8444-555555555555");
    assert!(done["refused"][0]["error"].as_str().unwrap().contains("eventTime"), "{done}");
    assert_eq!(told(&machine.run("import cloudtrail trail.json.gz --output json"))["known"], 2);
    let found = machine.run_args(&["search", "--session-id", SESSION, "event_type=infra.cloud", "--output", "ndjson"]);
    assert_eq!(found.stdout.lines().count(), 1, "{found}");
}

/// Protects people who write mappings: a mistake is told with its line, a row that does not fit with its column, and good rows are sealed.
#[test]
fn a_mapping_says_what_is_wrong() {
    let machine = trail();
    machine.write(
        "work/map.yaml",
        "source: ci\nevent_type: {value: infra.deploy}\ntimestamp: {from: at}\nid: id\nfields:\n  user_id: {from: who}\n",
    );
    machine.write("work/rows.jsonl", "{\"id\":1,\"at\":\"2026-11-21T10:00:00Z\",\"who\":\"ann\"}\n{\"id\":2,\"at\":\"x\"}\n{\"id\":3,\n");
    let ran = machine.run("import jsonl rows.jsonl --map map.yaml");
    assert_eq!(ran.exit, 4, "{ran}");
    assert!(ran.stderr.contains("rows.jsonl line 2 was not sealed: cannot take the row: its time `at` is \"x\""), "{ran}");
    assert!(ran.stderr.contains("rows.jsonl line 3 was not sealed: column 8: "), "{ran}");
    assert!(ran.stderr.contains("1 records sealed") && ran.stderr.contains("1 rows match no session"), "{ran}");
    let found = machine.run("search --user-id ann event_type=infra.deploy --output ndjson");
    assert_eq!(found.stdout.lines().count(), 1, "{found}");
    machine.write("work/wrong.yaml", "source: ci\nevent_typ: {value: x}\ntimestamp: {from: at}\n");
    let wrong = machine.run("import jsonl rows.jsonl --map wrong.yaml");
    assert!(wrong.exit == 78 && wrong.stderr.contains("event_typ") && wrong.stderr.contains("line 2"), "{wrong}");
}

/// Protects the granularity of the activity feed: it is sealed, says that it is coarse, and shows no tool call.
#[test]
fn the_activity_feed_is_marked() {
    let machine = trail();
    let activity = json!({"id": "activity_1", "created_at": "2026-04-10T08:09:10Z", "type": "claude_chat_created", "actor": {"email_address": "a@b.c"}});
    machine.write("work/feed.json", &json!({"data": [activity], "has_more": false}).to_string());
    let done = told(&machine.run("import compliance feed.json --output json"));
    assert_eq!((&done["sealed"], &done["unmatched"]["count"]), (&json!(1), &json!(1)));
    let found = machine.run("search granularity=activity --output ndjson");
    let event: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!((&event["user_id"], &event["witness"], event.get("tool_use_id")), (&json!("a@b.c"), &json!("api"), None));
}
