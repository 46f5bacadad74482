//! One action as its witnesses saw it.

use super::moment::{Id, least};
use super::told::{End, Print, Told};
use super::words::{Phases, WITNESSES, Witness};

/// What one witness told of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) phases: Phases,
    /// Its first event.
    pub(super) first: (i64, Id),
    /// When its last event was.
    pub(super) last: i64,
    /// The tool or the model, as it named it.
    pub(super) name: Option<Box<str>>,
    /// The hash of what was asked for.
    pub(super) input: Option<Print>,
    /// The largest counts of tokens: earlier lines of a stream show less.
    pub(super) tokens: [Option<u64>; 2],
    pub(super) good: Option<Id>,
    pub(super) bad: Option<Id>,
    pub(super) denied: Option<Id>,
}

/// One tool call, model call, prompt or subagent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Action {
    seen: [Option<Box<Seen>>; WITNESSES],
    pub(super) agent: Option<Box<str>>,
    /// The event that led to it, of a model call.
    pub(super) parent: Option<Box<str>>,
    /// The answer of the model that asked for it, of a tool call.
    pub(super) request: Option<Box<str>>,
    /// Why it never ran, of a call of an unknown tool or with refused input.
    pub(super) never_ran: bool,
    /// The hook of its end did not come; what became of it is not known.
    pub(super) unheard: bool,
    /// Somebody's hook changed its input.
    pub(super) rewritten: bool,
    /// A model call beside the talk of an agent.
    pub(super) aside: bool,
    /// What a model call was for.
    pub(super) source: Option<Box<str>>,
}

impl Action {
    /// Takes in what a witness told of it.
    pub(super) fn add(&mut self, witness: Witness, told: &Told<'_>) {
        let first = (told.at, Id::new(told.id));
        let seen = self.seen[witness as usize].get_or_insert_with(|| Box::new(Seen::new(first.clone())));
        seen.last = seen.last.max(told.at);
        seen.first = seen.first.clone().min(first);
        seen.phases = seen.phases.and(told.phases);
        let name = if told.tool.is_empty() || told.is_model_call() { told.model } else { told.tool };
        // The exporter's word for every tool of an MCP server says nothing.
        if !name.is_empty() && name != "mcp_tool" {
            least(&mut seen.name, name.into());
        }
        if let Some(input) = told.input() {
            least(&mut seen.input, input);
        }
        for (kept, found) in seen.tokens.iter_mut().zip(told.tokens) {
            *kept = (*kept).max(found);
        }
        match told.end {
            Some(End::Good) => least(&mut seen.good, Id::new(told.id)),
            Some(End::Bad) => least(&mut seen.bad, Id::new(told.id)),
            Some(End::Denied) => least(&mut seen.denied, Id::new(told.id)),
            Some(End::Open) | None => {}
        }
        if !told.agent.is_empty() {
            least(&mut self.agent, told.agent.into());
        }
        if witness == Witness::Gateway && !told.request.is_empty() && !told.is_model_call() {
            least(&mut self.request, told.request.into());
        }
        self.note(told);
    }

    /// Takes in what makes it a special case, whoever says so.
    pub(super) fn note(&mut self, told: &Told<'_>) {
        self.never_ran |= matches!(told.reason, "unknown_tool" | "rejected_input" | "skipped");
        self.unheard |= told.reason == "no_outcome_hook";
        self.rewritten |= told.kind == "policy.rewritten";
        self.aside |= told.asks_aside();
        if !told.source.is_empty() && told.is_model_call() {
            least(&mut self.source, told.source.into());
        }
        if !told.parent.is_empty() && told.is_model_call() {
            least(&mut self.parent, told.parent.into());
        }
    }

    /// Takes in everything that is known of the same action under another name.
    pub(super) fn merge(&mut self, other: Self) {
        for (own, other) in self.seen.iter_mut().zip(other.seen) {
            let Some(other) = other else { continue };
            match own {
                None => *own = Some(other),
                Some(own) => own.merge(*other),
            }
        }
        if let Some(agent) = other.agent {
            least(&mut self.agent, agent);
        }
        if let Some(source) = other.source {
            least(&mut self.source, source);
        }
        self.never_ran |= other.never_ran;
        self.unheard |= other.unheard;
        self.rewritten |= other.rewritten;
        self.aside |= other.aside;
    }

    /// Returns what a witness told.
    pub(super) fn of(&self, witness: Witness) -> Option<&Seen> {
        self.seen[witness as usize].as_deref()
    }

    /// Returns every witness that told something.
    pub(super) fn all(&self) -> impl Iterator<Item = (Witness, &Seen)> {
        Witness::ALL.iter().filter_map(|witness| Some((*witness, self.of(*witness)?)))
    }

    /// Returns its first event, whoever told it.
    pub(super) fn first(&self) -> Option<(i64, &Id)> {
        self.all().map(|(_, seen)| (seen.first.0, &seen.first.1)).min()
    }

    /// Returns when its last event was, whoever told it.
    pub(super) fn last(&self) -> Option<i64> {
        self.all().map(|(_, seen)| seen.last).max()
    }

    /// Returns the phases that anybody told.
    pub(super) fn phases(&self) -> Phases {
        self.all().fold(Phases::NONE, |all, (_, seen)| all.and(seen.phases))
    }

    /// Tells whether only the model's answer shows it: whether the client ever began it, nobody can tell.
    pub(super) fn is_only_asked(&self) -> bool {
        self.all().all(|(witness, seen)| witness == Witness::Gateway && !seen.phases.has(Phases::OUTCOME))
    }

    /// Tells whether it failed, as far as anybody saw.
    pub(super) fn failed(&self) -> bool {
        self.good().is_none() && self.all().any(|(_, seen)| seen.bad.is_some() || seen.denied.is_some())
    }

    /// Returns the name that says most.
    pub(super) fn name(&self) -> &str {
        self.all().find_map(|(_, seen)| seen.name.as_deref()).unwrap_or_default()
    }

    /// Returns the first event that says it was denied.
    pub(super) fn denied(&self) -> Option<(Witness, &Id)> {
        self.all().find_map(|(witness, seen)| Some((witness, seen.denied.as_ref()?)))
    }

    /// Returns the first event that says it was done.
    pub(super) fn good(&self) -> Option<(Witness, &Id)> {
        self.all().find_map(|(witness, seen)| Some((witness, seen.good.as_ref()?)))
    }

    /// Tells whether somebody saw that it ran, well or not.
    pub(super) fn ran(&self) -> bool {
        !self.never_ran && self.all().any(|(_, seen)| seen.phases.has(Phases::OUTCOME) && (seen.good.is_some() || seen.bad.is_some()))
    }
}

impl Seen {
    fn new(first: (i64, Id)) -> Self {
        Self { phases: Phases::NONE, last: first.0, first, name: None, input: None, tokens: [None; 2], good: None, bad: None, denied: None }
    }

    fn merge(&mut self, other: Self) {
        self.phases = self.phases.and(other.phases);
        self.last = self.last.max(other.last);
        self.first = self.first.clone().min(other.first);
        for (kept, found) in self.tokens.iter_mut().zip(other.tokens) {
            *kept = (*kept).max(found);
        }
        let ids = [(&mut self.good, other.good), (&mut self.bad, other.bad), (&mut self.denied, other.denied)];
        for (kept, found) in ids {
            if let Some(found) = found {
                least(kept, found);
            }
        }
        if let Some(name) = other.name {
            least(&mut self.name, name);
        }
        if let Some(input) = other.input {
            least(&mut self.input, input);
        }
    }
}
