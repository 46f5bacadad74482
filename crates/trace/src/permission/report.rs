//! The whole answer for one event: what held, what happened, and when it ended.

use serde_json::{Value, json};

use super::{Action, ByRule, File, Ground, Ruling, Snapshots, judge, offer};
use crate::field::{at, summary, text};
use crate::story::rank;

/// What was granted for one action, and what became of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The event that tells the action best.
    pub audit_id: String,
    /// When it happened, as its witness says.
    pub timestamp: String,
    /// The tool.
    pub tool: String,
    /// What it did, in one line.
    pub about: String,
    /// The permission mode.
    pub mode: String,
    /// What the files and the mode say.
    pub ruling: Ruling,
    /// The events in which a person was asked or the client decided.
    pub asked: Vec<String>,
    /// How the action ended; empty when nobody saw an end.
    pub outcome: String,
    /// What was decided in the end, and by whom, in words.
    pub decided: String,
    /// The first change after which it would no longer run without a question, or was not allowed any more.
    pub lost: Option<Lost>,
    /// What does not fit together.
    pub findings: Vec<Finding>,
    /// What cannot be told from the trail.
    pub unknown: Vec<String>,
}

/// The end of a permission.
#[derive(Clone, Debug)]
pub struct Lost {
    /// The snapshot under which it no longer holds.
    pub event: String,
    /// When that snapshot was taken.
    pub at: String,
    /// The file.
    pub path: String,
    /// What the rules say since.
    pub ruling: Ruling,
    /// It was lost before the action.
    pub before: bool,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub kind: &'static str,
    /// The reason, in words.
    pub why: String,
}

/// Answers for the event `target`: `session` holds the events of its session in the order of the ledger, `later` the snapshots of other sessions
/// that follow.
///
/// Nothing when the event is no tool call.
pub fn report(target: &Value, session: &[Value], later: &[Value]) -> Option<Report> {
    let call = text(target, "tool_use_id");
    let of_call = |event: &&Value| !call.is_empty() && text(event, "tool_use_id") == call && !text(event, "phase").is_empty();
    let events: Vec<&Value> = session.iter().filter(of_call).collect();
    // Several witnesses may tell the call; the nearest counts.
    let told = |wanted: &str| -> Vec<&Value> {
        let told = events.iter().copied().filter(|event| text(event, "phase") == wanted);
        let nearest = told.clone().map(rank).min();
        told.filter(|event| Some(rank(event)) == nearest).collect()
    };
    let phase = |wanted: &str| told(wanted).first().copied();
    let (intent, outcome) = (phase("intent"), phase("outcome"));
    let shown = intent.or(outcome).unwrap_or(target);
    let tool = text(shown, "tool_name");
    if tool.is_empty() {
        return None;
    }
    // A hook may rewrite an input; what ran is what the end shows.
    let input = outcome.and_then(|event| at(event, "tool_input")).or_else(|| at(shown, "tool_input")).cloned().unwrap_or(Value::Null);
    let (cwd, mode) = (text(shown, "cwd"), text(shown, "permission_mode"));
    let action = Action { tool: &tool, input: &input, cwd: Some(cwd.as_str()).filter(|cwd| !cwd.is_empty()), mode: &mode };
    let begun = text(shown, "audit_id");

    let mut history = History { action: &action, snapshots: Snapshots::of_session(&text(target, "session_id")), granted: None, lost: None };
    let position = session.iter().position(|event| text(event, "audit_id") == begun).unwrap_or(0);
    // What was read for the hook that began the action was read before it ran.
    let ahead = |event: &Value| text(event, "parent_audit_id") == begun && text(event, "event_type") == "auth.permission_snapshot";
    for event in session[..position]
        .iter()
        .chain(session.get(position..).into_iter().flatten().filter(|event| ahead(event) || text(event, "audit_id") == begun))
    {
        history.add(event, true);
    }
    let held = history.snapshots.in_force();
    let ruling = judge(&action, &held);
    let before = history.lost.take();
    let rest = session.get(position + 1..).into_iter().flatten().filter(|event| !ahead(event));
    history.granted = matches!(ruling, Ruling::Granted(_)).then(|| ruling.clone());
    for event in rest.chain(later) {
        if history.lost.is_none() {
            history.add(event, false);
        }
    }

    let mut report = Report {
        audit_id: text(outcome.unwrap_or(shown), "audit_id"),
        timestamp: text(shown, "timestamp"),
        about: summary(shown),
        asked: told("verdict").iter().map(|event| text(event, "audit_id")).collect(),
        outcome: outcome.map(|event| text(event, "outcome")).unwrap_or_default(),
        lost: if matches!(ruling, Ruling::Granted(_)) { history.lost.take() } else { before },
        mode: mode.clone(),
        tool: tool.clone(),
        ruling,
        decided: String::new(),
        findings: Vec::new(),
        unknown: Vec::new(),
    };
    let offers = offer::offers(&session[..position], session);
    let decision = Decision {
        asked: events.iter().any(|event| is_question(event)),
        by: offer::decided_by(&events),
        offered: offer::that_permits(&action, &held, &offers),
    };
    report.conclude(&held, shown, decision);
    Some(report)
}

