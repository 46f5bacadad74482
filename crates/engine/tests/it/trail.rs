//! The trail opened by one command: homes, the drain, losses.

use std::os::unix::fs::PermissionsExt;

use sealtrail_engine::{CreateHome, Drained, Home, HomeError, HookInput, Trail, TrailError, gaps, load_config, spool_depth};
use sealtrail_intake::{GapTable, Kind};
use serde_json::json;

use crate::kit::{frame, home, long_process, pre, prompt};

/// Looks like a token, and is none.
const SECRET: &str = "ghp_4Kd8sLq0Zx7Vb2Nm5Tr9Wp1Yc6Hf3Jg8Ua0E";

fn open(test: &crate::kit::TestHome) -> (Trail, sealtrail_engine::Opened) {
    let loaded = load_config(&test.home, None, None).unwrap();
    Trail::open(&test.home, &loaded).unwrap()
}

/// Protects the modes of a home: a private one is closed, a shared one lets others reach socket and spool and nothing else.
#[test]
fn homes_have_the_right_modes() {
    let folder = tempfile::tempdir().unwrap();
    for (shared, modes) in [(false, [0o700, 0o700, 0o755, 0o700]), (true, [0o711, 0o700, 0o755, 0o1733])] {
        let (home, backup) =
            Home::create(folder.path().join(format!("{shared}/home")), &CreateHome { shared, ..CreateHome::default() }).unwrap();
        let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!([home.path(), &home.keys(), &home.run(), &home.spool()].map(mode), modes);
        assert_eq!(mode(&home.ledger()), 0o700);
        assert_eq!([mode(&home.keys().join("spool.key")), mode(&home.run().join("spool.pub"))], [0o600, 0o644]);
        assert_eq!(mode(&home.spool().join("gaps")), if shared { 0o666 } else { 0o600 });
        assert!(!backup.vkey.is_empty());
        assert!(matches!(Home::create(home.path(), &CreateHome::default()), Err(HomeError::Exists { .. })));
    }
}

/// Protects the one-writer rule, and that the caller can tell it from other failures.
#[test]
fn second_writer_is_told_that_it_is_the_second() {
    let test = home();
    let (first, _) = open(&test);
    let loaded = load_config(&test.home, None, None).unwrap();
    let Err(error) = Trail::open(&test.home, &loaded) else { panic!("two writers") };
    assert!(error.is_locked());
    first.close().unwrap();
    let missing = Home::new(test.home.path().join("nowhere"));
    assert!(matches!(Trail::open(&missing, &loaded), Err(TrailError::Missing { .. })));
}

/// Protects what waited in the spool: sealed in order, marked late, secrets redacted, the sender from the file's owner, and the file gone.
#[test]
fn spool_is_drained_in_order_and_marked_late() {
    let test = home();
    let deliveries: Vec<_> =
        (0..300).map(|n| prompt("s", &format!("number {n} {SECRET}"))).map(|body| (frame(body.len() as u64, &body), body)).collect();
    test.spool(&deliveries);
    assert_eq!(spool_depth(&test.home).unwrap().records, 300);
    let (trail, opened) = open(&test);
    assert_eq!(opened.drained, Drained { sealed: 300, ..Drained::default() });
    trail.close().unwrap();
    let prompts = test.of_type("prompt.submitted");
    assert_eq!(prompts.len(), 300);
    for (n, event) in prompts.iter().enumerate() {
        assert!(event["prompt"].as_str().unwrap().starts_with(&format!("number {n} ")), "{event:#}");
        assert!(event["late_ms"].as_u64().unwrap() > 0);
        assert_eq!(event["uid"], rustix::process::getuid().as_raw(), "not the 4242 that the frame says");
    }
    assert!(!format!("{prompts:?}").contains(SECRET));
    assert_eq!((test.spool_files(), spool_depth(&test.home).unwrap().records), (0, 0));
}

