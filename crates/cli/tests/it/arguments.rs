//! Arguments, help and exit codes.

use crate::run::Machine;

/// Protects agents: a typo in a hook line never exits with 2, which the client reads as "block this action".
#[test]
fn a_typo_exits_with_64() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.run("serch"), @r#"
    exit: 64
    ----- stderr
    error: unrecognized subcommand 'serch'

      tip: some similar subcommands exist: 'serve', 'search'

    Usage: sealtrail [OPTIONS] <COMMAND>

    For more information, try '--help'.
    "#);
    assert_eq!(machine.run("").exit, 64);
    assert_eq!(machine.run("session").exit, 64);
    assert_eq!(machine.run("search --limit many").exit, 64);
}

/// Protects the first look: the short help fits one screen and names every command.
#[test]
fn short_help_fits_one_screen() {
    let help = Machine::new().run("-h");
    assert_eq!(help.exit, 0);
    assert!(help.stdout.lines().count() <= 64, "{}", help.stdout);
    insta::assert_snapshot!("short_help", help);
}

/// Protects scripts: a wrong time zone is a usage error with a hint, as text and as JSON.
#[test]
fn errors_have_one_shape() {
    let machine = Machine::new();
    insta::assert_snapshot!(machine.run("version --tz Mars/Base"), @r#"
    exit: 64
    ----- stderr
    error: no time zone "Mars/Base"
      caused by: failed to find time zone `Mars/Base` in time zone database

    hint: use utc, local, or a name such as Europe/Berlin
    "#);
    insta::assert_snapshot!(machine.run("version --tz Mars/Base -o json"), @r#"
    exit: 64
    ----- stderr
    {"error":{"code":"usage.tz","message":"no time zone \"Mars/Base\"","causes":["failed to find time zone `Mars/Base` in time zone database"],"hints":["use utc, local, or a name such as Europe/Berlin"],"exit":64}}
    "#);
}

/// Protects pipelines: a reader that goes away is a success, not an error message.
#[test]
fn a_closed_pipe_is_a_success() {
    let machine = Machine::new();
    let script = format!("set -o pipefail; {} completions bash | true; echo $?", env!("CARGO_BIN_EXE_sealtrail"));
    let ran = machine.program(std::path::Path::new("/bin/bash"), &["-c", &script]);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("0\n", ""));
}

/// Protects packagers: completions and the manual page are made from the same definitions.
#[test]
fn completions_and_manual_page_are_made() {
    let machine = Machine::new();
    assert!(machine.run("completions zsh").stdout.starts_with("#compdef sealtrail"));
    assert!(machine.run("man").stdout.contains(".TH sealtrail"));
    assert_eq!(machine.run("version").stdout, "sealtrail 0.1.0\nevent schema 1\nledger format 1\n");
}
