//! Every kind of hole is found and named, and nothing else is.

use proptest::prelude::*;
use sealtrail_trace::coverage::{ACTIONS_MAX, Class, Loose, Report, Session, Verdict, Witness};
use serde_json::{Value, json};

use crate::coverage_trail::{LATER, SESSION, START, Teller, clean, event, findings, gaps, judged, judged_at, merge};

pub(crate) fn is(view: &Value, name: &str, value: &str) -> bool {
    view[name].as_str() == Some(value)
}

pub(crate) fn without(events: Vec<Value>, gone: impl Fn(&Value) -> bool) -> Vec<Value> {
    events.into_iter().filter(|view| !gone(view)).collect()
}

pub(crate) fn second_of(view: &Value) -> i64 {
    let at: jiff::Timestamp = view["timestamp"].as_str().unwrap().parse().unwrap();
    (at.as_millisecond() - START) / 1_000
}

/// When the first event that mentions a call was.
pub(crate) fn when(events: &[Value], call: &str) -> i64 {
    events.iter().filter(|view| is(view, "tool_use_id", call)).map(second_of).min().unwrap()
}

/// Protects against false alarms: a session that every witness tells whole is complete, with 100 % in every figure and no note.
#[test]
fn a_clean_session_is_complete() {
    let report = judged(&clean(), &[]);
    assert_eq!(gaps(&report), Vec::<String>::new());
    assert_eq!(findings(report.findings()), Vec::<String>::new());
    assert_eq!(findings(report.notes()), Vec::<String>::new());
    assert_eq!(report.verdict(), Verdict::Complete);
    assert!(report.holds(100));
    assert_eq!((report.actions(Class::ToolCall), report.actions(Class::ModelCall)), (4, 7));
    assert_eq!((report.actions(Class::Prompt), report.actions(Class::Subagent)), (2, 1));
    for witness in [Witness::Hook, Witness::Transcript, Witness::Otel, Witness::Gateway] {
        assert_eq!(report.tally(Class::ToolCall, witness).seen, 4, "{witness:?}");
    }
    let mcp = report.tally(Class::ToolCall, Witness::Mcp);
    assert_eq!((mcp.seen, mcp.absent, mcp.should()), (1, 3, 1));
    let hook = report.tally(Class::ModelCall, Witness::Hook);
    assert_eq!((hook.should(), hook.absent, hook.basis_points()), (0, 7, None));
}

/// Protects the reader from a figure without meaning: with one witness there is nothing to compare, and that is no yes.
#[test]
fn one_witness_alone_proves_nothing() {
    let report = judged(&without(clean(), |view| !is(view, "witness", "hook")), &[]);
    assert_eq!((report.verdict(), report.holds(0)), (Verdict::Nothing, false));
    assert_eq!(gaps(&report), Vec::<String>::new());
}

/// Protects against a session that switches its recorder off: settings change, no hook comes after that, and every later action is named.
#[test]
fn hooks_that_are_removed_are_named() {
    let events = clean();
    let cut = when(&events, "toolu_3");
    let change = event(900, "fs", "auth.permission_snapshot", cut - 1, json!({"source": "user", "status": "present"}));
    let mut holed = without(events.clone(), |view| is(view, "witness", "hook") && second_of(view) >= cut);
    holed.push(change);
    let report = judged(&holed, &[]);
    assert_eq!(
        gaps(&report),
        ["hook tool_call hook_removed: toolu_3 toolu_4", "hook prompt hook_removed: p2", "hook subagent hook_removed: a1",]
    );
    assert_eq!((report.verdict(), report.holds(100), report.holds(50), report.holds(0)), (Verdict::Gaps, false, false, true));
    assert_eq!(report.gaps()[0].items[0].seen_by, [Witness::Transcript, Witness::Otel, Witness::Gateway]);
    // The call that removes them is the first whose end no hook tells.
    let mut own = holed.clone();
    own.retain(|view| !(is(view, "witness", "hook") && is(view, "tool_use_id", "toolu_2") && is(view, "phase", "outcome")));
    assert_eq!(gaps(&judged(&own, &[]))[0], "hook tool_call hook_removed: toolu_2 toolu_3 toolu_4");
    let stopped = judged(&without(events, |view| is(view, "witness", "hook") && second_of(view) >= cut), &[]);
    assert!(gaps(&stopped)[0].starts_with("hook tool_call hook_stopped: toolu_3"), "{:?}", gaps(&stopped));
}

