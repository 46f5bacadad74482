//! The values that a field is compared with: days, bounds, words with a meaning.

use jiff::{Timestamp, Zoned, tz::TimeZone};
use sealtrail_event::{Kind, class_step, severity_word};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::operand::{Operand, plain};
use crate::parse::Parser;
use crate::plan::{Bound, Expr, Numeral, Order, Test};
use crate::time::{TimeError, moment};

impl Parser<'_> {
    /// A field is; a time may be a whole day.
    pub(crate) fn equals(&mut self, field: FieldPath) -> Result<Expr, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let pieces = self.lex.operand(false)?;
        let operand = Operand::new(&pieces, at)?;
        match operand.text().filter(|_| field.kind() == Some(Kind::Time)) {
            None => Ok(Expr::Field(field, Test::Is(operand))),
            Some(text) => {
                let (first, next) = self.time(text, at)?;
                let upper = next.map_or((Order::LessOrEqual, first), |next| (Order::Less, next));
                let compare = |order, time| Expr::Field(field.clone(), Test::Compare(order, Bound::Time(time)));
                Ok(Expr::And(vec![compare(Order::GreaterOrEqual, first), compare(upper.0, upper.1)]))
            }
        }
    }

    pub(crate) fn compare(&mut self, field: FieldPath, order: Order) -> Result<Expr, QueryError> {
        self.lex.space();
        let at = self.lex.at;
        let text = plain(&self.lex.operand(false)?);
        let (order, bound) = match field.kind() {
            Some(Kind::Time) => self.time_bound(&text, order, at)?,
            Some(Kind::Severity) => {
                let severity =
                    severity_word(&text).ok_or_else(|| word_error(at, &text, "severity", "debug, info, warning, high or critical"))?;
                (order, Bound::Severity(severity))
            }
            Some(Kind::Class) => {
                let step =
                    class_step(&text).ok_or_else(|| word_error(at, &text, "class", "public, internal, confidential or restricted"))?;
                (order, Bound::Class(step))
            }
            _ => match Numeral::parse(&text) {
                Some(number) => (order, Bound::Number(number)),
                None if text.as_bytes().get(4) == Some(&b'-') => self.time_bound(&text, order, at).unwrap_or((order, Bound::Text(text))),
                None => (order, Bound::Text(text)),
            },
        };
        Ok(Expr::Field(field, Test::Compare(order, bound)))
    }

    /// A day as an upper bound is its end, as a lower bound its beginning.
    fn time_bound(&self, text: &str, order: Order, at: usize) -> Result<(Order, Bound), QueryError> {
        let (first, next) = self.time(text, at)?;
        Ok(match (order, next) {
            (Order::LessOrEqual, Some(next)) => (Order::Less, Bound::Time(next)),
            (Order::Greater, Some(next)) => (Order::GreaterOrEqual, Bound::Time(next)),
            _ => (order, Bound::Time(first)),
        })
    }

    fn time(&self, text: &str, at: usize) -> Result<(Timestamp, Option<Timestamp>), QueryError> {
        let epoch = || Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC);
        let fixed = |now: &Zoned| moment(text, now);
        let found = match &self.now {
            Some(now) => fixed(now),
            // Without a clock, only times that mean the same at any moment can be understood.
            None => fixed(&epoch()).and_then(|found| {
                let later = epoch().checked_add(jiff::Span::new().days(1)).unwrap_or_else(|_| epoch());
                let same = fixed(&later)? == found;
                if same {
                    Ok(found)
                } else {
                    Err(TimeError::Ambiguous { text: text.chars().take(40).collect(), instead: "a date or an RFC 3339 time here" })
                }
            }),
        };
        found.map_err(|error| QueryError::new(at, error.to_string()))
    }
}

fn word_error(at: usize, text: &str, what: &str, words: &str) -> QueryError {
    let text: String = text.chars().take(40).collect();
    QueryError::new(at, format!("`{text}` is no {what}")).hint(format!("one of {words}"))
}
