//! Searches in the background: they outlive the shell, a kill, and an erasure does not miss them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::run::Machine;
use crate::search::trail;

/// Starts a search and returns its id as the folder is named.
fn start(machine: &Machine, args: &[&str]) -> String {
    let mut all = vec!["search", "--async", "-q"];
    all.extend(args);
    let ran = machine.run_args(&all);
    assert_eq!(ran.exit, 0, "{ran}");
    ran.stdout.trim().to_owned()
}

fn folder(machine: &Machine, job: &str) -> PathBuf {
    machine.path(".local/state/sealtrail/jobs").join(job)
}

fn job(machine: &Machine, job: &str) -> Value {
    serde_json::from_slice(&std::fs::read(folder(machine, job).join("job.json")).unwrap()).unwrap()
}

fn put(machine: &Machine, name: &str, job: &Value) {
    std::fs::write(folder(machine, name).join("job.json"), job.to_string()).unwrap();
}

/// Protects long searches: an id at once, then state, result in every format, the same events as in the foreground, in private files.
#[test]
fn a_search_goes_on_in_the_background() {
    use std::os::unix::fs::PermissionsExt;
    let machine = trail(true);
    let query = "domain=data";
    let id = start(&machine, &[query]);
    let status = machine.run_args(&["jobs", "status", &id, "--wait", "-o", "json"]);
    assert_eq!(status.exit, 0, "{status}");
    let status: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((&status["state"], &status["done"]), (&json!("done"), &json!("100%")));
    for format in ["table", "csv", "ndjson", "id", "timeline"] {
        let foreground = machine.run_args(&["search", query, "--all", "-o", format]);
        let background = machine.run_args(&["jobs", "result", &id, "-o", format]);
        assert_eq!(background.exit, 0, "{background}");
        assert_eq!(foreground.stdout, background.stdout, "{format}");
    }
    assert_eq!(std::fs::metadata(folder(&machine, &id)).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::metadata(folder(&machine, &id).join("result.ndjson")).unwrap().permissions().mode() & 0o777, 0o600);
    let listed = machine.run("jobs list -o tsv");
    assert!(listed.stdout.contains(&id) && listed.stdout.contains("\tdone\t"), "{listed}");
    assert_eq!(machine.run_args(&["jobs", "remove", &id]).exit, 0);
    assert_eq!(machine.run_args(&["jobs", "status", &id]).exit, 1);
    assert_eq!(machine.run("jobs status ../../keys").exit, 1);
    let read = machine.run_args(&["search", "access.query:domain", "-o", "ndjson", "--oldest-first"]);
    let commands: Vec<String> =
        read.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["access"]["command"].to_string()).collect();
    assert!(commands.contains(&"\"search --async\"".to_owned()) && commands.contains(&"\"jobs result\"".to_owned()), "{commands:?}");
}

/// Protects reports and sequences: their answers come back as they are in the foreground.
#[test]
fn reports_and_sequences_run_in_the_background_too() {
    let machine = trail(false);
    let report = "event_type=auth.* | count by user_id";
    let id = start(&machine, &[report]);
    let background = machine.run_args(&["jobs", "result", &id, "--wait", "-o", "csv"]);
    assert_eq!(background.stdout, machine.run_args(&["search", report, "-o", "csv"]).stdout, "{background}");
    let sequence = ["--sequence", "auth.user_login[status=fail] auth.user_login[status=success]", "--within-seconds", "300"];
    let id = start(&machine, &sequence);
    let background = machine.run_args(&["jobs", "result", &id, "--wait", "-o", "csv"]);
    let mut foreground = vec!["search", "-o", "csv"];
    foreground.extend(sequence);
    assert_eq!(background.stdout, machine.run_args(&foreground).stdout, "{background}");
    let id = start(&machine, &["domain=auth | first 1 by user_id"]);
    assert_eq!(machine.run_args(&["jobs", "result", &id, "--wait", "-o", "id"]).stdout.lines().count(), 3);
}

