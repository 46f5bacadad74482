//! A trail handed to its collector over encrypted connections, by the programs themselves.

use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::fleet::{Serving, configured, enrolled, home, on};
use crate::run::Machine;

/// Longer than anything here takes; a test that reaches it fails.
const DEADLINE: Duration = Duration::from_secs(120);

const MIRROR: &str = "collector/fleet/laptop-1/mirror";

/// Who signs certificates; its own lies in a file.
struct Authority<'a> {
    machine: &'a Machine,
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: String,
}

impl<'a> Authority<'a> {
    fn new(machine: &'a Machine, name: &str) -> Self {
        let mut own = CertificateParams::new(Vec::new()).unwrap();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
        let file = machine.write(&format!("{name}.pem"), &issuer.pem()).display().to_string();
        Self { machine, issuer, file }
    }

    /// Makes a certificate; returns the files of it and of its key.
    fn certificate(&self, name: &str, host: &str) -> [String; 2] {
        let mut own = CertificateParams::new(vec![host.to_owned()]).unwrap();
        own.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let own = own.signed_by(&key, &self.issuer).unwrap();
        let write = |ending: &str, text: &str| self.machine.write(&format!("{name}.{ending}"), text).display().to_string();
        [write("crt", &own.pem()), write("key", &key.serialize_pem())]
    }
}

/// Starts a collector with a certificate for 127.0.0.1.
fn collector(machine: &Machine, authority: &Authority<'_>, more: &str) -> Serving {
    let [certificate, key] = authority.certificate("collector", "127.0.0.1");
    let serving = Serving::start(machine, &format!("127.0.0.1:0 --tls-cert {certificate} --tls-key {key} {more}"));
    assert!(serving.url.starts_with("https://127.0.0.1:"), "{}", serving.url);
    serving
}

/// Two homes on one machine: a laptop with a trail, and the collector that it is enrolled at.
fn pair() -> (Machine, String) {
    let machine = Machine::new();
    assert_eq!(on(&machine, "laptop", "init --no-input --no-hooks").exit, 0);
    let witness = enrolled(&machine);
    (machine, witness)
}

fn sent(machine: &Machine) -> Value {
    let ran = on(machine, "laptop", "forward --once -o json");
    assert_eq!(ran.exit, 0, "{}", ran.stderr);
    serde_json::from_str(&ran.stdout).unwrap()
}

fn refused(machine: &Machine, wanted: &str) {
    let ran = on(machine, "laptop", "forward --once");
    assert!(ran.exit == 6 && ran.stderr.contains(wanted), "{wanted}: {} {}", ran.exit, ran.stderr);
}

fn events(machine: &Machine, ledger: &str) -> Vec<Value> {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    let reader = Reader::open(disk, &machine.path(ledger)).unwrap();
    reader.iter(Seq(0)).map(|stored| stored.unwrap().view()).collect()
}

/// Protects a trail on its way: it goes to a collector whose certificate the configured authority signed for that name, and to no other; a wrong
/// authority, a wrong name, and an address without encryption are each told as what they are.
#[test]
fn a_trail_goes_to_the_right_certificate_only() {
    let (machine, witness) = pair();
    let (own, other) = (Authority::new(&machine, "own"), Authority::new(&machine, "other"));
    let collector = collector(&machine, &own, "");
    let trusting = |url: &str, authority: &str| configured(&machine, url, &format!("witness: \"{witness}\", ca_file: {authority}"));

    configured(&machine, &collector.url, &format!("witness: \"{witness}\""));
    refused(&machine, "certificate");
    trusting(&collector.url, &other.file);
    refused(&machine, "certificate");
    trusting(&collector.url.replace("127.0.0.1", "localhost"), &own.file);
    refused(&machine, "certificate not valid for name");
    trusting(&collector.url.replace("https", "http"), &own.file);
    refused(&machine, "https://");
    assert!(!machine.path(MIRROR).exists());

    trusting(&collector.url, &own.file);
    let done = sent(&machine);
    assert!(done["seen"].is_u64() && done["size"] == done["cosigned"] && done["size"] == done["mirrored"], "{done}");
    assert_eq!(events(&machine, MIRROR), events(&machine, "laptop/ledger"));
    let verified = on(&machine, "collector", &format!("verify-integrity {}", machine.path(MIRROR).display()));
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
}

