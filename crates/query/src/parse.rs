//! Text becomes a plan.

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::lex::{KEYWORDS, Lexer, STAGES};
use crate::operand::{Operand, plain};
use crate::plan::{Expr, Order, Pattern, Test};
use crate::stage::Shape;

/// 64 KiB: a filter that names 1,000 sessions has 40 KiB.
pub(crate) const TEXT_BYTES_MAX: usize = 64 * 1024;

/// 64: parentheses, negations and selectors inside each other.
const DEPTH_MAX: usize = 64;

/// 10,000: items of one list.
const LIST_MAX: usize = 10_000;

/// Parses a whole text; relative times need `now`.
pub(crate) fn parse(text: &str, now: Option<Timestamp>) -> Result<Expr, QueryError> {
    let mut parser = Parser::new(text, now)?;
    if parser.lex.at_end() {
        return Ok(Expr::And(Vec::new()));
    }
    let expr = parser.or()?;
    parser.end()?;
    Ok(expr)
}

pub(crate) struct Parser<'a> {
    pub(crate) lex: Lexer<'a>,
    depth: usize,
    pub(crate) now: Option<Zoned>,
    /// What the next stage of a pipe gets.
    pub(crate) shape: Shape,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(text: &'a str, now: Option<Timestamp>) -> Result<Self, QueryError> {
        if text.len() > TEXT_BYTES_MAX {
            let message = format!("a query has at most {TEXT_BYTES_MAX} bytes, this one has {}", text.len());
            return Err(QueryError::new(TEXT_BYTES_MAX, message));
        }
        Ok(Self { lex: Lexer::new(text), depth: 0, now: now.map(|now| now.to_zoned(TimeZone::UTC)), shape: Shape::Stream })
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&mut self) -> Result<(), QueryError> {
        if self.lex.at_end() {
            return Ok(());
        }
        let at = self.lex.at;
        Err(match self.lex.rest().chars().next() {
            Some(')') => QueryError::new(at, "this parenthesis closes nothing"),
            Some(']') => QueryError::new(at, "this bracket closes nothing"),
            Some('|') => {
                QueryError::new(at, "`|` cannot stand here").hint("only a search has stages; put a text that begins with | in quotes")
            }
            Some(c) => QueryError::new(at, format!("`{c}` cannot stand here")).hint("put a text with special characters in quotes"),
            None => QueryError::new(at, "the query ends too early"),
        })
    }

    /// `a or b or c`
    pub(crate) fn or(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.and()?];
        while self.lex.keyword("or") || self.lex.sign("||") {
            parts.push(self.and()?);
        }
        Ok(one_or(parts, Expr::Or))
    }

    /// `a and b c`: two conditions side by side both hold.
    fn and(&mut self) -> Result<Expr, QueryError> {
        let mut parts = vec![self.not()?];
        loop {
            if self.lex.keyword("and") || self.lex.sign("&&") || self.starts_condition() {
                parts.push(self.not()?);
            } else {
                return Ok(one_or(parts, Expr::And));
            }
        }
    }

    fn starts_condition(&mut self) -> bool {
        self.lex.space();
        let word = self.lex.peek_word();
        match self.lex.rest().chars().next() {
            None => false,
            Some('(' | '"' | '\'') => true,
            Some('!') => !self.lex.rest().starts_with("!=") && !self.lex.rest().starts_with("!~"),
            Some('|') => false,
            Some(_) => !word.is_empty() && !word.eq_ignore_ascii_case("or"),
        }
    }

    fn not(&mut self) -> Result<Expr, QueryError> {
        let at = self.lex.at;
        if self.lex.keyword("not") || self.lex.sign("!") {
            let inner = self.deeper(at, Self::not)?;
            return Ok(Expr::Not(Box::new(inner)));
        }
        self.condition()
    }

    pub(crate) fn deeper(&mut self, at: usize, inner: fn(&mut Self) -> Result<Expr, QueryError>) -> Result<Expr, QueryError> {
        if self.depth == DEPTH_MAX {
            return Err(QueryError::new(at, format!("a query is at most {DEPTH_MAX} levels deep")));
        }
        self.depth += 1;
        let found = inner(self);
        self.depth -= 1;
        found
    }

    /// A parenthesis, a selector, a predicate, or a free text.
    fn condition(&mut self) -> Result<Expr, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        if self.lex.sign("(") {
            let inner = self.deeper(at, Self::or)?;
            return if self.lex.sign(")") { Ok(inner) } else { Err(QueryError::new(at, "this parenthesis is not closed").hint("add a )")) };
        }
        if let Some(pieces) = self.lex.quoted(false)? {
            if self.at_operator() {
                return self.predicate(FieldPath::written(&plain(&pieces), true, at)?, at);
            }
            return free_text(Operand::new(&pieces, at)?, at);
        }
        let word = self.lex.peek_word();
        if word.is_empty() || word.starts_with('|') {
            let found = self.lex.rest().chars().next().map_or("the end".to_owned(), |c| format!("`{c}`"));
            return Err(QueryError::new(at, format!("a condition is missing before {found}")));
        }
        if word.eq_ignore_ascii_case("exists") && self.lex.rest()[word.len()..].trim_start().starts_with('(') {
            return self.exists_of();
        }
        if let Some(expr) = self.selector(word, at)? {
            return Ok(expr);
        }
        let field = self.field_word();
        if KEYWORDS.iter().any(|keyword| field.eq_ignore_ascii_case(keyword)) {
            let list = if field.eq_ignore_ascii_case("in") { "write field in (a, b); " } else { "" };
            let hint = format!("{list}search for the word itself with \"{field}\"");
            return Err(QueryError::new(at, format!("a condition is missing before `{field}`")).hint(hint));
        }
        if self.at_operator() && !self.is_address(&field) {
            return self.predicate(FieldPath::written(&field, false, at)?, at);
        }
        self.lex.at = at;
        let text = if self.is_address(word) { self.lex.value() } else { word };
        self.lex.at = at + text.len();
        not_glued(text, at)?;
        free_text(Operand::parse(text).map_err(|error| QueryError { at, ..error })?, at)
    }

    /// `exists(field)`
    fn exists_of(&mut self) -> Result<Expr, QueryError> {
        self.lex.at += "exists".len();
        let open = self.lex.at;
        let _checked = self.lex.sign("(");
        self.lex.space();
        let at = self.lex.at;
        let field = match self.lex.quoted(false)? {
            Some(pieces) => FieldPath::written(&plain(&pieces), true, at)?,
            None => {
                let field = self.field_word();
                FieldPath::written(&field, false, at)?
            }
        };
        if !self.lex.sign(")") {
            return Err(QueryError::new(open, "this parenthesis is not closed").hint("write exists(field)"));
        }
        Ok(Expr::Field(field, Test::Exists))
    }

    /// `type[condition]`: the event type and a condition on the same event.
    pub(crate) fn selector(&mut self, word: &str, at: usize) -> Result<Option<Expr>, QueryError> {
        let after = &self.lex.rest()[word.len()..];
        if !after.starts_with('[') || is_item(after) {
            return Ok(None);
        }
        self.lex.at += word.len() + 1;
        let kind = Expr::Field(
            FieldPath::written("event_type", false, at)?,
            Test::Is(Operand::parse(word).map_err(|error| QueryError { at, ..error })?),
        );
        if self.lex.sign("]") {
            return Ok(Some(kind));
        }
        let inner = self.deeper(at, Self::or)?;
        if !self.lex.sign("]") {
            return Err(QueryError::new(at + word.len(), "this bracket is not closed").hint("write type[condition]"));
        }
        Ok(Some(Expr::And(vec![kind, inner])))
    }

    /// Takes a bare word with the items of lists in it: `workflow_steps[0].status`.
    pub(crate) fn field_word(&mut self) -> String {
        let mut field = String::new();
        loop {
            let word = self.lex.peek_word();
            field.push_str(word);
            self.lex.at += word.len();
            if !is_item(self.lex.rest()) {
                return field;
            }
            let end = self.lex.rest().find(']').map_or(0, |at| at + 1);
            field.push_str(&self.lex.rest()[..end]);
            self.lex.at += end;
        }
    }

    /// Whether `word` and the `:` after it are no field and operator but a text such as `https://…` or `C:\…`.
    fn is_address(&self, word: &str) -> bool {
        let rest = self.lex.rest();
        let rest = rest.strip_prefix(word).unwrap_or(rest);
        let unknown = sealtrail_event::known(word).is_none();
        unknown && (rest.starts_with("://") || word.len() == 1 && rest.starts_with(":\\"))
    }

    fn at_operator(&mut self) -> bool {
        self.lex.space();
        let rest = self.lex.rest();
        let signs = ["=", "!=", "!~", "<", ">", "~", ":"];
        let word = self.lex.peek_word();
        let follows = |word: &str| rest[word.len()..].trim_start().starts_with('(');
        let negated = || {
            word.eq_ignore_ascii_case("not") && {
                let after = rest[word.len()..].trim_start();
                after.get(..2).is_some_and(|next| next.eq_ignore_ascii_case("in")) && after[2..].trim_start().starts_with('(')
            }
        };
        let exists = word.eq_ignore_ascii_case("exists") && !follows(word);
        signs.iter().any(|sign| rest.starts_with(sign)) || word.eq_ignore_ascii_case("in") && follows(word) || exists || negated()
    }

    /// The operator and the value after a field.
    fn predicate(&mut self, field: FieldPath, at: usize) -> Result<Expr, QueryError> {
        if self.lex.keyword("exists") {
            return Ok(Expr::Field(field, Test::Exists));
        }
        let negated = self.lex.keyword("not");
        if self.lex.keyword("in") {
            let list = Expr::Field(field, Test::In(self.list()?));
            return Ok(if negated { Expr::Not(Box::new(list)) } else { list });
        }
        for (sign, order) in Order::ALL {
            if self.lex.sign(sign) {
                return self.compare(field, *order);
            }
        }
        if self.lex.sign("!=") {
            return Ok(Expr::Not(Box::new(self.equals(field)?)));
        }
        if self.lex.sign("!~") {
            return Ok(Expr::Not(Box::new(self.matches(field)?)));
        }
        if self.lex.sign("==") || self.lex.sign("=") {
            return self.equals(field);
        }
        if self.lex.sign("~") {
            return self.matches(field);
        }
        if self.lex.sign(":") {
            return Ok(Expr::Field(field, Test::Has(self.value()?)));
        }
        Err(QueryError::new(at, format!("an operator is missing after `{field}`")))
    }

    fn value(&mut self) -> Result<Operand, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        Operand::new(&self.lex.operand(false)?, at)
    }

    fn matches(&mut self, field: FieldPath) -> Result<Expr, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let text = plain(&self.lex.operand(true)?);
        let pattern = Pattern::parse(&text).map_err(|error| QueryError { at, ..error })?;
        Ok(Expr::Field(field, Test::Matches(pattern)))
    }

    fn list(&mut self) -> Result<Vec<Operand>, QueryError> {
        let open = self.lex.at;
        if !self.lex.sign("(") {
            return Err(QueryError::new(open, "a list is missing after `in`").hint("write in (a, b, c)"));
        }
        let mut values = Vec::new();
        loop {
            values.push(self.value()?);
            if values.len() > LIST_MAX {
                return Err(QueryError::new(self.lex.at, format!("a list has at most {LIST_MAX} items")));
            }
            if self.lex.sign(")") {
                return Ok(values);
            }
            if !self.lex.sign(",") {
                return Err(QueryError::new(self.lex.at, "a `,` or `)` is missing in the list"));
            }
        }
    }
}