/// Protects against one hook that fails: others fire before and after, and the call is named with what is missing of it.
#[test]
fn a_hook_that_fails_is_named() {
    let lost = without(clean(), |view| is(view, "witness", "hook") && is(view, "tool_use_id", "toolu_1"));
    assert_eq!(gaps(&judged(&lost, &[])), ["hook tool_call hook_failed: toolu_1"]);
    let end = without(clean(), |view| is(view, "hook_event_name", "PostToolUse") && is(view, "tool_use_id", "toolu_1"));
    assert_eq!(gaps(&judged(&end, &[])), ["hook tool_call hook_outcome_lost: toolu_1"]);
    let start = without(clean(), |view| is(view, "hook_event_name", "SessionStart"));
    let report = judged(&start, &[]);
    assert_eq!(gaps(&report), ["hook session session_start_lost: 5a2c8f9e-0000-4000-8000-000000000001"]);
    assert!(findings(report.findings())[0].contains("SessionStart: the client has such hooks"), "{:?}", report.findings());
}

/// Protects the statement about telemetry: off for a whole session it is named once, and only a requirement makes it a gap; a hole in the exporter's
/// own numbers is the cause of what is missing in the middle.
#[test]
fn telemetry_that_is_off_or_lossy_is_named() {
    let off = without(clean(), |view| is(view, "witness", "otel"));
    let mut two = clean();
    two.iter_mut().for_each(|view| {
        if view["session_id"].is_string() {
            view["session_id"] = json!("another");
        }
        view["audit_id"] = json!(format!("{}b", view["audit_id"].as_str().unwrap()));
    });
    two.retain(|view| !is(view, "witness", "mcp"));
    two.extend(off.clone());
    let report = judged(&two, &[]);
    assert_eq!(report.off().iter().map(|off| (off.witness, off.session.as_str())).collect::<Vec<_>>(), [(Witness::Otel, SESSION)]);
    let required = judged(&off, &[Witness::Otel]);
    assert!(gaps(&required).contains(&"otel tool_call not_on: toolu_1 toolu_2 toolu_3 toolu_4".to_owned()), "{:?}", gaps(&required));
    assert_eq!(required.verdict(), Verdict::Gaps);
    let lossy = without(clean(), |view| is(view, "witness", "otel") && is(view, "tool_use_id", "toolu_2"));
    assert_eq!(gaps(&judged(&lossy, &[])), ["otel tool_call otel_sequence: toolu_2"]);
}

/// Protects against a transcript that goes away: what was not read before is named, with the deletion as its cause.
#[test]
fn a_deleted_transcript_is_named() {
    let events = clean();
    let cut = when(&events, "toolu_4");
    let mut holed = without(events, |view| is(view, "witness", "transcript") && second_of(view) >= cut);
    holed.push(event(901, "fs", "transcript.deleted", cut, json!({"reason": "not_all_sealed"})));
    let found = gaps(&judged(&holed, &[]));
    assert!(found.contains(&"transcript tool_call transcript_deleted: toolu_3 toolu_4".to_owned()), "{found:?}");
    assert!(found.iter().all(|gap| gap.starts_with("transcript ")), "{found:?}");
}

/// Protects against the transcript of a subagent that is gone: its calls are named, and the main one is not suspected.
#[test]
fn the_transcript_of_a_subagent_is_missed() {
    let holed = without(clean(), |view| is(view, "witness", "transcript") && is(view, "agent_id", "a1"));
    assert_eq!(
        gaps(&judged(&holed, &[])),
        [
            "transcript tool_call subagent_transcript_gone of a1: toolu_4",
            "transcript model_call subagent_transcript_gone of a1: req_4 req_5",
            "transcript subagent subagent_transcript_gone of a1: a1",
        ]
    );
}

