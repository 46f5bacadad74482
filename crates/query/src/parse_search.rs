//! Text becomes a search: a query or a sequence, and the stages of a pipe.

use jiff::Timestamp;

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::interval::{Interval, parse_span};
use crate::lex::STAGES;
use crate::operand::{Operand, plain};
use crate::parse::Parser;
use crate::plan::{Expr, Test};
use crate::query::Query;
use crate::search::{Search, Source};
use crate::sequence::{Sequence, Step};
use crate::stage::{STAGES_MAX, Shape, SortBy, Stage};

/// 1,000,000,000: more rows than a table may have.
const ROWS_MAX: u64 = 1_000_000_000;

/// Parses a whole text; relative times need `now`.
pub(crate) fn parse_search(text: &str, now: Option<Timestamp>) -> Result<Search, QueryError> {
    let mut parser = Parser::new(text, now)?;
    let mut source = parser.source()?;
    let mut pipe = Vec::new();
    while parser.lex.pipe() {
        parser.lex.space();
        let at = parser.lex.at;
        if pipe.len() == STAGES_MAX {
            return Err(QueryError::new(at, format!("a pipe has at most {STAGES_MAX} stages")));
        }
        let stage = parser.stage()?;
        let before = parser.shape.clone();
        parser.shape = stage.check(&before).map_err(|error| QueryError { at, ..error })?;
        match (stage, &mut source) {
            // A condition before every other stage is a part of the query, which an index can answer.
            (Stage::Where(more), Source::Events(query)) if before == Shape::Stream => *query = query.clone().and(more),
            (stage, _) => pipe.push(stage),
        }
    }
    parser.end()?;
    Search::new(source, pipe)
}

impl Sequence {
    /// Parses the short form, selectors side by side: `auth.user_login[status=fail] auth.user_login[status=success]`; `!` before one that must not come.
    pub fn from_selectors(text: &str, by: Vec<FieldPath>, within_ms: Option<u64>) -> Result<Self, QueryError> {
        let mut parser = Parser::new(text, None)?;
        let mut steps = Vec::new();
        while !parser.lex.at_end() {
            let missing = parser.lex.sign("!");
            let query = parser.type_selector()?;
            steps.push(Step { missing, ..Step::new(query) });
        }
        Self::new(by, within_ms, steps, None)
            .map_err(|error| error.hint("write \"auth.user_login[status=fail] auth.user_login[status=success]\""))
    }
}

