//! A piece of a machine's log, as it comes to a collector: only the owner's own lines are taken, slots left out at most, and what is taken is there afterwards.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sealtrail_disk::{Disk, SimDisk, create_whole};
use sealtrail_ledger::line::{Kind, Line};
use sealtrail_ledger::mirror::{Chunk, Mirror, MirrorError, OutChunk, Outgoing};
use sealtrail_ledger::read::Reader;
use sealtrail_tlog::{NodeHash, TreeSize, VerifierKey};

const LOG: &str = include_str!("../../fixtures/ledger/v1/ledger/log.json");
const NOTE: &str = include_str!("../../fixtures/ledger/v1/ledger/checkpoint");
const VKEY: &str = include_str!("../../fixtures/ledger/v1/ledger/log.vkey");
const FILES: &[(&str, &[u8])] = &[
    ("log.json", LOG.as_bytes()),
    ("checkpoint", NOTE.as_bytes()),
    ("seg/000000000000.json", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.json")),
    ("seg/000000000000.entries.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.entries.jsonl.gz")),
    ("seg/000000000000.slots.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.slots.jsonl.gz")),
    ("seg/000000000000.commits.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.commits.jsonl.gz")),
    ("wal/000000000328.wal", include_bytes!("../../fixtures/ledger/v1/ledger/wal/000000000328.wal")),
    ("tile/0/000", include_bytes!("../../fixtures/ledger/v1/ledger/tile/0/000")),
    ("tile/0/001", include_bytes!("../../fixtures/ledger/v1/ledger/tile/0/001")),
    ("tile/0/002.p/88", include_bytes!("../../fixtures/ledger/v1/ledger/tile/0/002.p/88")),
    ("tile/1/000.p/2", include_bytes!("../../fixtures/ledger/v1/ledger/tile/1/000.p/2")),
];

/// So many events are in the piece at most: each run follows all of them.
const EVENTS: TreeSize = TreeSize(40);

/// The first piece of the golden ledger, and the proof that belongs to it.
static PIECE: LazyLock<(OutChunk, Vec<NodeHash>)> = LazyLock::new(|| {
    let (disk, dir) = (SimDisk::new(), Path::new("/l"));
    for folder in ["/l", "/l/seg", "/l/wal", "/l/tile", "/l/tile/0", "/l/tile/0/002.p", "/l/tile/1", "/l/tile/1/000.p"] {
        disk.create_dir(Path::new(folder)).expect("a test disk");
    }
    for (name, bytes) in FILES {
        create_whole(&disk, &dir.join(name), bytes).expect("a test disk");
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    let mut outgoing = Outgoing::open(Arc::clone(&disk), dir, 0, true).expect("a golden ledger");
    let chunk = outgoing.chunk(EVENTS).expect("a golden ledger").expect("a first batch");
    let size: u64 = NOTE.lines().nth(1).and_then(|size| size.parse().ok()).expect("a golden checkpoint");
    let proof = Reader::open(disk, dir).expect("a golden ledger").prove_consistency(TreeSize(chunk.new), TreeSize(size));
    (chunk, proof.expect("a golden ledger").hashes)
});

// The first four bytes name a range of the golden piece, which the others take the place of.
fuzz_target!(|data: &[u8]| {
    let Some(([at_high, at_low, gone_high, gone_low], more)) = data.split_first_chunk() else { return };
    let (chunk, proof) = &*PIECE;
    let at = usize::from(u16::from_be_bytes([*at_high, *at_low])) % (chunk.bytes.len() + 1);
    let end = (at + usize::from(u16::from_be_bytes([*gone_high, *gone_low]))).min(chunk.bytes.len());
    let batches = [&chunk.bytes[..at], more, &chunk.bytes[end..]].concat();

    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new());
    let key = VerifierKey::parse(VKEY.trim_end()).expect("a golden key");
    let open = || Mirror::open(Arc::clone(&disk), Path::new("/m"), key.clone());
    let mut mirror = open().expect("an empty disk");
    let piece = Chunk { segment: chunk.segment, old: chunk.old, log: Some(LOG), batches: &batches, note: NOTE, proof };
    match mirror.accept(&piece) {
        Ok(size) => {
            assert!(own_lines(&batches, &chunk.bytes), "other lines than the owner's were taken");
            drop(mirror);
            assert!(open().is_ok_and(|mirror| mirror.size() == size && size.0 == chunk.new), "what was taken is not there");
        }
        Err(error) => {
            assert!(error.is_refusal() && batches != chunk.bytes, "{error}");
            assert!(!matches!(error, MirrorError::Elsewhere { .. }) && mirror.size() == TreeSize::EMPTY);
        }
    }
});

/// Tells whether every line is one of the owner's, in order, and only slots are left out.
fn own_lines(found: &[u8], own: &[u8]) -> bool {
    let mut own = own.split(|byte| *byte == b'\n');
    let is_slot = |line: &[u8]| Line::kind(line) == Some(Kind::Slot);
    found.split(|byte| *byte == b'\n').all(|line| own.find(|own| *own == line || !is_slot(own)).is_some_and(|own| own == line))
        && own.all(is_slot)
}
