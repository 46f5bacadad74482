//! `docs/features.csv`: one line per capability; every proof it names must exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const HEADER: &str = "id,capability,state,proof";

/// Returns a sentence for every line that is malformed or names a proof that does not exist.
///
/// A proof is `test:PATH::NAME` (the file holds `fn NAME` or `def NAME`), `run:PATH` (a script of the repository), or `cmd:WORDS`
/// (a command that the README, `.ci/run` or `docs/` names in the same words). A line may name several, separated by ` ; `.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let Ok(text) = fs::read_to_string(root.join("docs/features.csv")) else {
        return vec!["docs/features.csv cannot be read".to_owned()];
    };
    let mut lines = text.lines();
    let mut problems = Vec::new();
    if lines.next() != Some(HEADER) {
        problems.push(format!("docs/features.csv must begin with `{HEADER}`"));
    }
    let commands = ["README.md", ".ci/run", "docs/cli.md"].map(|file| fs::read_to_string(root.join(file)).unwrap_or_default()).concat();
    let mut seen = HashSet::new();
    for (number, line) in lines.enumerate() {
        let at = format!("docs/features.csv:{}", number + 2);
        let fields = split(line);
        let [id, capability, state, proof] = fields.as_slice() else {
            problems.push(format!("{at}: {} fields, expected 4", fields.len()));
            continue;
        };
        if !seen.insert(id.clone()) {
            problems.push(format!("{at}: {id} stands twice"));
        }
        if capability.is_empty() || !["works", "partly", "not yet"].contains(&state.as_str()) {
            problems.push(format!("{at}: state `{state}` must be works, partly or not yet, and the capability must not be empty"));
        }
        if state == "not yet" {
            continue;
        }
        for one in proof.split(" ; ") {
            if let Err(why) = exists(root, one.trim(), &commands) {
                problems.push(format!("{at}: {id}: {why}"));
            }
        }
    }
    problems
}

fn exists(root: &Path, proof: &str, commands: &str) -> Result<(), String> {
    if let Some(rest) = proof.strip_prefix("test:") {
        let (path, name) = rest.split_once("::").ok_or_else(|| format!("`{proof}` is not test:PATH::NAME"))?;
        let text = fs::read_to_string(root.join(path)).map_err(|_| format!("{path} does not exist"))?;
        let found = [format!("fn {name}("), format!("def {name}("), format!("\"{name}\"")].iter().any(|start| text.contains(start));
        return found.then_some(()).ok_or_else(|| format!("{path} has no test `{name}`"));
    }
    if let Some(path) = proof.strip_prefix("run:") {
        let path = path.split(' ').next().unwrap_or(path);
        return root.join(path).is_file().then_some(()).ok_or_else(|| format!("{path} does not exist"));
    }
    if let Some(words) = proof.strip_prefix("cmd:") {
        return commands.contains(words).then_some(()).ok_or_else(|| format!("no page names the command `{words}`"));
    }
    Err(format!("`{proof}` is neither test:, run: nor cmd:"))
}

/// Splits one CSV line (RFC 4180, no line break inside a field).
fn split(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quoted) {
            ('"', true) if letters.peek() == Some(&'"') => {
                letters.next();
                fields.last_mut().expect("never empty").push('"');
            }
            ('"', _) => quoted = !quoted,
            (',', false) => fields.push(String::new()),
            (other, _) => fields.last_mut().expect("never empty").push(other),
        }
    }
    fields
}
