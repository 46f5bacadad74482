//! The report: sessions go in, one after the other; totals, gaps, findings and a verdict come out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::action::Action;
use super::cause::{Cause, Place, likely};
use super::finding::{self, Finding, Kind};
use super::gap::{self, Gap, Item, LOSS_SLACK_MS, Loss};
use super::judge::{Bench, Cell};
use super::loose::Loose;
use super::matrix::Tally;
use super::moment::time;
use super::session::Session;
use super::words::{Class, Phases, Witness, words};

/// 10,000 gaps, findings, notes and witnesses that were off, each: a certificate of some 10 MB; what is left out is counted.
const LISTED_MAX: usize = 10_000;

words! {
    /// What the comparison of the witnesses comes to.
    Verdict {
        /// Every action was seen by every witness that should have seen it.
        Complete = "complete",
        /// Something is missing.
        Gaps = "gaps",
        /// Something contradicts itself, or should worry somebody.
        Findings = "findings",
        /// No action has two witnesses that could be compared.
        Nothing = "nothing_to_compare",
    }
}

/// A witness that was not on for a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Off {
    /// The witness.
    pub witness: Witness,
    /// The session.
    pub session: String,
    /// When the session was, in milliseconds since 1970.
    pub span: (i64, i64),
}

/// A list that has a bound.
#[derive(Clone, Debug)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    pub(super) left_out: u64,
}

/// The report on the sessions that were given.
#[derive(Clone, Debug)]
pub struct Report {
    required: BTreeSet<Witness>,
    now: i64,
    only: Option<String>,
    pub(super) tallies: BTreeMap<(Class, Witness), Tally>,
    pub(super) actions: BTreeMap<Class, u64>,
    pub(super) heard: BTreeMap<Witness, u64>,
    pub(super) gaps: Listed<Gap>,
    pub(super) losses: Listed<Loss>,
    pub(super) findings: Listed<Finding>,
    pub(super) notes: Listed<Finding>,
    pub(super) off: Listed<Off>,
    compared: u64,
    span: Option<(i64, i64)>,
}

impl Report {
    /// Starts a report, made at `now` (milliseconds since 1970), in which the required witnesses must have been on for every session.
    pub fn new(required: &[Witness], now: i64) -> Self {
        Self {
            required: required.iter().copied().collect(),
            now,
            only: None,
            tallies: BTreeMap::new(),
            actions: BTreeMap::new(),
            heard: BTreeMap::new(),
            gaps: Listed::default(),
            losses: Listed::default(),
            findings: Listed::default(),
            notes: Listed::default(),
            off: Listed::default(),
            compared: 0,
            span: None,
        }
    }

    /// Makes it a report on one session: what was lost of other sessions is left out.
    pub fn only(mut self, session: &str) -> Self {
        self.only = Some(session.to_owned());
        self
    }

    /// Takes in a record of lost events; all of them before the first session.
    pub fn lost(&mut self, view: &Value) {
        let Some(loss) = Loss::new(view) else { return };
        let other = self.only.as_ref().zip(loss.session.as_ref()).is_some_and(|(only, session)| only != session);
        if !other && !self.losses.items.contains(&loss) {
            self.losses.push(loss);
        }
    }

    /// Takes in a session; sessions come in the order of their ids, each once.
    pub fn take(&mut self, mut session: Session) {
        session.settle();
        self.note_session(&session);
        let losses: Vec<Loss> = {
            let (from, to) = session.span();
            self.losses.items.iter().filter(|loss| loss.touches(from - LOSS_SLACK_MS, to + LOSS_SLACK_MS)).cloned().collect()
        };
        let mut gaps = BTreeMap::new();
        let mut found = finding::of_session(&Bench { required: &self.required, now: self.now, losses: &losses }, &session);
        let own = [(session.id.clone().into_boxed_str(), session.own.clone())].into_iter().collect();
        let classes = [
            (Class::ToolCall, &session.calls),
            (Class::ModelCall, &session.models),
            (Class::Prompt, &session.prompts),
            (Class::Subagent, &session.agents),
            (Class::Session, &own),
        ];
        for (class, actions) in classes {
            let mut sorted: Vec<(i64, &str, &Action)> =
                actions.iter().filter_map(|(key, action)| Some((action.first()?.0, key.as_ref(), action))).collect();
            sorted.sort_unstable_by_key(|(at, key, _)| (*at, *key));
            for (_, key, action) in sorted {
                self.judge(&session, class, key, action, &losses, &mut gaps);
                let bench = Bench { required: &self.required, now: self.now, losses: &losses };
                match class {
                    Class::ToolCall => found.extend(finding::of_call(&bench, &session, key, action)),
                    Class::ModelCall => found.extend(finding::of_model(&bench, &session, key, action)),
                    _ => {}
                }
            }
        }
        gaps.into_values().for_each(|gap| self.gaps.push(gap));
        for finding in found {
            if finding.kind.is_finding() { self.findings.push(finding) } else { self.notes.push(finding) }
        }
    }

    fn note_session(&mut self, session: &Session) {
        let (from, to) = session.span();
        self.span = Some(self.span.map_or((from, to), |(first, last)| (first.min(from), last.max(to))));
        for witness in Witness::ALL {
            if session.heard(*witness) {
                *self.heard.entry(*witness).or_default() += 1;
            } else if !matches!(witness, Witness::Mcp | Witness::Api) {
                self.off.push(Off { witness: *witness, session: session.id().to_owned(), span: (from, to) });
            }
        }
    }

