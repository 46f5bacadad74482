//! `audit.yaml`: its types, its JSON Schema, reading it with every problem's place, and asking it for one value.
//!
//! It is **not** a file finder and does nothing that it describes: text comes in, values and problems go out.
//!
//! Invariants:
//! - A key that the types do not have is an error with line and column; nothing is ignored silently.
//! - A key that is valid but that this release does not act on is a [`Level::Notice`], never silence.
//! - `${NAME}` stays a reference: no environment is read here, and no secret is in any output.

mod api;
mod audit;
mod check;
mod collector;
mod compliance;
mod destination;
mod fleet;
mod gateway;
mod get;
mod load;
mod mcp;
mod near;
mod problem;
mod retention;
mod transcripts;
mod tree;
mod walk;

pub use api::Api;
pub use audit::{Audit, Capture, Compression, Config, FailMode, FailModes, Integrity, IntegrityCheck, Ledger, SocketAccess};
pub use collector::{Collector, TlsConfig};
pub use compliance::{Compliance, Frameworks, Gdpr, Hipaa};
pub use destination::{Destination, DestinationKind, EventFilter};
pub use fleet::{Fleet, FleetContent};
pub use gateway::{Budget, BudgetPer, Gateway, GatewayContent, GatewayTls, Price};
pub use get::{GetError, get};
pub use load::{Loaded, Origin, load, schema};
pub use mcp::Mcp;
pub use problem::{Level, Problem};
pub use retention::{Retention, Rotation};
pub use transcripts::Transcripts;
