//! A plan prepared for the index, and its answer on one segment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sealtrail_query::{Expr, Query};

use crate::bits::Bits;
use crate::error::IndexError;
use crate::found::Found;
use crate::leaf::{FieldLeaf, TextLeaf};
use crate::segment::Segment;

/// A condition whose fields and texts were looked at once.
pub(crate) enum Plan {
    And(Vec<Plan>),
    Or(Vec<Plan>),
    Not(Box<Plan>),
    Field(Box<FieldLeaf>),
    Text(TextLeaf),
}

/// Set by the caller to end a search.
pub(crate) type Cancel = Option<Arc<AtomicBool>>;

/// Fails when the caller ended the search.
pub(crate) fn go_on(cancel: &Cancel) -> Result<(), IndexError> {
    match cancel {
        Some(flag) if flag.load(Ordering::Relaxed) => Err(IndexError::Cancelled),
        _ => Ok(()),
    }
}

impl Plan {
    pub(crate) fn new(query: &Query) -> Self {
        Self::of(query.plan())
    }

    fn of(expr: &Expr) -> Self {
        match expr {
            Expr::And(parts) => {
                let mut parts: Vec<Self> = parts.iter().map(Self::of).collect();
                // What costs little first: an empty answer ends the rest.
                parts.sort_by_key(Self::rank);
                Self::And(parts)
            }
            Expr::Or(parts) => Self::Or(parts.iter().map(Self::of).collect()),
            Expr::Not(inner) => Self::Not(Box::new(Self::of(inner))),
            Expr::Field(field, test) => Self::Field(Box::new(FieldLeaf::new(field, test))),
            Expr::Text(operand) => Self::Text(TextLeaf::new(operand)),
        }
    }

    /// Returns what the segment knows of the condition.
    pub(crate) fn answer(&self, segment: &Segment, cancel: &Cancel) -> Result<Found, IndexError> {
        self.answer_for(segment, None, cancel)
    }

    /// As [`Plan::answer`], where only the documents of `wanted` matter: of others anything may be said.
    fn answer_for(&self, segment: &Segment, wanted: Option<&Bits>, cancel: &Cancel) -> Result<Found, IndexError> {
        go_on(cancel)?;
        match self {
            Self::And(parts) => {
                let mut found: Option<Found> = None;
                for part in parts {
                    let next = part.answer_for(segment, found.as_ref().map(|found| &found.maybe).or(wanted), cancel)?;
                    let found = match &mut found {
                        Some(found) => {
                            found.and(&next);
                            found
                        }
                        none => none.insert(next),
                    };
                    if found.maybe.is_empty() {
                        break;
                    }
                }
                Ok(found.unwrap_or_else(|| Found::always(true, segment.docs)))
            }
            Self::Or(parts) => {
                let mut found = Found::always(false, segment.docs);
                for part in parts {
                    found.or(&part.answer_for(segment, wanted, cancel)?);
                }
                Ok(found)
            }
            Self::Not(inner) => inner.answer_for(segment, wanted, cancel).map(Found::not),
            Self::Field(leaf) => leaf.answer(segment, wanted, cancel),
            Self::Text(leaf) => leaf.answer(segment, cancel),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Field(leaf) => leaf.rank(),
            Self::Or(_) | Self::And(_) | Self::Not(_) => 3,
            Self::Text(_) => 4,
        }
    }
}
