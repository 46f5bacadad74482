//! Tokens and money: each answer once, and no price invented.

use sealtrail_trace::usage::{CostSource, Price, SIDE, Usage};
use serde_json::{Value, json};

fn response(witness: &str, request: &str, input: u64, more: Value) -> Value {
    let mut view = json!({
        "event_type": "model.response", "witness": witness, "session_id": "s", "request_id": request, "model": "m-1",
        "input_tokens": input, "output_tokens": 2, "audit_id": format!("{witness}{request}{input}"),
    });
    if let (Value::Object(view), Value::Object(more)) = (&mut view, more) {
        view.extend(more);
    }
    view
}

fn usage(events: &[Value]) -> Usage {
    let mut usage = Usage::default();
    events.iter().for_each(|event| usage.add(event));
    usage
}

/// Protects the bill: one answer counts once, whoever tells it and however often; the transcript's last word counts, in any order.
#[test]
fn one_answer_counts_once() {
    let told = [
        response("otel", "r1", 9, json!({"cost_usd": 0.5})),
        response("transcript", "r1", 5, json!({})),
        response("transcript", "r1", 7, json!({})),
        response("gateway", "r1", 7, json!({"usage": {"cache_read_input_tokens": 4}})),
    ];
    for turn in 0..told.len() {
        let mut told = told.clone();
        told.rotate_left(turn);
        let usage = usage(&told);
        let sum = usage.session("s", &[]);
        assert_eq!((sum.answers, sum.tokens.output, sum.cost_usd, sum.cost_source), (1, 2, Some(0.5), CostSource::Witness));
        assert!(sum.tokens.input == 7 || turn == 2, "{turn} {sum:?}");
        assert_eq!(usage.disagreements(), 1);
    }
}

/// Protects the whole bill: what the client asked a model beside the conversation is in its account, and so in the sum, on a line of its own.
#[test]
fn side_requests_are_in_the_sum() {
    let models =
        json!({"m-1": {"inputTokens": 5, "outputTokens": 2}, "m-2": {"inputTokens": 1, "outputTokens": 4, "cacheReadInputTokens": 7}});
    let account =
        json!({"event_type": "transcript.cost_state", "session_id": "s", "transcript": {"totalCostUSD": 0.5, "modelUsage": models}});
    let usage = usage(&[response("transcript", "r1", 3, json!({})), account]);
    let rows = usage.rows(&[]);
    let told: Vec<(&str, &str, u64)> = rows.iter().map(|row| (row.agent_id.as_str(), row.model.as_str(), row.sum.tokens.input)).collect();
    assert_eq!(told, [("", "m-1", 3), (SIDE, "m-1", 2), (SIDE, "m-2", 1)]);
    let sum = usage.session("s", &[]);
    assert_eq!((sum.tokens.input, sum.tokens.output, sum.tokens.cache_read, sum.answers, sum.cost_usd), (6, 6, 7, 1, Some(0.5)));
}

/// Protects against invented money: without a price and without a witness the cost is unknown, also when only a part of it is.
#[test]
fn no_price_is_invented() {
    let price = |model: &str| Price { model: model.to_owned(), input: 1e6, output: 0.0, cache_read: 0.0, cache_write: 0.0 };
    let known = response("transcript", "r1", 3, json!({}));
    let other = response("transcript", "r2", 1, json!({"model": "n"}));
    let usage_of = usage(&[known.clone(), other.clone()]);
    assert_eq!(usage_of.session("s", &[]).cost_source, CostSource::Unknown);
    assert_eq!(usage_of.session("s", &[price("m-*")]).cost_usd, None);
    assert_eq!(usage_of.session("s", &[price("m-*"), price("*")]).cost_usd, Some(4.0));
    assert_eq!(usage_of.rows(&[price("m-1")]).iter().map(|row| row.sum.cost_usd).collect::<Vec<_>>(), [Some(3.0), None]);
    let account = json!({"event_type": "transcript.cost_state", "session_id": "s", "transcript": {"totalCostUSD": 0.25, "hasUnknownModelCost": false}});
    let sum = usage(&[known, account, other]).session("s", &[price("*")]);
    assert_eq!((sum.cost_usd, sum.cost_source), (Some(0.25), CostSource::Client));
    for (pattern, means) in
        [("m-*", true), ("*", true), ("m*1", true), ("*-*", true), ("m-1", true), ("m", false), ("m*2", false), ("n*", false)]
    {
        let cost = usage(&[response("transcript", "r1", 3, json!({}))]).session("s", &[price(pattern)]).cost_usd;
        assert_eq!(cost.is_some(), means, "{pattern}");
    }
}