/// Protects against a subagent that goes around the gateway: it is named, with its requests.
#[test]
fn a_subagent_past_the_gateway_is_named() {
    let holed = without(clean(), |view| is(view, "witness", "gateway") && is(view, "agent_id", "a1"));
    assert_eq!(
        gaps(&judged(&holed, &[])),
        [
            "gateway tool_call subagent_bypass of a1: toolu_4",
            "gateway model_call subagent_bypass of a1: req_4 req_5",
            "gateway subagent subagent_bypass of a1: a1",
        ]
    );
}

/// Protects against one request that goes around the gateway, and a gateway that is killed: what came after is named.
#[test]
fn requests_past_the_gateway_are_named() {
    let one = without(clean(), |view| {
        is(view, "witness", "gateway") && (is(view, "request_id", "req_2") || is(view, "audit_id", &asked("req_2")))
    });
    assert_eq!(gaps(&judged(&one, &[])), ["gateway model_call gateway_bypassed: req_2"]);
    let events = clean();
    let cut = when(&events, "toolu_3");
    let killed = without(events, |view| is(view, "witness", "gateway") && second_of(view) >= cut);
    let found = gaps(&judged(&killed, &[]));
    assert!(found.contains(&"gateway model_call gateway_stopped: req_6 req_7".to_owned()), "{found:?}");
}

/// Returns the id of the event with which the gateway told of a request.
fn asked(request: &str) -> String {
    let events = clean();
    let answer = events.iter().find(|view| is(view, "witness", "gateway") && is(view, "request_id", request)).unwrap();
    answer["parent_audit_id"].as_str().unwrap().to_owned()
}

/// Protects the record of a gateway that is killed in the middle of an answer: the request is named as begun and never ended.
#[test]
fn a_request_without_an_answer_is_named() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    told.other("gateway", "model.request", json!({"phase": "intent", "model": "claude-sonnet-4-5"}));
    told.end();
    let report = judged(&told.events, &[]);
    assert_eq!(findings(report.findings()).len(), 1);
    let finding = &report.findings()[0];
    assert_eq!((finding.kind.word(), finding.class), ("intent_without_outcome", Class::ModelCall));
    assert!(finding.detail.contains("begun as seen by gateway"), "{}", finding.detail);
}

/// Protects the core of an audit: what one witness says was denied and another says was done is a finding with both events.
#[test]
fn denied_yet_executed_is_found() {
    let mut events = clean();
    let decision =
        events.iter_mut().find(|view| is(view, "event_type", "otel.tool_decision") && is(view, "tool_use_id", "toolu_1")).unwrap();
    decision["policy_result"] = json!("denied");
    let report = judged(&events, &[]);
    assert_eq!(findings(report.findings()), ["denied_yet_executed toolu_1: Bash: otel says denied, hook says done"]);
    assert_eq!((report.findings()[0].events.len(), report.verdict(), report.holds(0)), (2, Verdict::Findings, false));
}

/// Protects the core of an audit: what ran without having been asked for is a finding, be it that one hook is missing or that nobody was asked.
#[test]
fn executed_never_asked_is_found() {
    let unasked = without(clean(), |view| is(view, "hook_event_name", "PreToolUse") && is(view, "tool_use_id", "toolu_1"));
    let report = judged(&unasked, &[]);
    assert_eq!(gaps(&report), ["hook tool_call hook_intent_lost: toolu_1"]);
    assert_eq!(
        findings(report.findings()),
        ["executed_never_asked toolu_1: Bash: no PreToolUse before it ran, so no hook could have refused it"]
    );
    let nobody = without(clean(), |view| {
        is(view, "tool_use_id", "toolu_1") && (is(view, "phase", "intent") || is(view, "phase", "verdict") || is(view, "witness", "hook"))
    });
    let report = judged(&nobody, &[]);
    let told = findings(report.findings());
    assert_eq!(told.len(), 1);
    assert!(
        told[0].starts_with("executed_never_asked toolu_1: Bash: transcript says done; none of hook, transcript, otel, gateway, mcp"),
        "{told:?}"
    );
}

