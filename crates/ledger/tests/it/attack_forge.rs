//! A ledger builder for the attacks: it makes every byte itself from a plain description ([`Spec`]), and signs whatever it is told to.
//!
//! It shares the line encoders and the hash tree with the product (both are tested against the independent script elsewhere), none of
//! its writing, reading or verifying.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use sealtrail_disk::{Disk, Open, SimDisk};
use sealtrail_ledger::line::{
    Commit, CommitLine, Commitment, FileSum, HighWater, LogInfo, MacLine, Manifest, ManifestFiles, PlainBytes, Time, write_envelope,
    write_slot,
};
use sealtrail_ledger::report::{Report, Severity};
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::{Checkpoint, Frontier, KeyName, LeafHash, NodeId, SigningKey, TreeSize, VerifierKey, leaf_hash, tiles_for};

use crate::attack_spec::{Batch, LOG_SIGNS, Plain, Spec};

/// Every file of a ledger by its path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

pub(crate) const ORIGIN: &str = "localhost/sealtrail/test";
pub(crate) const START_NS: i128 = 1_780_000_000_000_000_000;
/// Zeros after the batches, as preallocation leaves them.
const SPARE: usize = 64;

pub(crate) fn log_key() -> SigningKey {
    key(ORIGIN, 200)
}

pub(crate) fn epoch_key(epoch: u64) -> SigningKey {
    key(&format!("{ORIGIN}/epoch/{epoch}"), epoch as u8)
}

fn key(name: &str, seed: u8) -> SigningKey {
    SigningKey::from_seed(KeyName::parse(name).unwrap(), [seed; 32]).unwrap()
}

pub(crate) fn vkey() -> VerifierKey {
    log_key().verifier().clone()
}

pub(crate) struct Forge<'a> {
    spec: &'a Spec,
    files: Files,
    frontier: Frontier,
    chain: [u8; 32],
    mac_key: [u8; 32],
    mac_epoch: u64,
    leaves: Vec<LeafHash>,
    nodes: BTreeMap<(u8, u64), [u8; 32]>,
    marks: BTreeMap<u64, HighWater>,
    wal: (String, u64),
}

fn sha(parts: &[&[u8]]) -> [u8; 32] {
    digest(&SHA256, &parts.concat()).as_ref().try_into().unwrap()
}

/// K_0 of every forged log.
pub(crate) const MAC_KEY: [u8; 32] = [42; 32];

impl<'a> Forge<'a> {
    pub(crate) fn new(spec: &'a Spec) -> Self {
        let chain = sha(&[b"sealtrail/chain/v1\n", ORIGIN.as_bytes(), b"\n"]);
        let (frontier, leaves, nodes, marks) = (Frontier::new(), Vec::new(), BTreeMap::new(), BTreeMap::new());
        Self { spec, files: Files::new(), frontier, chain, mac_key: MAC_KEY, mac_epoch: 0, leaves, nodes, marks, wal: (String::new(), 0) }
    }

    pub(crate) fn run(mut self) -> Files {
        let log = LogInfo {
            origin: ORIGIN.into(),
            log_id: "00".repeat(16),
            created: Time::from_unix_ns(START_NS),
            vkey: vkey().to_string(),
            hmac: self.spec.hmac,
        };
        self.files.insert("log.json".into(), log.encode());
        self.files.insert("log.vkey".into(), format!("{}\n", log.vkey).into_bytes());
        let mut rest = self.spec.batches.as_slice();
        for count in &self.spec.sealed {
            let (segment, after) = rest.split_at(*count);
            self.segment(segment);
            rest = after;
        }
        self.active(rest);
        self.publish();
        self.files
    }