/// Protects a search from the death of its worker anywhere: continued from each possible end of its result, the whole is the same.
#[test]
fn a_dead_worker_is_continued_from_where_its_result_ends() {
    let machine = trail(true);
    for order in [&[][..], &["--oldest-first"]] {
        let id = start(&machine, &[&["domain=data"], order].concat());
        assert_eq!(machine.run_args(&["jobs", "status", &id, "--wait"]).exit, 0);
        let whole = std::fs::read(folder(&machine, &id).join("result.ndjson")).unwrap();
        let lines = whole.iter().filter(|byte| **byte == b'\n').count();
        assert!(lines > 5, "{lines}");
        // In a line, behind a line, before everything.
        for cut in [whole.len() - 3, whole.len() / 2, 0, whole.iter().position(|byte| *byte == b'\n').unwrap() + 1] {
            let mut died = job(&machine, &id);
            died["state"] = json!("running");
            died["starts"] = json!(1);
            put(&machine, &id, &died);
            std::fs::write(folder(&machine, &id).join("result.ndjson"), &whole[..cut]).unwrap();
            let status = machine.run_args(&["jobs", "status", &id, "--wait", "-o", "json"]);
            assert_eq!(status.exit, 0, "{status}");
            assert!(status.stderr.contains("had lost its worker and goes on"), "{status}");
            assert_eq!(std::fs::read(folder(&machine, &id).join("result.ndjson")).unwrap(), whole, "cut at {cut}");
            assert_eq!(job(&machine, &id)["found"], json!(lines));
        }
    }
    // One that dies each time is given up.
    let id = start(&machine, &["domain=data"]);
    assert_eq!(machine.run_args(&["jobs", "status", &id, "--wait"]).exit, 0);
    let mut dying = job(&machine, &id);
    (dying["state"], dying["starts"]) = (json!("running"), json!(8));
    put(&machine, &id, &dying);
    let given_up = machine.run_args(&["jobs", "status", &id]);
    assert_eq!(given_up.exit, 1, "{given_up}");
    assert!(given_up.stdout.contains("its worker died 8 times"), "{given_up}");
}

/// A trail whose search takes long enough to be met in the middle.
fn large() -> Machine {
    let machine = Machine::new();
    assert_eq!(machine.run("init --no-input --no-hooks").exit, 0);
    let lines: Vec<String> = (0..12_000)
        .map(|n| {
            json!({"event_type": "data.file_read", "resource": {"path": format!("/data/{n}")}, "user_id": format!("user_{}", n % 7)})
                .to_string()
        })
        .collect();
    machine.write("work/many.ndjson", &lines.join("\n"));
    assert_eq!(machine.run("import events many.ndjson").exit, 0);
    machine
}

/// Waits until the worker has written something, and returns its process; nothing when it was faster.
fn met(machine: &Machine, id: &str) -> Option<String> {
    let result = folder(machine, id).join("result.ndjson");
    for _ in 0..20_000 {
        let job = job(machine, id);
        if job["state"] != "running" {
            return None;
        }
        if std::fs::metadata(&result).is_ok_and(|meta| meta.len() > 0) {
            return job["pid"].as_u64().map(|pid| pid.to_string());
        }
        std::thread::yield_now();
    }
    None
}

/// Protects a search from `kill -9`: the next command sees that its worker is gone, continues it, and nothing is missing or twice.
/// The worker leads a session of its own, so that it does not go with the shell.
#[test]
fn a_killed_worker_is_continued() {
    let machine = large();
    let mut killed = 0;
    for _ in 0..10 {
        let id = start(&machine, &["resource.path:data", "--scan"]);
        let Some(pid) = met(&machine, &id) else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let session = stat.rsplit(") ").next().unwrap().split(' ').nth(3).unwrap_or_default().to_owned();
        assert_eq!(machine.program(Path::new("/bin/kill"), &["-9", &pid]).exit, 0);
        killed += 1;
        // Empty when it ended between the two looks.
        assert!(session.is_empty() || session == pid, "{stat}");
        let status = machine.run_args(&["jobs", "status", &id, "--wait", "-o", "json"]);
        assert_eq!(status.exit, 0, "{status}");
        let text = std::fs::read_to_string(folder(&machine, &id).join("result.ndjson")).unwrap();
        let seqs: Vec<u64> = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs.len(), 12_000);
        assert!(seqs.is_sorted_by(|a, b| a > b), "newest first, each once");
        if serde_json::from_str::<Value>(&status.stdout).unwrap()["starts"] == json!(2) {
            break;
        }
    }
    assert!(killed > 0, "no worker was met at work");
}

