//! `provenance` on a trail that a daemon filled: what was in force, from when to when, and the versions of a file.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;

use sealtrail_engine::{Daemon, DaemonOptions, Home};
use sealtrail_intake::{Delivery, Frame, Kind};
use serde_json::{Value, json};

use crate::run::Machine;

/// Sends a hook and waits for its answer.
fn hook(machine: &Machine, home: &Home, n: u64, session: &str, name: &str, more: &Value) {
    let transcript = machine.path(&format!("config/projects/p/{session}.jsonl"));
    let mut body = json!({"session_id": session, "transcript_path": transcript, "cwd": machine.path("work"), "hook_event_name": name});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let body = body.to_string().into_bytes();
    let received_unix_ns = 1_795_229_029_000_000_000 + n * 1_000_000;
    let (seen, length) = (body.len() as u64, u32::try_from(body.len()).unwrap());
    let delivery = Delivery::new(received_unix_ns, [u8::try_from(n).unwrap(); 10]);
    let client = "claude-code_2-1-329_harness".into();
    let pid = std::process::id();
    let frame = Frame { kind: Kind::Hook, delivery, received_unix_ns, uid: 0, pid, client_pid: 0, seen, body: length, client };
    let mut stream = UnixStream::connect(home.run().join("sealtrail.sock")).unwrap();
    stream.write_all(&[frame.header().as_slice(), &body].concat()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(!answer.is_empty());
}

/// Protects whoever asks what an agent was told: the list names each content with its time, the history shows the difference, also where the text stands in an
/// event of another file; a path that nobody saw and a session without instructions are said to be so.
#[test]
fn what_was_in_force_and_how_it_changed() {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let home = Home::new(machine.path(".local/state/sealtrail"));
    let daemon = Daemon::start(&home, DaemonOptions::default()).unwrap();
    let memory = machine.write("work/CLAUDE.md", "# Project\nUse two spaces.\n");
    machine.write("config/settings.json", "{}");
    machine.write("work/.claude/rules/same.md", "Be brief.\n");
    let loaded = json!({"file_path": memory, "memory_type": "Project", "load_reason": "session_start"});
    hook(&machine, &home, 1, "s", "SessionStart", &json!({"source": "startup"}));
    hook(&machine, &home, 2, "s", "InstructionsLoaded", &loaded);
    std::fs::remove_file(&memory).unwrap();
    machine.write("work/CLAUDE.md", "Be brief.\n");
    hook(&machine, &home, 3, "t", "InstructionsLoaded", &loaded);
    daemon.stop().unwrap();

    let listed = machine.run("provenance --session s -o json");
    assert_eq!(listed.exit, 0, "{listed}");
    let rows: Vec<Value> = serde_json::from_str(&listed.stdout).unwrap();
    let kinds: Vec<_> = rows.iter().map(|row| (row["kind"].as_str().unwrap(), row["loaded"].as_bool().unwrap())).collect();
    // The file lies there when the session begins; then the client says that it loaded it.
    assert_eq!(kinds, [("settings", true), ("rule", false), ("memory", false), ("memory", true)], "{listed}");
    assert_eq!(rows[3]["what"], "[HOME]/work/CLAUDE.md");
    assert!(machine.run("provenance --session last").stdout.contains("CLAUDE.md"));

    let history = machine.run("provenance diff CLAUDE.md");
    assert!(history.exit == 0 && history.stdout.contains("-# Project\n-Use two spaces.\n+Be brief.\n"), "{history}");
    let recent = machine.run("provenance diff CLAUDE.md --since 2100-01-01T00:00:00Z -o json");
    let versions: Vec<Value> = serde_json::from_str(&recent.stdout).unwrap();
    assert_eq!((versions.len(), &versions[0]["diff"], &versions[0]["text_known"]), (1, &Value::Null, &json!(true)), "{recent}");

    for line in ["provenance diff nobody.md", "provenance --session nobody"] {
        let none = machine.run(line);
        assert!(none.exit == 5 && none.stderr.contains("hint"), "{none}");
    }
    assert_eq!(machine.run("provenance").exit, 64);
}
