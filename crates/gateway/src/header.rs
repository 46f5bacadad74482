//! Headers that belong to one connection and are not passed on.

use hyper::HeaderMap;
use hyper::header::{CONNECTION, HeaderName};

/// The header in which a caller names a token of the trail; it never leaves.
pub(crate) const TOKEN: &str = "x-sealtrail-token";

/// Headers of one connection (RFC 9110 section 7.6.1), and `expect`, which this end has answered already.
const HOP: &[&str] = &[
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Takes away what belongs to the connection.
pub(crate) fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP {
        headers.remove(*name);
    }
}

/// Returns a header as text; one that is no text is none.
pub(crate) fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects both ends: what belongs to one connection goes, also what `Connection` names; everything else stays, repeated ones too.
    #[test]
    fn headers_of_a_connection_go_and_the_others_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Own"),
            ("x-own", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("anthropic-beta", "a"),
            ("anthropic-beta", "b"),
            ("content-length", "3"),
        ] {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        strip(&mut headers);
        let left: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(left, ["anthropic-beta", "anthropic-beta", "content-length"]);
    }
}