/// Protects against sealing twice: a crash between sealing and removing the spool file leaves both, and the next drain notices.
#[test]
fn drained_twice_is_sealed_once() {
    let test = home();
    let deliveries: Vec<_> = (0..20).map(|n| prompt("s", &format!("number {n}"))).map(|body| (frame(1, &body), body)).collect();
    test.spool(&deliveries[..10]);
    open(&test).0.close().unwrap();
    test.spool(&deliveries);
    let (trail, opened) = open(&test);
    assert_eq!(opened.drained.sealed, 20, "all are in the ledger now");
    trail.close().unwrap();
    assert_eq!(test.of_type("prompt.submitted").len(), 20);
}

/// Protects against copies: sealed boxes that somebody kept and appends again, long after everything remembered, are still recognised.
#[test]
fn old_copies_are_recognised() {
    let test = home();
    let body = prompt("s", "once");
    let old = (frame(1, &body), body);
    test.spool(std::slice::from_ref(&old));
    let (mut trail, _) = open(&test);
    // More than the state remembers after the next opening.
    let events: Vec<_> = (0..9_000).map(|_| note()).collect();
    for chunk in events.chunks(3_000) {
        trail.append(chunk.to_vec()).unwrap();
    }
    trail.close().unwrap();
    test.spool(&[old]);
    open(&test).0.close().unwrap();
    assert_eq!(test.of_type("prompt.submitted").len(), 1);
}

fn note() -> sealtrail_event::Event {
    use sealtrail_event::{AuditId, Envelope, Event, Token, Witness};
    let word = |text: &str| Token::parse(text).unwrap();
    let id = AuditId::new(1_800_000_000_000, [3; 10]);
    Event { envelope: Envelope::new(id, word("system.note"), word("2027-01-15T08:00:00Z"), Witness::Recorder), slots: Vec::new() }
}

/// Protects the neighbours of damage: torn records, foreign bytes, links and pipes cost themselves and nothing else, and are told.
#[test]
fn damaged_spools_are_told_and_do_not_hide_others() {
    let test = home();
    let (one, two) = (prompt("s", "one"), prompt("s", "two"));
    let torn = test.record(&frame(1, &one), &one);
    test.spool_bytes(
        "7.spool",
        &[test.record(&frame(1, &one), &one), torn[..torn.len() / 2].to_vec(), test.record(&frame(2, &two), &two)].concat(),
    );
    test.spool_bytes("8.spool", b"no spool at all");
    std::os::unix::fs::symlink("/etc/passwd", test.home.spool().join("9.spool")).unwrap();
    let (trail, opened) = open(&test);
    assert_eq!(opened.drained, Drained { sealed: 2, torn: 2, ..Drained::default() });
    trail.close().unwrap();
    let gaps = test.of_type("ledger.gap");
    assert_eq!(gaps.len(), 2);
    assert_eq!((&gaps[0]["ledger"]["cause"], &gaps[0]["ledger"]["lost"]), (&json!("torn"), &json!(1)));
    assert!(std::path::Path::new("/etc/passwd").exists());
}

/// Protects the count of losses: what hooks counted becomes one record a cause, and the table is empty afterwards.
#[test]
fn counted_losses_are_sealed() {
    let test = home();
    let mut table = GapTable::default();
    let _ = table.count("tool_invocation", "disk_full", 3, 1_700_000_000_000_000_000);
    let _ = table.count("session_lifecycle", "disk_full", 1, 1_700_000_001_000_000_000);
    let _ = table.count("other", "no_key", 2, 1_700_000_002_000_000_000);
    std::fs::write(test.home.spool().join("gaps"), table.as_bytes()).unwrap();
    assert_eq!(gaps(&test.home).unwrap().len(), 3);
    let (trail, opened) = open(&test);
    assert_eq!(opened.drained.lost, 6);
    trail.close().unwrap();
    let sealed = test.of_type("ledger.gap");
    let told: Vec<_> =
        sealed.iter().map(|gap| (gap["ledger"]["cause"].clone(), gap["ledger"]["lost"].clone(), gap["ledger"]["by"].clone())).collect();
    assert_eq!(
        told,
        [
            (json!("disk_full"), json!(4), json!({ "tool_invocation": 3, "session_lifecycle": 1 })),
            (json!("no_key"), json!(2), json!({ "other": 2 }))
        ]
    );
    assert!(sealed[0]["ledger"]["since"].as_str().unwrap().starts_with("2023-11-14T22:13:20"));
    assert!(gaps(&test.home).unwrap().is_empty());
    open(&test).0.close().unwrap();
    assert_eq!(test.of_type("ledger.gap").len(), 2, "told once");
}

