//! What the recorder says beside the witnesses: losses that it counted, transcripts that somebody changed.

use sealtrail_trace::coverage::Verdict;
use serde_json::{Value, json};

use crate::coverage::{is, second_of, when, without};
use crate::coverage_trail::{START, clean, event, findings, gaps, judged, merge};

/// Protects against an edited past: what the follower of transcripts says of a changed file is a finding; a file that moved is none, and one that was
/// deleted after everything in it was sealed leaves a note, and the session complete.
#[test]
fn a_changed_transcript_is_found() {
    let with = |kind: &str, reason: &str| {
        let mut events = clean();
        events.push(event(903, "fs", kind, 5, json!({"reason": reason})));
        judged(&events, &[])
    };
    for reason in ["edited", "truncated", "replaced", "rewritten"] {
        let report = with("transcript.changed", reason);
        assert_eq!((report.verdict(), report.holds(0)), (Verdict::Findings, false));
        let found: Vec<(&str, &str)> = report.findings().iter().map(|found| (found.kind.word(), found.detail.as_str())).collect();
        assert_eq!(found, [("transcript_changed", reason)]);
    }
    assert_eq!(with("transcript.changed", "moved").verdict(), Verdict::Complete);
    let deleted = with("transcript.deleted", "all_sealed");
    assert_eq!((deleted.verdict(), deleted.notes()[0].kind.word()), (Verdict::Complete, "transcript_deleted"));
}

/// Protects a full disk from being told as a crime: a hook that the recorder counted as lost did fire, so that what it left out is a gap with that
/// cause, and no finding; a loss of another witness, or at another time, excuses nothing.
#[test]
fn what_was_counted_as_lost_is_a_gap_and_no_finding() {
    let events = without(clean(), |view| is(view, "witness", "hook") && is(view, "tool_use_id", "toolu_1") && is(view, "phase", "intent"));
    let at = when(&events, "toolu_1");
    let lost = |witness: &str, second: i64| {
        let at = jiff::Timestamp::from_millisecond(START + second * 1_000).unwrap().to_string();
        let gap = json!({"witness": witness, "lost": 1, "cause": "disk_full", "since": at, "until": at});
        let mut events = events.clone();
        events.push(event(903, "recorder", "ledger.gap", second, json!({"session_id": null, "ledger": gap})));
        judged(&events, &[])
    };
    let report = lost("hook", at);
    assert_eq!((gaps(&report), report.verdict()), (vec!["hook tool_call recorder_gap: toolu_1".to_owned()], Verdict::Gaps));
    for other in [lost("gateway", at), lost("hook", at + 60)] {
        assert_eq!(gaps(&other), ["hook tool_call hook_intent_lost: toolu_1"]);
        assert_eq!(other.findings()[0].kind.word(), "executed_never_asked");
    }
    // The end of a call is missed when it ended, however long ago it began.
    let mut unheard = clean();
    let end = |view: &Value| is(view, "tool_use_id", "toolu_2") && is(view, "phase", "outcome");
    let ended = unheard.iter().filter(|view| end(view)).map(second_of).max().unwrap();
    let own = unheard.iter_mut().find(|view| end(view) && is(view, "witness", "hook")).unwrap();
    *own = merge(own, json!({"reason": "no_outcome_hook", "outcome": "unknown"}));
    assert_eq!(findings(judged(&unheard, &[]).findings()).len(), 1);
    let at = jiff::Timestamp::from_millisecond(START + ended * 1_000).unwrap().to_string();
    let gap = json!({"witness": "hook", "lost": 1, "cause": "disk_full", "since": at, "until": at});
    unheard.push(event(903, "recorder", "ledger.gap", ended, json!({"session_id": null, "ledger": gap})));
    assert_eq!(findings(judged(&unheard, &[]).findings()), Vec::<String>::new());
}
