//! The opt-in `claude`: the command lines of the articles run unchanged, everything else is the real client's.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::run::{Machine, Ran};
use crate::search::trail;

const ARTICLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/articles");

/// Stands for the real client: says what it got, and ends as it is told.
const CLIENT: &str = "#!/bin/sh\nprintf 'client'; printf ' <%s>' \"$@\"; echo\ncase \"$1\" in exit) exit \"$2\";; term) kill -TERM $$; sleep 5;; in) cat;; env) env | grep -v '^_=' | grep -i -c shim;; esac\n";

/// Installs the shim and a client behind it.
fn install(machine: &Machine) {
    let client = machine.write("real/claude", CLIENT);
    std::fs::set_permissions(&client, std::fs::Permissions::from_mode(0o755)).unwrap();
    let ran = machine.run("shim install -q");
    assert_eq!(ran.exit, 0, "{ran}");
    assert_eq!(ran.stdout, "export PATH=[HOME]/.local/share/sealtrail/shim:\"$PATH\"\n");
}

/// Runs a script with the shim first on the PATH, then the client.
fn shell(machine: &Machine, script: &str) -> Ran {
    let home = machine.path("").display().to_string();
    let home = home.trim_end_matches('/');
    let path = format!("{home}/.local/share/sealtrail/shim:{home}/real:/usr/bin:/bin");
    machine.program(Path::new("/bin/bash"), &["-c", &format!("export PATH='{path}'\n{script}")])
}

/// Protects the real client: arguments, input, exit codes, signals and environment reach it unchanged, and the shim never calls itself.
#[test]
fn everything_else_is_the_real_clients() {
    let machine = Machine::new();
    install(&machine);
    assert_eq!(shell(&machine, "claude -p 'two words' ''").stdout, "client <-p> <two words> <>\n");
    assert_eq!(shell(&machine, "claude").stdout, "client <>\n");
    assert_eq!(shell(&machine, "claude exit 42").exit, 42);
    assert_eq!(shell(&machine, "claude term; echo $?").stdout, "client <term>\n143\n");
    assert_eq!(shell(&machine, "echo hello | claude in").stdout, "client <in>\nhello\n");
    assert_eq!(shell(&machine, "claude env").stdout, "client <env>\n1\n", "PATH is the only trace");
    assert_eq!(shell(&machine, "claude code review").stdout, "client <code> <review>\n");
    assert_eq!(shell(&machine, "claude code config set a b").stdout, "client <code> <config> <set> <a> <b>\n");
    assert_eq!(shell(&machine, "claude audit search").stdout, "client <audit> <search>\n");
    // A second shim behind the first is passed over.
    let second = shell(
        &machine,
        "sealtrail() { :; }; ln -s \"$(readlink -f \"$(command -v claude)\")\" ../real/second; mkdir ../two; mv ../real/second ../two/claude; PATH=\"${PATH%%:*}:$PWD/../two:${PATH#*:}\" claude x",
    );
    assert_eq!(second.stdout, "client <x>\n", "{second}");
    std::fs::remove_file(machine.path("real/claude")).unwrap();
    let none = shell(&machine, "claude -p hello");
    assert_eq!(none.exit, 127, "{none}");
    assert!(none.stderr.contains("no other `claude` is on the PATH"), "{none}");
}

/// Protects the opt-in: the shim says whether it is in use, touches nothing that is not its own, and goes without a trace.
#[test]
fn the_shim_comes_and_goes() {
    let machine = Machine::new();
    let before = machine.run("shim status");
    assert_eq!(before.exit, 4, "{before}");
    install(&machine);
    assert_eq!(machine.run("shim status").exit, 4, "installed and not on the PATH");
    let sealtrail = env!("CARGO_BIN_EXE_sealtrail");
    assert_eq!(shell(&machine, &format!("'{sealtrail}' shim status")).exit, 0);
    assert_eq!(machine.run("shim install -q").exit, 0, "twice is once");
    let foreign = machine.run("shim uninstall --dir ../real");
    assert_eq!(foreign.exit, 7, "{foreign}");
    assert_eq!(machine.run("shim install --dir ../real").exit, 7);
    assert_eq!(machine.run("shim uninstall").exit, 0);
    assert!(!machine.path(".local/share/sealtrail/shim").exists());
}

/// Protects whoever follows the articles: each of their command lines runs unchanged, and what this release cannot do says so.
#[test]
fn the_command_lines_of_the_articles_run_unchanged() {
    let machine = trail(true);
    install(&machine);
    let text = std::fs::read_to_string(format!("{ARTICLES}/commands.sh")).unwrap();
    let scratch = machine.path("work").display().to_string();
    let lines: Vec<String> = text.split("\n\n").map(|line| line.trim().replace("/tmp", &scratch)).collect();
    assert_eq!(lines.len(), 10);
    let mut ends = Vec::new();
    for line in &lines {
        let jq = Path::new("/usr/bin/jq").exists();
        let line = if jq { line.clone() } else { line.split(" | jq").next().unwrap().to_owned() };
        let ran = shell(&machine, &format!("set -o pipefail; AUDIT_ID=audit_evt_3f7e2a9c8d1b\n{line}"));
        assert!(!ran.stdout.contains("client <") && ran.exit != 64, "{line}: {ran}");
        ends.push((line.split_whitespace().skip(3).take(2).collect::<Vec<_>>().join(" ").replace(&scratch, "[SCRATCH]"), ran.exit));
    }
    insta::assert_debug_snapshot!("articles_ends", ends);
    let hot = machine.read("work/hot.jsonl");
    assert!(serde_json::from_str::<Vec<serde_json::Value>>(&hot).is_ok(), "an array, one event a line");
    let restore = shell(&machine, &lines[5]);
    assert_eq!(restore.exit, 1, "{restore}");
    assert!(restore.stderr.contains("there is no archive, because this release keeps every event in the ledger"), "{restore}");
    let login = shell(&machine, &lines[2]);
    assert!(login.stdout.contains("audit_evt_login_2") && !login.stdout.contains("audit_evt_login_4"), "{login}");
}

/// Protects auditors from a comforting answer: the script of the article passes only what really holds.
#[test]
fn the_validation_script_tells_the_truth() {
    let machine = trail(false);
    install(&machine);
    let script = format!("bash '{ARTICLES}/soc2-validation.sh'");
    insta::assert_snapshot!("soc2_plain", shell(&machine, &script));
    // Written in the configuration, and not in force: still no yes.
    let config = "audit:\n  retention:\n    default_retention_days: 30\n  destinations:\n    - name: local\n      type: file\n      path: ./logs/audit.jsonl\n      encrypt_at_rest: true\n  access_control:\n    admins: [alice]\n";
    machine.write(".local/state/sealtrail/audit.yaml", config);
    assert_eq!(machine.run("config validate").exit, 0);
    let path = "audit.destinations[0].encrypt_at_rest";
    let told = machine.run_args(&["config", "get", path]);
    assert_eq!((told.exit, told.stdout.as_str()), (4, ""), "{told}");
    assert_eq!(machine.run_args(&["config", "get", "--written", path]).stdout, "true\n");
    machine.write(".local/state/sealtrail/audit.yaml", &config.replace("30", "365"));
    insta::assert_snapshot!("soc2_configured", shell(&machine, &script));
}
