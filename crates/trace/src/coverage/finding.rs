//! What contradicts itself, or should worry somebody: findings, and notes that change no verdict.

use serde_json::{Value, json};

use super::action::{Action, Seen};
use super::judge::Bench;
use super::moment::{Id, time};
use super::session::Session;
use super::words::{Class, Phases, Witness, words};

words! {
    /// The kind of a finding or note.
    Kind {
        /// One witness says it was refused, another that it was done.
        DeniedYetExecuted = "denied_yet_executed",
        /// It ran, and nobody who should have been asked was.
        ExecutedNeverAsked = "executed_never_asked",
        /// Two witnesses tell it differently.
        WitnessesDisagree = "witnesses_disagree",
        /// It began, and nobody saw it end.
        IntentWithoutOutcome = "intent_without_outcome",
        /// A session that no hook saw.
        DarkSession = "dark_session",
        /// Only traffic with the model's API is known: no trail of actions.
        ApiLevelOnly = "api_level_only",
        /// A hook is registered and did not reach the trail.
        HookSilent = "hook_silent",
        /// More actions than are judged.
        TooLarge = "too_large",
        /// Lines of the transcript that were sealed are no longer what they were.
        TranscriptChanged = "transcript_changed",
        /// The transcript was deleted. A note.
        TranscriptDeleted = "transcript_deleted",
        /// Events came late, out of a spool. A note.
        LateEvents = "late_events",
        /// The client sent something that this version does not know. A note.
        ClientChanged = "client_changed",
        /// The client was killed, and the recorder ended the session. A note.
        ClientGone = "client_gone",
        /// Events that name no session, and no call or request of one. A note.
        NotJoined = "not_joined",
    }
}

impl Kind {
    /// Tells whether it changes the verdict.
    pub fn is_finding(self) -> bool {
        !matches!(self, Self::TranscriptDeleted | Self::LateEvents | Self::ClientChanged | Self::ClientGone | Self::NotJoined)
    }

    /// Returns what it means.
    pub fn about(self) -> &'static str {
        match self {
            Self::DeniedYetExecuted => "a witness says that it was refused, another one that it was done",
            Self::ExecutedNeverAsked => "it ran, and no witness that should have seen it asked for did",
            Self::WitnessesDisagree => "witnesses tell it differently",
            Self::IntentWithoutOutcome => {
                "it was begun and nobody saw it end: the client, or the gateway, was killed or cut off in the middle"
            }
            Self::DarkSession => "gateway or telemetry saw a session that no hook saw: --bare, other settings, or a machine without hooks",
            Self::ApiLevelOnly => "only traffic with the model's API is known of it: that is a bill, not a trail of what was done",
            Self::HookSilent => "a hook that should have fired did not reach the trail",
            Self::TooLarge => "the session has more actions than are judged",
            Self::TranscriptChanged => {
                "lines of the transcript that were sealed already were edited, cut or replaced: what was sealed first stays"
            }
            Self::TranscriptDeleted => {
                "the transcript was deleted, by the client's own clean-up or by somebody: what was sealed before stays"
            }
            Self::LateEvents => "events waited in a spool: they are whole, and their order within the trail is that of their arrival",
            Self::ClientChanged => "the client sent something that this version does not know: what a witness should see may have changed",
            Self::ClientGone => "the client's process was gone without a word: the recorder ended the session",
            Self::NotJoined => "events name no session, and no call or request of a known one",
        }
    }
}

/// One finding or note.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Its kind.
    pub kind: Kind,
    /// The session.
    pub session: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The class of the action.
    pub class: Class,
    /// Its id.
    pub key: String,
    /// What exactly.
    pub detail: String,
    /// The events that show it.
    pub events: Vec<String>,
}

impl Finding {
    /// Returns it as one JSON object.
    pub fn to_json(&self) -> Value {
        json!({
            "kind": self.kind.word(), "about": self.kind.about(), "session_id": self.session, "at": time(self.at), "class": self.class.word(),
            "key": self.key, "detail": self.detail, "audit_ids": self.events,
        })
    }
}

/// Returns the findings about one tool call.
pub(super) fn of_call(bench: &Bench<'_>, session: &Session, key: &str, call: &Action) -> Vec<Finding> {
    let mut found = Vec::new();
    let about = |kind, detail, events: Vec<&Id>| new(session, kind, Class::ToolCall, key, call, detail, events);
    if let (Some((refused, denied)), Some((did, done))) = (call.denied(), call.good()) {
        let detail = format!("{}: {} says denied, {} says done", call.name(), refused.word(), did.word());
        found.push(about(Kind::DeniedYetExecuted, detail, vec![denied, done]));
    }
    if let Some((detail, event)) = never_asked(bench, session, call) {
        found.push(about(Kind::ExecutedNeverAsked, detail, vec![event]));
    }
    found.extend(open(bench, session, Class::ToolCall, key, call));
    for (detail, events) in differences(call, Class::ToolCall) {
        found.push(about(Kind::WitnessesDisagree, detail, events));
    }
    found
}

