//! What the collector takes and what it does not.

use sealtrail_mcp::collector::{EVENT_BYTES_MAX, decision, event};
use serde_json::{Map, Value, json};

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// Protects the sender: everything that is wrong is named at once, with what would be right; what is right is taken as it is.
#[test]
fn problems_are_named() {
    let seed = json!({"timestamp": "2026-03-01T09:30:00Z", "userId": "alice", "sessionId": "s", "action": "file_read", "resource": "/a", "outcome": "success",
                      "metadata": {}, "complianceTags": ["SOC2"]});
    assert_eq!(event(map(seed.clone())).unwrap(), map(seed));
    let wrong = json!({"outcome": "sucess", "timestamp": "yesterday", "complianceTags": "SOC2", "metadata": 7, "userId": 1});
    let problems = event(map(wrong)).unwrap_err().join("\n");
    for part in [
        "does not say what happened",
        "`outcome` is \"sucess\"",
        "success, failure, denied",
        "RFC 3339",
        "`complianceTags`",
        "`metadata` is a number",
        "`userId`",
    ] {
        assert!(problems.contains(part), "{part} is not in {problems}");
    }
    assert!(event(map(json!({"event_type": "ledger.erased"}))).unwrap_err()[0].contains("ledger"));
    assert!(event(map(json!({"event_type": "a b"}))).unwrap_err()[0].contains("one word"));
    assert!(event(map(json!({"event_type": "x.y", "metadata": {"x": "y".repeat(EVENT_BYTES_MAX)}}))).unwrap_err()[0].contains("at most"));
}

/// Protects decisions: they need something that was decided, and become events of that type.
#[test]
fn decisions_say_what_was_decided() {
    let taken = decision(map(json!({"decision": "deploy", "factors_considered": ["tests"], "confidence": 0.9, "alternative_options": []})))
        .unwrap();
    assert_eq!(taken["event_type"], "workflow.ai_decision");
    let problems = decision(map(json!({"confidence": 7, "factors_considered": "x"}))).unwrap_err().join("\n");
    assert!(
        ["`decision` is missing", "`confidence` is 7", "`factors_considered` is a text"].iter().all(|part| problems.contains(part)),
        "{problems}"
    );
}
