//! The flags of a command line become the same plan as a query.

use jiff::{Timestamp, tz::TimeZone};

use crate::error::QueryError;
use crate::field::FieldPath;
use crate::operand::Operand;
use crate::parse::parse;
use crate::plan::{Bound, Expr, Order, Test};
use crate::query::Query;
use crate::time::{TimeError, moment};

/// Collects conditions that must all hold.
#[derive(Clone, Debug)]
pub struct Filter {
    now: Timestamp,
    parts: Vec<Expr>,
}

impl Filter {
    /// Makes a filter that lets everything through; times are seen at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now, parts: Vec::new() }
    }

    /// Adds: the field is one of `values`, in which `*` and `?` are wildcards and `a.b.c.d/n` is a network. No value adds nothing.
    ///
    /// `field` is a field, an alias, or the name of a flag (`user-id`). `sensitivity_level` looks at each of the three class fields.
    pub fn any_of<'a>(&mut self, field: &str, values: impl IntoIterator<Item = &'a str>) -> Result<&mut Self, QueryError> {
        let operands = values.into_iter().map(Operand::parse).collect::<Result<Vec<_>, _>>()?;
        if operands.is_empty() {
            return Ok(self);
        }
        let name = field.replace('-', "_");
        let fields: &[&str] = match name.as_str() {
            "sensitivity_level" => &["resource.sensitivity_level", "resource.classification", "data_classification"],
            "user_id" => &["user_id", "user_id_hash"],
            other => &[other],
        };
        let test = match &operands[..] {
            [one] => Test::Is(one.clone()),
            _ => Test::In(operands),
        };
        let one = |field: &&str| FieldPath::parse(field).map(|field| Expr::Field(field, test.clone()));
        let mut tests = fields.iter().map(one).collect::<Result<Vec<_>, _>>()?;
        self.parts.push(if tests.len() == 1 { tests.swap_remove(0) } else { Expr::Or(tests) });
        Ok(self)
    }

    /// Adds: not before `text` (a day counts from its beginning).
    pub fn since(&mut self, text: &str) -> Result<&mut Self, TimeError> {
        let (first, _) = moment(text, &self.now.to_zoned(TimeZone::UTC))?;
        self.time(Order::GreaterOrEqual, first);
        Ok(self)
    }

    /// Adds: not after `text` (a day counts to its end).
    pub fn until(&mut self, text: &str) -> Result<&mut Self, TimeError> {
        match moment(text, &self.now.to_zoned(TimeZone::UTC))? {
            (_, Some(next)) => self.time(Order::Less, next),
            (at, None) => self.time(Order::LessOrEqual, at),
        }
        Ok(self)
    }

    /// Adds a query in words; times in it may be relative.
    pub fn query(&mut self, text: &str) -> Result<&mut Self, QueryError> {
        match parse(text, Some(self.now))? {
            Expr::And(none) if none.is_empty() => {}
            expr => self.parts.push(expr),
        }
        Ok(self)
    }

    /// Returns the query.
    pub fn build(mut self) -> Query {
        Query::new(if self.parts.len() == 1 { self.parts.swap_remove(0) } else { Expr::And(self.parts) })
    }

    fn time(&mut self, order: Order, at: Timestamp) {
        if let Ok(field) = FieldPath::parse("timestamp") {
            self.parts.push(Expr::Field(field, Test::Compare(order, Bound::Time(at))));
        }
    }
}