/// Returns the findings about one model call.
pub(super) fn of_model(bench: &Bench<'_>, session: &Session, key: &str, call: &Action) -> Vec<Finding> {
    let mut found: Vec<Finding> = open(bench, session, Class::ModelCall, key, call).into_iter().collect();
    for (detail, events) in differences(call, Class::ModelCall) {
        found.push(new(session, Kind::WitnessesDisagree, Class::ModelCall, key, call, detail, events));
    }
    found
}

/// Tells that a call ran although none of the witnesses that see calls before they run told of it before, or that its hook did not.
///
/// A hook that was counted as lost did fire: that is a gap.
fn never_asked<'a>(bench: &Bench<'_>, session: &Session, call: &'a Action) -> Option<(String, &'a Id)> {
    if !call.ran() {
        return None;
    }
    let before = Phases::INTENT.and(Phases::VERDICT);
    let (did, done) = call.good().or_else(|| call.all().find_map(|(witness, seen)| Some((witness, seen.bad.as_ref()?))))?;
    let hook = call.of(Witness::Hook).is_some_and(|seen| !seen.phases.has(before));
    let asked = call.all().any(|(_, seen)| seen.phases.has(before));
    let asks = [Witness::Hook, Witness::Transcript, Witness::Otel, Witness::Gateway, Witness::Mcp];
    let watched: Vec<&str> = asks.iter().filter(|witness| session.heard(**witness)).map(|witness| witness.word()).collect();
    if hook && !bench.counted(call, Witness::Hook, Phases::INTENT) {
        return Some((format!("{}: no PreToolUse before it ran, so no hook could have refused it", call.name()), done));
    }
    let silent = !asked && !watched.is_empty();
    silent.then(|| (format!("{}: {} says done; none of {} told of it before", call.name(), did.word(), watched.join(", ")), done))
}

/// Tells that an action was begun and nobody saw it end, once that will not change any more.
fn open(bench: &Bench<'_>, session: &Session, class: Class, key: &str, action: &Action) -> Option<Finding> {
    let phases = action.phases();
    let begun = phases.has(Phases::INTENT) && !phases.has(Phases::OUTCOME) && action.denied().is_none();
    // An answer that was cut off is asked for again, and the client forgets the calls in its first half.
    let answer = action.request.as_ref().and_then(|request| session.models.get(request));
    let forgotten = action.is_only_asked() && answer.is_some_and(Action::failed);
    if !begun || forgotten || !bench.is_closed(session) {
        return None;
    }
    let by: Vec<&str> = action.all().map(|(witness, _)| witness.word()).collect();
    let (_, first) = action.first()?;
    let detail = format!("{}: begun as seen by {}", action.name(), by.join(", "));
    Some(new(session, Kind::IntentWithoutOutcome, class, key, action, detail, vec![first]))
}

/// Returns everything in which two witnesses differ, each difference once.
fn differences(action: &Action, class: Class) -> Vec<(String, Vec<&Id>)> {
    let all: Vec<(Witness, &Seen)> = action.all().filter(|(witness, _)| *witness != Witness::Api).collect();
    let mut found: Vec<(&str, String, Vec<&Id>)> = Vec::new();
    for (at, &(witness, seen)) in all.iter().enumerate() {
        for &(other, known) in &all[..at] {
            for (what, a, b) in unlike(known, seen, class, action.rewritten) {
                if !found.iter().any(|(told, ..)| *told == what) {
                    let detail = format!("{what}: {} says {a}, {} says {b}", other.word(), witness.word());
                    found.push((what, detail, vec![&known.first.1, &seen.first.1]));
                }
            }
        }
    }
    found.into_iter().map(|(_, detail, events)| (detail, events)).collect()
}

/// Compares what two witnesses told of one action.
fn unlike(a: &Seen, b: &Seen, class: Class, rewritten: bool) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    if let (Some(x), Some(y)) = (&a.name, &b.name)
        && !same_name(x, y, class)
    {
        found.push((if class == Class::ToolCall { "tool" } else { "model" }, x.to_string(), y.to_string()));
    }
    if a.input.is_some() && b.input.is_some() && a.input != b.input && !rewritten {
        // Not their hashes: what was erased must not be guessed from a certificate.
        found.push(("input", "one thing".to_owned(), "another".to_owned()));
    }
    if (a.good.is_some() && bad_only(b)) || (b.good.is_some() && bad_only(a)) {
        found.push(("outcome", end(a).to_owned(), end(b).to_owned()));
    }
    for (n, word) in ["input_tokens", "output_tokens"].into_iter().enumerate().filter(|_| class == Class::ModelCall) {
        if let (Some(x), Some(y)) = (a.tokens[n], b.tokens[n])
            && x != y
        {
            found.push((word, x.to_string(), y.to_string()));
        }
    }
    found
}

/// A call that was refused and never ran is told under its own kind.
fn bad_only(seen: &Seen) -> bool {
    seen.bad.is_some() && seen.good.is_none()
}

