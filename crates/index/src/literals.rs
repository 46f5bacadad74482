//! What the operands of a test say about the texts that they can match.

use sealtrail_query::{Operand, Pattern, Test};

/// Texts of which a matching text must have one, for each list; folded as the index folds.
pub(crate) type Literals = Vec<Vec<String>>;

/// Returns the text of an operand that means this text and nothing else.
pub(crate) fn exact(operand: &Operand) -> Option<String> {
    let written = String::from(operand.clone());
    let mut text = String::new();
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('*' | '?' | '\\')) => text.extend(chars.next()),
            ('*' | '?', _) => return None,
            (c, _) => text.push(c),
        }
    }
    let network = text.split_once('/').is_some_and(|(address, _)| address.parse::<std::net::IpAddr>().is_ok());
    (!network).then_some(text)
}

/// Returns the text with which everything that the operand equals must begin.
pub(crate) fn prefix(operand: &Operand) -> String {
    let written = String::from(operand.clone());
    let mut text = String::new();
    let mut chars = written.chars().peekable();
    let mut glob = false;
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('*' | '?' | '\\')) => text.extend(chars.next()),
            ('*' | '?', _) => {
                glob = true;
                break;
            }
            (c, _) => text.push(c),
        }
    }
    if glob { text } else { String::new() }
}

/// Returns what a text must have to be matched by an operand.
pub(crate) fn of_operand(operand: &Operand) -> Literals {
    let written = String::from(operand.clone());
    let mut runs = vec![String::new()];
    let mut chars = written.chars().peekable();
    while let Some(c) = chars.next() {
        let next = match (c, chars.peek()) {
            ('\\', Some('*' | '?' | '\\')) => chars.next(),
            ('*' | '?', _) => None,
            (c, _) => Some(c),
        };
        match (next, runs.last_mut()) {
            (Some(c), Some(run)) => run.push(c),
            _ => runs.push(String::new()),
        }
    }
    if exact(operand).is_none() && !written.contains(['*', '?']) {
        return Vec::new();
    }
    runs.into_iter().filter(|run| !run.is_empty()).map(|run| vec![fold(&run)]).collect()
}

/// Returns what a text must have to be matched by a pattern.
pub(crate) fn of_pattern(_pattern: &Pattern) -> Literals {
    Vec::new()
}

/// Folds the case of a text, letter by letter.
pub(crate) fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Returns what the texts of a field must have to pass a test; one list of them for each alternative.
pub(crate) fn of_test(test: &Test) -> Option<Vec<Literals>> {
    match test {
        Test::Is(operand) | Test::Has(operand) => Some(vec![of_operand(operand)]),
        Test::In(operands) => Some(operands.iter().map(of_operand).collect()),
        Test::Matches(pattern) => Some(vec![of_pattern(pattern)]),
        Test::Exists | Test::Compare(..) => None,
    }
}
