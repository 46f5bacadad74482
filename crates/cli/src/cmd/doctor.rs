//! `doctor`: everything that can silently go wrong, checked; nothing is changed.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;
use crate::theme::{self, Label};
use crate::trail;
use crate::visible::visible;

mod doubles;
mod home;
mod hooks;
mod machine;

/// What a check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Failed,
    Skipped,
}

impl State {
    fn sign(self) -> (&'static str, Label) {
        match self {
            Self::Ok => ("ok", theme::GOOD),
            Self::Warning => ("!", theme::WARNING),
            Self::Failed => ("x", theme::BAD),
            Self::Skipped => ("-", theme::QUIET),
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// One check.
struct Check {
    /// Stable name for scripts.
    id: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What follows from it.
    more: Vec<String>,
    /// The command that would help.
    fix: Option<String>,
}

impl Check {
    fn new(id: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { id, state, found: found.into(), more: Vec::new(), fix: None }
    }

    fn more(mut self, line: impl Into<String>) -> Self {
        self.more.push(line.into());
        self
    }

    fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix = Some(command.into());
        self
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (sign, label) = self.state.sign();
        writeln!(out, "{:<4}  {:<14}{}", label.paint(format!("{sign:<4}")), self.id, visible(&self.found))?;
        for line in self.more.iter().chain(&self.fix) {
            writeln!(out, "{:20}{}", "", visible(line))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({"id": self.id, "state": self.state.word(), "found": self.found, "more": self.more, "fix": self.fix})
    }
}

pub(crate) fn run(call: &mut Call) -> Result<Exit, Failure> {
    let home = crate::home::find(&call.global)?;
    let trail = home.join("ledger/log.json").exists().then(|| trail::open(call));
    let recent = trail.as_ref().and_then(|trail| trail.as_ref().ok()).map(home::recent);
    let mut checks = home::checks(trail, &home);
    checks.extend(hooks::checks(&home, recent.as_deref()));
    checks.extend(doubles::check(recent.as_deref()));
    checks.push(home::level(&home, recent.as_deref()));
    checks.extend(machine::checks(&home));
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let failed = count(State::Failed);
    let totals = [State::Failed, State::Warning, State::Ok, State::Skipped].map(|state| (count(state), state.word()));
    let totals: Vec<String> = totals
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{n} {word}{}", if *word == "warning" && *n > 1 { "s" } else { "" }))
        .collect();
    if call.screen.wants_json() {
        let items: Vec<Value> = checks.iter().map(Check::json).collect();
        writeln!(call.screen.out(), "{}", json!({"home": home.display().to_string(), "checks": items, "ok": failed == 0}))?;
    } else {
        for check in &checks {
            check.write(call.screen.out())?;
        }
        writeln!(call.screen.out(), "\n{}", totals.join(", "))?;
    }
    Ok(if failed == 0 { Exit::Yes } else { Exit::Failed })
}
