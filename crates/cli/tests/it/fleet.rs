//! `fleet` and `forward`: two machines, as their operators meet it.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::run::{Machine, Ran};

/// A collector in a process of its own.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) url: String,
}

impl Serving {
    pub(crate) fn start(machine: &Machine, args: &str) -> Self {
        let home = home(machine, "collector");
        let mut all = vec!["--home", &home, "serve", "--listen"];
        all.extend(args.split_whitespace());
        let mut command = machine.command(Path::new(env!("CARGO_BIN_EXE_sealtrail")), &all);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
        let url = told.by_ref().find_map(|line| {
            let line = line.unwrap();
            let at = line.find("http")?;
            line[at..].split("/v1").next().map(str::to_owned)
        });
        // What it says later must not fill the pipe.
        std::thread::spawn(move || told.for_each(drop));
        Self { child, url: url.unwrap() }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

pub(crate) fn home(machine: &Machine, name: &str) -> String {
    machine.path(name).display().to_string()
}

pub(crate) fn on(machine: &Machine, name: &str, line: &str) -> Ran {
    let home = home(machine, name);
    let mut args = vec!["--home", &home];
    args.extend(line.split_whitespace());
    machine.run_args(&args)
}

/// Enrols the laptop at a new collector; returns the witness's key.
pub(crate) fn enrolled(machine: &Machine) -> String {
    assert_eq!(on(machine, "collector", "init --no-input --no-hooks").exit, 0);
    let vkey = machine.read("laptop/ledger/log.vkey");
    let added = machine.run_args(&["--home", &home(machine, "collector"), "fleet", "add", "laptop-1", "--vkey", &vkey]);
    assert_eq!(added.exit, 0, "{}", added.stderr);
    machine.write("token", &added.stdout);
    on(machine, "collector", "fleet init-witness").stdout.trim().to_owned()
}

/// Tells the laptop where its collector is, and `more` of it.
pub(crate) fn configured(machine: &Machine, url: &str, more: &str) {
    let token = machine.path("token").display().to_string();
    machine.write("laptop/audit.yaml", &format!("audit: {{fleet: {{collector: \"{url}\", token_file: {token}, {more}}}}}\n"));
}

pub(crate) fn listed(machine: &Machine) -> (i32, Value) {
    let ran = on(machine, "collector", "fleet list -o json");
    (ran.exit, serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].clone())
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = (entry.as_ref().unwrap().path(), entry.unwrap().file_name());
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// Protects the operators' way: a laptop is enrolled, hands its trail in, also after the collector was killed; the copy verifies, a laptop that was put back is
/// refused and listed, and both trails tell of it.
#[test]
fn a_laptop_is_enrolled_copied_and_caught() {
    let machine = Machine::new();
    assert_eq!(on(&machine, "laptop", "init --no-input --no-hooks").exit, 0);
    let none = on(&machine, "laptop", "forward --once");
    assert_eq!(none.exit, 78, "{}", none.stderr);
    let witness = enrolled(&machine);
    let collector = Serving::start(&machine, "127.0.0.1:0");
    configured(&machine, &collector.url, &format!("witness: \"{witness}\""));

    let sent = on(&machine, "laptop", "forward --once -o json");
    assert_eq!(sent.exit, 0, "{}", sent.stderr);
    let sent: Value = serde_json::from_str(&sent.stdout).unwrap();
    assert!(sent["seen"].is_u64() && sent["size"] == sent["cosigned"] && sent["size"] == sent["mirrored"], "{sent}");
    let (exit, line) = listed(&machine);
    assert_eq!((exit, &line["state"], &line["cosigned"]), (0, &"ok".into(), &sent["size"]), "{line}");
    for part in ["ledger", "keys"] {
        copy(&machine.path("laptop").join(part), &machine.path("old").join(part));
    }

    // Killed, not stopped; it goes on with what it kept.
    let address = collector.url.trim_start_matches("http://").to_owned();
    drop(collector);
    assert_eq!(on(&machine, "laptop", "forward --once").exit, 6);
    let _collector = Serving::start(&machine, &address);
    assert_eq!(on(&machine, "laptop", "token create --name soc --scope read").exit, 0);
    let more = on(&machine, "laptop", "forward --once -o json");
    let more: Value = serde_json::from_str(&more.stdout).unwrap();
    assert!(more["cosigned"].as_u64() > sent["cosigned"].as_u64(), "{more}");
    // A proof carries the cosignature.
    let laptop = home(&machine, "laptop");
    let proof = format!("sealtrail --home {laptop} prove \"$(sealtrail --home {laptop} search --event-type auth.token_created -o id)\"");
    let proof = machine.script(&proof);
    assert!(proof.exit == 0 && proof.stdout.contains("/witness "), "{}{}", proof.stdout, proof.stderr);
    let verified = on(&machine, "collector", &format!("verify-integrity {}", machine.path("collector/fleet/laptop-1/mirror").display()));
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);

    // Put back.
    for part in ["ledger", "keys"] {
        std::fs::remove_dir_all(machine.path("laptop").join(part)).unwrap();
        copy(&machine.path("old").join(part), &machine.path("laptop").join(part));
    }
    let refused = on(&machine, "laptop", "forward --once");
    assert_eq!(refused.exit, 3, "{}", refused.stderr);
    let (exit, line) = listed(&machine);
    assert_eq!((exit, &line["trouble"], &line["cosigned"]), (3, &"rollback".into(), &more["cosigned"]), "{line}");
    let told = on(&machine, "collector", "search --event-type fleet.rollback_detected -o json");
    assert_eq!(serde_json::from_str::<Value>(&told.stdout).unwrap()[0]["severity"], "critical", "{}", told.stdout);
    let told = on(&machine, "laptop", "search --event-type fleet.refused -o json");
    assert_eq!(serde_json::from_str::<Value>(&told.stdout).unwrap().as_array().unwrap().len(), 1, "{}", told.stdout);
}
