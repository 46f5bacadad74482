//! What the disks promise.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use sealtrail_disk::{Crash, Data, Disk, Fault, LyingDisk, Names, Open, RealDisk, SimDisk, create_whole, replace, write_all_at};

fn both(run: impl Fn(&dyn Disk, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    run(&RealDisk, folder.path());
    let sim = SimDisk::new();
    sim.create_dir(Path::new("/t")).unwrap();
    run(&sim, Path::new("/t"));
}

#[test]
fn both_disks_read_what_was_written() {
    // Protects the test disk from being kinder than the real one: the same calls give the same answers.
    both(|disk, root| {
        let path = root.join("a/b");
        disk.create_dir(&path).unwrap();
        disk.create_dir(&path).unwrap();
        assert!(disk.open(&path.join("f"), Open::Read).is_err_and(|e| e.is_missing()));
        let file = disk.open(&path.join("f"), Open::New).unwrap();
        assert!(disk.open(&path.join("f"), Open::New).is_err());
        write_all_at(&*file, b"hello", 5000).unwrap();
        file.allocate(10_000).unwrap();
        file.allocate(10).unwrap();
        assert_eq!(file.size().unwrap(), 10_000);
        file.truncate(5003).unwrap();
        file.allocate(5005).unwrap();
        file.sync_data().unwrap();
        let mut expected = vec![0; 5000];
        expected.extend(b"hel\0\0");
        assert_eq!(disk.read(&path.join("f")).unwrap(), expected);
        replace(disk, &path.join("g"), b"1").unwrap();
        replace(disk, &path.join("g"), b"22").unwrap();
        assert!(create_whole(disk, &path.join("g"), b"3").is_err());
        assert_eq!(disk.read(&path.join("g")).unwrap(), b"22");
        assert_eq!(disk.list(&path).unwrap(), ["f", "g"]);
        disk.remove(&path.join("f")).unwrap();
        assert_eq!(disk.size(&path.join("f")).unwrap(), None);
    });
}

#[test]
fn a_lock_is_held_by_one() {
    // Protects the ledger from two writers.
    both(|disk, root| {
        let held = disk.lock(&root.join("lock")).unwrap();
        assert!(disk.lock(&root.join("lock")).is_err_and(|e| e.is_locked()));
        drop(held);
        disk.lock(&root.join("lock")).unwrap();
    });
}

#[test]
fn new_files_are_private() {
    // Protects keys: nobody but the owner can read what we create.
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    RealDisk.create_dir(&folder.path().join("d")).unwrap();
    replace(&RealDisk, &folder.path().join("d/key"), b"k").unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.path().join("d")), 0o700);
    assert_eq!(mode(&folder.path().join("d/key")), 0o600);
}

#[test]
fn replace_leaves_the_old_or_the_new_content_at_every_crash() {
    // Protects checkpoint and keys: a crash at any change, with any blocks lost, never leaves a mixture.
    let sim = SimDisk::new();
    sim.create_dir(Path::new("/t")).unwrap();
    let path = Path::new("/t/f");
    replace(&sim, path, &[1; 1500]).unwrap();
    let base = sim.changes();
    replace(&sim, path, &[2; 1500]).unwrap();
    let mut replay = sim.replay();
    let mut images = 0;
    while replay.advance() {
        if replay.position() < base {
            continue;
        }
        for mask in 0..1u64 << replay.blocks(512) {
            for names in 0..=replay.names() {
                let crash = Crash { data: Data::Mask { block: 512, mask }, names: Names::First(names) };
                let found = replay.image(crash).read(path).unwrap();
                assert!(found == [1; 1500] || found == [2; 1500], "{crash:?} at {}", replay.position());
                images += 1;
            }
        }
    }
    assert!(images > 20);
    assert_eq!(sim.read(path).unwrap(), [2; 1500]);
}