/// Protects a collector that asks for certificates: a machine shows its own, of the authority that the collector names; without one, with another
/// authority's, or with half of one it hands nothing in.
#[test]
fn a_machine_shows_its_certificate() {
    let (machine, _) = pair();
    let (own, other) = (Authority::new(&machine, "own"), Authority::new(&machine, "other"));
    let collector = collector(&machine, &own, &format!("--client-ca {}", own.file));
    let showing = |more: &str| configured(&machine, &collector.url, &format!("ca_file: {}, {more}", own.file));
    let files = |[certificate, key]: [String; 2]| format!("certificate_file: {certificate}, key_file: {key}");

    showing("");
    refused(&machine, "/v1/fleet/state");
    showing(&files(other.certificate("stranger", "stranger")));
    refused(&machine, "/v1/fleet/state");
    let laptop = own.certificate("laptop", "laptop");
    showing(&format!("certificate_file: {}", laptop[0]));
    let half = on(&machine, "laptop", "forward --once");
    assert!(half.exit == 78 && half.stderr.contains("key_file"), "{} {}", half.exit, half.stderr);
    showing(&files(laptop));
    let done = sent(&machine);
    assert_eq!(done["size"], done["cosigned"]);
}

/// Protects a transfer under kill -9 at either end, encrypted: whoever is killed in the middle of it, the next round goes on; in the end every event is in the
/// copy once, the copy verifies, and the checkpoint is cosigned.
#[test]
fn a_transfer_survives_kills_at_both_ends() {
    let (machine, witness) = pair();
    let own = Authority::new(&machine, "own");
    // Ten segments: each is a piece of its own.
    machine.write("laptop/audit.yaml", "audit: {ledger: {segment_events: 256}}\n");
    let hook = |n: u32| {
        json!({ "session_id": "s", "cwd": "/p", "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_use_id": format!("toolu_{n}"),
            "tool_input": { "command": format!("echo {n}") } })
    };
    let hooks: Vec<String> = (0..2_560).map(|n| format!("{}\n", hook(n))).collect();
    let hooks = machine.write("hooks.jsonl", &hooks.concat());
    assert_eq!(on(&machine, "laptop", &format!("import hooks {}", hooks.display())).exit, 0);

    let total = events(&machine, "laptop/ledger").len();
    let mut interrupted = 0;
    for kill in 0..6 {
        let mut serving = collector(&machine, &own, "");
        configured(&machine, &serving.url, &format!("witness: \"{witness}\", ca_file: {}", own.file));
        let mut forwarder = forwarder(&machine);
        let before = segments(&machine);
        wait_until(|| segments(&machine) > before || forwarder.try_wait().unwrap().is_some());
        let killed = if kill % 2 == 0 { &mut forwarder } else { &mut serving.child };
        killed.kill().unwrap();
        // What goes on without the other ends by itself: it cannot go on.
        let ended = forwarder.wait().unwrap();
        interrupted += usize::from(!ended.success());
    }
    assert!(interrupted >= 4, "only {interrupted} transfers were interrupted");

    let serving = collector(&machine, &own, "");
    configured(&machine, &serving.url, &format!("witness: \"{witness}\", ca_file: {}", own.file));
    let done = sent(&machine);
    assert!(done["seen"].is_u64() && done["cosigned"] == done["size"] && done["mirrored"] == done["size"], "{done}");
    let (copied, own) = (events(&machine, MIRROR), events(&machine, "laptop/ledger"));
    assert!(copied.len() >= total && copied == own[..copied.len()], "{} of {}", copied.len(), own.len());
    let verified = on(&machine, "collector", &format!("verify-integrity {}", machine.path(MIRROR).display()));
    assert_eq!(verified.exit, 0, "{}{}", verified.stdout, verified.stderr);
}

fn forwarder(machine: &Machine) -> Child {
    let args = ["--home", &home(machine, "laptop"), "forward", "--once"];
    let mut command = machine.command(env!("CARGO_BIN_EXE_sealtrail").as_ref(), &args);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Counts the sealed segments of the copy.
fn segments(machine: &Machine) -> usize {
    let files = std::fs::read_dir(machine.path(MIRROR).join("seg"));
    files.map_or(0, |files| files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "json")).count())
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < DEADLINE, "waited in vain");
        std::thread::yield_now();
    }
}