/// Whether `rest` begins with `[]`, `[*]` or `[12]` and goes on as a field does.
fn is_item(rest: &str) -> bool {
    let Some((inner, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) else { return false };
    let item = inner.is_empty() || inner == "*" || inner.len() <= 7 && inner.bytes().all(|b| b.is_ascii_digit());
    let tail = after.trim_start();
    let word_follows = |word: &str| tail.get(..word.len()).is_some_and(|next| next.eq_ignore_ascii_case(word));
    item && (after.starts_with(['.', '['])
        || tail.starts_with(['=', '!', '<', '>', '~', ':'])
        || word_follows("in (")
        || word_follows("exists")
        || !inner.is_empty())
}

fn free_text(operand: Operand, at: usize) -> Result<Expr, QueryError> {
    if operand.text() == Some("") {
        return Err(QueryError::new(at, "an empty text is in everything").hint("leave it out"));
    }
    Ok(Expr::Text(operand))
}

/// Checks that an unquoted text is not a value and a stage with the spaces left out: `data.*|count`.
pub(crate) fn not_glued(text: &str, at: usize) -> Result<(), QueryError> {
    let glued = |(pipe, _): (usize, &str)| STAGES.iter().any(|stage| text[pipe + 1..].eq_ignore_ascii_case(stage));
    match text.match_indices('|').find(|found| glued(*found)) {
        Some((pipe, _)) => {
            let hint = "write a space before |, or put the text in quotes";
            Err(QueryError::new(at + pipe, "this `|` is a part of the text before it").hint(hint))
        }
        None => Ok(()),
    }
}

fn one_or(mut parts: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    if parts.len() == 1 { parts.swap_remove(0) } else { many(parts) }
}
