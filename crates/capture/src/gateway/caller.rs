//! Who calls, as the headers say; credentials become fingerprints here and go no further.

use crate::hash;

/// 16 digits, 64 bits of a hash: enough to tell the keys of an organisation apart, too little to be one.
const FINGERPRINT_DIGITS: usize = 16;

/// 256 bytes of a header are told; user agents of the clients have about 60.
const HEADER_BYTES_MAX: usize = 256;

/// Headers that hold a credential.
const CREDENTIALS: &[&str] = &["x-api-key", "authorization", "x-goog-api-key", "proxy-authorization", "cookie"];

/// Who sends a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// Session of the client.
    pub session_id: Option<String>,
    /// The agent, where it is not the main one.
    pub agent_id: Option<String>,
    /// The agent that started it.
    pub parent_agent_id: Option<String>,
    /// The program.
    pub user_agent: Option<String>,
    /// The person, where a header was configured for it.
    pub user: Option<String>,
    /// Fingerprint of the credential.
    pub credential: Option<String>,
    /// Address of the other end.
    pub source_ip: Option<String>,
}

impl Caller {
    /// Reads the headers; `get` finds one by its lower-case name, `user_header` is the one that names the person.
    pub fn of(get: impl Fn(&str) -> Option<String>, user_header: Option<&str>, source_ip: Option<String>) -> Self {
        let short = |name: &str| get(name).map(|value| cut(&value).to_owned()).filter(|value| !value.is_empty());
        Self {
            session_id: short("x-claude-code-session-id"),
            agent_id: short("x-claude-code-agent-id"),
            parent_agent_id: short("x-claude-code-parent-agent-id"),
            user_agent: short("user-agent"),
            user: user_header.filter(|name| !CREDENTIALS.contains(name)).and_then(short),
            credential: CREDENTIALS[..3].iter().find_map(|name| get(name)).as_deref().map(fingerprint),
            source_ip,
        }
    }

    /// Returns the name of the program, without its version.
    pub(crate) fn program(&self) -> Option<&str> {
        self.user_agent.as_deref()?.split(['/', ' ']).next().filter(|name| !name.is_empty())
    }

    /// Returns the version of the client, if the program is the client.
    pub(crate) fn client_version(&self) -> Option<&str> {
        self.user_agent.as_deref()?.strip_prefix("claude-cli/")?.split(' ').next()
    }
}

/// Returns a name for a credential that does not tell it.
///
/// A signature differs in every request, so of a signed one the id of the key counts, which is no secret.
fn fingerprint(credential: &str) -> String {
    let signed = credential.split_once("Credential=").map(|(_, rest)| rest.split(['/', ',']).next().unwrap_or_default());
    let text = signed.unwrap_or_else(|| credential.strip_prefix("Bearer ").unwrap_or(credential));
    let mut named = b"sealtrail/credential\0".to_vec();
    named.extend_from_slice(text.as_bytes());
    let mut digits = hash::hex(&hash::sha256(&named));
    digits.truncate(FINGERPRINT_DIGITS);
    format!("key:{digits}")
}

fn cut(value: &str) -> &str {
    &value[..value.floor_char_boundary(HEADER_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(headers: &[(&str, &str)], user: Option<&str>) -> Caller {
        let get = |name: &str| headers.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        Caller::of(get, user, None)
    }

    /// Protects credentials: whatever the form, none of it is in what is kept, and the same key has the same name in both headers.
    #[test]
    fn a_credential_becomes_a_fingerprint() {
        let key = caller(&[("x-api-key", "sk-ant-secret")], None);
        let bearer = caller(&[("authorization", "Bearer sk-ant-secret")], None);
        assert_eq!(key.credential, bearer.credential);
        assert!(!format!("{key:?}{bearer:?}").contains("secret"));
        let signed = |signature: &str| format!("AWS4-HMAC-SHA256 Credential=AKIA1/20260101/r/bedrock/aws4_request, Signature={signature}");
        assert_eq!(caller(&[("authorization", &signed("a"))], None), caller(&[("authorization", &signed("b"))], None));
        assert_eq!(caller(&[("authorization", "s3cret")], Some("authorization")).user, None);
    }

    /// Protects the identity: the configured header names the person, the program its version.
    #[test]
    fn headers_name_person_and_program() {
        let found = caller(&[("x-user", "ada"), ("user-agent", "claude-cli/2.1.329 (external, sdk-cli)")], Some("x-user"));
        assert_eq!((found.user.as_deref(), found.program(), found.client_version()), (Some("ada"), Some("claude-cli"), Some("2.1.329")));
    }
}
