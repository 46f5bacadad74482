//! The gateway between clients and the model's API: every call is sealed before it leaves, and its end when it ends.
//!
//! It is **not** a policy engine or a cache, and it changes nothing: what comes in goes out, byte for byte, in both directions.
//!
//! Invariants:
//! - A request leaves only after the event that says so is sealed; where that cannot be, the configuration says whether it leaves at all.
//! - Every call that was sealed gets one event of its end, in whatever way it ends; a call whose gateway was killed gets it from the next start.
//! - An answer is passed on as it comes: nothing waits for the record of it.
//! - No credential is stored, and no content unless the configuration asks for it.
//! - Connections, calls, heads, bodies and what is kept of them are bounded; what is over a bound is refused or said to be unread.

mod accept;
mod body;
mod budget;
mod call;
mod decode;
mod desk;
mod gateway;
mod header;
mod ongoing;
mod options;
mod passing;
mod refuse;
mod resume;
mod seal;
mod upstream;

pub use gateway::{Gateway, GatewayError};
pub use options::{Gate, Options, OptionsError};
pub use resume::{Past, look_back};
pub use seal::{HandleSeal, Seal};