    fn segment(&mut self, batches: &[Batch]) {
        let first = self.frontier.size().0;
        self.wal = (format!("{first:012}.wal"), 0);
        let [mut entries, mut slots, mut commits] = [const { Vec::new() }; 3];
        let mut last = Vec::new();
        for batch in batches {
            let parts = self.batch(batch);
            entries.extend(parts.entries);
            slots.extend(parts.slots);
            commits.extend(parts.mac);
            commits.extend_from_slice(&parts.commit);
            commits.push(b'\n');
            last = parts.commit;
        }
        let suffix = self.spec.compression.suffix();
        let mut file = |what: &str, plain: &[u8]| {
            let bytes = if suffix.is_empty() || plain.is_empty() { plain.to_vec() } else { gzip(plain) };
            let sum = sum_of(&bytes);
            self.files.insert(format!("seg/{first:012}.{what}.jsonl{suffix}"), bytes);
            sum
        };
        let files = ManifestFiles { entries: file("entries", &entries), slots: file("slots", &slots), commits: file("commits", &commits) };
        let time = |batch: &Batch| Time::from_unix_ns(START_NS + batch.at * 1_000_000_000);
        let manifest = Manifest {
            first,
            size: self.frontier.size().0,
            first_t: time(&batches[0]),
            last_t: time(batches.last().unwrap()),
            chain: self.chain,
            frontier: self.frontier.hashes().iter().map(|hash| hash.0).collect(),
            commit: String::from_utf8(last).unwrap(),
            compression: self.spec.compression,
            files,
            plain: PlainBytes { entries: entries.len() as u64, slots: slots.len() as u64, commits: commits.len() as u64 },
        };
        self.files.insert(format!("seg/{first:012}.json"), manifest.encode());
    }

    fn active(&mut self, batches: &[Batch]) {
        let first = self.frontier.size().0;
        self.wal = (format!("{first:012}.wal"), 0);
        let mut wal = Vec::new();
        for batch in batches {
            let parts = self.batch(batch);
            wal.extend(parts.lines);
            wal.extend(parts.commit);
            wal.push(b'\n');
        }
        wal.extend([0; SPARE]);
        self.files.insert(format!("wal/{first:012}.wal"), wal);
    }

    fn batch(&mut self, batch: &Batch) -> Parts {
        let mut parts = Parts::default();
        let mut macs = Vec::new();
        while self.mac_epoch < batch.epoch {
            self.mac_key =
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.mac_key), b"sealtrail/evolve/v1\n").as_ref().try_into().unwrap();
            self.mac_epoch += 1;
        }
        let mut full = Vec::new();
        for event in &batch.events {
            let seq = self.leaves.len() as u64;
            self.event(seq, event, &mut parts, &mut full);
            let key = hmac::Key::new(hmac::HMAC_SHA256, &self.mac_key);
            let message = [b"sealtrail/mac/v1\n" as &[u8], &seq.to_be_bytes(), &self.chain].concat();
            macs.push(<[u8; 32]>::try_from(hmac::sign(&key, &message).as_ref()).unwrap());
        }
        if self.spec.hmac {
            MacLine::new(&macs).write(&mut parts.mac);
            parts.mac.push(b'\n');
            full.extend_from_slice(&parts.mac);
            parts.lines.extend_from_slice(&parts.mac);
        }
        let commit = Commit {
            size: self.frontier.size().0,
            root: self.frontier.root().0,
            chain: self.chain,
            len: full.len() as u64,
            crc: crc32c::crc32c(&full),
            time: Time::from_unix_ns(START_NS + batch.at * 1_000_000_000),
            mono: batch.at as u64 * 1_000_000_000,
            boot: "boot-a".into(),
            epoch: batch.epoch,
            key: batch.key,
        };
        let mut body = Vec::new();
        commit.write_body(&mut body);
        let signer = if batch.signer == LOG_SIGNS { log_key() } else { epoch_key(batch.signer) };
        CommitLine::write(&mut parts.commit, &body, &signer.sign_raw(&Commit::signed_text(ORIGIN, &body)));
        self.wal.1 += commit.len + parts.commit.len() as u64 + 1;
        let frontier = self.frontier.hashes().iter().map(|hash| hash.0).collect();
        let Commit { size, root, chain, epoch, .. } = commit;
        self.marks.insert(size, HighWater { size, root, chain, frontier, wal: self.wal.0.clone(), offset: self.wal.1, epoch });
        parts
    }

    fn event(&mut self, seq: u64, event: &Plain, parts: &mut Parts, full: &mut Vec<u8>) {
        let (mut slots, mut commitments, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in &event.slots {
            let salt: [u8; 16] = sha(&[&seq.to_be_bytes(), name.as_str().as_bytes()])[..16].try_into().unwrap();
            let hash = sha(&[b"sealtrail/slot/v1\n", &salt, value.as_bytes()]);
            commitments.push(Commitment { name: *name, hash, bytes: value.len() as u64 });
            let mut line = Vec::new();
            write_slot(&mut line, seq, *name, &salt, value.as_bytes());
            line.push(b'\n');
            if !self.spec.gone.contains(&(seq, *name)) {
                slots.extend_from_slice(&line);
            }
            all.extend(line);
        }
        let mut envelope = Vec::new();
        write_envelope(&mut envelope, seq, event.members.as_bytes(), &commitments);
        let leaf = leaf_hash(&envelope);
        self.leaves.push(leaf);
        let nodes = &mut self.nodes;
        self.frontier.push_with(leaf, |NodeId { level, index }, hash| {
            nodes.insert((level, index), hash.0);
        });
        self.chain = sha(&[&[3], &self.chain, &leaf.0]);
        envelope.push(b'\n');
        full.extend_from_slice(&envelope);
        full.extend(all);
        parts.lines.extend_from_slice(&envelope);
        parts.lines.extend_from_slice(&slots);
        parts.entries.extend(envelope);
        parts.slots.extend(slots);
    }

    fn publish(&mut self) {
        let mut notes = Vec::new();
        for size in &self.spec.published {
            let note = self.note(*size);
            if !notes.is_empty() {
                notes.push(b'\n');
            }
            notes.extend_from_slice(note.as_bytes());
            self.files.insert("checkpoint".into(), note.into_bytes());
        }
        let Some(last) = self.spec.published.last() else { return };
        self.files.insert("checkpoints.notes".into(), notes);
        self.files.insert("highwater".into(), self.marks[last].encode());
        for tile in tiles_for(TreeSize(0), TreeSize(*last)) {
            let bytes = tile.nodes().flat_map(|id| self.nodes[&(id.level, id.index)]).collect();
            self.files.insert(tile.to_string(), bytes);
        }
    }

    fn note(&self, size: u64) -> String {
        let mut frontier = Frontier::new();
        self.leaves[..size as usize].iter().for_each(|leaf| frontier.push(*leaf));
        Checkpoint { origin: ORIGIN.into(), size: TreeSize(size), root: frontier.root() }.sign(&[&log_key()]).unwrap()
    }
}

