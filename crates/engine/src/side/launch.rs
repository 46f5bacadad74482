//! What the client was started with: its command line, as the system shows it.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::time::{ClockId, clock_gettime};
use sealtrail_capture::settings::{
    COMMAND_LINE, COMMAND_LINE_BYTES_MAX, Found, INLINE_SETTINGS, LaunchSettings, SettingsFile, Unreadable, launched,
};
use sealtrail_event::SettingsScope;

use crate::clock::unix_ns;
use crate::lost::start_of;

/// 2 s: the clock may have been corrected by as much between the hook and the look.
const SLACK_NS: u64 = 2_000_000_000;

/// The process of a client, as a hook names it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    pub(crate) pid: u32,
    /// When the hook came, nanoseconds since 1970: a process that began later is another one under the same number.
    pub(crate) seen_unix_ns: u64,
}

/// Returns what a client of `uid` was started with; nothing when its process is gone, or another's. `read` reads a settings file.
pub(super) fn files(client: Client, uid: u32, folder: Option<&str>, read: impl FnOnce(String) -> SettingsFile) -> Vec<SettingsFile> {
    let Some(words) = command_line(client, uid) else { return Vec::new() };
    let file = |path: &str, found| SettingsFile { scope: SettingsScope::Launch, path: path.to_owned(), found };
    if words.len() as u64 > COMMAND_LINE_BYTES_MAX {
        return vec![file(COMMAND_LINE, Found::Unreadable(Unreadable::TooLarge))];
    }
    let launched = launched(&words, folder);
    let mut files = vec![file(COMMAND_LINE, launched.flags.map_or(Found::Missing, Found::Present))];
    match launched.settings {
        Some(LaunchSettings::Inline(json)) => files.push(file(INLINE_SETTINGS, Found::Present(json))),
        Some(LaunchSettings::File(path)) => files.push(read(path)),
        None => {}
    }
    files
}

fn command_line(client: Client, uid: u32) -> Option<Vec<u8>> {
    let process = format!("/proc/{}", client.pid);
    let owner = std::fs::metadata(&process).ok()?.uid();
    let before = started_unix_ns(client.pid)? <= client.seen_unix_ns.saturating_add(SLACK_NS);
    // The process of a client that may not be looked into belongs to root here.
    if !before || (owner != uid && owner != 0) {
        return None;
    }
    let file = std::fs::File::open(Path::new(&process).join("cmdline")).ok()?;
    let mut words = Vec::new();
    file.take(COMMAND_LINE_BYTES_MAX + 1).read_to_end(&mut words).ok()?;
    (!words.is_empty()).then_some(words)
}

/// Returns when a process started, in nanoseconds since 1970, as the clock is set now.
fn started_unix_ns(pid: u32) -> Option<u64> {
    let ticks = start_of(pid)?;
    let now = clock_gettime(ClockId::Boottime);
    let up_ns = u64::try_from(now.tv_sec).ok()?.checked_mul(1_000_000_000)?.checked_add(u64::try_from(now.tv_nsec).ok()?)?;
    let after_boot_ns = ticks.checked_mul(1_000_000_000 / rustix::param::clock_ticks_per_second().max(1))?;
    unix_ns().checked_sub(up_ns)?.checked_add(after_boot_ns)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Protects sessions from a stranger's flags: a process that began after the hook, or that is another user's, is not the client.
    #[test]
    fn only_the_client_itself_is_looked_at() {
        let own = rustix::process::getuid().as_raw();
        let client = |seen_unix_ns| Client { pid: std::process::id(), seen_unix_ns };
        assert!(command_line(client(unix_ns()), own).is_some_and(|words| words.contains(&0)));
        assert_eq!(command_line(client(1), own), None);
        assert_eq!(command_line(Client { pid: u32::MAX, seen_unix_ns: unix_ns() }, own), None);
        if own != 0 {
            assert_eq!(command_line(client(unix_ns()), own + 1), None);
        }
    }
}
