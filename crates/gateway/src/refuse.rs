//! Answers of the gateway itself, in the API's own shape, so that clients show them as they show the API's.

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::json;

use crate::passing::Answering;

/// 5 s: a ledger that is full or starts again is looked at every second.
const RETRY_SECONDS: &str = "5";

/// Which answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The call cannot be recorded, and the configuration says that it must be.
    Unrecorded,
    /// A budget is used up.
    Budget(String),
    /// No token, or a wrong one.
    NoToken,
    /// The body is over the limit.
    TooLarge(u64),
    /// The body did not come.
    BadBody,
    /// A method for proxies of another kind.
    Method,
    /// As many calls as are allowed run already.
    Busy,
    /// The API cannot be reached.
    Unreachable,
    /// The API did not answer in time.
    TimedOut,
}

impl Refusal {
    /// Returns the status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Unrecorded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Budget(_) => StatusCode::FORBIDDEN,
            Self::NoToken => StatusCode::UNAUTHORIZED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BadBody => StatusCode::BAD_REQUEST,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Busy => StatusCode::from_u16(529).unwrap_or(StatusCode::SERVICE_UNAVAILABLE),
            Self::Unreachable | Self::TimedOut => StatusCode::BAD_GATEWAY,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Unrecorded | Self::Unreachable | Self::TimedOut => "api_error",
            Self::Budget(_) => "permission_error",
            Self::NoToken => "authentication_error",
            Self::TooLarge(_) => "request_too_large",
            Self::BadBody | Self::Method => "invalid_request_error",
            Self::Busy => "overloaded_error",
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Unrecorded => "sealtrail gateway: the call cannot be recorded now, so it was not sent".to_owned(),
            Self::Budget(rule) => format!("sealtrail gateway: the {rule} is used up, so the call was not sent"),
            Self::NoToken => "sealtrail gateway: name a valid token in the header X-Sealtrail-Token".to_owned(),
            Self::TooLarge(limit) => format!("sealtrail gateway: the body of the request is over the limit of {limit} bytes"),
            Self::BadBody => "sealtrail gateway: the body of the request did not come".to_owned(),
            Self::Method => "sealtrail gateway: it passes requests on and opens no tunnels".to_owned(),
            Self::Busy => "sealtrail gateway: as many calls as are allowed run already".to_owned(),
            Self::Unreachable => "sealtrail gateway: the API cannot be reached".to_owned(),
            Self::TimedOut => "sealtrail gateway: the API did not answer in time".to_owned(),
        }
    }

    /// Returns the bytes of the answer.
    pub(crate) fn body(&self) -> Bytes {
        json!({"type": "error", "error": {"type": self.kind(), "message": self.message()}}).to_string().into()
    }

    /// Makes the answer.
    pub(crate) fn response(&self) -> Response<Answering> {
        let mut response = Response::new(Answering::own(self.body()));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(HeaderName::from_static("x-sealtrail-gateway"), HeaderValue::from_static("refused"));
        match self {
            Self::Unrecorded | Self::Busy => drop(headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_SECONDS))),
            // The API's own clients try again unless they are told not to.
            Self::Budget(_) => drop(headers.insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"))),
            _ => {}
        }
        response
    }
}
