//! `docs/cli.md`, written from the same definitions that parse the arguments.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::args::Cli;
use crate::exit::Exit;

/// Returns the reference of every command, in Markdown.
pub fn reference() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut page = String::from(
        "# The command line\n\nGenerated from the definitions that parse the arguments; a test compares this page with them.\n\n",
    );
    page.push_str("Data goes to standard output, talk to standard error. `NO_COLOR` and `CLICOLOR_FORCE` are heard. A reader that goes away (`| head`) is a success.\n\n");
    page.push_str("## Exit codes\n\nA number that is not listed must be read as a failure. 2 is never used: from a hook it means \"block this action\".\n\n| code | when |\n| --- | --- |\n");
    for (exit, meaning) in Exit::TABLE {
        let _ = writeln!(page, "| {} | {meaning} |", exit.number());
    }
    page.push_str("\n## Flags of every command\n\n");
    arguments(&mut page, &command, true);
    for sub in visible(&command) {
        describe(&mut page, sub, "sealtrail", 2);
    }
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help")
}

fn describe(page: &mut String, command: &Command, parent: &str, depth: usize) {
    let name = format!("{parent} {}", command.get_name());
    let _ = writeln!(page, "\n{} `{name}`\n", "#".repeat(depth));
    if let Some(about) = command.get_about() {
        let _ = writeln!(page, "{about}.\n");
    }
    let aliases: Vec<String> = command.get_visible_aliases().map(|alias| format!("`{alias}`")).collect();
    if !aliases.is_empty() {
        let _ = writeln!(page, "Also: {}.\n", aliases.join(", "));
    }
    let has_own = command.get_arguments().any(|arg| !arg.is_global_set() && !matches!(arg.get_id().as_str(), "help" | "version"));
    if has_own || visible(command).next().is_none() {
        let usage = command.clone().render_usage().to_string();
        let _ = writeln!(page, "```\n{}\n```\n", usage.trim_start_matches("Usage: "));
        arguments(page, command, false);
    }
    if let Some(examples) = command.get_after_help() {
        let _ = writeln!(page, "\n```\n{}\n```", examples.to_string().trim());
    }
    for sub in visible(command) {
        describe(page, sub, &name, depth + 1);
    }
}

/// Writes a table of the arguments: those of every command, or the command's own.
fn arguments(page: &mut String, command: &Command, global: bool) {
    let own: Vec<_> = command
        .get_arguments()
        .filter(|arg| arg.is_global_set() == global && !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version"))
        .collect();
    if own.is_empty() {
        return;
    }
    page.push_str("| argument | meaning |\n| --- | --- |\n");
    for arg in own {
        let mut shown = String::new();
        if let Some(short) = arg.get_short() {
            let _ = write!(shown, "-{short}, ");
        }
        match arg.get_long() {
            Some(long) => {
                let _ = write!(shown, "--{long}");
                let takes = arg.get_action().takes_values();
                if let (true, Some(value)) = (takes, arg.get_value_names().and_then(|names| names.first())) {
                    let _ = write!(shown, " {value}");
                }
            }
            None => shown.push_str(&arg.get_id().as_str().to_uppercase()),
        }
        let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
        let defaults: Vec<String> = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
        if arg.get_action().takes_values() && !defaults.is_empty() {
            let _ = write!(help, " (default: `{}`)", defaults.join(","));
        }
        let _ = writeln!(page, "| `{shown}` | {help} |");
    }
}
