//! A trail from `init` to `verify-integrity`, made of the sample records and the recorded sessions that ship with the project.

use serde_json::Value;

use crate::run::Machine;

/// The recorded sessions of the real client.
const SESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/claude-code");
/// The sample records.
const RECORDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/seeds");

/// A machine with a trail that holds every sample record.
fn with_records() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let mut lines = String::new();
    let mut names: Vec<_> = std::fs::read_dir(RECORDS).unwrap().flatten().map(|entry| entry.path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|ending| ending == "json")) {
        let record: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        lines.push_str(&format!("{record}\n"));
    }
    machine.write("work/records.ndjson", &lines);
    let ran = machine.run("import events records.ndjson");
    assert_eq!(ran.exit, 0, "{ran}");
    machine
}

/// A machine with a trail that holds a recorded session.
fn with_session(name: &str) -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let ran = machine.run_args(&["import", "hooks", &format!("{SESSIONS}/{name}.jsonl")]);
    assert_eq!(ran.exit, 0, "{ran}");
    machine
}

fn ids(machine: &Machine, args: &[&str]) -> Vec<String> {
    let mut all = vec!["search", "-o", "id"];
    all.extend(args);
    let ran = machine.run_args(&all);
    assert_eq!(ran.exit, 0, "{ran}");
    // Ids that we made are filtered to a word in what tests see; the sample records have their own.
    ran.stdout.lines().map(str::to_owned).collect()
}

