//! What passes between an MCP client and its server becomes redacted events; and so does what an agent hands in itself.
//!
//! It is **not** a proxy: it gets copies of messages, in order, and says what they mean. Bytes go on untouched elsewhere.
//!
//! Invariants:
//! - A call has one intent; an outcome has an intent before it, and there is never a second one.
//! - Memory is bounded: open requests, listings and counters have limits, and nothing of a message is kept longer than its events need.
//! - Nothing that a peer sends makes it panic; bytes that are no message become `system.unparsed`, whole.

mod account;
mod answers;
mod large;
mod listing;
mod message;
mod record;
mod refusals;
mod requests;
mod watch;

use sealtrail_event::{AuditId, SlotName, Witness};

use crate::draft::{Draft, time_token, token};

pub use account::End;
pub use large::Whole;
pub use listing::{Known, Listing};
pub use record::{Sender, record};
pub use watch::{OPEN_MAX, Seen, Watch};

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// How client and server talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Lines on standard input and output.
    Stdio,
    /// Streamable HTTP.
    Http,
}

impl Transport {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdio => "stdio",
            Self::Http => "http",
        }
    }
}

/// What is known of a connection beside its messages.
#[derive(Clone, Debug)]
pub struct Link {
    /// The server's name in the client's configuration.
    pub server: String,
    /// How they talk.
    pub transport: Transport,
    /// The server's command line, or its address.
    pub target: String,
    /// Session of the client, where its environment tells.
    pub session_id: Option<String>,
    /// Version of the client.
    pub client_version: Option<String>,
    /// Process of the client.
    pub client_pid: Option<u32>,
    /// Account that the recorder of the connection runs under.
    pub uid: u32,
    /// Its name.
    pub user: Option<String>,
    /// The machine.
    pub host: Option<String>,
    /// Working folder.
    pub cwd: Option<String>,
}

/// The time of a message, and where ids come from.
pub struct Now<'a> {
    /// Nanoseconds since 1970.
    pub unix_ns: u64,
    /// Makes one id.
    pub ids: &'a mut dyn FnMut() -> AuditId,
}

impl Link {
    /// Starts an event of this connection.
    fn draft(&self, event_type: &str, now: &mut Now<'_>) -> Draft {
        let mut draft = Draft::at(now.unix_ns, (now.ids)(), event_type, Witness::Mcp);
        draft.envelope.recorded_at = Some(time_token(now.unix_ns));
        draft.envelope.mcp_server = token(&self.name());
        draft.envelope.session_id = self.session_id.as_deref().and_then(token);
        draft.envelope.client_version = self.client_version.as_deref().and_then(token);
        draft.put(SlotName::Identity, "user_id", self.user.clone().unwrap_or_else(|| format!("uid:{}", self.uid)).into());
        draft.put(SlotName::Identity, "uid", self.uid.into());
        if let Some(host) = &self.host {
            draft.put(SlotName::Identity, "host", host.as_str().into());
        }
        if let Some(pid) = self.client_pid {
            draft.put(SlotName::Identity, "client_pid", pid.into());
        }
        if let Some(cwd) = &self.cwd {
            draft.put(SlotName::Resource, "cwd", cwd.as_str().into());
        }
        draft
    }

    /// Returns the server's name as the client writes it into the names of tools.
    fn name(&self) -> String {
        plain(&self.server)
    }

    /// Returns a tool's name as the client and its hooks say it.
    fn tool(&self, name: &str) -> String {
        format!("mcp__{}__{}", self.name(), plain(name))
    }
}

/// The client's own rule for names: what is no letter, digit, `_` or `-` becomes `_`.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' }).collect()
}
