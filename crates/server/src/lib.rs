//! The server: over HTTP, who holds a read token is answered within its scope, and who holds a write key hands events in.
//!
//! It is **not** the ledger's writer and no judge of what it takes: events are made by `capture`, and sealed by the daemon of its process. Without
//! certificates it does not encrypt, and listens on this machine only, unless the operator says otherwise.
//!
//! Invariants:
//! - No byte of an event leaves before the event that tells of this reading is sealed. What cannot be sealed is not answered.
//! - No event is acknowledged before it is durable, in the tree and signed. What is not acknowledged may come again, and is sealed once.
//! - No key that hands events in opens a reading, and no token that reads hands events in; who tries is recorded.
//! - A token's secret is stored nowhere, only its hash.
//! - A filter of a token narrows the search itself, so what it hides is in no list, count, sequence, chain or proof.
//! - A token without content can neither see content nor ask questions about it.
//! - Every request has a limit in time, size, number and memory; an answer is whole, or it is an error.

mod answer;
mod archive;
mod asked;
mod body;
mod chain;
mod collector;
mod connection;
mod cursor;
mod document;
mod execution;
mod fleet;
mod grant;
mod guard;
mod listen;
mod otlp;
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
mod time_order;
mod tls;
mod token;
mod types;
mod url;

pub use archive::{Archive, Visitor, What};
pub use collector::Limits;
pub use document::openapi;
pub use fleet::{FleetError, MACHINES_MAX, Machine, MachineState, Machines, Trouble};
pub use grant::Grant;
pub use page::{Ask, Found, Ordering, Page, SequenceAsk, SequenceMatch};
pub use params::{Condition, InOut, Order, Question, Scalar};
pub use reading::Reading;
pub use record::{HomeRecorder, Recorder};
pub use refusal::Refusal;
pub use server::{ServeError, Server, ServerOptions};
pub use tls::{TlsError, TlsFiles};
pub use token::{NewToken, Previous, Scope, Token, TokenError, Tokens};
