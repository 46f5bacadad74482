//! Patterns with `*` (any characters) and `?` (one character).

use crate::error::QueryError;

/// 1 KiB: longer patterns have no use; the cost of a match is the length of the text times the longest part with `?`.
const PATTERN_BYTES_MAX: usize = 1024;

/// 64: a part with `?` between two stars is tried at each character of a text of up to 8 MiB: 512 Mi steps at worst.
const PART_CHARS_MAX: usize = 64;

/// A compiled pattern. Matching never goes back over a star, so it is linear in the text for parts without `?`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    parts: Vec<Part>,
    open_start: bool,
    open_end: bool,
}

/// What stands between two stars.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    WithAny(Vec<Option<char>>),
}

/// One character of a pattern as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// This character.
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
}

impl Glob {
    /// Compiles the pieces of a pattern; `at` is where it stands, for the error.
    pub(crate) fn new(pieces: &[Piece], at: usize) -> Result<Self, QueryError> {
        if pieces.len() > PATTERN_BYTES_MAX {
            let message = format!("a pattern has at most {PATTERN_BYTES_MAX} characters, this one has {}", pieces.len());
            return Err(QueryError::new(at, message));
        }
        let mut parts = Vec::new();
        for part in pieces.split(|piece| *piece == Piece::Many).filter(|part| !part.is_empty()) {
            if !part.contains(&Piece::One) {
                parts.push(Part::Plain(part.iter().filter_map(|piece| piece.char()).collect()));
                continue;
            }
            if part.len() > PART_CHARS_MAX {
                let message = format!("a part with `?` has at most {PART_CHARS_MAX} characters, this one has {}", part.len());
                return Err(QueryError::new(at, message).hint("use `*`, or a regular expression with `~`"));
            }
            parts.push(Part::WithAny(part.iter().map(|piece| piece.char()).collect()));
        }
        let open = |piece: Option<&Piece>| piece == Some(&Piece::Many);
        Ok(Self { parts, open_start: open(pieces.first()), open_end: open(pieces.last()) })
    }

    /// Returns the pattern that may begin and end anywhere in a text.
    pub(crate) fn anywhere(mut self) -> Self {
        (self.open_start, self.open_end) = (true, true);
        self
    }

    /// Returns the runs of characters that every match contains, in order.
    pub(crate) fn literals(&self) -> Vec<String> {
        let runs = |part: &Part| match part {
            Part::Plain(plain) => vec![plain.clone()],
            Part::WithAny(pieces) => pieces.split(Option::is_none).map(|run| run.iter().flatten().collect()).collect(),
        };
        self.parts.iter().flat_map(runs).filter(|run| !run.is_empty()).collect()
    }

    /// Returns the text with which every match begins.
    pub(crate) fn prefix(&self) -> String {
        match self.parts.first().filter(|_| !self.open_start) {
            Some(Part::Plain(plain)) => plain.clone(),
            Some(Part::WithAny(pieces)) => pieces.iter().map_while(|piece| *piece).collect(),
            None => String::new(),
        }
    }

    /// Whether the pattern is a text with `*` at its end and nothing else.
    pub(crate) fn is_prefix(&self) -> bool {
        !self.open_start && self.open_end && matches!(&self.parts[..], [Part::Plain(_)])
    }

    /// Whether the whole of `text` matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some((last, rest)) = self.parts.split_last() else { return self.open_start || text.is_empty() };
        let mut left = text;
        for (index, part) in rest.iter().enumerate() {
            let anchored = index == 0 && !self.open_start;
            let found = if anchored { part.at_start(left).map(|end| (0, end)) } else { part.find(left) };
            let Some((_, end)) = found else { return false };
            left = &left[end..];
        }
        let anchored = rest.is_empty() && !self.open_start;
        match (anchored, self.open_end) {
            (true, true) => last.at_start(left).is_some(),
            (true, false) => last.at_start(left) == Some(left.len()),
            (false, true) => last.find(left).is_some(),
            (false, false) => last.at_end(left),
        }
    }
}

impl Part {
    /// Returns where the part ends when `text` begins with it.
    fn at_start(&self, text: &str) -> Option<usize> {
        match self {
            Self::Plain(plain) => text.starts_with(plain.as_str()).then_some(plain.len()),
            Self::WithAny(pieces) => {
                let mut chars = text.char_indices();
                for piece in pieces {
                    let (_, found) = chars.next()?;
                    if piece.is_some_and(|wanted| wanted != found) {
                        return None;
                    }
                }
                Some(chars.offset())
            }
        }
    }

    fn find(&self, text: &str) -> Option<(usize, usize)> {
        match self {
            Self::Plain(plain) => text.find(plain.as_str()).map(|at| (at, at + plain.len())),
            Self::WithAny(_) => text.char_indices().find_map(|(at, _)| self.at_start(&text[at..]).map(|end| (at, at + end))),
        }
    }

    fn at_end(&self, text: &str) -> bool {
        match self {
            Self::Plain(plain) => text.ends_with(plain.as_str()),
            Self::WithAny(pieces) => {
                let start = text.char_indices().rev().nth(pieces.len() - 1).map(|(at, _)| at);
                start.is_some_and(|at| self.at_start(&text[at..]).is_some())
            }
        }
    }
}

impl Piece {
    fn char(self) -> Option<char> {
        match self {
            Self::Char(c) => Some(c),
            Self::One | Self::Many => None,
        }
    }
}
