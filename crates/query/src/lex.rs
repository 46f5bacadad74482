//! The characters of a query: words, values, quoted texts, operators.

use crate::error::QueryError;
use crate::glob::Piece;
use crate::operand::pieces_of;
use crate::parse::not_glued;

/// A place in the text of a query.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    pub(crate) at: usize,
}

/// Characters of a bare word; the others mean something. `:` is an operator, but see [`Lexer::word`].
pub(crate) fn is_word(c: char) -> bool {
    !c.is_whitespace() && !c.is_control() && !"()[]=!<>~:,\"'".contains(c)
}

/// Words that are not taken as free text.
pub(crate) const KEYWORDS: &[&str] = &["and", "or", "not", "in", "exists"];

/// Words that begin a stage of a pipe.
pub(crate) const STAGES: &[&str] =
    &["count", "terms", "top", "histogram", "percentiles", "stats", "distinct", "first", "last", "head", "tail", "sort", "where", "fields"];

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Returns what is left.
    pub(crate) fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub(crate) fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    pub(crate) fn at_end(&mut self) -> bool {
        self.space();
        self.rest().is_empty()
    }

    /// Takes `sign` when it comes next.
    pub(crate) fn sign(&mut self, sign: &str) -> bool {
        self.space();
        let here = self.rest().starts_with(sign);
        self.at += if here { sign.len() } else { 0 };
        here
    }

    /// Takes a `|` when it comes next, but not `||`.
    pub(crate) fn pipe(&mut self) -> bool {
        self.space();
        !self.rest().starts_with("||") && self.sign("|")
    }

    /// Takes the bare word that comes next, which may be empty.
    pub(crate) fn word(&mut self) -> &'a str {
        self.space();
        let word = self.peek_word();
        self.at += word.len();
        word
    }

    /// Takes a keyword when it comes next as a whole word.
    pub(crate) fn keyword(&mut self, keyword: &str) -> bool {
        self.space();
        let word = self.peek_word();
        let here = word.eq_ignore_ascii_case(keyword);
        self.at += if here { word.len() } else { 0 };
        here
    }

    /// Returns the bare word that comes next, which may be empty.
    pub(crate) fn peek_word(&self) -> &'a str {
        let rest = self.rest();
        &rest[..rest.find(|c| !is_word(c)).unwrap_or(rest.len())]
    }

    /// Takes an unquoted value: up to white space, `)`, `]`, `,` or a quote.
    pub(crate) fn value(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || "()],\"'".contains(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Takes a quoted text when one comes next. A regular expression keeps its backslashes, except before the quote.
    pub(crate) fn quoted(&mut self, regex: bool) -> Result<Option<Vec<Piece>>, QueryError> {
        self.space();
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Ok(None) };
        let mut pieces = Vec::new();
        let inner = &self.text[start + 1..];
        let mut chars = inner.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at = start + 1 + at + 1;
                return Ok(Some(pieces));
            }
            if c != '\\' {
                pieces.push(match c {
                    '*' if !regex => Piece::Many,
                    '?' if !regex => Piece::One,
                    c => Piece::Char(c),
                });
                continue;
            }
            let Some((_, next)) = chars.next() else { break };
            match next {
                '"' | '\'' => pieces.push(Piece::Char(next)),
                _ if regex => pieces.extend([Piece::Char('\\'), Piece::Char(next)]),
                '\\' | '*' | '?' => pieces.push(Piece::Char(next)),
                'n' => pieces.push(Piece::Char('\n')),
                'r' => pieces.push(Piece::Char('\r')),
                't' => pieces.push(Piece::Char('\t')),
                other => pieces.extend([Piece::Char('\\'), Piece::Char(other)]),
            }
        }
        Err(QueryError::new(start, "this quote is not closed").hint(format!("end the text with {quote}")))
    }

    /// Takes a quoted or unquoted value; empty only when it was quoted.
    pub(crate) fn operand(&mut self, regex: bool) -> Result<Vec<Piece>, QueryError> {
        if let Some(pieces) = self.quoted(regex)? {
            return Ok(pieces);
        }
        let start = self.at;
        let value = self.value();
        if value.is_empty() {
            return Err(QueryError::new(start, "a value is missing here").hint("an empty text is written \"\""));
        }
        if self.rest().starts_with(['(', '"', '\'']) {
            return Err(QueryError::new(self.at, "this character cannot stand in an unquoted value").hint("put the value in quotes"));
        }
        if !regex {
            not_glued(value, start)?;
        }
        Ok(if regex { value.chars().map(Piece::Char).collect() } else { pieces_of(value) })
    }
}
