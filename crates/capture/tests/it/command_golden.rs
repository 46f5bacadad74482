//! Command lines and what they are said to do, in a file that a person can check: `tests/golden/commands.txt`.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use sealtrail_capture::command::{Action, understand};

const CWD: &str = "/home/dev/p";

/// Protects what an investigator is told about a command line. After a change `UPDATE=1` writes the file anew; read the difference.
#[test]
fn command_lines_mean_this() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/commands.txt");
    let text = fs::read_to_string(&file).unwrap();
    let mut now = String::new();
    let mut command: Option<String> = None;
    let mut count = 0;
    for line in text.lines() {
        if let (Some(more), Some(command)) = (line.strip_prefix("> ").or(line.strip_prefix(">")), &mut command) {
            write!(command, "\n{more}").unwrap();
        } else if line.starts_with("$ ") || line.starts_with('#') || line.is_empty() {
            count += usize::from(command.is_some());
            tell(&mut now, command.take());
            command = line.strip_prefix("$ ").map(str::to_owned);
        } else {
            continue;
        }
        now.push_str(line);
        now.push('\n');
    }
    count += usize::from(command.is_some());
    tell(&mut now, command);
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &now).unwrap();
        return;
    }
    let different = text.lines().zip(now.lines()).find(|(old, new)| old != new);
    assert!(text == now, "the file says and the code says: {different:#?}");
    assert!(count >= 150, "{count}");
}

fn tell(now: &mut String, command: Option<String>) {
    let Some(command) = command else { return };
    for action in understand(&command, Some(CWD)) {
        writeln!(now, "  {}", line(&action)).unwrap();
    }
}

/// `type verb target name=value … (what is not certain)`
fn line(action: &Action) -> String {
    let mut line = format!("{} {} {}", action.event_type, action.action, action.target.as_deref().unwrap_or("-").escape_default());
    for (name, value) in &action.detail {
        write!(line, " {name}={}", if value.contains(' ') { format!("{value:?}") } else { value.clone() }).unwrap();
    }
    let notes: Vec<&str> = [(!action.certain, "uncertain"), (action.privileged, "privileged"), (!action.confirmed, "unconfirmed")]
        .into_iter()
        .filter_map(|(is, note)| is.then_some(note))
        .collect();
    if notes.is_empty() { line } else { format!("{line} ({})", notes.join(", ")) }
}
