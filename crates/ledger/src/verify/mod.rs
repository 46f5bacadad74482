//! Recomputes a ledger from its bytes and says, finding by finding, what is wrong, where, and since when.
//!
//! Parts (sealed segments and active files) are folded in parallel, each from the state that the manifest before it states; that the
//! states meet is checked afterwards, in order. Signatures come last, when every key that the log announced is known.
//! Memory: per thread one batch and three read buffers; per event one byte where slots are missing; per epoch one key.

mod active;
mod clocks;
mod epochs;
mod erasure;
mod files;
mod fold;
mod merge;
mod own;
mod plan;
mod published;
mod quick;
mod sealed;
mod signatures;
mod slots;
mod threads;
mod tiles;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use sealtrail_disk::{Disk, DiskError};
use sealtrail_tlog::{Frontier, KeyError, TreeSize, VerifierKey};

use crate::line::{CHAIN_LABEL, LineError, LogInfo, Time};
use crate::report::{Finding, Report, Severity};
use fold::State;
use published::{Published, chain_of};
use tiles::TileFiles;

/// What to check and against what.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Threads; 0 takes as many as the machine has.
    pub threads: usize,
    /// The log key, known from elsewhere. Without it the ledger's own word is taken.
    pub vkey: Option<VerifierKey>,
    /// K_0 as it was shown once, to check the macs.
    pub mac_key: Option<[u8; 32]>,
    /// Whether to recompute only the newest part, and to take the state before it from its manifest.
    pub quick: bool,
    /// Checkpoints of this log that were kept elsewhere: a ledger that lost or replaced what they cover fails.
    pub known: Vec<String>,
    /// Whether to compare the SHA-256 of the uncompressed entries and slots of segments with their manifests too. Every byte of those files is
    /// judged by what it says anyway, so this adds only one thing: it finds a manifest whose hash and CRC were both replaced.
    pub file_hashes: bool,
}

/// How far a verification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Plain bytes done.
    pub done: u64,
    /// Plain bytes to do, as far as it is known.
    pub total: u64,
}

/// Why a ledger cannot even be looked at; everything else is a finding.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The folder is not there or not readable.
    #[error("cannot verify the ledger")]
    Disk(#[from] DiskError),
}

/// What every thread sees.
struct Context<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    log: &'a LogInfo,
    marks: Vec<u64>,
    tiles: TileFiles,
    checkpoint: Option<&'a [u8]>,
    mac_key: Option<[u8; 32]>,
    file_hashes: bool,
    progress: AtomicU64,
}

impl Context<'_> {
    /// Tells whether another checkpoint was published since this verification began.
    fn published_again(&self) -> bool {
        self.disk.read(&self.dir.join("checkpoint")).ok().as_deref() != self.checkpoint
    }
}

/// The state before a part.
#[derive(Clone)]
struct Start {
    state: State,
    since: Option<Time>,
}

impl Start {
    /// Returns the state before the first event.
    fn of_log(origin: &str) -> Self {
        let first = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, format!("{CHAIN_LABEL}{origin}\n").as_bytes());
        let mut chain = [0; 32];
        chain.copy_from_slice(first.as_ref());
        Self { state: State { frontier: Frontier::new(), chain }, since: None }
    }
}

/// Verifies the ledger in `dir`; `progress` is called now and then from this thread.
pub fn verify(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    options: &VerifyOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, VerifyError> {
    disk.list(dir)?;
    let mut report = Report { quick: options.quick, ..Report::default() };
    let Some((log, key)) = identity(&**disk, dir, options, &mut report) else { return Ok(report) };
    let mut findings = Vec::new();
    let published = Published::load(&**disk, dir, &key, &options.known, &mut findings);
    let tiles = TileFiles::list(&**disk, dir, published.size.unwrap_or(TreeSize::EMPTY))?;
    files::judge(&**disk, dir, &mut findings)?;
    let parts = plan::Plan::make(&**disk, dir, &log, options.quick, &mut findings)?;
    let ctx = Context {
        disk: &**disk,
        dir,
        log: &log,
        marks: published.marks(),
        tiles,
        checkpoint: published.checkpoint.as_deref(),
        mac_key: options.mac_key.filter(|_| log.hmac),
        file_hashes: options.file_hashes,
        progress: AtomicU64::new(0),
    };
    report.published = published.size;
    merge::run(&ctx, parts, &published, key, threads::count(options.threads), progress, &mut report, findings);
    Ok(report)
}

/// Reads `log.json` and finds the key that everything is checked against.
fn identity(disk: &dyn Disk, dir: &Path, options: &VerifyOptions, report: &mut Report) -> Option<(LogInfo, VerifierKey)> {
    let mut fail = |kind, file: &str, detail: String| report.add(Finding::fail(kind, file, detail));
    let bytes = match disk.read(&dir.join("log.json")) {
        Ok(bytes) => bytes,
        Err(error) => {
            fail("file-missing", "log.json", format!("nothing can be verified without it: {}", error.source));
            return None;
        }
    };
    let parsed = LogInfo::parse(&bytes).map_err(|error: LineError| error.to_string());
    let parsed = parsed.and_then(|log| {
        let key = VerifierKey::parse(&log.vkey).map_err(|error: KeyError| chain_of(&error))?;
        Ok((log, key))
    });
    let (log, key) = match parsed {
        Ok(parsed) => parsed,
        Err(detail) => {
            fail("log-damaged", "log.json", detail);
            return None;
        }
    };
    if key.name().as_str() != log.origin {
        fail("log-damaged", "log.json", format!("the key is named {} and the log {}", key.name(), log.origin));
    }
    if let Some(pin) = options.vkey.as_ref().filter(|pin| **pin != key) {
        fail("key-differs", "log.json", format!("the ledger is of key {key}, not of the expected {pin}"));
    }
    match disk.read(&dir.join("log.vkey")) {
        Ok(bytes) if bytes == format!("{}\n", log.vkey).as_bytes() => {}
        Ok(_) => fail("vkey-differs", "log.vkey", "it does not hold the key of log.json".to_owned()),
        Err(error) => fail("file-missing", "log.vkey", error.source.to_string()),
    }
    report.origin.clone_from(&log.origin);
    report.vkey.clone_from(&log.vkey);
    report.pinned = options.vkey.is_some();
    // The pinned key judges signatures; under it a ledger of another key fails everywhere.
    Some((log, options.vkey.clone().unwrap_or(key)))
}

/// Makes a warning.
fn warn(kind: &'static str, file: impl Into<String>, detail: impl Into<String>) -> Finding {
    Finding::new(Severity::Warn, kind, file, detail)
}
