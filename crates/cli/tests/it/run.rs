//! Runs the binary in a folder of its own and shows what came of it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A user's machine: an empty home folder that goes away with the test.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// A machine on the file system of the build, so that programs can be linked onto it.
    pub(crate) fn beside_the_build() -> Self {
        Self::in_folder(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        std::fs::create_dir(folder.path().join("work")).unwrap();
        Self { folder }
    }

    /// Returns a path on this machine.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file on this machine.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Reads a file of this machine.
    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Runs `sealtrail` with words split at spaces.
    pub(crate) fn run(&self, line: &str) -> Ran {
        self.run_args(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `sealtrail`.
    pub(crate) fn run_args(&self, args: &[&str]) -> Ran {
        self.program(Path::new(env!("CARGO_BIN_EXE_sealtrail")), args)
    }

    /// Prepares a program with this machine's environment only.
    pub(crate) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.path("work")).env_clear().env("HOME", self.folder.path()).env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null());
        command
    }

    /// Runs a shell script in which `sealtrail` is the program.
    pub(crate) fn script(&self, script: &str) -> Ran {
        let script = format!("sealtrail() {{ '{}' \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_sealtrail"));
        self.program(Path::new("/bin/bash"), &["-o", "pipefail", "-c", &script])
    }

    /// Runs a program with this machine's environment only.
    pub(crate) fn program(&self, program: &Path, args: &[&str]) -> Ran {
        let out = self.command(program, args).output().unwrap();
        let text = |bytes: Vec<u8>| self.filtered(&String::from_utf8(bytes).unwrap());
        Ran { exit: out.status.code().unwrap(), stdout: text(out.stdout), stderr: text(out.stderr) }
    }

    /// Replaces what differs from run to run by a word.
    fn filtered(&self, text: &str) -> String {
        let binaries = Path::new(env!("CARGO_BIN_EXE_sealtrail")).parent().unwrap().display().to_string();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let text = text.replace(&format!(" on {}", host.trim()), " on [HOST]");
        let text = text.replace(&self.folder.path().display().to_string(), "[HOME]").replace(&binaries, "[BIN]");
        crate::run::filter(&text)
    }
}

/// Times, ids and keys become words; the patterns are plain scans so that the tests need no regex crate.
pub(crate) fn filter(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        if let Some((word, length)) = at_start(rest) {
            out.push_str(word);
            rest = &rest[length..];
        } else {
            let next = rest.chars().next().unwrap().len_utf8();
            out.push_str(&rest[..next]);
            rest = &rest[next..];
        }
    }
    out
}

fn at_start(text: &str) -> Option<(&'static str, usize)> {
    let run = |from: usize, ok: fn(char) -> bool| text[from..].chars().take_while(|c| ok(*c)).map(char::len_utf8).sum::<usize>();
    if text.starts_with("audit_evt_") {
        let hex = run(10, |c| c.is_ascii_hexdigit());
        return (hex == 32).then_some(("[ID]", 42));
    }
    let shape: String = text.chars().take(19).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    if shape == "0000-00-00T00:00:00" || shape == "0000-00-00 00:00:00" {
        return Some(("[TIME]", 19 + run(19, |c| c.is_ascii_digit() || c == '.' || c == 'Z')));
    }
    if shape.starts_with("00000000T000000Z") {
        return Some(("[STAMP]", 16));
    }
    if shape.starts_with("00:00:00.000") {
        return Some(("[CLOCK]", 12));
    }
    None
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit: {}", self.exit)?;
        if !self.stdout.is_empty() {
            write!(f, "----- stdout\n{}", self.stdout)?;
        }
        if !self.stderr.is_empty() {
            write!(f, "----- stderr\n{}", self.stderr)?;
        }
        Ok(())
    }
}