    fn judge(
        &mut self,
        session: &Session,
        class: Class,
        key: &str,
        action: &Action,
        losses: &[Loss],
        gaps: &mut BTreeMap<gap::Place, Gap>,
    ) {
        let bench = Bench { required: &self.required, now: self.now, losses };
        *self.actions.entry(class).or_default() += 1;
        let mut owed = 0;
        for witness in Witness::ALL {
            let cell = bench.cell(session, class, key, action, *witness);
            self.tallies.entry((class, *witness)).or_default().count(cell);
            owed += u64::from(matches!(cell, Cell::Seen | Cell::Partial(_) | Cell::Missing));
            let lacks = match cell {
                Cell::Partial(lacks) => lacks,
                Cell::Missing => Phases::NONE,
                _ => continue,
            };
            let item = Item::new(key, action, lacks);
            let agent = action.agent.as_deref();
            let counted = bench.counted(action, *witness, lacks);
            let own = action.of(*witness).map(|seen| seen.first.0);
            let cause = likely(session, *witness, &Place { class, at: item.at, agent, lacks, own, counted });
            let of_agent = matches!(cause, Cause::SubagentBypass | Cause::SubagentTranscript);
            let agent = agent.filter(|_| of_agent).map(str::to_owned);
            gap::note(gaps, session.id(), (*witness, class, cause, agent), item);
        }
        self.compared += u64::from(owed > 1 && class != Class::Session);
    }

    /// Ends the report: what was never joined is told, and losses outside the time that it speaks about are left out.
    pub fn finish(&mut self, loose: &Loose, window: Option<(i64, i64)>) {
        let (left, first) = loose.rest();
        if left > 0 {
            self.notes.push(Finding {
                kind: Kind::NotJoined,
                session: String::new(),
                at: 0,
                class: Class::ToolCall,
                key: String::new(),
                detail: format!("{left} events"),
                events: first.map(str::to_owned).into_iter().collect(),
            });
        }
        let spans: Vec<(i64, i64)> = window.into_iter().chain(self.span).collect();
        let touches = |loss: &Loss| spans.iter().any(|(from, to)| loss.touches(from - LOSS_SLACK_MS, to + LOSS_SLACK_MS));
        self.losses.items.retain(touches);
        self.losses.items.sort();
        // A witness that was on nowhere is told once, not once a session.
        let heard = &self.heard;
        self.off.items.retain(|off| heard.contains_key(&off.witness));
        self.findings.items.sort();
        self.notes.items.sort();
        self.gaps.items.sort_by(|a, b| {
            let place = |gap: &Gap| (gap.cause, gap.witness, gap.session.clone(), gap.agent.clone(), gap.class, gap.span);
            place(a).cmp(&place(b))
        });
    }

    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        match () {
            () if self.findings.total() > 0 => Verdict::Findings,
            () if self.gaps.total() > 0 || self.losses.total() > 0 => Verdict::Gaps,
            () if self.compared == 0 => Verdict::Nothing,
            () => Verdict::Complete,
        }
    }

    /// Tells whether every figure reaches `percent` and nothing was found. Events that were counted as lost have no figure: with them, only less
    /// than 100 can be reached.
    pub fn holds(&self, percent: u8) -> bool {
        let wanted = u64::from(percent) * 100;
        let reached = self.tallies.values().filter_map(Tally::basis_points).all(|found| found >= wanted);
        match self.verdict() {
            Verdict::Complete => true,
            Verdict::Gaps => reached && (percent < 100 || (self.losses.total() == 0 && self.gaps.total() == 0)),
            Verdict::Findings | Verdict::Nothing => false,
        }
    }

    /// Returns the counts of a class and witness.
    pub fn tally(&self, class: Class, witness: Witness) -> Tally {
        self.tallies.get(&(class, witness)).copied().unwrap_or_default()
    }

    /// Returns how many actions of a class there were.
    pub fn actions(&self, class: Class) -> u64 {
        self.actions.get(&class).copied().unwrap_or(0)
    }

    /// Returns in how many sessions a witness was on.
    pub fn heard(&self, witness: Witness) -> u64 {
        self.heard.get(&witness).copied().unwrap_or(0)
    }

    /// Returns the gaps.
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps.items
    }

    /// Returns the records of lost events.
    pub fn losses(&self) -> &[Loss] {
        &self.losses.items
    }

    /// Returns the findings.
    pub fn findings(&self) -> &[Finding] {
        &self.findings.items
    }

    /// Returns the notes, which change no verdict.
    pub fn notes(&self) -> &[Finding] {
        &self.notes.items
    }

    /// Returns the sessions for which a witness was off that was on for others.
    pub fn off(&self) -> &[Off] {
        &self.off.items
    }

    /// Returns the required witnesses.
    pub fn required(&self) -> impl Iterator<Item = Witness> {
        self.required.iter().copied()
    }

    /// Returns when it was made, in milliseconds since 1970.
    pub fn made_at(&self) -> i64 {
        self.now
    }
}

impl Off {
    /// Returns it as one JSON object.
    pub fn to_json(&self) -> Value {
        json!({"witness": self.witness.word(), "session_id": self.session, "since": time(self.span.0), "until": time(self.span.1)})
    }
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { items: Vec::new(), left_out: 0 }
    }
}

impl<T> Listed<T> {
    fn push(&mut self, item: T) {
        if self.items.len() < LISTED_MAX {
            self.items.push(item);
        } else {
            self.left_out += 1;
        }
    }

    /// Returns how many there are, listed or not.
    pub(super) fn total(&self) -> u64 {
        self.items.len() as u64 + self.left_out
    }
}
