//! The certificate, byte by byte: version 1 stays what it is.

use std::fs;
use std::path::PathBuf;

use sealtrail_trace::coverage::{FORMAT, Issued, canonical, certificate};
use serde_json::{Value, json};

use crate::coverage_trail::{clean, event, judged};

/// Protects whoever keeps certificates: the same trail gives the same bytes, those of the committed file. A change of them is a new version of the
/// format; to renew the file before it is released, run the test with `SEALTRAIL_BLESS=1`.
#[test]
fn version_one_stays_what_it_is() {
    let mut events = clean();
    events.retain(|view| {
        !(view["witness"] == "hook" && view["tool_use_id"] == "toolu_4" || view["witness"] == "otel" && view["request_id"] == "req_6")
    });
    let decision = events.iter_mut().find(|view| view["event_type"] == "otel.tool_decision").unwrap();
    decision["policy_result"] = json!("denied");
    let lost = json!({"session_id": null, "ledger": {"witness": "hook", "lost": 2, "cause": "spool_full"}});
    events.push(event(903, "recorder", "ledger.gap", 9, lost));
    events.push(event(904, "hook", "system.client_changed", 2, json!({"client_change": {"seen": ["NewHook"]}})));
    let report = judged(&events, &[]);
    let checkpoint = "example.org/log\n903\nAAAA\n\n\u{2014} example.org/log AAAA\n";
    let range = json!({"since": "24h", "until": null, "query": "timestamp>=2026-11-20T08:00:00Z"});
    let issued = Issued { origin: "example.org/log", checkpoint, size: 903, range, threshold: 90 };
    let text = canonical(&certificate(&report, &issued));
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/certificate-1.json");
    if std::env::var_os("SEALTRAIL_BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&path).unwrap());
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((read["format"].as_str(), canonical(&read)), (Some(FORMAT), text));
}

/// Protects the one spelling: members are sorted at every depth, lists keep their order, nothing is added.
#[test]
fn a_document_has_one_spelling() {
    let document = json!({"b": [{"z": 1, "a": null}, 2], "a": "ä\n", "A": true});
    assert_eq!(canonical(&document), r#"{"A":true,"a":"ä\n","b":[{"a":null,"z":1},2]}"#);
}