/// Protects the end of a session whose client was killed while no daemon ran: its open call is unknown, the session crashed.
#[test]
fn client_killed_without_a_daemon_is_closed_at_the_next_opening() {
    let test = home();
    let mut client = long_process();
    let body = pre("s", "toolu_1");
    test.spool(&[(sealtrail_intake::Frame { client_pid: client.id(), ..frame(1, &body) }, body)]);
    let (trail, opened) = open(&test);
    assert_eq!(opened.closed, 0, "the client lives");
    trail.close().unwrap();
    client.kill().unwrap();
    client.wait().unwrap();
    let (trail, opened) = open(&test);
    assert_eq!(opened.closed, 2);
    trail.close().unwrap();
    let ended = test.of_type("session.ended");
    assert_eq!((&ended[0]["end_reason"], &ended[0]["session_id"]), (&json!("crashed"), &json!("s")));
    let unknown: Vec<_> = test.events().into_iter().filter(|event| event["outcome"] == "unknown").collect();
    assert_eq!((unknown.len(), &unknown[0]["tool_use_id"]), (1, &json!("toolu_1")));
    let (trail, opened) = open(&test);
    assert_eq!(opened.closed, 0, "told once");
    trail.close().unwrap();
}

/// Protects commands that write themselves: hooks, notes and made events are sealed and can be read back.
#[test]
fn commands_can_write() {
    let test = home();
    let (mut trail, _) = open(&test);
    let body = prompt("s", "hello");
    let first = trail.hook(&HookInput { bytes: &body, received_unix_ns: Some(1_700_000_000_000_000_000), client: "" }).unwrap();
    let second = trail.note(&json!({ "event_type": "system.audit_log_accessed", "query": "search --user-id x" })).unwrap();
    assert_eq!(second, first + 1);
    trail.tick().unwrap();
    trail.close().unwrap();
    let note = &test.of_type("system.audit_log_accessed")[0];
    assert_eq!((&note["query"], &note["witness"]), (&json!("search --user-id x"), &json!("recorder")));
    assert!(note["audit_id"].as_str().unwrap().starts_with("audit_evt_"));
}

/// Protects the story of the configuration: the first and every changed one is an event, an unchanged one is not, secrets are not in it.
#[test]
fn configuration_changes_are_events() {
    let test = home();
    let yaml =
        |token: &str| format!("audit:\n  destinations:\n    - {{type: siem_webhook, name: x, endpoint: 'https://x', token: {token}}}\n");
    test.configure(&yaml("hunter2"));
    open(&test).0.close().unwrap();
    open(&test).0.close().unwrap();
    test.configure(&yaml("hunter3"));
    open(&test).0.close().unwrap();
    let changes = test.of_type("system.config_changed");
    assert_eq!(changes.len(), 2);
    assert_eq!(
        (&changes[0]["config"]["old_sha256"], &changes[1]["config"]["old_sha256"]),
        (&json!(null), &changes[0]["config"]["new_sha256"])
    );
    assert!(!format!("{changes:?}").contains("hunter"));
}

/// Protects the recorder's own words: a spool file of the owner may hold notes, but a note is not what a hook's frame can say.
#[test]
fn notes_in_the_spool_count_only_from_the_owner() {
    let test = home();
    let body = json!({ "event_type": "system.note" }).to_string().into_bytes();
    test.spool(&[(sealtrail_intake::Frame { kind: Kind::Record, ..frame(1, &body) }, body)]);
    let (trail, opened) = open(&test);
    assert_eq!(opened.drained.sealed, 1);
    trail.close().unwrap();
    assert_eq!(test.of_type("system.note").len(), 1);
}
