//! What the operands of a test say about the texts that they can match.

use sealtrail_query::{Operand, OperandView, Required, Test};

/// Returns the text of an operand that means this text and nothing else.
pub(crate) fn exact(operand: &Operand) -> Option<&str> {
    match operand.view() {
        OperandView::Text { text, .. } => Some(text),
        OperandView::Glob { .. } | OperandView::Network { .. } => None,
    }
}

/// Returns the text with which everything must begin that a test finds by the letter.
pub(crate) fn prefix(test: &Test) -> String {
    let Test::Is(operand) = test else { return String::new() };
    match operand.view() {
        OperandView::Glob { prefix, .. } => prefix,
        OperandView::Text { .. } | OperandView::Network { .. } => String::new(),
    }
}

/// Returns what a folded text must have to pass a test, for each alternative of it; `None` when texts pass it in other ways.
///
/// Says nothing of values that pass by their meaning.
pub(crate) fn required(test: &Test) -> Option<Vec<Required>> {
    match test {
        Test::Is(operand) | Test::Has(operand) => Some(vec![operand.required_literals()]),
        Test::In(operands) => Some(operands.iter().map(Operand::required_literals).collect()),
        Test::Matches(pattern) => Some(vec![pattern.required_literals()]),
        Test::Exists | Test::Compare(..) => None,
    }
}
