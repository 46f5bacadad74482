//! `config …`: what is configured, where it comes from, and what is wrong with it.

use std::path::Path;

use sealtrail_config::{Level, Problem};
use serde_json::{Value, json};

use crate::args::ConfigCommand;
use crate::config::{self, Source};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::rows::Rows;
use crate::run::Call;

/// Times of retention.
const KEPT_AT_LEAST: &str = "audit.retention.";

pub(crate) fn run(call: &mut Call, command: &ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show => show(call),
        ConfigCommand::Get { path, written } => get(call, path, *written),
        ConfigCommand::Validate { file } => validate(call, file.as_deref()),
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&sealtrail_config::schema()).unwrap_or_default();
            writeln!(call.screen.out(), "{schema}")?;
            Ok(Exit::Yes)
        }
        ConfigCommand::Path => path(call),
    }
}

fn show(call: &mut Call) -> Result<Exit, Failure> {
    let home = home::find(&call.global)?;
    let loaded = config::load(&home)?;
    let mut rows = Rows::new(&call.screen, ["path", "value", "origin"].map(str::to_owned).to_vec(), call.zone.clone());
    for (path, value, origin) in loaded.shown() {
        rows.event(call.screen.out(), &json!({"path": path, "value": value, "origin": config::origin(&origin)}))?;
    }
    rows.finish(call.screen.out())?;
    Ok(Exit::Yes)
}

/// Prints strings bare and everything else as JSON; what is not set prints nothing, so that `[ -z "$(…)" ]` tells. Nor does what is written
/// and not in force: whoever asks a script whether something is protected must not be told yes.
fn get(call: &mut Call, path: &str, written: bool) -> Result<Exit, Failure> {
    let home = home::find(&call.global)?;
    let loaded = config::load(&home)?;
    let value = sealtrail_config::get(&loaded, path).map_err(|error| {
        Failure::because("config.path", Exit::Failed, format!("no value at {path}"), &error).hint("list every value: sealtrail config show")
    })?;
    let covers = |problem: &&Problem| {
        let rest = path.strip_prefix(problem.path.as_str());
        problem.level == Level::Notice
            && problem.message.contains("not acted on")
            && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    match loaded.notices.iter().find(covers).filter(|_| !written) {
        // A time for which events are kept at least is kept when nothing is deleted.
        Some(_) if path.starts_with(KEPT_AT_LEAST) => call.screen.say("nothing is deleted yet: every event is kept, longer than that too"),
        Some(notice) => {
            let quoted = crate::saved::shell(&[path.to_owned()]);
            return Err(Failure::new("config.not_in_force", Exit::Incomplete, format!("{path} is written and not in force"))
                .cause(notice.message.clone())
                .hint(format!("print what is written: sealtrail config get --written {quoted}")));
        }
        None => {}
    }
    let json = call.screen.wants_json();
    let out = call.screen.out();
    match value {
        value if json => writeln!(out, "{value}")?,
        Value::Null => {}
        Value::String(text) => writeln!(out, "{}", crate::visible::visible(&text))?,
        other => writeln!(out, "{other}")?,
    }
    Ok(Exit::Yes)
}

fn validate(call: &mut Call, file: Option<&Path>) -> Result<Exit, Failure> {
    let home = home::find(&call.global)?;
    let source = match file {
        Some(path) => Some(Source::read(path)?),
        None => config::find(&home)?,
    };
    let name = source.as_ref().map_or("the defaults", |source| source.name.as_str()).to_owned();
    let found = sealtrail_config::load(source.as_ref().map(|source| (source.name.as_str(), source.text.as_str())));
    let (problems, usable) = match found {
        Ok(loaded) => (loaded.notices, true),
        Err(problems) => (problems, false),
    };
    if call.screen.wants_json() {
        let items: Vec<Value> = problems.iter().map(problem_json).collect();
        writeln!(call.screen.out(), "{}", json!({"file": name, "usable": usable, "problems": items}))?;
    } else {
        for problem in &problems {
            let word = if problem.level == Level::Error { "error" } else { "notice" };
            writeln!(call.screen.out(), "{word}: {problem}")?;
        }
    }
    let errors = problems.iter().filter(|problem| problem.level == Level::Error).count();
    call.screen.say(&match (usable, problems.len()) {
        (true, 0) => format!("{name} is fine"),
        (true, notices) => format!("{name} can be used, with {notices} notices"),
        (false, _) => format!("{name} cannot be used: {errors} errors"),
    });
    Ok(if usable { Exit::Yes } else { Exit::Config })
}

fn problem_json(problem: &Problem) -> Value {
    let level = if problem.level == Level::Error { "error" } else { "notice" };
    json!({"level": level, "file": problem.file, "line": problem.line, "column": problem.column, "path": problem.path, "message": problem.message, "hint": problem.hint})
}

fn path(call: &mut Call) -> Result<Exit, Failure> {
    let home = home::find(&call.global)?;
    let used = config::find(&home)?.map(|source| source.name);
    for path in config::candidates(&home) {
        let name = path.display().to_string();
        let state = match (used.as_ref() == Some(&name), path.exists()) {
            (true, _) => "used",
            (false, true) => "not used",
            (false, false) => "missing",
        };
        writeln!(call.screen.out(), "{name}\t{state}")?;
    }
    Ok(Exit::Yes)
}
