//! What each part of the language finds.

use sealtrail_query::{Filter, Query, Selector};
use serde_json::{Value, json};

fn login() -> Value {
    json!({
        "event_type": "auth.user_login", "timestamp": "2026-03-16T14:32:47.123Z", "severity": "warning", "outcome": "failure", "status": "failure",
        "user_id": "user_12345", "email": "alice@company.com", "source_ip": "203.0.113.42", "mfa_verified": true, "duration_ms": 3600,
        "resource": { "type": "file", "path": "/data/customer records.csv", "sensitivity_level": "pii", "classification": "CONFIDENTIAL" },
        "workflow_steps": [ { "step_name": "a", "status": "success", "duration_ms": 10 }, { "step_name": "b", "status": "failed", "decision": { "evaluated_value": 0.18 } } ],
        "tool_input": { "command": "rm -rf /srv/old" }, "http.status": 404, "as_sent": { "severity": "medium", "eventType": "tool_invocation" },
        "compliance_tags": ["SOC2", "GDPR"], "big": 18446744073709551615u64,
    })
}

#[test]
fn each_form_finds_and_does_not_find() {
    // Protects the meaning of every form of the language: the first list must match the login event, the second must not.
    let yes = [
        "",
        "user_id=user_12345",
        "userId=user_12345",
        "user-x or user_id=user_12345",
        "user_id=user_*",
        "user_id=\"user_1234?\"",
        "status=fail",
        "status!=success",
        "outcome=failed",
        "auth.user_login[status=fail]",
        "auth.*[]",
        "event_type=auth.*",
        "source_ip=203.0.113.*",
        "source_ip=203.0.113.0/24",
        "ip_address = 203.0.113.42",
        "duration_ms>=3600 and duration_ms<3601",
        "latency_ms > 3599.5",
        "severity>=info",
        "severity=warn",
        "severity=medium",
        "classification>=internal",
        "classification=sensitive",
        "resource.sensitivity_level=pii",
        "sensitivity_level in (phi, pii)",
        "user_id not in (a, b)",
        "not user_id in (a)",
        "mfa_verified=true",
        "email exists",
        "exists(email)",
        "not exists(nothing_such)",
        "email~\"^alice@\"",
        "email~\"^[^\n\\\"'\\\\]+$\"",
        "email !~ bob",
        "workflow_steps.status=fail",
        "workflow_steps[1].status=failure",
        "workflow_steps[].step_name=a",
        "workflow_steps.decision.evaluated_value<0.3",
        "workflow_steps[1].decision.evaluated_value = 0.18",
        "rm",
        "\"rm -rf\"",
        "\"RM -RF\"",
        "customer records",
        "/srv/old",
        "*.csv",
        "(a or rm) and not zzz",
        "http.status=404",
        "eventType=tool_invocation",
        "tag=SOC2",
        "compliance_tags:soc",
        "timestamp=2026-03-16",
        "timestamp>2026-03-15",
        "timestamp<=2026-03-16",
        "timestamp >= 2026-03-16T14:32:47.123Z",
        "big=18446744073709551615",
        "big>18446744073709551614",
        "email:ALICE",
        "email:*@company.com",
        "path:customer",
        "!zzz",
        "NOT zzz AND rm",
        "user_id=user_12345 && rm || zzz",
        "command:rm or rm",
        "resource.path='/data/customer records.csv'",
        "time exists",
        "\"http.status\">=400",
    ];
    let no = [
        "user_id=user",
        "user_id=USER_12345",
        "status=success",
        "outcome=denied",
        "auth.user_login[status=success]",
        "data.*[]",
        "source_ip=203.0.112.0/24",
        "source_ip=10.*",
        "duration_ms>3600",
        "severity>=high",
        "classification=restricted",
        "mfa_verified=false",
        "nothing_such exists",
        "email~\"^lice\"",
        "workflow_steps[0].status=fail",
        "zzz",
        "rm and zzz",
        "\"rm  -rf\"",
        "timestamp>2026-03-16",
        "timestamp<2026-03-16",
        "timestamp=2026-03-17",
        "user_id in (a, b)",
        "user_id not in (user_*)",
        "not rm",
        "big=18446744073709551614",
        "nothing_such=1",
        "nothing_such>1",
    ];
    for (queries, wanted) in [(&yes[..], true), (&no[..], false)] {
        for text in queries {
            let query = Query::parse(text).unwrap_or_else(|error| panic!("{}", error.show(text)));
            assert_eq!(query.matches(&login()), wanted, "{text} -> {query}");
            assert_eq!(Query::parse(&query.to_string()).unwrap(), query, "{text} is written {query}");
            let data = serde_json::to_string(&query).unwrap();
            assert_eq!(serde_json::from_str::<Query>(&data).unwrap(), query, "{data}");
        }
    }
}

#[test]
fn errors_point_at_the_character() {
    // Protects the promise of every error: where it is, and what to write instead.
    let cases = [
        ("sesion_id=x", 0, "session_id"),
        ("a and usr_id=x", 6, "user_id"),
        ("(a", 0, "add a )"),
        ("a)", 1, ""),
        ("user_id=", 8, "\"\""),
        ("user_id=\"x", 8, "end the text"),
        ("severity>huge", 9, "critical"),
        ("timestamp>yesterday", 10, ""),
        ("timestamp>90", 10, ""),
        ("user_id in x", 8, "in (a, b)"),
        ("email~\"(\"", 6, ""),
        ("a and", 5, ""),
        ("and a", 0, "\"and\""),
        ("auth.user_login[status=fail", 15, "type[condition]"),
        ("a..b=1", 0, ""),
        ("\"\"", 0, "leave it out"),
        ("user_id=a(b", 9, "quotes"),
        ("workflow_steps[x].status=1", 17, ""),
        ("exists(||)", 7, "quotes"),
        ("exists(!a)", 7, "quotes"),
        ("exists(not)", 7, "quotes"),
    ];
    for (text, at, hint) in cases {
        let error = Query::parse(text).expect_err(text);
        assert_eq!(error.at, at, "{}", error.show(text));
        assert!(error.hint.as_deref().unwrap_or("").contains(hint), "{}", error.show(text));
    }
}

#[test]
fn selectors_are_types_with_conditions() {
    // Protects destination filters and sequences, which name events by selectors.
    assert!(Selector::parse("auth.user_login[status=fail]").unwrap().matches(&login()));
    assert!(Selector::parse("auth.*").unwrap().matches(&login()));
    assert!(!Selector::parse("data.file_read").unwrap().matches(&login()));
    for wrong in ["", "a b", "a[b", "a]", "a[b] c", "a=b"] {
        assert!(Selector::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn flags_compile_to_the_same_plan() {
    // Protects that a flag and the query it stands for find the same events.
    let now = "2026-03-20T00:00:00Z".parse().unwrap();
    let mut filter = Filter::new(now);
    filter.any_of("event-type", ["auth.*"]).unwrap().any_of("source-ip", ["203.0.113.*", "10.0.0.0/8"]).unwrap();
    filter.since("2 weeks ago").unwrap().until("2026-03-16").unwrap().query("rm").unwrap();
    let query = filter.build();
    assert!(query.matches(&login()));
    assert_eq!(
        query,
        Query::parse_at(
            "event_type=auth.* source_ip in (203.0.113.*, 10.0.0.0/8) timestamp>=\"2 weeks ago\" timestamp<=2026-03-16 rm",
            now
        )
        .unwrap()
    );
    assert!(Filter::new(now).any_of("sensitivity-level", ["pii"]).unwrap().clone().build().matches(&login()));
    assert_eq!(Filter::new(now).build(), Query::everything());
}
