//! The query API: who holds a read token is answered over HTTP, within the token's scope, and every answer is sealed as a reading first.
//!
//! It is **not** a way into the ledger: nothing here changes an event, and no token opens more than reading. It does not encrypt:
//! it listens on this machine only, unless the operator says otherwise.
//!
//! Invariants:
//! - No byte of an event leaves before the event that tells of this reading is sealed. What cannot be sealed is not answered.
//! - A token's secret is stored nowhere, only its hash.
//! - A filter of a token narrows the search itself, so what it hides is in no list, count, sequence, chain or proof.
//! - A token without content can neither see content nor ask questions about it.
//! - Every request has a limit in time, size, number and memory; an answer is whole, or it is an error.

mod answer;
mod archive;
mod body;
mod chain;
mod connection;
mod cursor;
mod document;
mod execution;
mod grant;
mod guard;
mod page;
mod params;
mod problem;
mod rate;
mod reading;
mod record;
mod refusal;
mod routes;
mod server;
mod session;
mod stream;
mod token;
mod types;
mod url;

pub use archive::{Archive, Visitor, What};
pub use document::openapi;
pub use grant::Grant;
pub use page::{Ask, Found, Ordering, Page, SequenceAsk, SequenceMatch};
pub use params::{Condition, InOut, Order, Question, Scalar};
pub use reading::Reading;
pub use record::{HomeRecorder, Recorder};
pub use refusal::Refusal;
pub use server::{ServeError, Server, ServerOptions};
pub use token::{NewToken, Scope, Token, TokenError, Tokens};
