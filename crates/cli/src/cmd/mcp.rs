//! `mcp`: a view of the trail for an agent, a collector of its own word, and a proxy that records any server.

mod collector;
mod proxy;
mod read;
mod remote;
mod tools;
mod wrap;

use sealtrail_capture::client_version;
use sealtrail_capture::mcp::{Link, Transport};
use sealtrail_engine::Account;

use crate::args::{Mcp, McpCommand, McpRead};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;

pub(crate) use collector::router;

pub(crate) fn run(call: &mut Call, args: &Mcp) -> Result<Exit, Failure> {
    match &args.command {
        None => read::run(call, &McpRead { url: args.url.clone() }),
        Some(McpCommand::Read(args)) => read::run(call, args),
        Some(McpCommand::Collector(args)) => collector::run(call, args),
        Some(McpCommand::Proxy(args)) => proxy::run(call, args),
        Some(McpCommand::Wrap(args)) => wrap::wrap(call, args),
        Some(McpCommand::Unwrap(args)) => wrap::unwrap(call, args),
    }
}

/// Returns what the environment tells of a connection.
fn link(server: &str, transport: Transport, target: String) -> Link {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let Account { uid, user, host } = Account::own();
    // Over HTTP, the client is another process than the one that started this.
    let stdio = transport == Transport::Stdio;
    let parent = || rustix::process::getppid().and_then(|pid| u32::try_from(pid.as_raw_nonzero().get()).ok());
    Link {
        server: server.to_owned(),
        transport,
        target,
        session_id: set("CLAUDE_CODE_SESSION_ID").filter(|_| stdio),
        client_version: set("AI_AGENT").filter(|_| stdio).and_then(|agent| client_version(&agent)),
        client_pid: if stdio { set("CLAUDE_PID").and_then(|pid| pid.parse().ok()).or_else(parent) } else { None },
        uid,
        user,
        host,
        cwd: std::env::current_dir().ok().filter(|_| stdio).map(|cwd| cwd.display().to_string()),
    }
}
