//! Budgets: crossing one is an event, and can end the calls.

use sealtrail_config::{Budget, BudgetPer, Price};
use serde_json::Value;

use crate::kit::{ASK, Api, Run, SESSION, post, streamed};

/// Protects budgets: the call that crosses one is told, the next one of the session is refused with a clear word and never leaves, and another
/// session goes on.
#[test]
fn a_used_up_session_is_refused() {
    let api = Api::answering(streamed(100));
    let run = Run::start(api.address, |config| {
        config.budgets = vec![Budget { per: BudgetPer::Session, tokens: Some(50), usd: None, block: true }];
        config.prices = vec![Price { model: "claude-test-*".to_owned(), input: 10.0, output: 20.0, cache_read: 1.0, cache_write: 0.0 }];
    });
    run.send(&post("/v1/messages", &[SESSION, ("x-api-key", "k")], ASK));
    let crossed = run.trail.wait_for("budget.crossed", 1)[0].clone();
    assert_eq!(
        (&crossed["tokens_used"], &crossed["policy_result"], &crossed["session_id"]),
        (&58.into(), &"denied".into(), &SESSION.1.into())
    );
    assert_eq!(crossed["policy_rule"], "budget of 50 tokens per session");
    let cost = run.trail.of("model.response")[0]["cost_usd"].as_f64().unwrap();
    assert!((cost - (110.0 + 840.0 + 5.0) / 1_000_000.0).abs() < 1e-12, "{cost}");

    let (head, body) = run.send(&post("/v1/messages", &[SESSION, ("x-api-key", "k")], ASK));
    assert!(head.starts_with("HTTP/1.1 403") && head.contains("x-should-retry: false\r\n"), "{head}");
    let error: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(error["error"]["type"], "permission_error");
    assert!(error["error"]["message"].as_str().unwrap().contains("budget of 50 tokens per session"), "{error}");
    let denied = run.trail.wait_for("model.response", 2)[1].clone();
    assert_eq!(
        (&denied["outcome"], &denied["policy_result"], &denied["reason"], &denied["end_reason"]),
        (&"denied".into(), &"denied".into(), &"budget_session".into(), &"budget_exhausted".into())
    );
    assert_eq!(api.got().len(), 1);

    let other = ("X-Claude-Code-Session-Id", "another");
    let (head, _) = run.send(&post("/v1/messages", &[other, ("x-api-key", "k")], ASK));
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

/// Protects budgets of persons: the configured header says who it is, and a budget that does not block is only told.
#[test]
fn a_person_is_named_by_the_configured_header() {
    let api = Api::answering(streamed(100));
    let run = Run::start(api.address, |config| {
        config.user_header = Some("X-User".to_owned());
        config.budgets = vec![Budget { per: BudgetPer::User, tokens: Some(100), usd: None, block: false }];
    });
    for (user, session) in [("ada", "a"), ("bob", "b"), ("ada", "c")] {
        let (head, _) = run.send(&post("/v1/messages", &[("X-User", user), ("X-Claude-Code-Session-Id", session)], ASK));
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    }
    run.trail.wait_for("model.response", 3);
    let crossed = run.trail.wait_for("budget.crossed", 1);
    assert_eq!((crossed.len(), &crossed[0]["user_id"], &crossed[0]["policy_result"]), (1, &"ada".into(), &"allowed".into()));
}