/// Protects the first command: a trail is made without a question, keys are private, and a second run changes nothing.
#[test]
fn init_makes_a_trail_once() {
    use std::os::unix::fs::PermissionsExt;
    let machine = Machine::new();
    insta::assert_snapshot!(machine.run("init --no-input --no-hooks --dry-run"), @r#"
    exit: 0
    ----- stderr
    would make a trail in [HOME]/.local/state/sealtrail: ledger, keys (0600), audit.yaml, spool
    "#);
    assert!(!machine.path(".local/state/sealtrail").exists());
    let first = machine.run("init --no-input --no-hooks --origin example.com/audit/test --hmac");
    assert_eq!(first.exit, 0, "{first}");
    assert!(first.stdout.starts_with("vkey example.com/audit/test+"), "{first}");
    assert!(first.stdout.contains("\nmac-key "), "{first}");
    insta::assert_snapshot!(first.stderr, @r#"
    made a trail in [HOME]/.local/state/sealtrail
    configuration: [HOME]/.local/state/sealtrail/audit.yaml
    keys:          [HOME]/.local/state/sealtrail/keys (log.key signs checkpoints, epoch.key commits, spool.key opens the spool)

    keep outside this machine:
      the vkey line above: with it, anybody can tell that a ledger is this one (verify-integrity --vkey)
      a copy of [HOME]/.local/state/sealtrail/keys/log.key, offline: without it the log can be verified, but not continued under its name
      the mac-key line above, with somebody who does not run this trail: it is shown this once, and whoever has it can check, and forge, the HMACs
    "#);
    insta::assert_snapshot!(machine.run("init --no-input --no-hooks"), @r#"
    exit: 0
    ----- stderr
    the trail in [HOME]/.local/state/sealtrail is there already
    "#);
    for (name, mode) in [("", 0o700), ("keys", 0o700), ("keys/log.key", 0o600), ("keys/epoch.key", 0o600), ("audit.yaml", 0o600)] {
        let path = machine.path(".local/state/sealtrail").join(name);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode, "{name}");
    }
    assert_eq!(machine.run("config validate").exit, 0);
}

/// Protects people without a trail: every reading command says what to do.
#[test]
fn without_a_trail_every_command_says_what_to_do() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.run("search"), @r#"
    exit: 1
    ----- stderr
    error: there is no trail in [HOME]/.local/state/sealtrail

    hint: make one: sealtrail init
    hint: or name another folder: --home DIR, or SEALTRAIL_HOME
    "#);
    for command in ["tail", "get x", "status", "session list", "trace-chain x", "verify-integrity", "prove x", "daemon", "checkpoint show"]
    {
        let ran = machine.run(command);
        assert_eq!(ran.exit, 1, "{command}: {ran}");
        assert!(ran.stderr.contains("sealtrail init"), "{command}: {ran}");
    }
}

/// Protects the sample commands of the articles: each flag finds the sample record it names.
#[test]
fn every_flag_of_the_articles_finds_its_sample_record() {
    let machine = with_records();
    let everything = ids(&machine, &["--all", "witness=api"]);
    assert!(everything.len() >= 8, "{everything:?}");
    let cases: &[&[&str]] = &[
        &["--user-id", "user_12345"],
        &["--event-type", "data.file_read", "--sensitivity-level", "pii"],
        &["--source-ip", "203.0.113.*"],
        &["--source-ip", "203.0.113.0/24"],
        &["--event-type", "auth.*"],
    ];
    for case in cases {
        let found = ids(&machine, case);
        assert!(!found.is_empty() && found.len() < everything.len(), "{case:?}: {found:?}");
    }
    assert!(ids(&machine, &["--since", "2 weeks ago", "--until", "1 hour ago", "witness=api"]).len() <= everything.len());
    let none = machine.run("search --user-id nobody --require-match");
    assert_eq!(none.exit, 5, "{none}");
}

/// Protects pipelines of the articles: `json` is an array, `ndjson` one object a line, and nothing of a record is lost.
#[test]
fn json_is_an_array_and_ndjson_is_lines() {
    let machine = with_records();
    let array: Value = serde_json::from_str(&machine.run("search -o json --all").stdout).unwrap();
    let lines = machine.run("search -o ndjson --all").stdout;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(array.as_array().unwrap().len() >= 8 && lines.len() >= array.as_array().unwrap().len());
    assert_eq!(machine.run("search nothing_like_this -o json").stdout, "[]\n");
    let cut = machine.run("search --limit 1 -o id");
    assert_eq!(cut.stdout.lines().count(), 1);
    assert!(cut.stderr.contains("warning: stopped at --limit 1"), "{cut}");
    let fields = machine.run("search --event-type data.file_read --fields timestamp,resource.path -o csv");
    assert!(fields.stdout.starts_with("timestamp,resource.path\n"), "{fields}");
}

/// Protects the promise that reading is recorded: every reading command leaves an event with its question and its count.
#[test]
fn reading_the_trail_is_recorded() {
    let machine = with_records();
    machine.run("search --user-id user_12345");
    machine.run("get no_such_event");
    let seen = machine.run("search --event-type system.audit_log_accessed -o ndjson --oldest-first");
    let seen: Vec<Value> = seen.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = seen
        .iter()
        .map(|event| format!("{} {} {}", event["access"]["command"], event["access"]["query"], event["access"]["events"]))
        .collect();
    insta::assert_debug_snapshot!(told, @r#"
    [
        "\"search\" \"user_id=\\\"user_12345\\\" or user_id_hash=\\\"user_12345\\\"\" 1",
        "\"get\" \"no_such_event\" 0",
    ]
    "#);
}

/// Protects evidence: an export with seals verifies anywhere, and a changed letter in it is named.
#[test]
fn an_export_proves_itself_and_a_changed_one_does_not() {
    let machine = with_records();
    let export = machine.run("search --all -o json --proof witness=api");
    assert_eq!(export.exit, 0, "{export}");
    // What tests see has its ids filtered, so the file is written by the shell.
    let written = machine.script(
        "sealtrail search --all -o json --proof witness=api > export.json && sed 's/user_12345/user_99999/' export.json > changed.json",
    );
    assert_eq!(written.exit, 0, "{written}");
    let good = machine.run("verify-integrity export.json");
    assert_eq!(good.exit, 0, "{good}");
    let bad = machine.run("verify-integrity changed.json");
    assert_eq!(bad.exit, 3, "{bad}");
    machine.write("work/bare.json", "[{\"audit_id\":\"x\"}]");
    assert_eq!(machine.run("verify-integrity bare.json").exit, 3);
    assert_eq!(machine.run("search --proof").exit, 64);
}

/// Protects the timeline: every call of the recorded session is one line with intent, verdict and outcome joined.
#[test]
fn a_recorded_session_is_told_one_line_an_action() {
    let machine = with_session("hooks-session");
    let table = machine.run("session show last -o table");
    assert_eq!(table.exit, 0, "{table}");
    assert!(table.stderr.contains("with unknown outcome 0"), "{table}");
    let actions: Value = serde_json::from_str(&machine.run("session show last -o json").stdout).unwrap();
    // What a command of the shell is called is the business of capture; here it is how the parts of a call come together.
    let calls = actions.as_array().unwrap().iter().filter(|action| action.get("tool_use_id").is_some());
    let told: Vec<String> = calls
        .map(|call| {
            let word = |name: &str| call[name].as_str().unwrap_or("-").to_owned();
            format!("{:<34} {:<22} {:<34} {:<13} {}", word("agent"), word("tool_name"), word("summary"), word("verdict"), word("outcome"))
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    main                               Bash                   echo hi                            not_evaluated success
    main                               Write                  /home/dev/project/notes.txt        not_evaluated success
    main                               Read                   /home/dev/project/notes.txt        not_evaluated success
    main                               Edit                   /home/dev/project/notes.txt        not_evaluated success
    main                               Bash                   sleep 0.2; echo one                not_evaluated success
    main                               Bash                   echo two                           not_evaluated success
    main                               Glob                   /home/dev/project                  not_evaluated error
    main                               Grep                   /home/dev/project                  not_evaluated error
    main                               Agent                  general-purpose                    not_evaluated success
    general-purpose a511d96324327c0c0  Bash                   wc -l notes.txt                    not_evaluated success
    general-purpose a511d96324327c0c0  Read                   /home/dev/project/notes.txt        not_evaluated success
    main                               mcp__demo__echo        mcp__demo__echo                    not_evaluated success
    main                               mcp__demo__fail        mcp__demo__fail                    not_evaluated failure
    main                               mcp__demo__structured  mcp__demo__structured              not_evaluated success
    main                               Bash                   echo to-stderr >&2; exit 3         not_evaluated failure
    main                               Bash                   rm -rf /home/dev/project/nothing   denied        denied
    main                               Bash                   curl http://127.0.0.1:9/           denied        denied
    main                               Read                   /home/dev/project/no-such-file.txt not_evaluated failure
    main                               TaskCreate             A task                             not_evaluated error
    main                               TaskUpdate             1                                  not_evaluated error
    main                               Bash                   sleep 1; echo background           not_evaluated success
    "#);
}

/// Leaves out the answers between the chain and what is missing: they have a test of their own.
fn chain_and_gaps(text: &str, skip: usize) -> String {
    let (chain, rest) = text.split_once("\nanswers for").unwrap();
    let gaps = rest.rsplit("\n\n").next().unwrap();
    let chain: Vec<&str> = chain.lines().skip(skip).collect();
    format!("{}\n\n{gaps}", chain.join("\n"))
}

/// Protects honesty: a call whose end nobody told is `unknown`, and the chain says what is missing.
#[test]
fn a_call_that_never_ended_is_unknown() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let whole = std::fs::read_to_string(format!("{SESSIONS}/hooks-session.jsonl")).unwrap();
    let until = whole.lines().position(|line| line.contains("PreToolUse")).unwrap();
    machine.write("work/cut.jsonl", &whole.lines().take(until + 1).map(|line| format!("{line}\n")).collect::<String>());
    assert_eq!(machine.run("import hooks cut.jsonl").exit, 0);
    let ran = machine.script("sealtrail trace-chain $(sealtrail search phase=intent -o id -q)");
    let told = chain_and_gaps(&ran.stdout, 3);
    insta::assert_snapshot!(told, @r#"
        └ agent  main
          └ call  Bash tool.command echo hi  [unknown]  <- this event

    what is missing
      the end of call toolu_01Pkb1qrUeMtPKiAJsJAFXyH: nobody saw it, so its outcome is unknown
    "#);
    let listed: Value = serde_json::from_str(&machine.run("session list -o json").stdout).unwrap();
    assert_eq!((&listed[0]["calls"], &listed[0]["unknown"]), (&1.into(), &1.into()));
}

/// Protects the chain: a call of a nested agent leads up to the person, and what nobody saw is said.
#[test]
fn a_nested_call_is_traced_up_to_the_person() {
    let machine = with_session("hooks-session-lifecycle");
    let ran = machine.script("sealtrail trace-chain $(sealtrail search 'agent_id=* and phase=outcome' -o id --limit 1 -q 2>/dev/null)");
    assert_eq!(ran.exit, 0, "{ran}");
    // The first line names the user and the machine of whoever runs this test.
    let chain = chain_and_gaps(&ran.stdout, 1);
    insta::assert_snapshot!(chain, @r#"
    └ session  9c5e117c-7fe1-40cf-9fc6-a9e3406d0edf startup
      └ prompt  64cab9d7-b269-44ae-b049-137eb9975fca [lane:main] go
        └ agent  main
          └ call  Agent agent.subagent_finished general-purpose  [success]
            └ agent  ad4c99e08e1937e16 general-purpose
              └ call  Agent agent.subagent_finished general-purpose  [success]  <- this event
                └ agent  a9155d0e6645f8ba8 general-purpose
                  └ call  Bash tool.command echo nested  [success]

    nothing is missing between the person and [ID]
    "#);
}

/// Protects the main promise: the demonstration seals, proves, and catches one changed bit.
#[test]
fn the_demonstration_catches_a_changed_bit() {
    let machine = Machine::new();
    let ran = machine.run("demo");
    assert_eq!(ran.exit, 0, "{ran}");
    assert!(ran.stdout.contains("NOT verified"), "{ran}");
    assert_eq!(machine.run("verify-integrity sealtrail-demo").exit, 0);
    assert_eq!(machine.run("verify-integrity sealtrail-demo/tampered-copy").exit, 3);
    assert_eq!(machine.run("demo").exit, 0, "a second demonstration takes the next free folder");
    assert!(machine.path("work/sealtrail-demo-2").exists());
}

/// Protects operators: `doctor` and `status` tell a fresh trail from a used one, by exit code too.
#[test]
fn doctor_and_status_tell_what_is_missing() {
    let machine = Machine::new();
    let none = machine.run("doctor -o json");
    assert_eq!(none.exit, 1, "{none}");
    let machine = with_session("hooks-session");
    let doctor: Value = serde_json::from_str(&machine.run("doctor -o json").stdout).unwrap();
    let ids: Vec<&str> = doctor["checks"].as_array().unwrap().iter().map(|check| check["id"].as_str().unwrap()).collect();
    insta::assert_debug_snapshot!(ids, @r#"
    [
        "ledger",
        "daemon",
        "spool",
        "gaps",
        "keys",
        "config",
        "hooks",
        "calls",
        "transcripts",
        "level",
        "disk",
        "sync",
    ]
    "#);
    let status = machine.run("status");
    assert_eq!(status.exit, 0, "{status}");
    assert!(status.stdout.starts_with("ok  complete"), "{status}");
}

/// Protects a trail from being told everything twice unnoticed: hooks in the settings beside a plug-in that brings them are named, one way alone is not.
#[test]
fn doctor_names_hooks_that_are_installed_twice() {
    let machine = with_session("hooks-session");
    let doubles = || {
        let doctor: Value = serde_json::from_str(&machine.run("doctor -o json").stdout).unwrap();
        doctor["checks"].as_array().unwrap().iter().find(|check| check["id"] == "doubles").cloned()
    };
    machine.write("work/.claude/settings.json", r#"{"enabledPlugins": {"sealtrail@sealtrail": true}}"#);
    assert_eq!(doubles(), None);
    let hooks = r#"{"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "/opt/sealtrail-hook", "args": []}]}]}}"#;
    machine.write(".claude/settings.json", hooks);
    let found = doubles().unwrap();
    assert_eq!(found["state"], "warning");
    assert_eq!(found["found"], "hooks are installed more than once: user settings; the plug-in, which the project settings switch on");
}

/// Protects `status` on a large trail: it counts by the index and reads no old segment, so it says the same when most of them are gone.
#[test]
fn status_reads_no_old_segment() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    machine.write(".local/state/sealtrail/audit.yaml", "audit: {ledger: {segment_events: 256}}\n");
    let call = |n: u64, phase: &str| {
        let at = format!("2026-03-01T10:{:02}:{:02}Z", n / 60 % 60, n % 60);
        serde_json::json!({"audit_id": format!("e_{n}_{phase}"), "event_type": "tool.command", "timestamp": at, "session_id": format!("s_{}", n / 100),
            "tool_use_id": format!("t_{n}"), "phase": phase, "outcome": if phase == "intent" { "pending" } else { "success" }})
    };
    let lines: Vec<String> = (0..2_300).flat_map(|n| [call(n, "intent"), call(n, "outcome")]).map(|event| event.to_string()).collect();
    machine.write("work/calls.ndjson", &lines.join("\n"));
    let ran = machine.run("import events calls.ndjson");
    assert_eq!(ran.exit, 0, "{ran}");
    let counted = |machine: &Machine| {
        let ran = machine.run("status -o json");
        let status: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"));
        (
            status["properties"]["complete"]["measured"].clone(),
            status["sessions"].clone(),
            status["late"].clone(),
            status["unparsed"].clone(),
        )
    };
    let whole = counted(&machine);
    assert_eq!((whole.0.as_str(), whole.1.as_u64()), (Some("no counted loss; 2 300 calls, 0 with unknown outcome"), Some(23)));
    // The first, the middle and the newest segments are read; the others lose what they hold.
    let folder = machine.path(".local/state/sealtrail/ledger/seg");
    let mut segments: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension != "json") && path.is_file());
    segments.sort();
    let half = segments.len() / 2;
    assert!(half > 12, "{segments:?}");
    for path in &segments[6..half - 6] {
        std::fs::write(path, "gone").unwrap();
    }
    assert_eq!(machine.run("verify-integrity").exit, 3);
    assert_eq!(counted(&machine), whole);
}

/// Protects a person's right to be forgotten beside everybody's proofs: the slot is gone, the record says so, the trail verifies.
#[test]
fn an_erased_slot_is_gone_and_the_trail_still_verifies() {
    let machine = with_records();
    let before = ids(&machine, &["--source-ip", "203.0.113.*"]).len();
    let pick = "ID=$(sealtrail search --event-type auth.user_login -o id --limit 1 -q 2>/dev/null)";
    let refused = machine.script(&format!("{pick}; sealtrail erase $ID --slot identity --reason test-1"));
    assert_eq!(refused.exit, 7, "{refused}");
    let nothing = machine.script(&format!("{pick}; sealtrail erase $ID --slot raw --reason test-1 --confirm $ID"));
    assert_eq!(nothing.exit, 1, "{nothing}");
    assert_eq!(machine.run("erase x --slot nose --reason test-1").exit, 64);
    let erased = machine.script(&format!("{pick}; sealtrail erase $ID --slot identity --reason test-1 --confirm $ID"));
    assert_eq!(erased.exit, 0, "{erased}");
    let left = machine.script(&format!("{pick}; sealtrail get $ID -o json"));
    let left: Value = serde_json::from_str(&left.stdout).unwrap();
    assert_eq!((&left["erased"], left.get("user_id")), (&serde_json::json!(["identity"]), None));
    assert_eq!(ids(&machine, &["--source-ip", "203.0.113.*"]).len(), before - 1);
    let verified = machine.run("verify-integrity");
    assert_eq!(verified.exit, 0, "{verified}");
    assert!(verified.stdout.contains("covered by a recorded erasure"), "{verified}");
}

/// Protects the live view: with a daemon running, a reading is sealed through it and `tail -f` shows it; both stop cleanly.
#[test]
fn a_daemon_seals_what_tail_follows() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_sealtrail"));
    let mut daemon = machine.command(program, &["daemon"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(daemon.stderr.take().unwrap()).lines();
    assert!(said.next().unwrap().unwrap().starts_with("listening on "));
    let args = ["tail", "-f", "-o", "ndjson", "-n", "0", "--event-type", "system.audit_log_accessed", "access.command=search"];
    let mut tail = machine.command(program, &args).stdout(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(tail.stdout.take().unwrap()).lines();
    // However long `tail` takes to begin: the searches go on until it shows one.
    let (send, seen) = std::sync::mpsc::channel();
    let watching = std::thread::spawn(move || {
        send.send(shown.next()).unwrap();
        shown
    });
    let mut line = None;
    for _ in 0..200 {
        assert_eq!(machine.run("search nothing_like_this").exit, 0);
        if let Ok(found) = seen.recv_timeout(std::time::Duration::from_millis(100)) {
            line = found;
            break;
        }
    }
    // Kept open: a reader that goes away would end `tail` before it is told to.
    let _open = watching.join().unwrap();
    let event: Value = serde_json::from_str(&line.unwrap().unwrap()).unwrap();
    assert_eq!(event["access"]["query"], "\"nothing_like_this\"");
    assert_eq!(machine.run("erase 0 --slot raw --reason test-1").exit, 1, "the daemon has the ledger");
    for (process, exit) in [(&mut tail, 130), (&mut daemon, 0)] {
        assert!(machine.program(std::path::Path::new("/bin/kill"), &[&process.id().to_string()]).exit == 0);
        assert_eq!(process.wait().unwrap().code(), Some(exit));
    }
    assert!(said.next().unwrap().unwrap().starts_with("stopped; "));
    assert_eq!(machine.run("verify-integrity").exit, 0);
}

/// Protects the dedup key: a batch that is imported again is sealed once, and another event cannot take a known id.
#[test]
fn a_batch_that_comes_again_is_sealed_once() {
    let machine = with_records();
    let again = machine.run("import events records.ndjson --output json");
    assert_eq!(again.exit, 0, "{again}");
    let told: Value = serde_json::from_str(&again.stdout).unwrap();
    assert!(told["known"].as_u64().unwrap() >= 4, "{told}");
    machine.write("work/other.ndjson", r#"{"event_type":"auth.user_logout","audit_id":"audit_evt_9f3e8c2d1b5a","user_id":"mallory"}"#);
    let other = machine.run("import events other.ndjson");
    assert_ne!(other.exit, 0, "{other}");
    assert!(other.stderr.contains("the trail has another event with the id audit_evt_9f3e8c2d1b5a"), "{other}");
    let found = machine.run("search --all --output id audit_id=audit_evt_9f3e8c2d1b5a").stdout;
    assert_eq!(found.lines().count(), 1, "{found}");
}
