//! A disk without room, a pipeline of two halves, a log that continues a lost one.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use sealtrail_disk::{Disk, DiskError, DiskFile, Lock, Open, SimDisk, Step};
use sealtrail_event::{Token, Witness};
use sealtrail_ledger::{AppendError, CreateOptions, Gap, Ledger, OpenOptions, last_known};

use crate::crash_support::verifies;
use crate::write_support::{at, create, dir, entropy, event, events, keys, numbers, open, path, sim, small, types};

/// A disk on which no file grows while it is full, except into room that a removed file gave back.
#[derive(Clone)]
struct FullDisk {
    disk: SimDisk,
    full: Arc<AtomicBool>,
    /// No file grows beyond so many bytes, full or not.
    file_bytes_max: u64,
}

impl FullDisk {
    fn refuse(&self, step: Step, path: &Path) -> Result<(), DiskError> {
        let spared = self.disk.size(&crate::write_support::path("reserve")).unwrap().is_none() && path.starts_with(dir().join("wal"));
        match self.full.load(Ordering::SeqCst) && !spared {
            true => Err(DiskError::new(step, path, ErrorKind::StorageFull.into())),
            false => Ok(()),
        }
    }
}

impl Disk for FullDisk {
    fn create_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.create_dir(path)
    }
    fn list(&self, path: &Path) -> Result<Vec<String>, DiskError> {
        self.disk.list(path)
    }
    fn size(&self, path: &Path) -> Result<Option<u64>, DiskError> {
        self.disk.size(path)
    }
    fn open(&self, path: &Path, how: Open) -> Result<Arc<dyn DiskFile>, DiskError> {
        if how == Open::New {
            self.refuse(Step::Create, path)?;
        }
        Ok(Arc::new(FullFile { file: self.disk.open(path, how)?, disk: self.clone() }))
    }
    fn rename(&self, from: &Path, to: &Path) -> Result<(), DiskError> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.remove_dir(path)
    }
    fn sync_dir(&self, path: &Path) -> Result<(), DiskError> {
        self.disk.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn Lock>, DiskError> {
        self.disk.lock(path)
    }
}

struct FullFile {
    file: Arc<dyn DiskFile>,
    disk: FullDisk,
}