/// Tells whether an event shows that somebody or something was asked. What only telemetry tells of a decision is no question.
fn is_question(event: &Value) -> bool {
    text(event, "phase") == "verdict" && rank(event) == 0
}

/// What is known of how the client came to its decision, beside the files.
struct Decision<'a> {
    /// Somebody was asked.
    asked: bool,
    /// Who decided, in the word of the client's telemetry.
    by: Option<String>,
    /// What may have been permitted for the session, and what would be said then.
    offered: Option<(&'a File, Ruling)>,
}

/// Follows what the files say of one action from snapshot to snapshot.
struct History<'a> {
    action: &'a Action<'a>,
    snapshots: Snapshots,
    /// The last ruling that permitted.
    granted: Option<Ruling>,
    lost: Option<Lost>,
}

impl History<'_> {
    fn add(&mut self, event: &Value, before: bool) {
        if !self.snapshots.add(event) {
            return;
        }
        let ruling = judge(self.action, &self.snapshots.in_force());
        match ruling {
            Ruling::Granted(_) => (self.granted, self.lost) = (Some(ruling), None),
            Ruling::Unknown(_) => {}
            _ if self.granted.take().is_some() => {
                self.lost = Some(Lost {
                    event: text(event, "audit_id"),
                    at: text(event, "timestamp"),
                    path: text(event, "resource.path"),
                    ruling,
                    before,
                });
            }
            _ => {}
        }
    }
}

impl Report {
    /// Says what was decided, what does not fit, and what is not known.
    fn conclude(&mut self, held: &super::InForce, shown: &Value, decision: Decision<'_>) {
        let ran = matches!(self.outcome.as_str(), "success" | "failure");
        let asked = decision.asked;
        if ran && !asked && matches!(self.ruling, Ruling::Asked(_)) {
            self.by_session(&decision);
        }
        self.decided = match (&self.ruling, ran, asked) {
            (_, _, _) if self.outcome == "denied" && asked => {
                "refused after a question: by a person, a hook, or because nobody could be asked".to_owned()
            }
            (_, _, _) if self.outcome == "denied" => "refused without a question".to_owned(),
            (_, true, true) => "permitted after a question: by a person, a hook or the program that runs the client".to_owned(),
            (Ruling::Granted(_), true, false) => "ran without a question, as the rules say".to_owned(),
            (_, true, false) => "ran without a question".to_owned(),
            _ => "not known: nobody saw its end".to_owned(),
        };
        if let Some(by) = &decision.by {
            self.decided = format!("{}; {}", self.decided, offer::in_words(by));
        }
        if let Ruling::Unknown(missing) = &self.ruling {
            self.unknown.extend(missing.iter().cloned());
        }
        if ran && matches!(self.ruling, Ruling::Denied(_)) {
            self.find("the rules forbid it, and it ran");
        } else if ran && !asked && matches!(self.ruling, Ruling::Asked(_)) {
            match self.lost.as_ref().filter(|lost| lost.before) {
                Some(lost) => {
                    let why = format!("its permission had ended at {} (snapshot {}), and it ran without a question", lost.at, lost.event);
                    self.find(&why);
                }
                None if decision.by.is_none() => self.unknown.push(why_unasked(held)),
                None => {}
            }
            if let (Some((offered, _)), None) = (&decision.offered, &decision.by) {
                self.unknown.push(format!(
                    "whether a person permitted for the session what the question {} of {} offered, which would permit this too",
                    offered.event, offered.at
                ));
            }
        }
        let late =
            held.files.iter().filter(|file| file.at.as_str() > text(shown, "timestamp").as_str() && file.at.len() == self.timestamp.len());
        for file in late {
            self.unknown.push(format!("whether {} was the same when it happened: it was read at {}, after it", file.path, file.at));
        }
        if !self.outcome.is_empty() || asked {
            return;
        }
        self.unknown.push("how it ended".to_owned());
    }