fn end(seen: &Seen) -> &'static str {
    if seen.good.is_some() { "success" } else { "failure" }
}

/// Tells whether two names are of one thing: a server's tool has a long name and a short one, a model an alias and a dated name.
fn same_name(a: &str, b: &str, class: Class) -> bool {
    if a == b {
        return true;
    }
    match class {
        Class::ToolCall => {
            let short = |long: &str, short: &str| long.starts_with("mcp__") && long.ends_with(&format!("__{short}"));
            let agent = |name: &str| matches!(name, "Agent" | "Task");
            short(a, b) || short(b, a) || (agent(a) && agent(b))
        }
        _ => {
            let core = |name: &str| {
                let name = name.rsplit(['/', ':']).find(|part| part.contains("claude")).unwrap_or(name);
                let name = name.rsplit("anthropic.").next().unwrap_or(name);
                name.split('[').next().unwrap_or(name).replace('@', "-")
            };
            let (a, b) = (core(a), core(b));
            a.starts_with(&b) || b.starts_with(&a)
        }
    }
}

fn new(session: &Session, kind: Kind, class: Class, key: &str, action: &Action, detail: String, events: Vec<&Id>) -> Finding {
    let at = action.first().map_or(0, |(at, _)| at);
    let events = events.into_iter().map(Id::text).collect();
    Finding { kind, session: session.id.clone(), at, class, key: key.to_owned(), detail, events }
}

/// Returns the findings and notes about a session as a whole.
pub(super) fn of_session(bench: &Bench<'_>, session: &Session) -> Vec<Finding> {
    let (from, _) = session.span();
    let about = |kind, at, detail: String, events: Vec<String>| Finding {
        kind,
        session: session.id.clone(),
        at,
        class: Class::Session,
        key: session.id.clone(),
        detail,
        events,
    };
    let first = session.own.first().map(|(_, id)| id.text());
    let mut found = Vec::new();
    let saw: Vec<&str> = Witness::ALL.iter().filter(|witness| session.heard(**witness)).map(|witness| witness.word()).collect();
    let elsewhere = [Witness::Gateway, Witness::Otel].iter().any(|witness| session.heard(*witness));
    if elsewhere && !session.heard(Witness::Hook) {
        found.push(about(Kind::DarkSession, from, format!("seen by {}", saw.join(", ")), first.clone().into_iter().collect()));
    }
    if !session.has_trail && !saw.is_empty() {
        found.push(about(Kind::ApiLevelOnly, from, format!("seen by {}", saw.join(", ")), first.into_iter().collect()));
    }
    for (detail, events) in silent_hooks(bench, session) {
        found.push(about(Kind::HookSilent, from, detail, events));
    }
    if session.left_out > 0 {
        found.push(about(Kind::TooLarge, from, format!("the first {} actions are judged", super::ACTIONS_MAX), Vec::new()));
    }
    for (id, how) in &session.transcript_changed {
        found.push(about(Kind::TranscriptChanged, from, how.to_string(), vec![id.text()]));
    }
    if let Some((at, id)) = &session.transcript_gone {
        found.push(about(Kind::TranscriptDeleted, *at, String::new(), vec![id.text()]));
    }
    if let Some((ms, id)) = &session.late {
        found.push(about(Kind::LateEvents, from, format!("up to {ms} ms"), vec![id.text()]));
    }
    for (id, seen) in &session.canaries {
        found.push(about(Kind::ClientChanged, from, seen.to_string(), vec![id.text()]));
    }
    if let Some((at, id)) = &session.killed {
        found.push(about(Kind::ClientGone, *at, "its open calls end as unknown".to_owned(), vec![id.text()]));
    }
    found
}

/// Returns the hooks that should have fired and are not in the trail.
fn silent_hooks(bench: &Bench<'_>, session: &Session) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let on = session.heard(Witness::Hook);
    let unheard: Vec<&Action> =
        session.calls.values().filter(|call| call.unheard && !bench.counted(call, Witness::Hook, Phases::OUTCOME)).collect();
    if let Some(call) = unheard.first().filter(|_| on) {
        let events = call.first().map(|(_, id)| id.text()).into_iter().collect();
        found.push((format!("PostToolUse: {} calls ended without it", unheard.len()), events));
    }
    let told = session.prompted[Witness::Hook as usize].is_some();
    let other = session.prompted.iter().flatten().min().filter(|_| on && !told);
    if let Some(id) = other {
        found.push(("UserPromptSubmit: another witness saw a prompt".to_owned(), vec![id.text()]));
    }
    // A call that the settings refused, or of an unknown tool, has none.
    let ran = session.calls.values().any(Action::ran);
    let wanted = |name: &str| name == "SessionStart" || (name == "PreToolUse" && ran);
    for (name, id) in session.registered.iter().filter(|(name, _)| wanted(name) && !session.fired.contains(*name)) {
        found.push((format!("{name}: the client has such hooks (whose, it does not say), and none reached the trail"), vec![id.text()]));
    }
    found
}