/// Protects the record of a client that is killed: the open call is a finding, what the exporter had queued is a gap with that cause, and the death is
/// noted.
#[test]
fn killed_in_the_middle_of_a_call_is_found() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    told.call("toolu_1", "Bash", None);
    told.model("req_2", None);
    told.ask("toolu_2", "Bash", None);
    told.gone();
    let lost =
        without(told.events, |view| is(view, "tool_use_id", "toolu_2") && !is(view, "witness", "hook") && !is(view, "witness", "gateway"));
    let report = judged(&lost, &[]);
    assert_eq!(findings(report.findings()), ["intent_without_outcome toolu_2: Bash: begun as seen by hook, gateway"]);
    assert_eq!(gaps(&report), ["transcript tool_call client_killed: toolu_2", "otel tool_call otel_queue_lost: toolu_2"]);
    assert!(findings(report.notes())[0].starts_with("client_gone"), "{:?}", report.notes());
}

/// Protects against a false alarm about what goes on: an open call of a running session is no finding, and a slow witness no gap yet.
#[test]
fn a_session_that_goes_on_is_not_judged_too_early() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    told.ask("toolu_1", "Bash", None);
    let events = without(told.events, |view| is(view, "witness", "transcript") && is(view, "tool_use_id", "toolu_1"));
    let soon = judged_at(&events, &[], START + 10_000);
    assert_eq!((gaps(&soon), findings(soon.findings()), soon.verdict()), (vec![], vec![], Verdict::Complete));
    assert_eq!(soon.tally(Class::ToolCall, Witness::Transcript).pending, 1);
    let late = judged_at(&events, &[], LATER);
    assert_eq!(gaps(&late), ["transcript tool_call transcript_stopped: toolu_1"]);
    assert_eq!(findings(late.findings()).len(), 1);
}

/// Protects against a machine that is dark: a session that only gateway or telemetry saw is found, and a bill is not taken for a trail.
#[test]
fn dark_sessions_and_bills_are_found() {
    let dark = judged(&without(clean(), |view| is(view, "witness", "hook") || is(view, "witness", "transcript")), &[]);
    assert!(findings(dark.findings())[0].starts_with("dark_session"), "{:?}", dark.findings());
    let billed = without(clean(), |view| {
        !(is(view, "witness", "gateway") || is(view, "witness", "otel") && is(view, "event_type", "model.response"))
    });
    let kinds: Vec<&str> = judged(&billed, &[]).findings().iter().map(|finding| finding.kind.word()).collect();
    assert_eq!(kinds, ["dark_session", "api_level_only"]);
    let api = [event(1, "api", "model.call", 1, json!({"request_id": "req_1", "phase": "outcome", "outcome": "success"}))];
    let kinds: Vec<&str> = judged(&api, &[]).findings().iter().map(|finding| finding.kind.word()).collect();
    assert_eq!(kinds, ["api_level_only"]);
}

