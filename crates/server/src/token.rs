//! Tokens: made once, shown once, kept as a hash.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sealtrail_disk::{Disk, DiskError, RealDisk, replace};
use sealtrail_engine::Home;
use sealtrail_event::Token as Word;
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
    /// The application whose events are handed in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_id: Option<String>,
    /// The secret before the last rotation, which goes on for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
}

/// A secret that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Previous {
    /// SHA-256 of the secret, as hex.
    pub sha256: String,
    /// From when on it is no longer valid.
    pub until: Timestamp,
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
    /// The application whose events are handed in with it.
    pub application_id: Option<String>,
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
    /// The application cannot be one.
    #[error("cannot bind a token to the application {name:?}: an id has 1 to 128 printable characters without spaces and quotes")]
    Application {
        /// Its name.
        name: String,
    },
    /// There is none of that name.
    #[error("cannot change token {name}: there is none of that name")]
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
    /// What the file held when it was read last, and what told that file from any other.
    seen: Arc<Mutex<Option<Seen>>>,
}

/// A token file that was read.
type Seen = (Mark, Arc<Vec<Token>>);

/// Inode, size and time of a file. A changed token file is another file, put in the place of the old one.
type Mark = (u64, i64, i64, i64);

impl Tokens {
    /// Names the tokens of a home; no file has to be there.
    pub fn of(home: &Home) -> Self {
        Self { path: home.path().join("tokens.json"), seen: Arc::default() }
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
        if let Some(name) = new.application_id.as_ref().filter(|id| Word::parse(id).is_err()) {
            return Err(TokenError::Application { name: name.clone() });
        }
        let secret = secret()?;
        let NewToken { name, scope, filter, content, expires, application_id } = new;
        let sha256 = hash(&secret);
        let token = Token { name, scope, filter, content, created: now, expires, sha256, application_id, previous: None };
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

    /// Gives a token a new secret, which it returns; the old one is valid until `until`, one before that no longer. Also returns the token as it was.
    pub fn rotate(&self, name: &str, until: Timestamp) -> Result<(String, Token), TokenError> {
        let secret = secret()?;
        let mut before = None;
        self.change(|tokens| {
            let token = tokens.iter_mut().find(|token| token.name == name);
            let token = token.ok_or_else(|| TokenError::Missing { name: name.to_owned() })?;
            before = Some(token.clone());
            let old = std::mem::replace(&mut token.sha256, hash(&secret));
            token.previous = Some(Previous { sha256: old, until });
            Ok(())
        })?;
        before.map(|before| (secret, before)).ok_or_else(|| TokenError::Missing { name: name.to_owned() })
    }

    /// Makes a token again what it was, after a change that could not be recorded.
    pub fn put_back(&self, before: &Token) -> Result<(), TokenError> {
        self.change(|tokens| {
            if let Some(token) = tokens.iter_mut().find(|token| token.name == before.name) {
                *token = before.clone();
            }
            Ok(())
        })
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
        let same = |sha256: &str| verify_slices_are_equal(sha256.as_bytes(), wanted.as_bytes()).is_ok();
        let mut found = None;
        for token in self.current()?.iter() {
            let before = token.previous.as_ref().is_some_and(|previous| same(&previous.sha256) & (now < previous.until));
            if (same(&token.sha256) | before) && token.expires.is_none_or(|expires| now < expires) {
                found = Some(token.clone());
            }
        }
        Ok(found)
    }

    /// Returns the tokens, out of memory as long as their file is the one that was read.
    fn current(&self) -> Result<Arc<Vec<Token>>, TokenError> {
        // Before reading: a file that is replaced meanwhile is read again the next time.
        let mark = rustix::fs::stat(&self.path).ok().map(|stat| (stat.st_ino, stat.st_size, stat.st_mtime, stat.st_mtime_nsec as i64));
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let (Some(mark), Some((before, tokens))) = (mark, seen)
            && mark == before
        {
            return Ok(tokens);
        }
        let tokens = Arc::new(self.list()?);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = mark.map(|mark| (mark, Arc::clone(&tokens)));
        Ok(tokens)
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

fn secret() -> Result<String, TokenError> {
    let mut key = [0u8; 32];
    getrandom::fill(&mut key).map_err(|_| TokenError::Random)?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(key)))
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
