//! Where the values of a field stand in the index.

use sealtrail_query::FieldPath;

/// A path under which values of a field stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The path below the event, or below `as_sent`.
    pub(crate) path: String,
    pub(crate) sent: bool,
    /// The path in the index.
    pub(crate) flat: String,
}

impl Place {
    pub(crate) fn new(path: &str, sent: bool) -> Self {
        let flat = if sent { format!("as_sent.{path}") } else { path.to_owned() };
        Self { path: path.to_owned(), sent, flat }
    }
}

/// Returns the places of a field in the order in which the language looks at them.
pub(crate) fn places(field: &FieldPath) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let sent = field.paths().last().filter(|_| field.looks_at_sent()).map(|path| Place::new(path, true));
    for place in field.paths().map(|path| Place::new(path, false)).chain(sent) {
        if !places.contains(&place) {
            places.push(place);
        }
    }
    places
}
