//! Wiring: hooks' deliveries go through capture into the ledger, by a daemon or by one command; and nothing that was kept outside is forgotten.
//!
//! It is **not** a format, a judge or a command line: bytes are `intake`'s, events are `capture`'s, seals are `ledger`'s, words to people are `cli`'s.
//!
//! Invariants:
//! - A sender is told "sealed" only after its events are durable, in the tree and signed.
//! - A delivery that comes twice is sealed once; deliveries are captured and sealed in one and the same order.
//! - Whatever cannot be sealed is refused at once, so that its sender spools it; nothing is dropped and nothing waits without a limit.
//! - A spool file goes, and a loss is set to zero, only after what it says is sealed.

mod client;
mod clock;
mod connection;
mod daemon;
mod deliver;
mod drain;
mod finder;
mod forward;
mod gaps;
mod handle;
mod handover;
mod health;
mod home;
mod identity;
mod indexing;
mod ingest;
mod keep;
mod lookup;
mod lost;
mod queue;
mod receive;
mod recent;
mod remote;
mod rounds;
mod sealer;
mod settings;
mod shared;
mod side;
mod sink;
mod socket;
mod spool;
mod trail;
mod transcripts;

pub use client::{ClientError, DaemonStatus, note, status};
pub use daemon::{Daemon, DaemonError, DaemonOptions, Summary};
pub use deliver::deliver_hook;
pub use drain::Drained;
pub use finder::Finder;
pub use forward::{ForwardError, ForwardOptions, Forwarded, Reply, Request, cosigned_note, forward, witnessed};
pub use gaps::{count_loss, gaps};
pub use handle::Handle;
pub use handover::{HANDOVER_EVENTS_MAX, HandOverError, hand_over, seal_events};
pub use home::{CreateHome, Home, HomeError};
pub use identity::Account;
pub use ingest::{INGEST_EVENTS_MAX, Ingested};
pub use keep::{KeepError, Kept, keep_events, spool_events};
pub use remote::{HookFate, RemoteHook};
pub use settings::{SettingsError, find_config, hook_conf, load_config};
pub use spool::{SpoolDepth, spool_depth};
pub use trail::{HookInput, Opened, Trail, TrailError};