    /// Where the telemetry says that a permission of the session decided, what was offered for it is the rule.
    fn by_session(&mut self, decision: &Decision<'_>) {
        if let (Some("user_temporary"), Some((_, Ruling::Granted(ground)))) = (decision.by.as_deref(), &decision.offered) {
            let because = "a person permitted it for the session: the question offered that, and the client's telemetry says so".to_owned();
            self.ruling = Ruling::Granted(Ground { because, ..ground.clone() });
        }
    }

    fn find(&mut self, why: &str) {
        self.findings.push(Finding { kind: "executed_while_unauthorised", why: why.to_owned() });
    }

    /// Returns the answer as JSON.
    pub fn to_json(&self) -> Value {
        let lost = self.lost.as_ref().map(|lost| {
            json!({
                "at": lost.at, "event": lost.event, "path": lost.path, "before_the_action": lost.before, "ruling": lost.ruling.word(),
                "rules": rules(lost.ruling.ground()), "because": lost.ruling.ground().map(|ground| ground.because.as_str()).filter(|text| !text.is_empty()),
            })
        });
        json!({
            "audit_id": self.audit_id, "timestamp": self.timestamp, "tool_name": self.tool, "action": self.about, "permission_mode": self.mode,
            "ruling": self.ruling.word(), "rules": rules(self.ruling.ground()),
            "because": self.ruling.ground().map(|ground| ground.because.as_str()).filter(|text| !text.is_empty()),
            "decided": self.decided, "decision_events": self.asked, "outcome": self.outcome,
            "became_unauthorised": lost,
            "findings": self.findings.iter().map(|finding| json!({"finding": finding.kind, "why": finding.why})).collect::<Vec<_>>(),
            "unknown": self.unknown,
        })
    }
}

/// Names what may be the reason that no question was asked, as far as the trail does not hold it.
fn why_unasked(held: &super::InForce) -> String {
    let launch =
        if held.knows_launch() { "" } else { "what the client was started with (--allowedTools, --add-dir), which was not seen, " };
    format!(
        "why no question was asked: {launch}what a person permitted for the session, what a hook or the program around the client permitted, and \
         the client's own list of harmless commands are in no settings file"
    )
}

fn rules(ground: Option<&Ground>) -> Vec<Value> {
    let one = |by: &ByRule| json!({"rule": by.rule, "list": by.list.as_str(), "scope": by.scope.as_str(), "path": by.path, "since": by.at, "snapshot": by.event});
    ground.into_iter().flat_map(|ground| &ground.rules).map(one).collect()
}

impl Ruling {
    /// Returns it in one word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Granted(_) => "granted",
            Self::Asked(_) => "asked",
            Self::Denied(_) => "denied",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Returns why, where it is known.
    pub fn ground(&self) -> Option<&Ground> {
        match self {
            Self::Granted(ground) | Self::Asked(ground) | Self::Denied(ground) => Some(ground),
            Self::Unknown(_) => None,
        }
    }
}
