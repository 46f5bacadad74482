//! MCP on the record: a proxy that seals what any server is asked and answers, and a server that takes an agent's own word.
//!
//! It is **not** a client, a policy or a judge of tools: bytes pass as they are, and what they mean is `capture`'s to say.
//!
//! Invariants:
//! - What passes is what came: not one byte is changed, added or left out between client and server. Only a call that may not go on unrecorded is
//!   answered in the server's place.
//! - The intent of a call is durable before the call goes on, or the call is refused or goes on as the operator chose. Its outcome is durable before the
//!   client can have read the answer. Durable is: sealed by the daemon, or in the spool.
//! - Messages, queues, sessions and listings have limits; beyond them size and hash are recorded, and a loss is counted and told.
//! - What the collector takes is the sender's word (`asserted`); what passed the proxy was seen (`observed`).

mod clock;
pub mod collector;
mod desk;
pub mod http;
mod keeper;
mod lines;
mod recorder;
mod sink;
pub mod stdio;
mod store;

pub use clock::{new_id, unix_ns};
pub use desk::{Desk, Held, Terms};
pub use keeper::Keeper;
pub use lines::{LINE_BYTES_MAX, Lines, Passed, Piece};
pub use recorder::Recorder;
pub use sink::{HomeSink, NotSealed, Sink};
pub use store::{HomeStore, Store};
