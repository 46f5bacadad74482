//! `mcp wrap`, `mcp unwrap`: the proxy in front of the servers of a client's configuration, and away again.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstObject, CstRootNode};
use serde_json::{Value, json};

use crate::args::McpWrap;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::settings::{self, Change, input};

/// What stands before the server's own command.
const OURS: [&str; 3] = ["mcp", "proxy", "--name"];

pub(super) fn wrap(call: &mut Call, args: &McpWrap) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::of("mcp.wrap", &error))?;
    let own = home::find(&call.global)?;
    let home = (own != home::default()).then_some(own);
    change(call, args, "put the proxy in front of", &|name, server| wrapped(&program, home.as_deref(), name, server))
}

pub(super) fn unwrap(call: &mut Call, args: &McpWrap) -> Result<Exit, Failure> {
    change(call, args, "take the proxy away from", &|_, server| unwrapped(server))
}

/// What becomes of one server.
enum Edit {
    /// Its command and arguments are these; no arguments when there are none.
    To(String, Vec<Value>),
    /// Nothing, and there is nothing to say.
    Same,
    /// Nothing, for this reason.
    Left(&'static str),
}

fn change(call: &mut Call, args: &McpWrap, doing: &str, edit: &dyn Fn(&str, &Value) -> Edit) -> Result<Exit, Failure> {
    let old = std::fs::read_to_string(&args.file).map_err(|error| Failure::file("read", &args.file, &error))?;
    let (root, servers) = parse(&old).map_err(|why| unreadable(&args.file, &why))?;
    let mut changed = 0;
    for property in servers.properties() {
        let name = property.name().and_then(|name| name.decoded_value().ok()).unwrap_or_default();
        let Some(server) = property.object_value() else { continue };
        if !args.server.is_empty() && !args.server.contains(&name) {
            continue;
        }
        match edit(&name, &server.to_serde_value().unwrap_or_default()) {
            Edit::Same => {}
            Edit::Left(why) => call.screen.say(&format!("{name}: left as it is: {why}")),
            Edit::To(command, words) => {
                apply(&server, command, words);
                changed += 1;
            }
        }
    }
    if changed == 0 {
        call.screen.say(&format!("nothing to change in {}", args.file.display()));
        return Ok(Exit::Yes);
    }
    let change = Change { path: args.file.clone(), old, new: root.to_string() };
    write!(call.screen.out(), "{}", change.diff())?;
    if !args.write {
        call.screen.say(&format!("would {doing} {changed} servers; nothing was changed: add --write"));
        return Ok(Exit::Yes);
    }
    let backup = settings::write(&change, Timestamp::now())?;
    call.screen.say(&format!("changed {changed} servers in {}", args.file.display()));
    if let Some(backup) = backup {
        call.screen.say(&format!("the file as it was: {}", backup.display()));
    }
    Ok(Exit::Yes)
}

fn wrapped(program: &Path, home: Option<&Path>, name: &str, server: &Value) -> Edit {
    let Some(command) = server.get("command").and_then(Value::as_str) else {
        return Edit::Left(
            "it is reached over HTTP; run `sealtrail mcp proxy --name NAME --http ADDRESS --upstream URL` and name that address",
        );
    };
    if inner(server).is_some() {
        return Edit::Same;
    }
    let mut words = Vec::new();
    if let Some(home) = home {
        words.extend([json!("--home"), json!(home.display().to_string())]);
    }
    words.extend(OURS.map(|word| json!(word)));
    words.extend([json!(name), json!("--"), json!(command)]);
    words.extend(server.get("args").and_then(Value::as_array).cloned().unwrap_or_default());
    Edit::To(program.display().to_string(), words)
}

fn unwrapped(server: &Value) -> Edit {
    match inner(server) {
        Some((command, words)) => Edit::To(command, words),
        None => Edit::Same,
    }
}

/// Returns the server's own command and arguments, if the proxy stands in front of it.
fn inner(server: &Value) -> Option<(String, Vec<Value>)> {
    let program = PathBuf::from(server.get("command")?.as_str()?);
    if program.file_stem()? != "sealtrail" {
        return None;
    }
    let words = server.get("args")?.as_array()?;
    let at = words.windows(OURS.len()).position(|window| window.iter().zip(OURS).all(|(word, ours)| word == ours))?;
    let end = at + words[at..].iter().position(|word| word == "--")?;
    let command = words.get(end + 1)?.as_str()?.to_owned();
    Some((command, words[end + 2..].to_vec()))
}

fn apply(server: &CstObject, command: String, words: Vec<Value>) {
    if let Some(property) = server.get("command") {
        property.set_value(input(&json!(command)));
    }
    match (server.get("args"), words.is_empty()) {
        (Some(property), true) => property.remove(),
        (Some(property), false) => property.set_value(input(&Value::Array(words))),
        (None, true) => {}
        (None, false) => {
            let at = server.get("command").map_or(0, |property| property.property_index() + 1);
            server.insert(at, "args", input(&Value::Array(words)));
        }
    }
}

fn parse(text: &str) -> Result<(CstRootNode, CstObject), String> {
    let root = CstRootNode::parse(text, &ParseOptions::default()).map_err(|error| error.to_string())?;
    let top = root.object_value().ok_or("it is not one JSON object")?;
    let servers = top.object_value("mcpServers").ok_or("it has no object `mcpServers`")?;
    Ok((root, servers))
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new("mcp.file", Exit::Config, "cannot understand").at(path).cause(why)
}
