//! The client's settings files: installing, repeating, removing.

use serde_json::Value;

use crate::run::{Machine, Ran};

/// A machine with both programs in one folder, as after an installation. The hook is never started here.
fn installed() -> (Machine, std::path::PathBuf) {
    let machine = Machine::beside_the_build();
    machine.write("bin/sealtrail-hook", "");
    let program = machine.path("bin/sealtrail");
    // Linked, not copied: a copy that another test's child still holds open for writing cannot be started.
    std::fs::hard_link(env!("CARGO_BIN_EXE_sealtrail"), &program).unwrap();
    (machine, program)
}

fn run(machine: &Machine, program: &std::path::Path, line: &str) -> Ran {
    machine.program(program, &line.split_whitespace().collect::<Vec<_>>())
}

/// Settings that a user could have: odd indentation, order, unknown members, an own hook beside which ours must live.
const SAMPLES: &[&str] = &[
    "",
    "{}\n",
    "{\n  \"model\": \"opus\",\n  \"zeta\": {\"keep\": [1, 2,   3]},\n  \"alpha\": null\n}\n",
    "{\n    \"hooks\": {\n        \"PreToolUse\": [\n            {\n                \"matcher\": \"Bash\",\n                \"hooks\": [\n                    { \"type\": \"command\", \"command\": \"my-hook\" }\n                ]\n            }\n        ]\n    },\n    \"cleanupPeriodDays\": 90\n}\n",
    "{\n\t\"permissions\": {\n\t\t\"allow\": [\"Bash\"]\n\t},\n\t\"hooks\": {}\n}",
    "{\"a\":1,\"b\":[true,false]}",
];

/// Protects the user's settings: what was there means the same afterwards, a second run changes nothing, and removal leaves what was there.
#[test]
fn install_is_idempotent_and_uninstall_gives_back_the_settings() {
    for sample in SAMPLES {
        let (machine, program) = installed();
        let name = ".claude/settings.json";
        machine.write(name, sample);
        assert_eq!(run(&machine, &program, "init --no-input").exit, 0, "{sample}");
        let once = machine.read(name);
        let parsed: Value = serde_json::from_str(&once).unwrap();
        assert_eq!(parsed["hooks"].as_object().unwrap().len(), 32, "{once}");
        assert!(parsed["hooks"].get("WorktreeCreate").is_none());
        assert_eq!(run(&machine, &program, "init --no-input").exit, 0);
        assert_eq!(machine.read(name), once, "the second run changed something");
        assert_eq!(run(&machine, &program, "uninstall").exit, 0);
        let before: Value = serde_json::from_str(if sample.is_empty() { "{}" } else { sample }).unwrap();
        let mut after: Value = serde_json::from_str(&machine.read(name)).unwrap();
        if before.get("hooks") == Some(&serde_json::json!({})) {
            after["hooks"] = serde_json::json!({});
        }
        assert_eq!(after, before);
        assert_eq!(after.to_string(), before.to_string(), "the order of the members changed");
    }
}

/// Protects the reader of the change: every untouched line stays as it was written.
#[test]
fn the_change_is_shown_as_a_difference_and_touches_no_other_line() {
    let (machine, program) = installed();
    machine.write(".claude/settings.json", SAMPLES[3]);
    let shown = run(&machine, &program, "init --no-input --dry-run");
    assert_eq!(machine.read(".claude/settings.json"), SAMPLES[3], "a dry run changed the file");
    let removed: Vec<&str> = shown.stdout.lines().filter(|line| line.starts_with('-') && !line.starts_with("---")).collect();
    insta::assert_debug_snapshot!(removed, @r#"[]"#);
    insta::assert_snapshot!(shown.stdout.lines().take(24).collect::<Vec<_>>().join("\n"), @r#"
    --- [HOME]/.claude/settings.json
    +++ [HOME]/.claude/settings.json
    @@ -6,6 +6,388 @@
                     "hooks": [
                         { "type": "command", "command": "my-hook" }
                     ]
    +            },
    +            {
    +                "hooks": [
    +                    {
    +                        "type": "command",
    +                        "command": "[HOME]/bin/sealtrail-hook",
    +                        "args": [],
    +                        "timeout": 10
    +                    }
    +                ]
    +            }
    +        ],
    +        "SessionStart": [
    +            {
    +                "hooks": [
    +                    {
    +                        "type": "command",
    +                        "command": "[HOME]/bin/sealtrail-hook",
    "#);
}

/// Protects a file that we do not understand: it is left alone, and the error says where.
#[test]
fn settings_that_cannot_be_understood_are_left_alone() {
    let (machine, program) = installed();
    for broken in ["{\"hooks\": []}", "{\"hooks\": {\"Stop\": 3}}", "{\"a\": 1,, }", "[1]"] {
        machine.write(".claude/settings.json", broken);
        let ran = run(&machine, &program, "init --no-input");
        assert_eq!(ran.exit, 78, "{broken}: {ran}");
        assert_eq!(machine.read(".claude/settings.json"), broken);
    }
    insta::assert_snapshot!(run(&machine, &program, "init --no-input"), @r#"
    exit: 78
    ----- stderr
    error: cannot understand the settings file [HOME]/.claude/settings.json
      caused by: it is not one JSON object
    "#);
}

/// Protects other people's hooks: only handlers that start our binary without a shell are ours.
#[test]
fn uninstall_removes_exactly_our_own_hooks() {
    let (machine, program) = installed();
    let foreign = r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"echo sealtrail-hook"},{"type":"command","command":"/x/sealtrail-hook","args":[]}]}]}}"#;
    machine.write(".claude/settings.json", foreign);
    assert_eq!(run(&machine, &program, "uninstall").exit, 0);
    let left: Value = serde_json::from_str(&machine.read(".claude/settings.json")).unwrap();
    assert_eq!(left.to_string(), r#"{"hooks":{"Stop":[{"hooks":[{"type":"command","command":"echo sealtrail-hook"}]}]}}"#);
    insta::assert_snapshot!(run(&machine, &program, "uninstall --scope project"), @r#"
    exit: 0
    ----- stderr
    no hooks of ours in [HOME]/work/.claude/settings.json
    "#);
}

/// Protects the file itself: a link stays a link, the mode stays, and the old content is kept beside it.
#[test]
fn the_file_keeps_its_place_and_mode_and_a_backup() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let (machine, program) = installed();
    let real = machine.write("dotfiles/claude.json", "{}\n");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    std::fs::create_dir_all(machine.path(".claude")).unwrap();
    symlink(&real, machine.path(".claude/settings.json")).unwrap();
    assert_eq!(run(&machine, &program, "init --no-input").exit, 0);
    assert!(std::fs::symlink_metadata(machine.path(".claude/settings.json")).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    let backups: Vec<_> = std::fs::read_dir(machine.path("dotfiles"))
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".bak"))
        .collect();
    assert_eq!(std::fs::read_to_string(backups[0].path()).unwrap(), "{}\n");
}