/// Protects the comparison: another tool, input, model, outcome or count of tokens is a finding; aliases, short names, and inputs that a hook rewrote
/// are none.
#[test]
fn witnesses_that_disagree_are_found() {
    let changed = |pick: &dyn Fn(&Value) -> bool, name: &str, value: Value| {
        let mut events = clean();
        let view = events.iter_mut().find(|view| pick(view)).unwrap();
        view[name] = value;
        findings(judged(&events, &[]).findings())
    };
    let hook = |view: &Value| is(view, "hook_event_name", "PreToolUse") && is(view, "tool_use_id", "toolu_1");
    let input = changed(&hook, "tool_input", json!({"command": "rm -rf /", "file_path": "/w/project/a.txt"}));
    assert_eq!(input, ["witnesses_disagree toolu_1: input: hook says one thing, transcript says another"]);
    let otel = |view: &Value| is(view, "witness", "otel") && is(view, "request_id", "req_2");
    assert_eq!(changed(&otel, "input_tokens", json!(7)), ["witnesses_disagree req_2: input_tokens: transcript says 120, otel says 7"]);
    let model = changed(&otel, "model", json!("claude-opus-4-1"));
    assert!(model[0].starts_with("witnesses_disagree req_2: model: transcript says claude-sonnet-4-5"), "{model:?}");
    let end = |view: &Value| is(view, "witness", "otel") && is(view, "tool_use_id", "toolu_4") && is(view, "phase", "outcome");
    assert_eq!(changed(&end, "outcome", json!("failure")), ["witnesses_disagree toolu_4: outcome: hook says success, otel says failure"]);
    let mut rewritten = clean();
    rewritten.iter_mut().find(|view| hook(view)).unwrap()["tool_input"] = json!({"command": "true"});
    rewritten.push(event(902, "hook", "policy.rewritten", 5, json!({"tool_use_id": "toolu_1", "tool_name": "Bash", "reason": "input"})));
    assert_eq!(findings(judged(&rewritten, &[]).findings()), Vec::<String>::new());
}

/// Protects against false alarms about calls that never ran: no witness owes an end, or a beginning, that it cannot see.
#[test]
fn structural_absences_are_no_gaps() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    let common = json!({"tool_use_id": "toolu_u", "tool_name": "Glob"});
    let asked = merge(&common, json!({"phase": "intent"}));
    let refused = merge(&common, json!({"phase": "outcome", "outcome": "error", "reason": "unknown_tool"}));
    for (witness, kind, more) in [
        ("gateway", "tool.requested", &asked),
        ("transcript", "tool.requested", &asked),
        ("hook", "tool.call", &refused),
        ("transcript", "tool.call", &refused),
    ] {
        told.other(witness, kind, more.clone());
    }
    let common = json!({"tool_use_id": "toolu_d", "tool_name": "Bash"});
    let asked = merge(&common, json!({"phase": "intent", "hook_event_name": "PreToolUse"}));
    let denied = merge(&common, json!({"phase": "outcome", "outcome": "denied", "policy_result": "denied", "reason": "deny_rule"}));
    let verdict = merge(&common, json!({"phase": "verdict", "policy_result": "denied"}));
    for (witness, more) in
        [("gateway", &asked), ("transcript", &asked), ("hook", &asked), ("otel", &verdict), ("hook", &denied), ("transcript", &denied)]
    {
        told.other(witness, "tool.command", more.clone());
    }
    told.end();
    let report = judged(&told.events, &[]);
    assert_eq!((gaps(&report), findings(report.findings())), (vec![], vec![]));
    let otel = report.tally(Class::ToolCall, Witness::Otel);
    assert_eq!((otel.seen, otel.absent), (1, 1));
}

/// Protects the honesty about the recorder: what it counted as lost is a gap and the cause of what is missing then, late events and changes of the
/// client are notes.
#[test]
fn what_the_recorder_says_of_itself_is_told() {
    let mut events = without(clean(), |view| is(view, "witness", "hook") && is(view, "tool_use_id", "toolu_1"));
    let at = when(&clean(), "toolu_1");
    let times = [at - 1, at + 3].map(|second| format!("{:.3}", jiff::Timestamp::from_millisecond(START + second * 1_000).unwrap()));
    let lost = json!({"witness": "hook", "lost": 2, "cause": "spool_full", "since": times[0], "until": times[1]});
    events.push(event(903, "recorder", "ledger.gap", at + 3, json!({"session_id": null, "ledger": lost})));
    events.push(event(904, "hook", "system.client_changed", 2, json!({"client_change": {"seen": ["NewHook"]}})));
    events.push(event(905, "hook", "session.notification", 2, json!({"late_ms": 5000})));
    let report = judged(&events, &[]);
    assert_eq!(gaps(&report), ["hook tool_call recorder_gap: toolu_1"]);
    assert_eq!((report.losses()[0].lost, report.losses()[0].cause.as_str()), (Some(2), "spool_full"));
    assert_eq!(report.verdict(), Verdict::Gaps);
    let notes: Vec<&str> = report.notes().iter().map(|note| note.kind.word()).collect();
    assert_eq!(notes, ["late_events", "client_changed"]);
}

