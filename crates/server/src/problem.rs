//! Refusals as HTTP tells them: RFC 9457, with the place in the query and what to write instead.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::body::json;
use crate::refusal::Refusal;
use crate::types::Problem;

/// What a refusal is in HTTP.
struct Kind {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
}

impl Refusal {
    fn kind(&self) -> Kind {
        let kind = |status, name, title| Kind { status, name, title };
        match self {
            Self::NoToken => kind(StatusCode::UNAUTHORIZED, "token", "a token is needed"),
            Self::UnknownToken => kind(StatusCode::UNAUTHORIZED, "token", "the token is not valid"),
            Self::WriteToken { .. } | Self::ReadToken { .. } => kind(StatusCode::FORBIDDEN, "scope", "the token is not for this"),
            Self::Content { .. } => kind(StatusCode::FORBIDDEN, "content", "the token shows no content"),
            Self::Query { .. } => kind(StatusCode::BAD_REQUEST, "query", "the query cannot be understood"),
            Self::Time { .. } => kind(StatusCode::BAD_REQUEST, "time", "the time cannot be understood"),
            Self::Parameter { .. } => kind(StatusCode::BAD_REQUEST, "parameter", "a parameter cannot be used"),
            Self::Cursor { .. } => kind(StatusCode::BAD_REQUEST, "cursor", "the cursor cannot be used"),
            Self::Missing { .. } => kind(StatusCode::NOT_FOUND, "missing", "there is nothing of that name"),
            Self::TooMuch(_) => kind(StatusCode::UNPROCESSABLE_ENTITY, "too-much", "the answer would be too large"),
            Self::TooLong { .. } => kind(StatusCode::SERVICE_UNAVAILABLE, "deadline", "it took too long"),
            Self::TooOften { .. } => kind(StatusCode::TOO_MANY_REQUESTS, "rate", "too many requests"),
            Self::Crowded => kind(StatusCode::TOO_MANY_REQUESTS, "crowded", "too much at once"),
            Self::Busy { .. } => kind(StatusCode::SERVICE_UNAVAILABLE, "busy", "the server is busy"),
            Self::NotRecorded { .. } => kind(StatusCode::SERVICE_UNAVAILABLE, "not-recorded", "the reading cannot be recorded"),
            Self::NotPublished => kind(StatusCode::SERVICE_UNAVAILABLE, "not-published", "there is no proof yet"),
            Self::Token { .. } | Self::Unreadable(_) => kind(StatusCode::INTERNAL_SERVER_ERROR, "trail", "the trail cannot be read"),
        }
    }

    /// Returns the word that names it everywhere.
    pub(crate) fn word(&self) -> &'static str {
        self.kind().name
    }

    fn parameter(&self) -> Option<String> {
        match self {
            Self::Query { parameter, .. } | Self::Parameter { parameter, .. } => Some(parameter.clone()),
            Self::Time { parameter, .. } => Some((*parameter).to_owned()),
            Self::Cursor { .. } => Some("cursor".to_owned()),
            _ => None,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Query { error, .. } => error.hint.clone(),
            Self::Time { .. } => Some("write 2026-03-01, 2026-03-01T14:00Z, \"2 weeks ago\", 24h, or yesterday 14:00".to_owned()),
            Self::NoToken | Self::UnknownToken => {
                Some("make one: sealtrail token create --name NAME --scope read (or write, to hand events in)".to_owned())
            }
            Self::TooLong { .. } | Self::TooMuch(_) => Some("narrow it with since, until or a condition on a field".to_owned()),
            Self::Unreadable(_) => Some("find out what is damaged: sealtrail verify-integrity".to_owned()),
            _ => None,
        }
    }

    /// Returns what the API tells of the refusal, as JSON.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(self.problem()).unwrap_or_default()
    }

    /// Returns what HTTP tells of the refusal. Causes below it stay here: they name files.
    pub(crate) fn problem(&self) -> Problem {
        let Kind { status, name, title } = self.kind();
        let position = match self {
            // In characters: who reads this has the text as characters, not as bytes.
            Self::Query { text, error, .. } => Some(text.char_indices().take_while(|(at, _)| *at < error.at).count()),
            _ => None,
        };
        Problem {
            kind: format!("urn:sealtrail:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.to_string(),
            parameter: self.parameter(),
            position,
            hint: self.hint(),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = self.problem().into_response();
        let headers = response.headers_mut();
        match self {
            Self::NoToken => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::UnknownToken => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"invalid_token\""));
            }
            Self::WriteToken { .. } => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"read\""));
            }
            Self::ReadToken { .. } => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer error=\"insufficient_scope\", scope=\"write\""));
            }
            Self::TooOften { .. } | Self::Crowded | Self::Busy { .. } | Self::NotRecorded { .. } | Self::NotPublished => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, json(&self)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// Makes a problem that is HTTP's own: no such path, no such method, a body that is too large.
pub(crate) fn plain(status: StatusCode, name: &str, detail: impl Into<String>) -> Problem {
    Problem {
        kind: format!("urn:sealtrail:problem:{name}"),
        title: status.canonical_reason().unwrap_or("refused").to_lowercase(),
        status: status.as_u16(),
        detail: detail.into(),
        parameter: None,
        position: None,
        hint: None,
    }
}