impl DiskFile for FullFile {
    fn read_at(&self, into: &mut [u8], offset: u64) -> Result<usize, DiskError> {
        self.file.read_at(into, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> Result<usize, DiskError> {
        if offset + bytes.len() as u64 > self.file.size()? {
            self.disk.refuse(Step::Write, self.path())?;
        }
        self.file.write_at(bytes, offset)
    }
    fn sync_data(&self) -> Result<(), DiskError> {
        self.file.sync_data()
    }
    fn allocate(&self, size: u64) -> Result<(), DiskError> {
        if size > self.file.size()? {
            self.disk.refuse(Step::Allocate, self.path())?;
        }
        if size > self.disk.file_bytes_max {
            return Err(DiskError::new(Step::Allocate, self.path(), ErrorKind::StorageFull.into()));
        }
        self.file.allocate(size)
    }
    fn truncate(&self, size: u64) -> Result<(), DiskError> {
        self.file.truncate(size)
    }
    fn size(&self) -> Result<u64, DiskError> {
        self.file.size()
    }
    fn path(&self) -> &Path {
        self.file.path()
    }
}

fn gap(lost: u64) -> Gap {
    Gap {
        witness: Witness::Hook,
        lost: Some(lost),
        by: vec![(Token::parse("tool").unwrap(), lost)],
        since: None,
        until: None,
        cause: Token::parse("disk_full").unwrap(),
    }
}

#[test]
fn a_full_disk_stops_events_but_not_the_record_of_it() {
    // Protects the visibility of loss: when no event fits any more, the gap is still sealed, and with room again everything goes on.
    let full = FullDisk { disk: SimDisk::new(), full: Arc::default(), file_bytes_max: u64::MAX };
    let disk: Arc<dyn Disk> = Arc::new(full.clone());
    let options = OpenOptions { preallocate: 2048, ..small() };
    let (mut ledger, _) = create(&disk, true, options.clone());
    full.full.store(true, Ordering::SeqCst);
    let mut sealed = 0;
    let refused = loop {
        match ledger.append(&[event(sealed)], &at(sealed)) {
            Ok(_) => sealed += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused:?}");
    assert!(!ledger.is_poisoned());
    ledger.gap(&gap(3), &at(100)).unwrap();
    assert!(ledger.tick(&at(5_000)).is_err(), "publishing needs room");
    assert!(!ledger.is_poisoned());
    full.full.store(false, Ordering::SeqCst);
    ledger.append(&[event(sealed)], &at(6_000)).unwrap();
    ledger.tick(&at(7_000)).unwrap();
    assert!(disk.size(&path("reserve")).unwrap().is_some(), "the reserve is back");
    drop(ledger);
    drop(open(&disk, options, 8_000).unwrap());
    assert_eq!(numbers(&disk), (0..=sealed).collect::<Vec<_>>());
    assert!(types(&disk).iter().any(|kind| kind == "ledger.gap"));
    verifies(&disk, &|| "after the full disk".into());
}

#[test]
fn room_for_less_than_a_step_is_used() {
    // Protects a nearly full disk: too little room to grow by a whole step still takes every batch that fits.
    let (step, room) = (1024 * 1024, 1400 * 1024);
    let disk: Arc<dyn Disk> = Arc::new(FullDisk { disk: SimDisk::new(), full: Arc::default(), file_bytes_max: room });
    let (mut ledger, _) = create(&disk, false, OpenOptions { preallocate: step, ..OpenOptions::default() });
    let written = |disk: &Arc<dyn Disk>| disk.size(&path("wal/000000000000.wal")).unwrap().unwrap();
    let mut sealed = 0;
    let refused = loop {
        match ledger.append(&events(sealed..sealed + 20), &at(sealed)) {
            Ok(_) => sealed += 20,
            Err(error) => break error,
        }
        assert!(sealed < 10_000, "the disk never fills");
    };
    assert!(matches!(refused, AppendError::Full { .. }), "{refused:?}");
    assert!(written(&disk) > room - 80 * 1024, "stopped at {} of {room}", written(&disk));
    assert!(!ledger.is_poisoned());
    drop(ledger);
    assert_eq!(numbers(&disk), (0..sealed).collect::<Vec<_>>());
}

#[test]
fn two_halves_on_two_threads_write_one_log() {
    // Protects the pipeline: batches built while others are written are one log, jobs run beside them, and nothing is lost on joining.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, true, small());
    let (builder, committer) = ledger.split();
    let (sender, batches) = sync_channel(1);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (n, batch) in (0..).zip(batches) {
                committer.commit(batch).unwrap();
                if let Some(job) = committer.job(&at(n * 700)).unwrap() {
                    let outcome = scope.spawn(move || job.run()).join().unwrap();
                    committer.finish(outcome).unwrap();
                }
            }
        });
        for n in 0..30 {
            sender.send(builder.build(&events(n * 2..n * 2 + 2), &at(n)).unwrap()).unwrap();
        }
        drop(sender);
    });
    // A batch that is never committed is as if it had not been built.
    let (mut builder, committer) = ledger.into_parts();
    drop(builder.build(&events(90..95), &at(100)).unwrap());
    let mut ledger = Ledger::from_parts(builder, committer);
    ledger.append(&events(60..61), &at(101)).unwrap();
    ledger.close(&Token::parse("shutdown").unwrap(), &at(102)).unwrap();
    assert_eq!(numbers(&disk), (0..61).collect::<Vec<_>>());
    verifies(&disk, &|| "after the pipeline".into());
}

#[test]
fn batches_out_of_order_are_refused() {
    // Protects the sequence: a batch that was built on one that was not committed is not written.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    let (builder, committer) = ledger.split();
    drop(builder.build(&events(0..1), &at(1)).unwrap());
    let second = builder.build(&events(1..2), &at(2)).unwrap();
    assert!(matches!(committer.commit(second), Err(AppendError::OutOfOrder { found: 2, size: 1 })));
    committer.rewind(builder);
    let first = builder.build(&events(0..1), &at(3)).unwrap();
    committer.commit(first).unwrap();
    assert_eq!(numbers(&disk), [0]);
}

#[test]
fn a_new_log_says_which_lost_log_it_continues() {
    // Protects the reader after a loss: the new log names the old one, its last published size and root, and why.
    let (_, disk) = sim();
    let (mut ledger, _) = create(&disk, false, small());
    ledger.append(&events(0..3), &at(1)).unwrap();
    ledger.publish(&at(2)).unwrap();
    let origin = ledger.origin().to_owned();
    drop(ledger);
    let last = last_known(&*disk, dir(), keys(), None, Token::parse("accept_loss").unwrap()).unwrap().unwrap();
    assert_eq!((last.origin.as_str(), last.size), (origin.as_str(), 4));
    let options = CreateOptions { fork_of: Some(last), open: small(), ..CreateOptions::default() };
    let (new, new_keys) = (Path::new("/home/new/ledger"), Path::new("/home/new/keys"));
    let (ledger, _) = Ledger::create(Arc::clone(&disk), new, new_keys, options, entropy(77), &at(50)).unwrap();
    assert_ne!(ledger.origin(), origin);
    let fork = sealtrail_ledger::read::Reader::open(Arc::clone(&disk), new).unwrap().get(sealtrail_tlog::Seq(1)).unwrap().unwrap().view();
    assert_eq!(fork["event_type"], "ledger.fork");
    assert_eq!(fork["ledger"]["origin"], origin);
    assert_eq!(fork["ledger"]["size"], 4);
    assert_eq!(fork["ledger"]["reason"], "accept_loss");
}
