//! The gateway between a client and the model's API: what a request and its answer say, and the events they become.
//!
//! It is **not** a proxy: bytes come in as they passed, and nothing here changes or delays them.
//!
//! Invariants:
//! - Without [`Scribe::content`], no text of a prompt, a tool or a model is in any event: only sizes, counts, ids and hashes.
//! - With it, content goes through redaction first, and each message of a history is told once, not once a turn.
//! - A credential is in no event, only the beginning of a hash of it.
//! - What is parsed is bounded; what is not parsed is said to be so, and still hashed.

mod answer;
mod batched;
mod call;
mod caller;
mod exchange;
mod frames;
mod history;
mod reader;
mod request;
mod results;
mod scribe;
mod sse;
mod told;

pub use answer::{Answer, Block};
pub use batched::{BatchResult, Batches};
pub use call::{BatchCall, Call, Form, What};
pub use caller::Caller;
pub use exchange::{BudgetCrossed, Ending, Exchange, How, State};
pub use frames::Frames;
pub use history::{Followed, Histories, message_hash};
pub use reader::{Kind, Reader};
pub use request::{Request, ToolResult};
pub use scribe::Scribe;
pub use sse::Sse;
pub use told::Told;
