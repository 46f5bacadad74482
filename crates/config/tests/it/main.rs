//! `audit.yaml` from outside: the full file, one value, every kind of mistake.
#![allow(clippy::unwrap_used, reason = "tests")]

use sealtrail_config::{FailMode, GetError, Level, Origin, SocketAccess, get, load, schema};
use serde_json::{Value, json};

const FULL: &str = include_str!("full.yaml");

fn problems(text: &str) -> String {
    match load(Some(("audit.yaml", text))) {
        Ok(loaded) => loaded.notices.iter().map(|problem| format!("notice {problem}\n")).collect(),
        Err(problems) => problems.iter().filter(|problem| problem.level == Level::Error).map(|problem| format!("{problem}\n")).collect(),
    }
}

/// Protects existing configurations: every key that the articles show is taken, and what is not acted on is said once per section.
#[test]
fn the_full_file_loads() {
    let loaded = load(Some(("audit.yaml", FULL))).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert!(loaded.config.hmac());
    assert_eq!(loaded.config.audit.destinations.len(), 4);
    assert_eq!(loaded.config.audit.fail_mode.tool_invocation, Some(FailMode::Block));
    assert_eq!(loaded.config.audit.capture.socket, SocketAccess::Group);
    assert_eq!(loaded.config.audit.retention.by_domain.len(), 4);
    insta::assert_snapshot!(
        loaded.notices.iter().map(|notice| format!("{}:{} {}\n", notice.line, notice.column, notice.message)).collect::<String>()
    );
}

/// Protects scripts that ask for one value, among them the two that the articles ask for.
#[test]
fn get_answers_written_values_and_defaults() {
    let full = load(Some(("audit.yaml", FULL))).unwrap();
    let empty = load(None).unwrap();
    for (path, written, unwritten) in [
        ("audit.retention.default_retention_days", Some(json!(90)), Some(json!(90))),
        ("audit.destinations[0].encrypt_at_rest", Some(json!(false)), None),
        ("audit.destinations[3].token", Some(json!("${SPLUNK_HEC_TOKEN}")), None),
        ("audit.access_control", Some(json!({"readers": ["security_team"]})), None),
        ("audit.enabled", Some(json!(true)), Some(json!(true))),
        ("audit.fail_mode.default", Some(json!("continue")), Some(json!("continue"))),
        ("compliance.frameworks.hipaa.retention_years", Some(json!(6)), None),
        ("audit.rotation.file_rotation.compression.level", Some(json!(9)), None),
    ] {
        assert_eq!(get(&full, path).ok(), written, "{path}");
        assert_eq!(get(&empty, path).ok(), unwritten, "{path}");
    }
    assert_eq!(
        get(&empty, "audit.retention.default_retention_day"),
        Err(GetError::Unknown { part: "audit.retention.default_retention_day".into(), near: Some("default_retention_days".into()) })
    );
    for (path, at) in
        [("audit..enabled", 6), ("audit.destinations[", 18), ("audit.destinations[x]", 19), (".audit", 0), ("audit.destinations[0]x", 21)]
    {
        assert_eq!(get(&full, path), Err(GetError::Malformed { at }), "{path}");
    }
}

/// Protects the answer to "why is it so": written values say where, the others say that nobody wrote them.
#[test]
fn origins_are_told() {
    let loaded = load(Some(("audit.yaml", "audit:\n  ledger:\n    compression: none\n"))).unwrap();
    assert_eq!(loaded.origin("audit.ledger.compression"), Origin::File { file: "audit.yaml".into(), line: 3, column: 18 });
    let shown = loaded.shown();
    let origin_of = |path: &str| shown.iter().find(|(shown, ..)| shown == path).map(|(_, _, origin)| origin.clone()).unwrap();
    assert_eq!(origin_of("audit.ledger.compression"), Origin::File { file: "audit.yaml".into(), line: 3, column: 18 });
    assert_eq!(origin_of("audit.ledger.segment_events"), Origin::Default);
    assert_eq!(origin_of("audit.retention.default_retention_days"), Origin::Default);
}

/// Protects secrets: one written in clear is never shown, a reference is shown as a reference, and neither is resolved.
#[test]
fn secrets_are_masked() {
    let text = "audit:\n  destinations:\n    - {type: siem_webhook, name: a, endpoint: 'https://a', token: hunter2}\n    - {type: siem_webhook, name: b, endpoint: 'https://b', token: '${PATH}'}\n";
    let loaded = load(Some(("audit.yaml", text))).unwrap();
    let everything = format!("{:?} {:?} {:?}", loaded.shown(), loaded.masked(), loaded.notices);
    assert!(!everything.contains("hunter2"), "{everything}");
    assert_eq!(get(&loaded, "audit.destinations[0].token"), Ok(json!("***")));
    assert_eq!(get(&loaded, "audit.destinations[1].token"), Ok(json!("${PATH}")));
    assert!(loaded.notices.iter().any(|notice| notice.message.ends_with("token` is written in clear")));
}

