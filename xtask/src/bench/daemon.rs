//! A trail and its daemon for a measurement, made with the release binaries.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Makes a trail and returns its home.
pub(crate) fn new_home(bin: &Path, home: &Path) -> Result<PathBuf, String> {
    let output = Command::new(bin.join("sealtrail")).arg("--home").arg(home).args(["init", "--no-input", "--no-hooks"]).output();
    match output {
        Ok(output) if output.status.success() => Ok(home.to_path_buf()),
        Ok(output) => Err(format!("sealtrail init failed: {}", String::from_utf8_lossy(&output.stderr))),
        Err(error) => Err(format!("cannot start sealtrail: {error}")),
    }
}

/// A daemon that is stopped when dropped.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts the daemon of a home and waits for its socket.
    pub(crate) fn start(bin: &Path, home: &Path) -> Result<Self, String> {
        let child = Command::new(bin.join("sealtrail")).arg("--home").arg(home).arg("daemon").stderr(Stdio::null()).spawn();
        let mut daemon = Self(child.map_err(|error| format!("cannot start the daemon: {error}"))?);
        let deadline = Instant::now() + Duration::from_secs(60);
        // Nothing is ever sent: receiving with a timeout is the wait.
        let (_sender, never) = channel::<()>();
        while !home.join("run/sealtrail.sock").exists() {
            if let Ok(Some(status)) = daemon.0.try_wait() {
                return Err(format!("the daemon ended: {status}"));
            }
            if Instant::now() > deadline {
                return Err("the daemon made no socket in 60 s".to_owned());
            }
            let _ = never.recv_timeout(Duration::from_micros(500));
        }
        Ok(daemon)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Returns the CPU it has used, in the kernel's ticks (hundredths of a second).
    pub(crate) fn cpu_ticks(&self) -> Result<u64, String> {
        let path = format!("/proc/{}/stat", self.pid());
        let stat = std::fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
        // The name, in parentheses, may hold spaces; user and system time are the 12th and 13th word after it.
        let words = stat.rsplit_once(')').map_or("", |(_, words)| words).split_whitespace();
        Ok(words.skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Its own end is all that is wanted; a daemon that is gone already needs no signal.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}