impl Parser<'_> {
    fn source(&mut self) -> Result<Source, QueryError> {
        if self.at_sequence() {
            return self.sequence().map(Source::Sequence);
        }
        self.lex.space();
        let empty = self.lex.rest().is_empty() || self.lex.rest().starts_with('|') && !self.lex.rest().starts_with("||");
        let plan = if empty { Expr::And(Vec::new()) } else { self.or()? };
        Ok(Source::Events(Query::new(plan)))
    }

    /// Whether a sequence begins here, and not the text or event type `sequence`.
    fn at_sequence(&mut self) -> bool {
        self.lex.space();
        if !self.lex.peek_word().eq_ignore_ascii_case("sequence") {
            return false;
        }
        let rest = &self.lex.rest()["sequence".len()..];
        let next = rest.trim_start();
        let word = |word: &str| {
            next.get(..word.len()).is_some_and(|found| found.eq_ignore_ascii_case(word))
                && next[word.len()..].starts_with(char::is_whitespace)
        };
        rest.starts_with(char::is_whitespace) && (next.starts_with('[') || next.starts_with("![") || word("by") || word("with"))
    }

    /// `sequence by a, b with maxspan=5m [step] [step] until [step]`
    fn sequence(&mut self) -> Result<Sequence, QueryError> {
        let at = self.lex.at;
        self.lex.word();
        let (mut by, mut maxspan_ms) = (Vec::new(), None);
        loop {
            if by.is_empty() && self.lex.keyword("by") {
                by = self.field_list()?;
            } else if maxspan_ms.is_none() && self.lex.keyword("with") {
                maxspan_ms = Some(self.maxspan()?);
            } else {
                break;
            }
        }
        let mut steps = Vec::new();
        while let Some(step) = self.step()? {
            steps.push(step);
        }
        let until = if self.lex.keyword("until") {
            self.lex.space();
            let at = self.lex.at;
            let step = self.step()?.filter(|step| !step.missing && step.runs == 1);
            Some(step.ok_or_else(|| QueryError::new(at, "a condition is missing after `until`").hint("write until [session.ended[]]"))?)
        } else {
            None
        };
        Sequence::new(by, maxspan_ms, steps, until).map_err(|error| QueryError { at, ..error })
    }

    fn maxspan(&mut self) -> Result<u64, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        if !self.lex.keyword("maxspan") || !self.lex.sign("=") {
            return Err(QueryError::new(at, "`maxspan=` is missing after `with`").hint("write with maxspan=5m"));
        }
        self.lex.space();
        let at = self.lex.at;
        parse_span(&plain(&self.lex.operand(false)?)).map_err(|error| QueryError { at, ..error })
    }

    /// `[condition] by a, b with runs=3`, or `![condition]`
    fn step(&mut self) -> Result<Option<Step>, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let missing = self.lex.sign("!");
        let open = self.lex.at;
        if !self.lex.sign("[") {
            let wrong = || QueryError::new(at, "a step is missing after `!`").hint("write ![condition]");
            return if missing { Err(wrong()) } else { Ok(None) };
        }
        let plan = if self.lex.sign("]") {
            Expr::And(Vec::new())
        } else {
            let inner = self.deeper(at, Self::or_type)?;
            if !self.lex.sign("]") {
                return Err(QueryError::new(open, "this bracket is not closed").hint("write [condition] for each step"));
            }
            inner
        };
        let mut step = Step { missing, ..Step::new(Query::new(plan)) };
        loop {
            if step.by.is_empty() && self.lex.keyword("by") {
                step.by = self.field_list()?;
            } else if step.runs == 1 && self.lex.keyword("with") {
                step.runs = self.named_number("runs")?;
            } else {
                return Ok(Some(step));
            }
        }
    }

    /// The condition of a step. A type of event alone, without brackets, is that type: `[session.ended]`.
    fn or_type(&mut self) -> Result<Expr, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let word = self.lex.peek_word();
        if word.contains('.') && self.lex.rest()[word.len()..].trim_start().starts_with(']') {
            self.lex.at += word.len();
            return type_is(word, at);
        }
        self.or()
    }

    /// `type` or `type[condition]`
    fn type_selector(&mut self) -> Result<Query, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let word = self.lex.peek_word();
        if word.is_empty() {
            return Err(QueryError::new(at, "a type of event is missing here").hint("write auth.user_login[status=fail]"));
        }
        if let Some(plan) = self.selector(word, at)? {
            return Ok(Query::new(plan));
        }
        self.lex.at += word.len();
        type_is(word, at).map(Query::new)
    }

    /// One stage of a pipe.
    fn stage(&mut self) -> Result<Stage, QueryError> {
        let at = self.lex.at;
        let word = self.lex.word().to_ascii_lowercase();
        Ok(match word.as_str() {
            "count" => Stage::Count { by: self.by()?, limit: self.limit()? },
            "terms" => Stage::Terms { field: self.field()?, limit: self.limit()? },
            "top" => {
                let limit = Some(self.number("20")?);
                Stage::Terms { field: self.field()?, limit }
            }
            "histogram" => Stage::Histogram { interval: self.interval()?, by: self.by()? },
            "percentiles" => {
                let (field, points) = (self.field()?, self.points()?);
                let (by, every) = self.by_every()?;
                Stage::Percentiles { field, points, by, every }
            }
            "stats" => {
                let field = self.field()?;
                let (by, every) = self.by_every()?;
                Stage::Stats { field, by, every }
            }
            "distinct" => Stage::Distinct { fields: self.field_list()? },
            "fields" => Stage::Fields(self.field_list()?),
            "first" | "head" if self.shape == Shape::Stream => Stage::First { n: self.number("5")?, by: self.by()? },
            "last" | "tail" if self.shape == Shape::Stream => Stage::Last { n: self.number("5")?, by: self.by()? },
            "first" | "head" => Stage::Head(self.number("5")?),
            "last" | "tail" => Stage::Tail(self.number("5")?),
            "sort" => Stage::Sort(self.sort()?),
            "where" => Stage::Where(Query::new(self.or()?)),
            _ => return Err(wrong_stage(&word, at)),
        })
    }

    /// Takes `by a, b` when it comes next.
    fn by(&mut self) -> Result<Vec<FieldPath>, QueryError> {
        if self.lex.keyword("by") { self.field_list() } else { Ok(Vec::new()) }
    }

    fn by_every(&mut self) -> Result<(Vec<FieldPath>, Option<Interval>), QueryError> {
        let (mut by, mut every) = (Vec::new(), None);
        loop {
            if by.is_empty() && self.lex.keyword("by") {
                by = self.field_list()?;
            } else if every.is_none() && self.lex.keyword("every") {
                every = Some(self.interval()?);
            } else {
                return Ok((by, every));
            }
        }
    }

    fn limit(&mut self) -> Result<Option<u64>, QueryError> {
        if !self.lex.keyword("limit") {
            return Ok(None);
        }
        let _both_forms = self.lex.sign("=");
        self.number("limit=20").map(Some)
    }

    fn interval(&mut self) -> Result<Interval, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        Interval::parse(self.lex.word()).map_err(|error| QueryError { at, ..error })
    }

    fn points(&mut self) -> Result<Vec<f64>, QueryError> {
        let mut points = Vec::new();
        loop {
            self.lex.space();
            let at = self.lex.at;
            let point = self.lex.word().parse().ok().filter(|point: &f64| (0.0..=100.0).contains(point));
            points.push(point.ok_or_else(|| {
                QueryError::new(at, "a percentile from 0 to 100 is missing here").hint("write percentiles duration_ms 50,95,99")
            })?);
            if !self.lex.sign(",") {
                return Ok(points);
            }
        }
    }

    fn sort(&mut self) -> Result<Vec<SortBy>, QueryError> {
        let mut by = Vec::new();
        loop {
            let field = self.field()?;
            let descending = self.lex.keyword("desc");
            let _the_default = !descending && self.lex.keyword("asc");
            by.push(SortBy { field, descending });
            if !self.lex.sign(",") {
                return Ok(by);
            }
        }
    }

    fn field_list(&mut self) -> Result<Vec<FieldPath>, QueryError> {
        let mut fields = vec![self.field()?];
        while self.lex.sign(",") {
            fields.push(self.field()?);
        }
        Ok(fields)
    }

    /// A field by its name, or in quotes.
    fn field(&mut self) -> Result<FieldPath, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        if let Some(pieces) = self.lex.quoted(false)? {
            let field = FieldPath::written(&plain(&pieces), true, at)?;
            return self.shape.has(&field).map(|()| field).map_err(|error| QueryError { at, ..error });
        }
        let field = self.field_word();
        if field.is_empty() || field.starts_with('|') {
            return Err(QueryError::new(at, "a field is missing here").hint("write the name of a field, such as user_id"));
        }
        let known = FieldPath::written(&field, false, at);
        let known = known.or_else(|error| self.shape.has_name(&field).map_err(|no| QueryError { at, ..no }).and(Err(error)))?;
        self.shape.has(&known).map(|()| known).map_err(|error| QueryError { at, ..error })
    }

    fn named_number(&mut self, name: &str) -> Result<u32, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        if !self.lex.keyword(name) || !self.lex.sign("=") {
            return Err(QueryError::new(at, format!("`{name}=` is missing after `with`")).hint(format!("write with {name}=3")));
        }
        self.number(&format!("{name}=3")).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
    }

    fn number(&mut self, like: &str) -> Result<u64, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let number = self.lex.word().parse().ok().filter(|number| (1..=ROWS_MAX).contains(number));
        number.ok_or_else(|| {
            QueryError::new(at, format!("a number from 1 to {ROWS_MAX} is missing here")).hint(format!("for example {like}"))
        })
    }
}

fn type_is(word: &str, at: usize) -> Result<Expr, QueryError> {
    let operand = Operand::parse(word).map_err(|error| QueryError { at, ..error })?;
    Ok(Expr::Field(FieldPath::written("event_type", false, at)?, Test::Is(operand)))
}

fn wrong_stage(word: &str, at: usize) -> QueryError {
    let known = STAGES.join(", ");
    let message = if word.is_empty() { "a stage is missing after `|`".to_owned() } else { format!("no stage `{word}`") };
    QueryError::new(at, message).hint(format!("one of {known}"))
}
