//! Why bytes are no OTLP request.

use sealtrail_event::StrictError;

use super::decode::{EXPANDED_BYTES_MAX, RECORDS_MAX};
use super::plain::LEVELS_MAX;

/// Why a request was not understood; its bytes are kept all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtelError {
    /// Not strict JSON.
    #[error("cannot read an OTLP request: {0}")]
    Json(#[from] StrictError),
    /// Not a protobuf message of this signal.
    #[error("cannot read an OTLP request as protobuf: {0}")]
    Protobuf(String),
    /// JSON, but not of the form of a request.
    #[error("cannot read an OTLP request: {at} must be {wanted}, this is {found}")]
    Shape {
        /// Which member.
        at: &'static str,
        /// What should stand there.
        wanted: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A request of another signal, or of none.
    #[error("cannot read an OTLP request: it has no member {wanted}")]
    Absent {
        /// The member that makes it a request of the signal.
        wanted: &'static str,
    },
    /// Too many levels in a value.
    #[error("cannot read an OTLP request: a value has more than {LEVELS_MAX} levels of lists")]
    TooDeep,
    /// Too many records.
    #[error("cannot read an OTLP request: it has {found} records, at most {RECORDS_MAX} are taken")]
    TooMany {
        /// How many.
        found: usize,
    },
    /// Records that are too large together with what stands above them.
    #[error(
        "cannot read an OTLP request: its records have {bytes} bytes of resource, scope and metric, at most {EXPANDED_BYTES_MAX} are taken"
    )]
    TooLarge {
        /// How many.
        bytes: usize,
    },
}

impl OtelError {
    /// Returns the reason as it stands in the envelope.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Json(StrictError::TooLarge { .. }) | Self::TooLarge { .. } => "too_large",
            Self::Json(StrictError::Utf8 { .. }) => "not_utf8",
            Self::Json(StrictError::Twice { .. }) => "duplicate_key",
            Self::Json(StrictError::TooDeep { .. }) | Self::TooDeep => "too_deep",
            Self::Json(StrictError::Syntax { .. }) => "not_json",
            Self::Protobuf(_) => "not_protobuf",
            Self::Shape { .. } | Self::Absent { .. } => "not_otlp",
            Self::TooMany { .. } => "too_many",
        }
    }
}