/// Protects people who mistype: each mistake has its line, its column and, where one is near, the right word; and all are told at once.
#[test]
fn mistakes_have_places_and_hints() {
    let cases = [
        ("unknown key", "audit:\n  enabeld: true\n"),
        ("unknown key, nothing near", "audit:\n  telemetry_export: true\n"),
        ("unknown key at the top", "audti:\n  enabled: true\n"),
        ("wrong type", "audit:\n  enabled: \"yes\"\n  destinations: none\n"),
        ("yes is no truth value", "audit:\n  enabled: yes\n"),
        ("unknown word", "audit:\n  ledger:\n    compression: gzipp\n  fail_mode:\n    default: ignore\n"),
        (
            "out of range",
            "audit:\n  ledger:\n    segment_events: 7\n  capture:\n    hook_deadline_ms: 99999999\n  retention:\n    default_retention_days: 0\n",
        ),
        ("a fraction", "audit:\n  retention:\n    default_retention_days: 1.5\n"),
        ("a negative number", "audit:\n  retention:\n    default_retention_days: -1\n"),
        ("destination without type", "audit:\n  destinations:\n    - name: x\n"),
        ("destination of unknown type", "audit:\n  destinations:\n    - type: cloudwach\n      name: x\n"),
        ("key of another type", "audit:\n  destinations:\n    - type: file\n      name: x\n      path: ./a\n      log_group: /b\n"),
        ("missing keys of the type", "audit:\n  destinations:\n    - type: cloudwatch\n      name: x\n"),
        ("two of one name", "audit:\n  destinations:\n    - {type: file, name: x, path: a}\n    - {type: file, name: x, path: b}\n"),
        ("plain http", "audit:\n  destinations:\n    - {type: siem_webhook, name: x, endpoint: 'http://siem.example.com'}\n"),
        ("placeholder", "audit:\n  destinations:\n    - {type: file, name: x, path: a, filename_pattern: 'a-{YY}.jsonl'}\n"),
        ("selector", "audit:\n  destinations:\n    - {type: file, name: x, path: a, exclude_events: ['data.file_read[status]', ' ']}\n"),
        ("domain", "audit:\n  retention:\n    by_domain:\n      atuh: {hot_storage_days: 1}\n"),
        ("periods", "audit:\n  retention:\n    by_domain:\n      auth: {hot_storage_days: 10, delete_after_days: 9}\n"),
        ("mutable", "audit:\n  integrity:\n    immutable: false\n"),
        ("empty access control", "audit:\n  access_control: {}\n"),
        ("retention twice", "audit:\n  retention:\n    default_retention_days: 1\nretention:\n  default_retention_days: 2\n"),
        ("duplicate key", "audit:\n  enabled: true\n  enabled: false\n"),
        ("no YAML", "audit: [\n"),
        ("a tab", "audit:\n\tenabled: true\n"),
        ("a list", "- audit\n"),
        ("two documents", "audit: {}\n---\naudit: {}\n"),
        ("several at once", "audit:\n  enabeld: true\n  ledger: {compression: zip}\n  capture: {socket: all}\ncomplience: {}\n"),
    ];
    let report: String = cases.iter().map(|(name, text)| format!("## {name}\n{}\n", problems(text))).collect();
    insta::assert_snapshot!(report);
}

/// Protects against panics and endless work: every cut and every changed byte of the full file is answered.
#[test]
fn damaged_files_are_answered() {
    for cut in (0..FULL.len()).step_by(23) {
        let _ = load(Some(("audit.yaml", &FULL[..cut])));
    }
    for at in (0..FULL.len()).step_by(61) {
        for letter in ["{", "\"", "\t", "&", "*", ":", "-"] {
            let _ = load(Some(("audit.yaml", &format!("{}{letter}{}", &FULL[..at], &FULL[at + 1..]))));
        }
    }
    let bomb = (1..30).fold("a0: &a0 x\n".to_owned(), |text, n| text + &format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1));
    assert!(load(Some(("audit.yaml", &bomb))).is_err());
}

/// Protects editors: the committed schema is the one that the types say, and the full file keeps to it.
#[test]
fn schema_is_committed() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/audit.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os("SEALTRAIL_BLESS").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap_or_default(), text, "run with SEALTRAIL_BLESS=1 and commit schema/audit.schema.json");
    assert_eq!(schema()["additionalProperties"], Value::Bool(false));
}

/// Protects tokens from the network: the API listens on this machine, or where the operator said twice that he means it.
#[test]
fn the_api_listens_on_this_machine() {
    assert_eq!(load(None).unwrap().config.audit.api.address(), None);
    let own = load(Some(("audit.yaml", "audit: {api: {listen: '127.0.0.1:8787'}}"))).unwrap();
    assert_eq!(own.config.audit.api.address().map(|address| address.port()), Some(8787));
    let wide = problems("audit: {api: {listen: '0.0.0.0:8787'}}");
    assert!(wide.contains("other machines could read"), "{wide}");
    assert!(problems("audit: {api: {listen: '8787'}}").contains("no address with a port"));
    assert!(load(Some(("audit.yaml", "audit: {api: {listen: '0.0.0.0:8787', insecure_listen: true}}"))).is_ok());
}

/// Protects keys on the network: the collector listens on this machine, or encrypted, or where the operator said twice that he means it.
#[test]
fn the_collector_encrypts_or_listens_here() {
    let text = "audit: {collector: {listen: '0.0.0.0:8787', tls: {certificate: c.pem, key: k.pem}}}";
    let loaded = load(Some(("audit.yaml", text))).unwrap();
    assert_eq!(loaded.config.audit.collector.address().map(|address| address.port()), Some(8787));
    assert_eq!(loaded.config.audit.collector.tls.map(|tls| tls.key), Some("k.pem".to_owned()));
    let wide = problems("audit: {collector: {listen: '0.0.0.0:8787'}}");
    assert!(wide.contains("audit.collector.listen") && wide.contains("not encrypted"), "{wide}");
    assert!(load(Some(("audit.yaml", "audit: {collector: {listen: '0.0.0.0:8787', insecure_listen: true}}"))).is_ok());
    assert!(problems("audit: {collector: {body_bytes: 1}}").contains("body_bytes"));
}
