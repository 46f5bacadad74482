//! Verification of the golden ledger that an independent script wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use sealtrail_disk::{Disk, RealDisk};
use sealtrail_ledger::report::{Report, Severity};
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::VerifierKey;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/ledger/v1")
}

fn mac_key() -> [u8; 32] {
    let text = std::fs::read_to_string(fixture().join("mac-key-0.b64")).unwrap();
    base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap().try_into().unwrap()
}

fn run(options: &VerifyOptions) -> Report {
    let disk: Arc<dyn Disk> = Arc::new(RealDisk);
    verify(&disk, &fixture().join("ledger"), options, &mut |_| ()).unwrap()
}

fn text(report: &Report) -> String {
    report.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

/// Protects agreement with the independent script: everything it wrote verifies, with and without the mac key, on any number of threads.
#[test]
fn the_golden_ledger_verifies() {
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(fixture().join("expected.json")).unwrap()).unwrap();
    let vkey = VerifierKey::parse(expected["vkey"].as_str().unwrap()).unwrap();
    for threads in [1, 2, 8] {
        let report = run(&VerifyOptions { threads, vkey: Some(vkey.clone()), mac_key: Some(mac_key()), ..VerifyOptions::default() });
        assert!(report.findings.iter().all(|finding| finding.severity == Severity::Note), "{}", text(&report));
        assert!(report.is_ok() && report.pinned);
        assert_eq!(report.size.0, expected["entries"].as_u64().unwrap());
        assert_eq!(report.root.unwrap().to_string(), expected["root"].as_str().unwrap());
        assert_eq!((report.commits, report.signatures), (expected["commits"].as_u64().unwrap(), expected["commits"].as_u64().unwrap()));
        assert_eq!(report.epochs, expected["epochs"].as_u64().unwrap());
        assert_eq!(report.macs, report.size.0);
        let erased: u64 = report.erased.iter().map(|erasure| erasure.slots).sum();
        assert_eq!(erased as usize, expected["erased_slots"].as_array().unwrap().len());
        assert_eq!(report.published.unwrap().0, expected["checkpoint_size"].as_u64().unwrap());
    }
    let report = run(&VerifyOptions::default());
    assert!(report.is_ok() && !report.pinned && report.macs == 0, "{}", text(&report));
}

/// Protects the quick check: the newest part and the published checkpoint, nothing else, and it still agrees.
#[test]
fn the_quick_check_agrees() {
    let report = run(&VerifyOptions { quick: true, mac_key: Some(mac_key()), ..VerifyOptions::default() });
    assert!(report.is_ok(), "{}", text(&report));
    assert_eq!((report.size.0, report.events, report.parts), (608, 280, 1));
    assert!(report.summary().starts_with("Quick check"));
}

/// Protects the negative control: under another key nothing verifies, however good the ledger is.
#[test]
fn another_key_fails() {
    let own = VerifierKey::parse(&run(&VerifyOptions::default()).vkey).unwrap();
    let other = VerifierKey::new(own.name().clone(), *VerifierKey::new(own.name().clone(), [9; 32]).public());
    let report = run(&VerifyOptions { vkey: Some(other), ..VerifyOptions::default() });
    assert!(!report.is_ok());
    assert!(report.findings.iter().any(|finding| finding.kind == "key-differs" && finding.file == "log.json"));
    let mut wrong = mac_key();
    wrong[0] ^= 1;
    let report = run(&VerifyOptions { mac_key: Some(wrong), ..VerifyOptions::default() });
    assert!(report.findings.iter().any(|finding| finding.kind == "mac-differs"), "{}", text(&report));
}

/// Protects the sentence that people quote.
#[test]
fn the_summary_says_what_was_found() {
    let summary = run(&VerifyOptions::default()).summary();
    assert!(
        summary.contains("608 events") && summary.contains("covered by a recorded erasure") && summary.contains("ledger's own word"),
        "{summary}"
    );
}
