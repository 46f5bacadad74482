//! The needles of an index: nothing that matches is missed.

use proptest::prelude::*;
use sealtrail_query::{Operand, OperandView, Pattern, Required, fold};
use serde_json::json;

fn allows(required: &Required, text: &str) -> bool {
    let text = fold(text);
    required.iter().all(|any| any.iter().any(|literal| text.contains(literal.as_str())))
}

fn of(pattern: &str) -> Required {
    Pattern::parse(pattern).unwrap().required_literals()
}

#[test]
fn the_needles_of_patterns_are_found() {
    // Protects the speed of regular expressions: what must be there is seen, and nothing more is asked for.
    let list = |clauses: &[&[&str]]| clauses.iter().map(|any| any.iter().map(|text| (*text).to_owned()).collect()).collect::<Required>();
    assert_eq!(of("^/(data|srv)/"), list(&[&["/data/", "/srv/"]]));
    assert_eq!(of("rm +-rf .*prod"), list(&[&["-rf "], &["prod"], &["rm "]]));
    assert_eq!(of("(?i)DROP TABLE"), list(&[&["drop table"]]));
    assert_eq!(of("(foo.*bar|baz)x"), list(&[&["bar", "baz"], &["x"]]));
    assert_eq!(of("a{3}b"), list(&[&["aaab"]]));
    assert_eq!(of("[0-9a-z]{32}"), list(&[]));
    assert_eq!(of("a|"), list(&[]));
    assert_eq!(of("(secret)?key"), list(&[&["key", "secretkey"]]));
    assert_eq!(of("(?i)task"), list(&[&["task", "taſk"]]));
    for hostile in ["(a|b|c|d|e|f|g|h){50}x", "(((a?){30}){30}){2}", "(ab|cd|ef){1,60}.*z"] {
        assert!(of(hostile).iter().flatten().count() < 2048, "{hostile}");
    }
}

#[test]
fn operands_show_what_they_mean() {
    // Protects the planner: prefix, runs and ranges of an operand can be seen from outside.
    let view = |text: &str| format!("{:?}", Operand::parse(text).unwrap().view());
    assert_eq!(view("203.0.113.*"), "Glob { prefix: \"203.0.113.\", is_prefix: true, literals: [\"203.0.113.\"] }");
    assert_eq!(view("a?c*D\\*"), "Glob { prefix: \"a\", is_prefix: false, literals: [\"a\", \"c\", \"D*\"] }");
    assert_eq!(view("1.50"), "Text { text: \"1.50\", number: Some(1.5) }");
    assert!(matches!(Operand::parse("10.0.0.0/8").unwrap().view(), OperandView::Network { prefix: 8, .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_match_lacks_its_needles(
        pattern in prop::collection::vec(prop::sample::select(vec!["a", "B", "ß", "Σ", "k", "s", "İ", ".", "[ab]", "(a|bc)", "(?i:k)", "(?i:σs)", "*", "+", "?", "{2}", "{2,}", "|", "(", ")", "^", "$", "\\b"]), 1..8),
        text in prop::collection::vec(prop::sample::select(vec!["a", "A", "b", "B", "bc", "ß", "Σ", "ς", "σ", "k", "K", "\u{212A}", "s", "ſ", "S", "İ", " "]), 0..8),
    ) {
        // Protects answers: an index that looks for the needles never leaves out a text that the pattern, the word or the glob is found in.
        let (pattern, text) = (pattern.concat(), text.concat());
        if let Ok(pattern) = Pattern::parse(&pattern) {
            prop_assert!(!pattern.is_match(&text) || allows(&pattern.required_literals(), &text), "{:?} in {text:?}: {:?}", pattern, pattern.required_literals());
        }
        if let Ok(operand) = Operand::parse(&pattern) {
            for query in [format!("x:{operand}"), format!("x={operand}")] {
                let found = sealtrail_query::Query::parse(&query).unwrap().matches(&json!({ "x": text }));
                prop_assert!(!found || allows(&operand.required_literals(), &text), "{query} in {text:?}");
            }
        }
    }
}