/// Protects the machine: a search is stopped when somebody says so, what it found stays, and a fifth one at once is refused.
#[test]
fn a_search_is_cancelled_and_their_number_is_limited() {
    let machine = trail(false);
    let id = start(&machine, &["domain=data"]);
    assert_eq!(machine.run_args(&["jobs", "status", &id, "--wait"]).exit, 0);
    // A job that claims to run and whose lock somebody holds is at work.
    let lock = std::fs::File::open(folder(&machine, &id).join("lock")).unwrap();
    lock.lock().unwrap();
    let mut running = job(&machine, &id);
    running["state"] = json!("running");
    put(&machine, &id, &running);
    assert_eq!(machine.run_args(&["jobs", "status", &id]).exit, 4);
    let result = machine.run_args(&["jobs", "result", &id, "-o", "id"]);
    assert_eq!(result.exit, 4, "{result}");
    assert!(result.stderr.contains("still runs: this is what it found so far"), "{result}");
    assert_eq!(machine.run_args(&["jobs", "remove", &id]).exit, 6);
    drop(lock);
    machine.write(&format!(".local/state/sealtrail/jobs/{id}/cancel"), "");
    let cancelled = machine.run_args(&["jobs", "cancel", &id]);
    assert_eq!(cancelled.exit, 0, "{cancelled}");
    assert!(cancelled.stderr.contains("cancelled") || cancelled.stderr.contains("done"), "{cancelled}");
    let mut held = Vec::new();
    for n in 0..4 {
        let mut other = job(&machine, &id);
        let name = format!("job_2026_{n}");
        (other["job"], other["state"]) = (json!(name), json!("running"));
        std::fs::create_dir(folder(&machine, &name)).unwrap();
        put(&machine, &name, &other);
        let lock = std::fs::File::create(folder(&machine, &name).join("lock")).unwrap();
        lock.lock().unwrap();
        held.push(lock);
    }
    let refused = machine.run("search --async domain=data");
    assert_eq!(refused.exit, 6, "{refused}");
    assert!(refused.stderr.contains("4 run already"), "{refused}");
}

/// Protects the right to be forgotten: results hold positions, not content; what was erased is not shown any more, and rows of reports go.
#[test]
fn an_erasure_reaches_finished_searches() {
    let machine = trail(false);
    let events = start(&machine, &["user_id=mallory"]);
    let report = start(&machine, &["event_type=auth.* | count by user_id"]);
    for id in [&events, &report] {
        assert_eq!(machine.run_args(&["jobs", "status", id, "--wait"]).exit, 0);
    }
    let text = std::fs::read_to_string(folder(&machine, &events).join("result.ndjson")).unwrap();
    assert!(!text.contains("mallory") && !text.contains("203.0.113.7"), "{text}");
    let erased = machine.run("erase audit_evt_login_0 --slot identity --reason test-1 --confirm audit_evt_login_0");
    assert_eq!(erased.exit, 0, "{erased}");
    assert!(erased.stderr.contains("forgot the rows of 1 finished searches"), "{erased}");
    assert!(!folder(&machine, &report).join("result.ndjson").exists());
    let outdated = machine.run_args(&["jobs", "result", &report]);
    assert_eq!(outdated.exit, 1, "{outdated}");
    let left = machine.run_args(&["jobs", "result", &events, "-o", "id"]);
    assert_eq!(left.stdout, "audit_evt_login_2\naudit_evt_login_1\n", "{left}");
    assert!(left.stderr.contains("1 events do not match any more"), "{left}");
}