/// What a report says, without the order in which it was told.
fn told(report: &Report) -> String {
    use sealtrail_trace::coverage::{Issued, canonical, certificate};
    let issued = Issued { origin: "log", checkpoint: "note", size: 1, range: json!({}), threshold: 100 };
    canonical(&certificate(report, &issued))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Protects the certificate from the order of arrival: events of different witnesses in any order, and events that come twice, change no byte of
    /// it, with whatever missing.
    #[test]
    fn order_and_repetition_change_nothing(
        keep in proptest::collection::vec(proptest::bool::weighted(0.9), 200),
        order in proptest::collection::vec(any::<u32>(), 200),
        again in proptest::collection::vec(0_usize..200, 0..20),
    ) {
        let kept: Vec<Value> = clean().into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(view, _)| view).collect();
        let mut other: Vec<(u32, Value)> = kept.iter().cloned().zip(&order).map(|(view, order)| (*order, view)).collect();
        other.sort_by_key(|(order, _)| *order);
        let mut other: Vec<Value> = other.into_iter().map(|(_, view)| view).collect();
        for at in again {
            if let Some(view) = kept.get(at) {
                other.push(view.clone());
            }
        }
        prop_assert_eq!(told(&judged(&kept, &[])), told(&judged(&other, &[])));
    }

    /// Protects the command from a damaged trail: members of any kind in any place make no panic.
    #[test]
    fn strange_events_make_no_panic(words in proptest::collection::vec("[a-z_.]{0,12}", 12), n in any::<i64>()) {
        let mut events = clean();
        for (at, word) in words.iter().enumerate() {
            let view = &mut events[at * 3];
            view[word] = json!(n);
            view["timestamp"] = json!(word);
            view["phase"] = json!(n);
            view["tool_input"] = json!([n, {"a": word}]);
        }
        judged(&events, &[Witness::Api, Witness::Mcp]);
    }
}

/// Protects against false alarms about answers that were cut off: the calls in the first half of a stream that was asked for again were never begun,
/// and what the API runs itself is no call of the client.
#[test]
fn calls_of_a_broken_answer_are_no_finding() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    told.other("gateway", "model.request", json!({"phase": "intent", "model": "claude-sonnet-4-5"}));
    let asked = told.events.last().unwrap()["audit_id"].clone();
    let broken =
        json!({"phase": "outcome", "outcome": "error", "request_id": "req_x", "model": "claude-sonnet-4-5", "parent_audit_id": asked});
    told.other("gateway", "model.response", broken);
    let half = json!({"phase": "intent", "tool_use_id": "toolu_x", "tool_name": "Bash", "request_id": "req_x"});
    told.other("gateway", "tool.requested", half.clone());
    told.other(
        "gateway",
        "tool.requested",
        merge(&half, json!({"tool_use_id": "srvtoolu_1", "block_type": "server_tool_use", "request_id": "req_1"})),
    );
    told.other("gateway", "tool.requested", merge(&half, json!({"tool_use_id": "toolu_y", "phase": null, "reason": "incomplete"})));
    told.call("toolu_1", "Bash", None);
    told.end();
    let report = judged(&told.events, &[]);
    assert_eq!((gaps(&report), findings(report.findings())), (vec![], vec![]));
    assert_eq!(report.verdict(), Verdict::Complete);
}

