//! The tutorial: each of its commands runs.

use crate::run::Machine;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Protects whoever learns from the page: each command runs as it stands there, one after the other, and shows something.
#[test]
fn every_command_of_the_tutorial_runs() {
    let page = std::fs::read_to_string(format!("{ROOT}/docs/searching.md")).unwrap();
    let blocks: Vec<&str> = page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(blocks.len() >= 10, "{}", blocks.len());
    let machine = Machine::new();
    std::os::unix::fs::symlink(std::fs::canonicalize(format!("{ROOT}/fixtures")).unwrap(), machine.path("work/fixtures")).unwrap();
    for block in blocks {
        // Each line by itself, so that the one that fails is named; variables live on within a block.
        let checked: Vec<String> = block
            .lines()
            .map(|line| {
                format!(
                    "{line}\nE=$?; if [ $E -ne 0 ]; then printf 'ended with %s: %s\\n' $E '{}' >&2; exit 99; fi",
                    line.replace('\'', "'\\''")
                )
            })
            .collect();
        let ran = machine.script(&checked.join("\n"));
        assert_eq!(ran.exit, 0, "{ran}");
    }
    // What was asked on the way is in the trail.
    assert!(machine.run("search --event-type system.audit_log_accessed --all -o id").stdout.lines().count() > 20);
}
