//! A whole WAL: the golden ledger with these bytes as its active segment is read and verified; only the bytes that were written pass.
#![no_main]

use std::path::Path;
use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sealtrail_disk::{Disk, SimDisk, create_whole};
use sealtrail_ledger::read::Reader;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::Seq;

const FILES: &[(&str, &[u8])] = &[
    ("log.json", include_bytes!("../../fixtures/ledger/v1/ledger/log.json")),
    ("log.vkey", include_bytes!("../../fixtures/ledger/v1/ledger/log.vkey")),
    ("checkpoint", include_bytes!("../../fixtures/ledger/v1/ledger/checkpoint")),
    ("checkpoints.notes", include_bytes!("../../fixtures/ledger/v1/ledger/checkpoints.notes")),
    ("highwater", include_bytes!("../../fixtures/ledger/v1/ledger/highwater")),
    ("seg/000000000000.json", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.json")),
    ("seg/000000000000.entries.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.entries.jsonl.gz")),
    ("seg/000000000000.slots.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.slots.jsonl.gz")),
    ("seg/000000000000.commits.jsonl.gz", include_bytes!("../../fixtures/ledger/v1/ledger/seg/000000000000.commits.jsonl.gz")),
];
const WAL: &[u8] = include_bytes!("../../fixtures/ledger/v1/ledger/wal/000000000328.wal");

/// The golden ledger without its WAL and tiles (tiles are derived).
static GOLDEN: LazyLock<SimDisk> = LazyLock::new(|| {
    let disk = SimDisk::new();
    for folder in ["/l", "/l/seg", "/l/wal"] {
        disk.create_dir(Path::new(folder)).expect("a test disk");
    }
    for (name, bytes) in FILES {
        create_whole(&disk, &Path::new("/l").join(name), bytes).expect("a test disk");
    }
    disk
});

fuzz_target!(|data: &[u8]| {
    let disk = GOLDEN.copy();
    if create_whole(&disk, Path::new("/l/wal/000000000328.wal"), data).is_err() {
        return;
    }
    let disk: Arc<dyn Disk> = Arc::new(disk);
    if let Ok(reader) = Reader::open(Arc::clone(&disk), Path::new("/l")) {
        for stored in reader.iter(Seq(300)).flatten() {
            stored.view();
        }
    }
    let options = VerifyOptions { threads: 1, ..VerifyOptions::default() };
    if let Ok(report) = verify(&disk, Path::new("/l"), &options, &mut |_| {}) {
        let content = data.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let written = WAL.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        assert!(!report.is_ok() || WAL[..written].starts_with(&data[..content]), "other bytes than the written ones verify");
    }
});
