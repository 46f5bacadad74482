//! One request to the server, and its answer back, as they came.

use axum::body::Body;
use axum::http::header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, HeaderName, TRANSFER_ENCODING};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use reqwest::Url;

/// Headers of one connection (RFC 9110, 7.6.1): they end here.
const HOP_BY_HOP: [&str; 8] =
    ["connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade"];

/// Sends a request to the server; its path and query stand behind the server's own origin.
pub(super) async fn send(
    client: &reqwest::Client,
    upstream: &Url,
    parts: &Parts,
    body: reqwest::Body,
) -> Result<reqwest::Response, reqwest::Error> {
    let mut url = upstream.clone();
    url.set_path(parts.uri.path());
    // A query of the endpoint's own address stays when the client gives none.
    if let Some(query) = parts.uri.query() {
        url.set_query(Some(query));
    }
    let mut headers = passed_on(&parts.headers);
    headers.remove(HOST);
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    client.request(parts.method.clone(), url).headers(headers).body(body).send().await
}

/// Returns a body that goes on as it comes.
pub(super) fn streamed(body: Body) -> reqwest::Body {
    reqwest::Body::wrap_stream(body.into_data_stream())
}

/// Returns an answer that goes back as it comes, and is not looked at.
pub(super) fn back(response: reqwest::Response) -> Response {
    let mut answer = head(&response);
    *answer.body_mut() = Body::from_stream(response.bytes_stream());
    answer
}

/// Returns an answer without its body.
pub(super) fn head(response: &reqwest::Response) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = passed_on(response.headers());
    answer
}

fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let chunked = headers.contains_key(TRANSFER_ENCODING);
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let ends_here = HOP_BY_HOP.contains(&name.as_str()) || named.contains(name) || (chunked && name == CONTENT_LENGTH);
        if !ends_here {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}
