//! YAML as a tree that remembers where everything stands.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

/// A place in the text, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) column: u64,
}

/// One value and its place.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Kind,
}

/// What a value is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A word, a number, a truth value or nothing.
    Scalar(Value),
    /// Items in order.
    List(Vec<Node>),
    /// Members in order: name, place of the name, value.
    Object(Vec<(String, Place, Node)>),
}

impl Node {
    /// Returns an object without members.
    pub(crate) fn empty() -> Self {
        Self { place: Place { line: 1, column: 1 }, value: Kind::Object(Vec::new()) }
    }

    /// Returns the members when it is an object.
    pub(crate) fn members(&self) -> &[(String, Place, Node)] {
        if let Kind::Object(members) = &self.value { members } else { &[] }
    }

    /// Returns the items when it is a list.
    pub(crate) fn items(&self) -> &[Node] {
        if let Kind::List(items) = &self.value { items } else { &[] }
    }

    /// Returns the member of that name.
    pub(crate) fn member(&self, name: &str) -> Option<&(String, Place, Node)> {
        self.members().iter().find(|member| member.0 == name)
    }

    /// Returns the text when it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Kind::Scalar(Value::String(text)) = &self.value { Some(text) } else { None }
    }

    /// Tells whether nothing was written.
    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Kind::Scalar(Value::Null))
    }

    /// Returns the value without places.
    pub(crate) fn to_json(&self) -> Value {
        match &self.value {
            Kind::Scalar(value) => value.clone(),
            Kind::List(items) => items.iter().map(Self::to_json).collect(),
            Kind::Object(members) => {
                Value::Object(members.iter().map(|(name, _, node)| (name.clone(), node.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads one YAML document; an empty one is an empty object. The error is a message and its place.
pub(crate) fn parse(text: &str) -> Result<Node, (String, Place)> {
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    match serde_saphyr::from_str_with_options::<Spanned<Bare>>(text, options) {
        Ok(root) => {
            let root = node(root);
            Ok(if root.is_null() { Node::empty() } else { root })
        }
        Err(error) => {
            let place = error.location().map(|at| Place { line: at.line(), column: at.column() }).unwrap_or_default();
            let message = error.without_snippet().to_string();
            // The place is told apart from the message, and advice to callers of the parser helps nobody here.
            let end = [" at line ", ", set Duplicate", "; use from_str"]
                .iter()
                .filter_map(|tail| message.find(tail))
                .min()
                .unwrap_or(message.len());
            Err((message[..end].to_owned(), place))
        }
    }
}

fn node(spanned: Spanned<Bare>) -> Node {
    let place = Place { line: spanned.referenced.line(), column: spanned.referenced.column() };
    Node { place, value: spanned.value.0 }
}

/// A value whose place is outside of it, in its [`Spanned`].
struct Bare(Kind);

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(BareVisitor).map(Bare)
    }
}

struct BareVisitor;

impl<'de> Visitor<'de> for BareVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a mapping, a list or a scalar")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Kind, E> {
        Ok(Kind::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Kind, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Bare>>()? {
            list.push(node(item));
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Kind, A::Error> {
        let mut object = Vec::new();
        while let Some(name) = members.next_key::<Spanned<String>>()? {
            let place = Place { line: name.referenced.line(), column: name.referenced.column() };
            object.push((name.value, place, node(members.next_value::<Spanned<Bare>>()?)));
        }
        Ok(Kind::Object(object))
    }
}
