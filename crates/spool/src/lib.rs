//! The spool: deliveries that no recorder took, sealed to the trail's public key, appended durably to one open file of this user.
//!
//! It is **not** a reader, and it cannot be one: only the recorder has the key that opens what stands there.
//!
//! Invariants:
//! - When [`append`] returns, the delivery is durable.
//! - The file stays open for appending until the recorder drains it, so one write and one sync make a record durable. Who appends holds the file's lock
//!   for the write only; the recorder holds it when it removes the file.
//! - A writer that is killed in mid-write leaves a torn record, which the drain skips and counts.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crypto_box::PublicKey;
use crypto_box::aead::rand_core::{self, CryptoRng, RngCore};
use rustix::fs::FlockOperation;
use sealtrail_intake::{BODY_BYTES_MAX, Frame, record_head};

/// 64 MiB: above it the file is closed under another name, so that the drain can remove it as a whole.
const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// 64 closed files of 64 MiB: 4 GiB of undrained spool. More is a recorder that never runs.
const SEGMENTS_MAX: u32 = 64;
/// The lock is held for one write; two seconds mean that somebody keeps it.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// The delivery could not be spooled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lost {
    /// One word for the gap table.
    pub cause: &'static str,
    /// A few words for a person.
    pub what: String,
}

impl Lost {
    fn new(cause: &'static str, what: impl std::fmt::Display) -> Self {
        Self { cause, what: format!("spool: {what}") }
    }
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Lost {}

impl From<io::Error> for Lost {
    fn from(error: io::Error) -> Self {
        let cause = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => "disk_full",
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "permission",
            ErrorKind::NotFound | ErrorKind::NotADirectory => "no_spool",
            _ => "io",
        };
        Self::new(cause, error)
    }
}

/// Appends the delivery durably to the spool of the trail in `home`.
pub fn append(home: &Path, frame: &Frame, body: &[u8]) -> Result<(), Lost> {
    if body.len() > BODY_BYTES_MAX {
        return Err(Lost::new("oversized", format_args!("a delivery of {} bytes, the limit is {BODY_BYTES_MAX}", body.len())));
    }
    let record = seal(home, frame, body)?;
    let folder = home.join("spool");
    let file = open_locked(&folder, frame.uid)?;
    let before = file.metadata()?.len();
    if let Err(error) = (&file).write_all(&record) {
        // The lock is still held, so nobody has written behind us. If the cut fails as well, the drain finds a torn record.
        let _ = file.set_len(before);
        return Err(error.into());
    }
    // Unlocked before the sync, so that several hooks share one journal commit.
    let _ = rustix::fs::flock(&file, FlockOperation::Unlock);
    file.sync_data().map_err(|error| Lost::new("sync", error))
}

fn seal(home: &Path, frame: &Frame, body: &[u8]) -> Result<Vec<u8>, Lost> {
    let key =
        std::fs::read_to_string(home.join("run/spool.pub")).map_err(|error| Lost::new("no_key", format!("no public key: {error}")))?;
    let key = unhex(key.trim()).ok_or_else(|| Lost::new("no_key", "the public key is not 64 hex digits"))?;
    getrandom::fill(&mut [0u8; 32]).map_err(|error| Lost::new("no_entropy", error))?;
    let plain = [frame.header().as_slice(), body].concat();
    let sealed =
        PublicKey::from_bytes(key).seal(&mut SystemRandom, &plain).map_err(|_| Lost::new("no_key", "the public key cannot be used"))?;
    Ok([record_head(sealed.len()).as_slice(), &sealed].concat())
}

/// Opens this user's spool file and takes its lock, after closing a full one under its final name.
fn open_locked(folder: &Path, uid: u32) -> Result<File, Lost> {
    let path = folder.join(format!("{uid}.spool"));
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        let file = open(folder, &path)?;
        lock(&file, deadline).map_err(|_| Lost::new("lock", "another process keeps its lock"))?;
        let (held, named) = (file.metadata()?, std::fs::symlink_metadata(&path));
        if !named.is_ok_and(|named| named.ino() == held.ino() && named.dev() == held.dev()) {
            // Closed by another hook, or drained, between our open and our lock.
            continue;
        }
        if held.len() < SEGMENT_BYTES {
            return Ok(file);
        }
        // Where the folder is shared it cannot be listed; so a free number is looked for by name.
        let closed = (0..SEGMENTS_MAX).map(|n| folder.join(format!("{uid}-{n:02}.spool"))).find(|closed| !closed.exists());
        std::fs::rename(&path, closed.ok_or_else(|| Lost::new("spool_full", "4 GiB wait undrained"))?)?;
    }
}

fn open(folder: &Path, path: &Path) -> io::Result<File> {
    let no_follow = rustix::fs::OFlags::NOFOLLOW.bits() as i32;
    let existing = OpenOptions::new().append(true).custom_flags(no_follow).open(path);
    if !matches!(&existing, Err(error) if error.kind() == ErrorKind::NotFound) {
        return existing;
    }
    let file = OpenOptions::new().append(true).create(true).mode(0o644).custom_flags(no_follow).open(path)?;
    // The recorder may be another user and must read it, whatever the umask; sealed boxes are no secret.
    rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(0o644))?;
    // A folder that cannot be read cannot be opened for its sync; the file's own sync then has to do, as it does on the usual file systems.
    if let Ok(folder) = File::open(folder) {
        folder.sync_all()?;
    }
    Ok(file)
}

/// Takes the exclusive lock of a file, or gives up at the deadline.
pub fn lock(file: &File, deadline: Instant) -> io::Result<()> {
    // Nothing is ever sent: receiving with a timeout is the wait.
    let (_sender, never) = mpsc::channel::<()>();
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < deadline => {}
            Err(error) => return Err(error.into()),
        }
        let _ = never.recv_timeout(Duration::from_micros(300));
    }
}

/// Reads a key of 64 hex digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0u8; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * n..2 * n + 2], 16).ok()?;
    }
    Some(out)
}

/// The system's randomness behind the trait that the sealed box asks for.
struct SystemRandom;

impl CryptoRng for SystemRandom {}

impl RngCore for SystemRandom {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, into: &mut [u8]) {
        // The trait cannot report a failure, and a box sealed without randomness could be opened by anybody.
        getrandom::fill(into).expect("seal() drew randomness a moment ago, and the kernel never stops giving it");
    }

    fn try_fill_bytes(&mut self, into: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(into);
        Ok(())
    }
}
