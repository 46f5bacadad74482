//! Any text as a command line.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use sealtrail_capture::command::{ACTIONS_MAX, understand};

const FRAGMENTS: &[&str] = &[
    "rm ",
    "cat ",
    "a.txt ",
    "sudo ",
    "bash -c ",
    "eval ",
    "xargs ",
    "find . -exec ",
    "ssh h ",
    "psql -c ",
    "git ",
    "'",
    "\"",
    "$(",
    ")",
    "`",
    "${",
    "}",
    "{",
    "<<EOF\n",
    "EOF\n",
    "\n",
    ";",
    "&",
    "&&",
    "||",
    "|",
    "(",
    "((",
    "))",
    "[[ ",
    " ]]",
    "if ",
    "then ",
    "fi ",
    "for x in ",
    "do ",
    "done ",
    "case x in ",
    "esac ",
    ";;",
    "\\",
    "# ",
    "$'",
    "\\x4",
    "\\u00e9",
    "é",
    "{a,b}",
    "{1..9}",
    "~/",
    "> ",
    ">> ",
    "2>&1 ",
    "<<< ",
    "<(",
    "* ",
    "? ",
    "[a-z] ",
    "! ",
    "f() {",
    "function ",
    "= ",
    "A=(",
    "$((",
    "/dev/tcp/h/1 ",
    "--",
    "-",
    "\t",
    "\0",
    "\u{1F600}",
    ",",
    "..",
    "echo ",
    "docker run -v / x ",
    "kubectl exec p -- ",
];

fn line() -> impl Strategy<Value = String> {
    prop_oneof![prop::collection::vec(prop::sample::select(FRAGMENTS), 0..60).prop_map(|parts| parts.concat()), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Protects the recorder from hostile command lines: any text gives a bounded list, the same each time, of words that an event may hold.
    #[test]
    fn any_text_gives_actions(text in line()) {
        let actions = understand(&text, Some("/p"));
        prop_assert!(actions.len() <= ACTIONS_MAX);
        prop_assert_eq!(&actions, &understand(&text, Some("/p")));
        for action in &actions {
            prop_assert!(sealtrail_event::Token::parse(&action.action).is_ok(), "{:?}", action);
            prop_assert!(sealtrail_event::Token::parse(action.event_type).is_ok());
            prop_assert!(action.target.as_ref().is_none_or(|target| (1..=4096).contains(&target.len())), "{:?}", action);
            prop_assert!(action.certain || !action.event_type.is_empty());
        }
    }

    /// Protects the reading of wrappers: behind `sudo`, in brackets and in `sh -c` a command does the same things to the same targets.
    #[test]
    fn wrappers_hide_nothing(name in "[a-z]{1,8}", shape in 0usize..5) {
        let plain = understand(&format!("rm -r {name}"), Some("/p"));
        let wrapped = [
            format!("sudo rm -r {name}"), format!("(rm -r {name})"), format!("sh -c 'rm -r {name}'"), format!("env A=1 timeout 5 rm -r {name}"),
            format!("bash <<E\nrm -r {name}\nE\n"),
        ];
        let mut found = understand(&wrapped[shape], Some("/p"));
        prop_assert_eq!(found[0].privileged, shape == 0);
        found[0].privileged = false;
        prop_assert_eq!(found, plain);
    }
}

/// Protects the time of a hook: 64 KiB of anything that nests or repeats are read in well under a second, also without optimization.
#[test]
fn long_lines_take_no_long_time() {
    for fragment in
        FRAGMENTS.iter().copied().chain(["$(echo ", "\"$(", "bash -c \"", "{{", "{a,b}{a,b}", "[", "${a:-", "sudo ", "case x in a) "])
    {
        let text = fragment.repeat(64 * 1024 / fragment.len());
        let start = Instant::now();
        let actions = understand(&text, Some("/p"));
        assert!(start.elapsed() < Duration::from_secs(3), "{fragment:?} took {:?}", start.elapsed());
        assert!(actions.len() <= ACTIONS_MAX);
    }
}

/// Protects against hiding behind length, depth or number: what was not read is said.
#[test]
fn what_was_not_read_is_said() {
    let nested = (0..20).fold("rm x".to_owned(), |inner, _| format!("sudo {inner}"));
    let long = format!("{} rm x", " ".repeat(64 * 1024));
    let many = "cat f; ".repeat(300);
    for (text, why) in [(nested, "nesting"), (long, "length"), (many, "actions")] {
        let actions = understand(&text, None);
        let last = actions.last().unwrap();
        assert_eq!((last.event_type, last.certain, last.detail.get("unread").map(String::as_str)), ("tool.command", false, Some(why)));
    }
}
