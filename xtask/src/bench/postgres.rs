//! PostgreSQL as a peer: a fresh cluster of Debian's packages, as it ships, in a scratch folder.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use sealtrail_event::Event;

use super::append::nanos;

/// A server that is stopped when dropped.
pub(crate) struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    /// The server refuses to run as root: then another user runs it.
    user: Option<&'static str>,
}

impl Postgres {
    /// Makes a cluster and starts it on a socket in its own folder; `synchronous_commit` and `fsync` are on, as they ship.
    pub(crate) fn start(folder: &Path) -> Result<Self, String> {
        let bin = programs().ok_or("no PostgreSQL here (Debian: apt-get install postgresql)")?;
        std::fs::create_dir_all(folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        let user = rustix::process::geteuid().is_root().then_some("postgres");
        if let Some(user) = user {
            let owned = Command::new("chown").arg(user).arg(folder).status();
            if !owned.is_ok_and(|status| status.success()) {
                return Err(format!("there is no user {user}"));
            }
            // The scratch folder is ours alone; whoever runs the server must be able to pass through it.
            if let Some(scratch) = folder.parent() {
                let _ = Command::new("chmod").arg("a+x").arg(scratch).stderr(Stdio::null()).status();
            }
        }
        let postgres = Self { bin, folder: folder.to_owned(), user };
        let data = folder.join("data");
        let data = data.display();
        postgres.run("initdb", &["-D", &data.to_string(), "-A", "trust", "-U", "bench", "--no-instructions"])?;
        let log = folder.join("log");
        let options = format!("-c listen_addresses='' -c unix_socket_directories='{}'", folder.display());
        postgres.run("pg_ctl", &["-D", &data.to_string(), "-l", &log.display().to_string(), "-o", &options, "-w", "start"])?;
        let table = "CREATE TABLE events (audit_id text PRIMARY KEY, event jsonb NOT NULL)";
        postgres.run("psql", &["-q", "-h", &folder.display().to_string(), "-U", "bench", "-d", "postgres", "-c", table])?;
        Ok(postgres)
    }

    /// Inserts events in statements of `batch` rows, each its own transaction, from `clients` connections; returns how long it took.
    pub(crate) fn insert(&self, events: &[Event], batch: usize, clients: usize) -> Result<u64, String> {
        let mut files = Vec::new();
        for (n, part) in events.chunks(events.len().div_ceil(clients)).enumerate() {
            let file = self.folder.join(format!("insert-{n}.sql"));
            let text: String = part.chunks(batch).map(statement).collect();
            std::fs::write(&file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))?;
            files.push(file.display().to_string());
        }
        let host = self.folder.display().to_string();
        let start = Instant::now();
        let mut children = Vec::new();
        for file in &files {
            let mut command =
                self.command("psql", &["-q", "-v", "ON_ERROR_STOP=1", "-h", &host, "-U", "bench", "-d", "postgres", "-f", file]);
            children.push(command.spawn().map_err(|error| format!("cannot start psql: {error}"))?);
        }
        for mut child in children {
            if !child.wait().is_ok_and(|status| status.success()) {
                return Err("psql failed".to_owned());
            }
        }
        Ok(nanos(start))
    }

    fn run(&self, program: &str, words: &[&str]) -> Result<(), String> {
        let status = self.command(program, words).status().map_err(|error| format!("cannot start {program}: {error}"))?;
        if status.success() { Ok(()) } else { Err(format!("{program} failed")) }
    }

    fn command(&self, program: &str, words: &[&str]) -> Command {
        let path = self.bin.join(program);
        let mut command = match self.user {
            None => Command::new(path),
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).arg(path);
                command
            }
        };
        command.args(words).current_dir(&self.folder).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.folder.join("data").display().to_string();
        // The scratch folder goes with what is left of it.
        let _ = self.run("pg_ctl", &["-D", &data, "-m", "immediate", "stop"]);
    }
}

fn statement(events: &[Event]) -> String {
    let mut text = String::from("INSERT INTO events VALUES ");
    for (n, event) in events.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let json = event.to_json().to_string().replace('\'', "''");
        // Writing into memory does not fail.
        let _ = write!(text, "{comma}('{}','{json}')", event.envelope.audit_id);
    }
    text.push_str(";\n");
    text
}

/// Returns the folder of the newest server that Debian's packages put there.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
    let mut found: Vec<(u32, PathBuf)> =
        versions.filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin")))).collect();
    found.sort();
    found.pop().map(|(_, path)| path).filter(|path| path.join("initdb").exists())
}
