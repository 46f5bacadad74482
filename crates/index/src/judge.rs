//! One value of one path, judged by the evaluator of the language itself: on an event that has nothing else.

use sealtrail_query::{Expr, FieldPath, Query, Test};
use serde_json::{Map, Number, Value};

/// Judges values of one path.
pub(crate) struct Judge {
    query: Query,
    view: Value,
    name: String,
    sent: bool,
}

impl Judge {
    /// Makes a judge of a test; `path` is where the values stand, `sent` when below `as_sent`.
    pub(crate) fn new(field: &FieldPath, test: &Test, path: &str, sent: bool) -> Self {
        Self::of(Expr::Field(field.clone(), test.clone()), path, sent)
    }

    /// Makes a judge of a condition.
    pub(crate) fn of(expr: Expr, path: &str, sent: bool) -> Self {
        let member = |name: &str, value| Value::Object(Map::from_iter([(name.to_owned(), value)]));
        let inner = member(path, Value::Null);
        let view = if sent { member("as_sent", inner) } else { inner };
        Self { query: Query::new(expr), view, name: path.to_owned(), sent }
    }

    pub(crate) fn text(&mut self, text: &str) -> bool {
        match self.place() {
            Some(Value::String(place)) => {
                place.clear();
                place.push_str(text);
            }
            Some(place) => *place = Value::String(text.to_owned()),
            None => {}
        }
        self.query.matches(&self.view)
    }

    pub(crate) fn value(&mut self, value: Value) -> bool {
        if let Some(place) = self.place() {
            *place = value;
        }
        self.query.matches(&self.view)
    }

    pub(crate) fn number(&mut self, number: Option<Number>) -> bool {
        number.is_some_and(|number| self.value(Value::Number(number)))
    }

    fn place(&mut self) -> Option<&mut Value> {
        let members = if self.sent { self.view.get_mut("as_sent")? } else { &mut self.view };
        members.get_mut(self.name.as_str())
    }
}
