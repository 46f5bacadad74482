//! The strict reader against the usual one, and what it refuses.

use proptest::prelude::*;
use sealtrail_event::{DEPTH_MAX, StrictError, parse_strict};
use serde_json::{Value, json};

use crate::any_json::any_json;

#[test]
fn what_two_readers_could_understand_differently_is_refused() {
    // Protects the ledger from records that mean one thing to us and another to an auditor's tool.
    let twice = parse_strict(br#"{"a":1,"b":{"c":1,"\u0063":2}}"#).unwrap_err();
    assert_eq!(twice, StrictError::Twice { at: 18, name: "c".into() });
    assert_eq!(parse_strict(b"{\"a\":\"\xff\"}").unwrap_err(), StrictError::Utf8 { at: 6 });
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse_strict(deep(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(parse_strict(deep(DEPTH_MAX + 1).as_bytes()).unwrap_err(), StrictError::TooDeep { at: DEPTH_MAX });
    assert!(matches!(parse_strict(&vec![b' '; 16 * 1024 * 1024 + 1]), Err(StrictError::TooLarge { .. })));
    let wrong = [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "01",
        "-",
        "1.",
        ".5",
        "1e",
        "+1",
        "NaN",
        "\"\u{1}\"",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "tru",
        "nulll",
        "1 2",
        "\u{feff}1",
        "\"",
        "\"\\",
        "[1 2]",
        "{\"a\" 1}",
        "\"\\udc00\"",
        "\"\\u00é\"",
    ];
    for text in wrong {
        assert!(matches!(parse_strict(text.as_bytes()), Err(StrictError::Syntax { .. })), "{text}");
    }
}

#[test]
fn numbers_keep_every_digit() {
    // Protects amounts and ids: a number that 64 bits would round stays as it was written.
    let text =
        br#"[1, -7, 18446744073709551615, 18446744073709551616, 0.1, 1.0, 1e3, 3.14159265358979323846, 1e999, -0, 5e-324, 0.10, 1E+2]"#;
    let read = parse_strict(text).unwrap();
    assert_eq!(read.numbers_as_text, 3);
    assert_eq!(
        read.value,
        json!([
            1,
            -7,
            18446744073709551615u64,
            "18446744073709551616",
            0.1,
            1.0,
            1000.0,
            "3.14159265358979323846",
            "1e999",
            -0.0,
            5e-324,
            0.1,
            100.0
        ])
    );
}

proptest! {
    #[test]
    fn agrees_with_the_usual_reader(value in any_json()) {
        // Protects that strictness changes nothing about records that are in order, written compact or pretty.
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let read = parse_strict(text.as_bytes()).unwrap();
            prop_assert_eq!(read.numbers_as_text, 0);
            prop_assert_eq!(&read.value, &value);
        }
    }

    #[test]
    fn accepts_nothing_that_the_usual_reader_refuses(text in r#"[\[\]{}",:\\0-9.eE+\-truefalsn u\u{e9}\u{1}]{0,24}"#) {
        // Protects against reading something into bytes that are no JSON.
        if let Ok(read) = parse_strict(text.as_bytes()) {
            let usual: Result<Value, _> = serde_json::from_str(&text);
            prop_assert!(usual.is_ok() || read.numbers_as_text > 0, "{}", text);
            if let Ok(usual) = usual && read.numbers_as_text == 0 {
                prop_assert_eq!(usual, read.value);
            }
        }
    }
}