#[test]
fn a_rename_without_sync_may_arrive_before_its_data() {
    // Protects the model itself: code that forgets the sync must be caught by it.
    let sim = SimDisk::new();
    sim.create_dir(Path::new("/t")).unwrap();
    let file = sim.open(Path::new("/t/new"), Open::New).unwrap();
    write_all_at(&*file, b"data", 0).unwrap();
    sim.rename(Path::new("/t/new"), Path::new("/t/f")).unwrap();
    let mut replay = sim.replay();
    while replay.advance() {}
    let image = replay.image(Crash { data: Data::Dropped, names: Names::Kept });
    assert_eq!(image.read(Path::new("/t/f")).unwrap(), b"");
    let image = replay.image(Crash { data: Data::Kept, names: Names::Dropped });
    assert!(image.files().is_empty());
}

#[test]
fn both_disks_rename_a_folder_with_what_is_in_it() {
    // Protects what is made beside the old and takes its place: a folder keeps its files, a full one is not replaced.
    both(|disk, folder| {
        let (made, place, full) = (folder.join("made"), folder.join("place"), folder.join("full"));
        for dir in [&made, &full] {
            disk.create_dir(dir).unwrap();
            create_whole(disk, &dir.join("file"), b"data").unwrap();
        }
        assert!(disk.rename(&made, &full).is_err());
        disk.rename(&made, &place).unwrap();
        assert_eq!(disk.read(&place.join("file")).unwrap(), b"data");
        assert_eq!(disk.list(folder).unwrap(), ["full", "place"]);
    });
}

#[test]
fn a_folder_that_was_renamed_has_what_was_synced_in_it() {
    // Protects the model: a crash after the rename of a folder was synced leaves what was done in it before, and none of what was not.
    let sim = SimDisk::new();
    sim.create_dir(Path::new("/t/made")).unwrap();
    create_whole(&sim, Path::new("/t/made/synced"), b"data").unwrap();
    sim.open(Path::new("/t/made/loose"), Open::New).unwrap();
    sim.rename(Path::new("/t/made"), Path::new("/t/place")).unwrap();
    let mut replay = sim.replay();
    while replay.advance() {}
    let image = replay.image(Crash { data: Data::Dropped, names: Names::Dropped });
    assert_eq!(image.files(), [Path::new("/t/made/synced")]);
    sim.sync_dir(Path::new("/t")).unwrap();
    let mut replay = sim.replay();
    while replay.advance() {}
    let image = replay.image(Crash { data: Data::Dropped, names: Names::Dropped });
    assert_eq!(image.files(), [Path::new("/t/place/synced")]);
    let image = replay.image(Crash { data: Data::Kept, names: Names::Kept });
    assert_eq!(image.files(), [Path::new("/t/place/loose"), Path::new("/t/place/synced")]);
}

#[test]
fn a_lying_disk_fails_exactly_the_chosen_step() {
    // Protects the fault tests: every step can be failed, done or not done.
    let steps = {
        let sim = SimDisk::new();
        sim.create_dir(Path::new("/t")).unwrap();
        let lying = LyingDisk::new(Arc::new(sim), u64::MAX, Fault::NotDone(ErrorKind::Other));
        replace(&lying, Path::new("/t/f"), b"x").unwrap();
        lying.steps()
    };
    assert_eq!(steps, 6);
    for k in 0..steps {
        for (fault, done) in [(Fault::NotDone(ErrorKind::StorageFull), false), (Fault::DoneButFailed(ErrorKind::StorageFull), true)] {
            let sim = SimDisk::new();
            sim.create_dir(Path::new("/t")).unwrap();
            let lying = LyingDisk::new(Arc::new(sim.clone()), k, fault);
            let failed = replace(&lying, Path::new("/t/f"), b"x");
            // Step 0 removes a file that is not there; done or not, only a fault that is reported differs.
            assert!(failed.is_err_and(|e| e.is_full() || (k == 0 && done && e.is_missing())) || (k == 0 && done));
            assert_eq!(sim.size(Path::new("/t/f")).unwrap().is_some(), (k == 4 && done) || k == 5 || (k == 0 && done));
        }
    }
}
