//! What a text must contain before it can match: the needles that an index of substrings looks for.
//!
//! A requirement is a list of clauses that all hold; of a clause one literal must be in the text. Texts and literals are compared folded.

use regex_syntax::hir::{Class, Hir, HirKind, Literal, Repetition};

/// All of [any of these substrings]; nothing is known when it is empty.
pub type Required = Vec<Vec<String>>;

/// 64: texts that one part of a pattern may stand for; beyond that nothing is said about the part.
const SET_MAX: usize = 64;

/// 256: characters of one literal; a longer one is cut, which asks for less.
const LITERAL_CHARS_MAX: usize = 256;

/// 16: characters of a class that are worth telling apart.
const CLASS_MAX: usize = 16;

/// Folds a text for comparison without case: each character by itself, and the two small sigmas are one.
///
/// An index that folds its texts so never misses what `field:value` and free text find, whose lower case differs from this by the final sigma only.
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect()
}

/// Returns what a text must contain that matches a regular expression.
pub(crate) fn of_regex(pattern: &str) -> Required {
    let Ok(hir) = regex_syntax::Parser::new().parse(pattern) else { return Vec::new() };
    let parts = Parts::of(&hir);
    let mut required = parts.required;
    required.extend(parts.exact.and_then(clause));
    required.sort_by_key(|clause| std::cmp::Reverse(shortest(clause)));
    required.dedup();
    required
}

/// What is known of a part of a pattern.
struct Parts {
    /// The only texts it can stand for, folded.
    exact: Option<Vec<String>>,
    /// What is in every text it stands for.
    required: Required,
}

impl Parts {
    fn unknown() -> Self {
        Self { exact: None, required: Vec::new() }
    }

    fn exactly(texts: Vec<String>) -> Self {
        Self { exact: Some(texts), required: Vec::new() }
    }

    // The depth is bounded by the nest limit with which patterns are compiled.
    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::exactly(vec![String::new()]),
            HirKind::Literal(Literal(bytes)) => {
                std::str::from_utf8(bytes).map_or_else(|_| Self::unknown(), |text| Self::exactly(vec![fold(text)]))
            }
            HirKind::Class(class) => chars_of(class).map_or_else(Self::unknown, Self::exactly),
            HirKind::Repetition(repetition) => Self::repeated(repetition),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => Self::one_after_the_other(parts.iter().flat_map(Self::in_a_row)),
            HirKind::Alternation(parts) => Self::one_of(parts.iter().map(Self::of).collect()),
        }
    }

    /// Returns the part as parts that follow each other: `a+` is an `a`, and then something.
    fn in_a_row(hir: &Hir) -> Vec<Self> {
        match hir.kind() {
            HirKind::Repetition(repetition) => Self::copies(repetition),
            _ => vec![Self::of(hir)],
        }
    }

    fn repeated(repetition: &Repetition) -> Self {
        Self::one_after_the_other(Self::copies(repetition).into_iter())
    }

    fn copies(repetition: &Repetition) -> Vec<Self> {
        let inner = Self::of(&repetition.sub);
        match (repetition.min, repetition.max, inner.exact) {
            (0, Some(1), Some(texts)) => vec![Self::exactly(union([texts, vec![String::new()]]))],
            (0, ..) => vec![Self::unknown()],
            (min, max, Some(texts)) => {
                // So many copies for certain; more may follow.
                let copies = usize::try_from(min).unwrap_or(usize::MAX).min(LITERAL_CHARS_MAX);
                let open = (max != Some(min) || copies < min as usize).then(Self::unknown);
                (0..copies).map(|_| Self::exactly(texts.clone())).chain(open).collect()
            }
            (_, _, None) => vec![Self { exact: None, required: inner.required }],
        }
    }

    fn one_after_the_other(parts: impl Iterator<Item = Self>) -> Self {
        let mut run = Some(vec![String::new()]);
        let (mut required, mut whole) = (Vec::new(), true);
        for part in parts {
            let longer = match (&run, &part.exact) {
                (Some(run), Some(texts)) => product(run, texts),
                _ => None,
            };
            if longer.is_none() {
                whole = false;
                required.extend(run.take().and_then(clause));
                required.extend(part.required);
                run = Some(part.exact.unwrap_or_else(|| vec![String::new()]));
            } else {
                run = longer;
            }
        }
        if whole {
            Self { exact: run, required }
        } else {
            Self { exact: None, required: required.into_iter().chain(run.and_then(clause)).collect() }
        }
    }

    fn one_of(parts: Vec<Self>) -> Self {
        if parts.iter().all(|part| part.exact.is_some()) {
            let texts = union(parts.into_iter().filter_map(|part| part.exact));
            return if texts.len() <= SET_MAX {
                Self::exactly(texts)
            } else {
                Self { exact: None, required: clause_up_to(texts, 1024).into_iter().collect() }
            };
        }
        // Each way has a clause of its own: one literal of any of them is there.
        let best = parts.into_iter().map(|part| {
            let own = part.exact.and_then(clause);
            part.required.into_iter().chain(own).max_by_key(|clause| shortest(clause))
        });
        let every: Option<Vec<Vec<String>>> = best.collect();
        Self { exact: None, required: every.and_then(|clauses| clause_up_to(union(clauses), 1024)).into_iter().collect() }
    }
}

/// Returns each text of one followed by each of the other; `None` when they are too many or too long.
fn product(left: &[String], right: &[String]) -> Option<Vec<String>> {
    if left.len() * right.len() > SET_MAX {
        return None;
    }
    let joined: Vec<String> = left.iter().flat_map(|left| right.iter().map(move |right| format!("{left}{right}"))).collect();
    joined.iter().all(|text| text.chars().count() <= LITERAL_CHARS_MAX).then(|| union([joined]))
}

fn union(lists: impl IntoIterator<Item = Vec<String>>) -> Vec<String> {
    let mut all: Vec<String> = lists.into_iter().flatten().collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Returns the texts as a clause; one that is empty is in everything.
fn clause(texts: Vec<String>) -> Option<Vec<String>> {
    clause_up_to(texts, SET_MAX)
}

fn clause_up_to(texts: Vec<String>, most: usize) -> Option<Vec<String>> {
    (!texts.is_empty() && texts.len() <= most && texts.iter().all(|text| !text.is_empty())).then_some(texts)
}

fn shortest(clause: &[String]) -> usize {
    clause.iter().map(String::len).min().unwrap_or(0)
}

/// Returns the characters of a small class, folded.
fn chars_of(class: &Class) -> Option<Vec<String>> {
    let Class::Unicode(class) = class else { return None };
    let size: usize = class.ranges().iter().map(regex_syntax::hir::ClassUnicodeRange::len).sum();
    if size == 0 || size > CLASS_MAX {
        return None;
    }
    let chars = class.ranges().iter().flat_map(|range| range.start()..=range.end());
    Some(union([chars.map(|c| fold(c.encode_utf8(&mut [0; 4]))).collect()]))
}
