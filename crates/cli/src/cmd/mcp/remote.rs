//! The query API of a daemon, asked over plain HTTP. Encryption is the business of a proxy on this machine until the API has its own.

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::read::Wanted;
use crate::failure::Failure;

/// 64 MiB: the largest answer is a page of about 4 MiB, or a chain of 20,000 events.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// A query API.
pub(super) struct Remote {
    host: String,
    port: u16,
    secret: String,
}

impl Remote {
    /// Reads `http://host:port`.
    pub(super) fn parse(url: &str, secret: String) -> Result<Self, Failure> {
        let wrong =
            || Failure::usage(format!("cannot use the URL {url}")).hint("write http://127.0.0.1:8787; https comes with the API's own TLS");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        match (uri.scheme_str(), uri.host(), uri.path()) {
            (Some("http"), Some(host), "/") if uri.query().is_none() => {
                Ok(Self { host: host.trim_matches(['[', ']']).to_owned(), port: uri.port_u16().unwrap_or(80), secret })
            }
            _ => Err(wrong()),
        }
    }

    /// Asks.
    pub(super) async fn answer(&self, wanted: Wanted) -> Result<Value, String> {
        let (method, path, body) = match &wanted {
            Wanted::Search(question) => ("POST", "/v1/search".to_owned(), asked(question)),
            Wanted::Event(id, proof) => ("GET", format!("/v1/events/{}?proof={proof}", escaped(id)), String::new()),
            Wanted::Chain(id) => ("GET", format!("/v1/events/{}/chain", escaped(id)), String::new()),
            Wanted::Execution(id) => ("GET", format!("/v1/executions/{}/chain", escaped(id)), String::new()),
        };
        let (status, answer) =
            self.exchange(method, &path, body).await.map_err(|why| format!("cannot ask {}:{}: {why}", self.host, self.port))?;
        if status.is_success() { Ok(answer) } else { Err(answer.to_string()) }
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        body: String,
    ) -> Result<(StatusCode, Value), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the answer; what breaks it is told by the sender.
        let driving = tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", format!("{}:{}", self.host, self.port))
            .header("authorization", format!("Bearer {}", self.secret))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await?.to_bytes();
        driving.abort();
        Ok((status, serde_json::from_slice(&bytes)?))
    }
}

/// A question without what was not asked, which the API does not take as null.
fn asked(question: &sealtrail_server::Question) -> String {
    let mut members = json!(question);
    if let Some(members) = members.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    members.to_string()
}

/// Escapes what cannot stand in one part of a path.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
