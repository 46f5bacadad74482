//! Older states put back, tails cut at a commit, and forks: what the files can tell, and what only a checkpoint kept elsewhere can.

use sealtrail_ledger::verify::VerifyOptions;

use crate::attack_forge::{check, check_disk, disk_of, kinds, noticed, options, text};
use crate::attack_spec::{Spec, data};

/// The honest log as it was after its first batches, with everything that was published until then.
fn earlier(batches: usize) -> Spec {
    let mut spec = Spec::honest(true);
    spec.batches.truncate(batches);
    let size = spec.size();
    spec.sealed.clear();
    spec.published.retain(|published| *published <= size);
    spec.gone.clear();
    spec
}

fn newest_note() -> String {
    String::from_utf8(Spec::honest(true).files()["checkpoint"].clone()).unwrap()
}

/// Protects the honest statement: a complete older state verifies, and says from which event on nothing vouches for its end.
#[test]
fn an_older_state_is_not_called_complete() {
    for batches in 1..11 {
        let report = check(&earlier(batches).files());
        assert!(report.is_ok(), "{batches}: {}", text(&report));
        let published = report.published.map_or(0, |size| size.0);
        let noted = report.findings.iter().find(|finding| finding.kind == "not-witnessed");
        assert_eq!(noted.map(|finding| finding.seq), (published < report.size.0).then_some(Some(published)), "{batches}");
    }
}

/// Protects what a checkpoint kept elsewhere is for: under it no older state verifies, whatever lies beside it.
#[test]
fn a_kept_checkpoint_finds_every_rollback() {
    let kept = VerifyOptions { known: vec![newest_note()], ..options() };
    for batches in 1..10 {
        let report = check_disk(&disk_of(&earlier(batches).files()), &kept);
        assert!(kinds(&report).contains(&"events-lost"), "{batches}: {}", text(&report));
    }
    assert!(!noticed(&check_disk(&disk_of(&Spec::honest(true).files()), &kept)));
}

/// Protects against a half rollback: older events under newer published files fail, newer events under older ones are noticed or noted.
#[test]
fn a_half_rollback_is_found() {
    let newer = Spec::honest(true).files();
    for batches in 1..9 {
        for name in ["checkpoint", "checkpoints.notes", "highwater"] {
            let mut files = earlier(batches).files();
            files.insert(name.to_owned(), newer[name].clone());
            let report = check(&files);
            assert!(kinds(&report).contains(&"events-lost"), "{batches} {name}: {}", text(&report));
        }
        let mut files = newer.clone();
        files.extend(earlier(batches).files().into_iter().filter(|(path, _)| path == "checkpoint"));
        assert!(batches < 3 || noticed(&check(&files)), "{batches}");
    }
}

/// Protects against a fork: another history of the same keys fails under a checkpoint of the first.
#[test]
fn a_fork_is_found_by_a_kept_checkpoint() {
    let mut fork = Spec::honest(true);
    fork.batches[9].events[0] = data(99);
    let files = fork.files();
    assert!(!noticed(&check(&files)));
    let report = check_disk(&disk_of(&files), &VerifyOptions { known: vec![newest_note()], ..options() });
    assert!(kinds(&report).contains(&"checkpoint-differs"), "{}", text(&report));
}

/// Protects against an empty log that passes: nothing at all, or no event, is not a verified log.
#[test]
fn an_empty_log_does_not_verify() {
    let mut empty = Spec::honest(true);
    (empty.batches, empty.sealed, empty.published) = (Vec::new(), Vec::new(), Vec::new());
    let report = check(&empty.files());
    assert!(kinds(&report).contains(&"created-missing"), "{}", text(&report));
}
