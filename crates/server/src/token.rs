//! Tokens: made once, shown once, kept as a hash.

use std::path::PathBuf;
use std::str::FromStr;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use sealtrail_engine::Home;
use sealtrail_query::{Query, QueryError};
use serde::{Deserialize, Serialize};

/// What every token begins with, so that a scanner of secrets can tell one.
const PREFIX: &str = "stk_";

/// 1,024: every request looks at each of them, in about as many microseconds.
const TOKENS_MAX: usize = 1_024;

/// 64 characters: names are shown in lists and in the trail.
const NAME_CHARS_MAX: usize = 64;

/// What a token is for. The two exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Reading.
    Read,
    /// Handing events in. It reads nothing.
    Write,
}

/// A token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Its name, unique.
    pub name: String,
    /// What it is for.
    pub scope: Scope,
    /// Only events that match this query are visible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whether content and identity are visible, or the rest of an event only.
    pub content: bool,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is no longer valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// SHA-256 of the secret, as hex.
    pub sha256: String,
}

/// What a new token may do.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub scope: Scope,
    /// Only events that match this query are visible.
    pub filter: Option<String>,
    /// Whether content and identity are visible.
    pub content: bool,
    /// From when on it is no longer valid.
    pub expires: Option<Timestamp>,
}

/// Why tokens cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The disk refused.
    #[error("cannot use the token file")]
    Disk(#[from] DiskError),
    /// Another command changes the file.
    #[error("cannot change the token file: another command does")]
    Busy,
    /// The file is damaged.
    #[error("cannot read the token file {}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// The name cannot be one.
    #[error("cannot name a token {name:?}: a name has 1 to {NAME_CHARS_MAX} letters, digits, `.`, `_` and `-`")]
    Name {
        /// The name.
        name: String,
    },
    /// There is one of that name.
    #[error("cannot create token {name}: there is one of that name")]
    Exists {
        /// The name.
        name: String,
    },
    /// There is none of that name.
    #[error("cannot revoke token {name}: there is none of that name")]
    Missing {
        /// The name.
        name: String,
    },
    /// There are as many as there may be.
    #[error("cannot create token {name}: there are {TOKENS_MAX} already")]
    TooMany {
        /// The name.
        name: String,
    },
    /// The filter is no query.
    #[error("cannot understand the filter")]
    Filter(#[from] QueryError),
    /// The system has no randomness.
    #[error("cannot make a token: the system gives no randomness")]
    Random,
}

/// The file of all tokens of a home.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    tokens: Vec<Token>,
}

/// The tokens of a home.
#[derive(Clone, Debug)]
pub struct Tokens {
    path: PathBuf,
}

impl Tokens {
    /// Names the tokens of a home; no file has to be there.
    pub fn of(home: &Home) -> Self {
        Self { path: home.path().join("tokens.json") }
    }

    /// Returns all tokens, in the order in which they were made.
    pub fn list(&self) -> Result<Vec<Token>, TokenError> {
        let bytes = match RealDisk.read(&self.path) {
            Err(error) if error.is_missing() => return Ok(Vec::new()),
            read => read?,
        };
        let file: File = serde_json::from_slice(&bytes).map_err(|source| TokenError::Damaged { path: self.path.clone(), source })?;
        Ok(file.tokens)
    }

    /// Makes a token; returns its secret, which nobody can return again.
    pub fn create(&self, new: NewToken, now: Timestamp) -> Result<String, TokenError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if new.name.is_empty() || new.name.len() > NAME_CHARS_MAX || !new.name.chars().all(plain) {
            return Err(TokenError::Name { name: new.name });
        }
        if let Some(filter) = &new.filter {
            Query::parse_at(filter, now)?;
        }
        let mut key = [0u8; 32];
        getrandom::fill(&mut key).map_err(|_| TokenError::Random)?;
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(key));
        let NewToken { name, scope, filter, content, expires } = new;
        let token = Token { name, scope, filter, content, created: now, expires, sha256: hash(&secret) };
        self.change(|tokens| {
            if tokens.iter().any(|other| other.name == token.name) {
                return Err(TokenError::Exists { name: token.name });
            }
            if tokens.len() >= TOKENS_MAX {
                return Err(TokenError::TooMany { name: token.name });
            }
            tokens.push(token);
            Ok(())
        })?;
        Ok(secret)
    }

    /// Takes a token away; from then on it opens nothing.
    pub fn revoke(&self, name: &str) -> Result<Token, TokenError> {
        let mut gone = None;
        self.change(|tokens| {
            let at = tokens.iter().position(|token| token.name == name);
            let at = at.ok_or_else(|| TokenError::Missing { name: name.to_owned() })?;
            gone = Some(tokens.remove(at));
            Ok(())
        })?;
        gone.ok_or_else(|| TokenError::Missing { name: name.to_owned() })
    }

    /// Finds the token of a secret that is valid at `now`. It takes as long for a wrong secret as for a right one.
    pub fn find(&self, secret: &str, now: Timestamp) -> Result<Option<Token>, TokenError> {
        let wanted = hash(secret);
        let mut found = None;
        for token in self.list()? {
            let same = verify_slices_are_equal(token.sha256.as_bytes(), wanted.as_bytes()).is_ok();
            if same && token.expires.is_none_or(|expires| now < expires) {
                found = Some(token);
            }
        }
        Ok(found)
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Token>) -> Result<(), TokenError>) -> Result<(), TokenError> {
        let _alone = match RealDisk.lock(&self.path.with_extension("lock")) {
            Err(error) if error.is_locked() => return Err(TokenError::Busy),
            lock => lock?,
        };
        let mut tokens = self.list()?;
        change(&mut tokens)?;
        let mut text = serde_json::to_string_pretty(&File { version: 1, tokens }).unwrap_or_default();
        text.push('\n');
        Ok(replace(&RealDisk, &self.path, text.as_bytes())?)
    }
}

fn hash(secret: &str) -> String {
    digest(&SHA256, secret.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Scope {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl FromStr for Scope {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            other => Err(format!("no scope {other:?}: write read or write")),
        }
    }
}