#[derive(Default)]
struct Parts {
    lines: Vec<u8>,
    entries: Vec<u8>,
    slots: Vec<u8>,
    mac: Vec<u8>,
    commit: Vec<u8>,
}

pub(crate) fn sum_of(bytes: &[u8]) -> FileSum {
    FileSum { bytes: bytes.len() as u64, sha256: sha(&[bytes]) }
}

pub(crate) fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// Puts the files on a disk of memory.
pub(crate) fn disk_of(files: &Files) -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dir(Path::new("/l")).unwrap();
    for (path, bytes) in files {
        let path = Path::new("/l").join(path);
        disk.create_dir(path.parent().unwrap()).unwrap();
        let file = disk.open(&path, Open::New).unwrap();
        file.write_at(bytes, 0).unwrap();
    }
    disk
}

pub(crate) fn options() -> VerifyOptions {
    VerifyOptions { threads: 1, vkey: Some(vkey()), mac_key: Some(MAC_KEY), ..VerifyOptions::default() }
}

pub(crate) fn check_disk(disk: &SimDisk, options: &VerifyOptions) -> Report {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    verify(&disk, Path::new("/l"), options, &mut |_| ()).unwrap()
}

pub(crate) fn check(files: &Files) -> Report {
    check_disk(&disk_of(files), &options())
}

/// Tells whether a verification noticed anything: a failure or a warning.
pub(crate) fn noticed(report: &Report) -> bool {
    report.count(Severity::Fail) + report.count(Severity::Warn) > 0
}

pub(crate) fn kinds(report: &Report) -> Vec<&'static str> {
    report.findings.iter().filter(|finding| finding.severity != Severity::Note).map(|finding| finding.kind).collect()
}

pub(crate) fn text(report: &Report) -> String {
    report.findings.iter().map(|finding| format!("{finding}\n")).collect()
}
