//! The hook binary with the real recorder: sealed, spooled and drained, and across users.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use sealtrail_disk::RealDisk;
use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Home};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::{run, silent};

/// The user `nobody` of every Linux.
const OTHER_UID: u32 = 65_534;

fn home(folder: &Path, shared: bool) -> Home {
    Home::create(folder.join("home"), &CreateHome { shared, ..CreateHome::default() }).unwrap().0
}

fn daemon(home: &Home) -> Daemon {
    Daemon::start(home, DaemonOptions::default()).unwrap()
}

fn prompt(text: &str) -> String {
    json!({ "session_id": "s", "hook_event_name": "UserPromptSubmit", "cwd": "/p", "prompt": text }).to_string()
}

fn hook(home: &Home, text: &str) -> Output {
    run(Command::new(env!("CARGO_BIN_EXE_sealtrail-hook")).env("SEALTRAIL_HOME", home.path()), prompt(text).as_bytes())
}

fn prompts(home: &Home) -> Vec<Value> {
    let reader = Reader::open(Arc::new(RealDisk), &home.ledger()).unwrap();
    let views = reader.iter(Seq(0)).map(|stored| stored.unwrap().view());
    views.filter(|event| event["event_type"] == "prompt.submitted").collect()
}

/// Protects the whole way of an event: with a daemon it is sealed when the hook ends; without one it waits, and comes in order and marked when one starts.
#[test]
fn sealed_at_once_or_later_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let home = home(folder.path(), false);
    let running = daemon(&home);
    assert!(silent(&hook(&home, "one")));
    assert_eq!(prompts(&home).len(), 1, "sealed when the hook ends");
    running.stop().unwrap();
    assert!(silent(&hook(&home, "two")));
    assert!(silent(&hook(&home, "three")));
    assert_eq!(prompts(&home).len(), 1);
    let running = daemon(&home);
    assert_eq!(running.opened().drained.sealed, 2);
    assert!(silent(&hook(&home, "four")));
    running.stop().unwrap();
    let told: Vec<_> = prompts(&home).iter().map(|event| (event["prompt"].clone(), event.get("late_ms").is_some())).collect();
    assert_eq!(told, [(json!("one"), false), (json!("two"), true), (json!("three"), true), (json!("four"), false)]);
}

/// Protects a trail whose path is longer than a socket address: the daemon listens and the hook finds it.
#[test]
fn long_paths_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(60)).join("e".repeat(60));
    let home = home(&deep, false);
    let running = daemon(&home);
    assert!(silent(&hook(&home, "far")));
    assert_eq!(prompts(&home).len(), 1);
    running.stop().unwrap();
}

/// Protects the separation of users: another user's hook delivers through socket and spool under its own uid, and can neither list nor read nor change
/// what is sealed. Needs root to become another user; without it there is no other user to test with.
#[test]
fn another_user_may_add_and_nothing_else() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let home = home(folder.path(), true);
    let binary = folder.path().join("sealtrail-hook");
    std::fs::copy(env!("CARGO_BIN_EXE_sealtrail-hook"), &binary).unwrap();
    let other = |text: &str| {
        let mut command = Command::new(&binary);
        run(command.uid(OTHER_UID).gid(OTHER_UID).current_dir("/").arg("--home").arg(home.path()), prompt(text).as_bytes())
    };
    let running = daemon(&home);
    assert!(silent(&other("through the socket")));
    running.stop().unwrap();
    assert!(silent(&other("through the spool")));
    let running = daemon(&home);
    assert_eq!(running.opened().drained.sealed, 1);
    for path in [home.ledger(), home.keys(), home.spool()] {
        assert!(!may(&["ls"], &path), "{}", path.display());
    }
    for path in [home.ledger().join("log.json"), home.keys().join("log.key"), home.keys().join("spool.key")] {
        assert!(!may(&["cat"], &path), "{}", path.display());
        assert!(!may(&["rm", "-f"], &path), "{}", path.display());
    }
    for path in [home.socket(), home.run().join("hook.conf"), home.run().join("spool.pub"), home.spool().join("gaps")] {
        let _refused = may(&["rm", "-f"], &path);
        assert!(path.exists(), "{}", path.display());
    }
    running.stop().unwrap();
    let uids: Vec<_> = prompts(&home).iter().map(|event| event["uid"].clone()).collect();
    assert_eq!(uids, [json!(OTHER_UID), json!(OTHER_UID)]);
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}

fn may(command: &[&str], path: &PathBuf) -> bool {
    let mut program = Command::new(command[0]);
    let output = program.args(&command[1..]).arg(path).uid(OTHER_UID).gid(OTHER_UID).current_dir("/").output().unwrap();
    output.status.success()
}