/// Protects the memory and the honesty about it: a session with more actions than are judged is not called complete; `SEALTRAIL_ACTIONS` sets how many
/// are tried.
#[test]
fn a_session_beyond_the_limit_is_said_to_be() {
    let wanted = std::env::var("SEALTRAIL_ACTIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(ACTIONS_MAX + 10);
    let mut session = Session::new(SESSION);
    let mut view = event(0, "hook", "tool.requested", 1, json!({"phase": "intent"}));
    for n in 0..wanted {
        view["audit_id"] = json!(format!("audit_evt_{n:032x}"));
        view["tool_use_id"] = json!(format!("toolu_{n}"));
        for witness in ["hook", "otel", "gateway"] {
            view["witness"] = json!(witness);
            session.add(&view);
        }
    }
    let mut report = Report::new(&[], LATER);
    report.take(session);
    report.finish(&Loose::default(), None);
    assert_eq!(report.actions(Class::ToolCall), wanted.min(ACTIONS_MAX) as u64);
    let large = report.findings().iter().any(|finding| finding.kind.word() == "too_large");
    assert_eq!(large, wanted > ACTIONS_MAX);
    assert!(report.findings().len() <= 10_000 && report.gaps().iter().all(|gap| gap.items.len() <= 100));
}

/// Protects against false alarms about the client's other requests: a trial of a model, a title, a compaction have no line in the transcript; a line of
/// an answer, or the span of a request, shows the request.
#[test]
fn requests_beside_the_talk_are_owed_by_nobody_else() {
    let mut told = Teller::default();
    told.start();
    told.prompt("p1");
    told.model("req_1", None);
    let answer = |told: &mut Teller, request: &str, facts: Value| {
        told.other("gateway", "model.request", json!({"phase": "intent", "model": "claude-sonnet-4-5", "request": facts}));
        let asked = told.events.last().unwrap()["audit_id"].clone();
        let done = json!({"phase": "outcome", "outcome": "success", "request_id": request, "parent_audit_id": asked});
        told.other("gateway", "model.response", done);
    };
    answer(&mut told, "req_trial", json!({"messages": 1}));
    told.other("hook", "session.compaction_started", json!({"hook_event_name": "PreCompact"}));
    answer(&mut told, "req_compact", json!({"messages": 30, "tools": 32}));
    told.other("hook", "session.compaction_finished", json!({"hook_event_name": "PostCompact"}));
    told.other("otel", "otel.claude_code.llm_request", json!({"request_id": "req_compact", "outcome": "success"}));
    answer(&mut told, "req_last", json!({"messages": 5, "tools": 32}));
    told.other("transcript", "model.message", json!({"request_id": "req_last", "model": "claude-sonnet-4-5"}));
    told.other("otel", "otel.claude_code.llm_request", json!({"request_id": "req_last", "outcome": "success", "input_tokens": 1}));
    told.end();
    let report = judged(&told.events, &[]);
    assert_eq!((gaps(&report), findings(report.findings())), (vec![], vec![]));
    assert_eq!((report.verdict(), report.tally(Class::ModelCall, Witness::Transcript).seen), (Verdict::Complete, 2));
}

/// Protects against hooks that are installed and do not reach the recorder: the client's settings say which there are, with no telemetry at all.
#[test]
fn an_installed_hook_that_never_fires_is_found() {
    let counts =
        json!({"permission_snapshot": {"hook_counts": {"PreToolUse": 1, "SessionStart": 1, "PostToolUse": 0}}, "status": "present"});
    let mut events = without(clean(), |view| is(view, "witness", "otel") || is(view, "hook_event_name", "PreToolUse"));
    events.push(event(906, "fs", "auth.permission_snapshot", 1, counts));
    let report = judged(&events, &[]);
    let silent: Vec<String> = findings(report.findings()).into_iter().filter(|line| line.starts_with("hook_silent")).collect();
    assert_eq!(silent.len(), 1, "{silent:?}");
    assert!(silent[0].contains("PreToolUse: the client has such hooks"), "{silent:?}");
}
