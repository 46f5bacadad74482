//! The words of simple commands as bash itself sees them, against ours.

use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::lex::{Token, tokens};

/// `w` shows its words, one in each pair of lines.
const PRELUDE: &str = "set -f; w() { printf '[w]'; printf '[%s]' \"$@\"; printf '\\n'; }; ";

fn quoted() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9_./:@%+é-]{1,5}",
        "[ -&(-~\n]{0,6}".prop_map(|text| format!("'{text}'")),
        prop::collection::vec(
            prop::sample::select(vec!["a", " ", "'", "#", ";", "|", "\\$", "\\\"", "\\\\", "\\`", "\\n", "\\\n", "{b,c}", "é", "*"]),
            0..6
        )
        .prop_map(|parts| format!("\"{}\"", parts.concat())),
        prop::collection::vec(
            prop::sample::select(vec![
                "a", " ", "\\n", "\\t", "\\'", "\\\\", "\\\"", "\\x41", "\\x7", "\\101", "\\60", "\\u00e9", "\\u41", "\\q", "{b,c}", "\\e"
            ]),
            0..6
        )
        .prop_map(|parts| format!("$'{}'", parts.concat())),
        "[!-~]".prop_map(|letter| format!("\\{letter}")),
        Just("\\\n".to_owned()),
        Just("$\"x y\"".to_owned()),
        Just("#no".to_owned()).prop_map(|text| format!("a{text}")),
    ]
}

fn word() -> impl Strategy<Value = String> {
    let braces = prop::sample::select(vec![
        "a{b,c}d",
        "{1..3}",
        "{3..1}",
        "{a..c}",
        "x{,y}",
        "{a,{b,c}}",
        "{a}",
        "{}",
        "{,}x",
        "{a,b}{c,d}",
        "}{",
        "{a,b",
        "a{01..2}",
        "{-1..1}",
        "{09..11}x",
        "{a..c}{1,2}",
        "{1..x}",
        "{b,c}{",
    ]);
    prop_oneof![4 => prop::collection::vec(quoted(), 1..4).prop_map(|parts| parts.concat()), 1 => braces.prop_map(str::to_owned)]
}

fn command() -> impl Strategy<Value = String> {
    let between = prop::sample::select(vec![" ", "\t", "  ", " \\\n", " 2>/dev/null ", " </dev/null ", " 2>&1 "]);
    let words = prop::collection::vec((between, word()), 0..5);
    let end = prop::sample::select(vec!["", " # it's \"a\" comment", " <<'E'\nit's $(no) \"body\"\nE", " <<-E\n\tx\n\tE", " <<< 'a b'"]);
    let around = prop::sample::select(vec![("", "\n"), ("(", "\n)\n"), ("{ ", "\n}\n"), ("if true; then ", "\nfi\n"), ("", "\n")]);
    (words, end, around).prop_map(|(words, end, around)| {
        let words: String = words.into_iter().map(|(between, word)| between.to_owned() + &word).collect();
        format!("{}w{words}{end}{}", around.0, around.1)
    })
}

/// The commands `w` with their words, as our lexer splits them.
fn ours(text: &str) -> Vec<Vec<String>> {
    let mut commands: Vec<Vec<String>> = vec![Vec::new()];
    for token in tokens(text) {
        match token {
            Token::Word(word) if commands.last().is_some_and(Vec::is_empty) && word.text != "w" => {}
            Token::Word(word) => commands.last_mut().unwrap().push(word.text),
            Token::Redirect(..) | Token::Here(_) => {}
            _ => commands.push(Vec::new()),
        }
    }
    commands.retain(|words| !words.is_empty());
    commands
}

/// Protects every other reading of a command line: words come out as bash makes them, quotes, escapes, braces, comments and all.
#[test]
fn words_are_those_of_bash() {
    let bash = |text: &str| {
        let mut bash = Command::new("bash");
        let bash = bash.args(["--norc", "--noprofile", "-c", text]).env("LC_ALL", "C.UTF-8").env_remove("BASH_ENV");
        bash.stdin(Stdio::null()).stderr(Stdio::null()).output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    if bash("echo").is_err() {
        println!("skipped: bash is not installed, so its words cannot be compared with ours");
        return;
    }
    let mut runner = TestRunner::new(Config { cases: 400, failure_persistence: None, ..Config::default() });
    let scripts = prop::collection::vec(command(), 1..4).prop_map(|commands| commands.concat());
    let checked = runner.run(&scripts, |script| {
        let shown: String =
            ours(&script).iter().map(|words| words.iter().map(|word| format!("[{word}]")).collect::<String>() + "\n").collect();
        // printf shows one empty word where there is none.
        let shown = shown.lines().map(|line| if line == "[w]" { "[w][]" } else { line }).collect::<Vec<_>>().join("\n");
        let theirs = bash(&format!("{PRELUDE}{script}")).unwrap();
        prop_assert_eq!(theirs.trim_end(), shown.trim_end(), "{:?}", script);
        Ok(())
    });
    checked.unwrap();
}
