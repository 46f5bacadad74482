//! Who sent a delivery: what the kernel and the machine know, and no hook says.

use std::collections::HashMap;

/// 4 MiB: a user database of more than 40,000 lines is in a directory service, whose names we do not ask for.
const PASSWD_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The account that this process runs under, and the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its number.
    pub uid: u32,
    /// Its name, if the machine's own list has it.
    pub user: Option<String>,
    /// The machine.
    pub host: Option<String>,
}

impl Account {
    /// Asks the kernel and the machine.
    pub fn own() -> Self {
        let mut people = People::new();
        let uid = rustix::process::getuid().as_raw();
        Self { uid, user: people.user(uid), host: people.host() }
    }
}

/// Names of users and of the machine.
#[derive(Debug)]
pub(crate) struct People {
    host: Option<String>,
    users: HashMap<u32, Option<String>>,
}

impl People {
    pub(crate) fn new() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
        Self { host: host.filter(|name| !name.is_empty()), users: HashMap::new() }
    }

    /// Returns the name of the machine.
    pub(crate) fn host(&self) -> Option<String> {
        self.host.clone()
    }

    /// Returns the name of a user, if the machine's own list has it.
    pub(crate) fn user(&mut self, uid: u32) -> Option<String> {
        // 4,096: more users than one machine's agents have; beyond, names are looked up each time.
        if self.users.len() > 4_096 {
            self.users.clear();
        }
        self.users.entry(uid).or_insert_with(|| user_in(&passwd(), uid)).clone()
    }
}

fn passwd() -> String {
    use std::io::Read;
    let mut text = String::new();
    if let Ok(file) = std::fs::File::open("/etc/passwd") {
        // A name is an addition; without it the uid still says who it was.
        let _ = file.take(PASSWD_BYTES_MAX).read_to_string(&mut text);
    }
    text
}

fn user_in(passwd: &str, uid: u32) -> Option<String> {
    let uid = uid.to_string();
    let line = passwd.lines().find(|line| line.split(':').nth(2) == Some(&uid))?;
    line.split(':').next().map(str::to_owned)
}

/// Reads the version out of what the client says of itself: `claude-code_2-1-329_harness` is version 2.1.329.
pub(crate) fn client_version(client: &str) -> Option<String> {
    let version = client.split('_').nth(1)?.replace('-', ".");
    let plausible =
        version.starts_with(|first: char| first.is_ascii_digit()) && version.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    plausible.then_some(version)
}

#[cfg(test)]
mod tests {
    /// Protects the names in events: they come from the right line, and a version only from text that has one.
    #[test]
    fn names_and_versions() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(super::user_in(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(super::user_in(passwd, 100), None);
        assert_eq!(super::client_version("claude-code_2-1-329_harness").as_deref(), Some("2.1.329"));
        assert_eq!(super::client_version("claude-code"), None);
        assert_eq!(super::client_version("a_../etc_b"), None);
    }
}
