//! Attackers with keys: stolen later keys, foreign keys, stripped signatures, and histories rewritten with them.

use sealtrail_ledger::line::KeyKind;
use sealtrail_ledger::report::Report;
use sealtrail_ledger::verify::VerifyOptions;
use sealtrail_tlog::{Checkpoint, KeyName, SigningKey, VerifierKey};

use crate::attack_forge::{Files, ORIGIN, check, check_disk, disk_of, epoch_key, kinds, log_key, noticed, options, text, vkey};
use crate::attack_spec::{LOG_SIGNS, Spec, data, epoch, own};

/// What a thief of epoch 3 and of the log key can make of a log: everything rebuilt, everything before epoch 3 signed by what he has.
fn rewrite(change: impl FnOnce(&mut Spec), signer: impl Fn(u64) -> u64) -> Spec {
    let mut spec = Spec::honest(true);
    change(&mut spec);
    for batch in &mut spec.batches {
        batch.signer = signer(batch.epoch);
    }
    spec
}

fn fails_with(report: &Report, kind: &str) {
    assert!(!report.is_ok() && kinds(report).contains(&kind), "{kind} wanted: {}", text(report));
}

/// Protects the past against a stolen key: an event of epoch 0 rewritten, everything recomputed and re-signed with the key of epoch 3
/// and the log key, is found by public keys alone (systemd's CVE-2023-31439).
#[test]
fn a_later_key_cannot_sign_an_earlier_epoch() {
    let spec = rewrite(|spec| spec.batches[1].events[0] = data(99), |_| 3);
    let report = check(&spec.files());
    fails_with(&report, "signature");
    let first = report.findings.iter().find(|finding| finding.kind == "signature").unwrap();
    assert_eq!(first.seq, Some(0));
    // Saying so openly does not help either.
    let mut spec = spec;
    spec.batches.iter_mut().for_each(|batch| batch.epoch = 3);
    fails_with(&check(&spec.files()), "epoch-claimed");
}

/// Protects each epoch on its own: with the keys from epoch E on, nothing before E can be rewritten.
#[test]
fn every_epoch_is_closed_by_the_next() {
    for (stolen, target) in [(1, 1), (2, 3), (2, 4), (3, 5), (3, 7), (3, 8)] {
        let spec = rewrite(|spec| spec.batches[target].events.push(data(99)), |epoch| epoch.max(stolen));
        let broken = check(&Spec { gone: Vec::new(), sealed: vec![], published: vec![], ..spec }.files());
        fails_with(&broken, "signature");
    }
}

/// Protects heartbeats: an epoch cut out of the middle, with the rest signed by the key of a later one, is found (CVE-2023-31438).
#[test]
fn an_epoch_cannot_be_left_out() {
    // The batches of epoch 2 go; epoch 3 is announced in their place.
    let cut = |spec: &mut Spec| {
        spec.batches.drain(6..9);
        spec.batches[5].events[1] = epoch(3, false);
        spec.published = vec![11];
        spec.sealed = vec![4];
        spec.gone.clear();
    };
    let report = check(&rewrite(cut, |epoch| if epoch < 3 { 3 } else { epoch }).files());
    fails_with(&report, "epoch-order");
    fails_with(&report, "signature");
    // Renumbered, so that no number is missing: the key that must announce it is gone.
    let renumbered = |spec: &mut Spec| {
        cut(spec);
        spec.batches[5].events[1] = epoch(2, false);
        spec.batches[6..].iter_mut().for_each(|batch| batch.epoch = 2);
    };
    let mut spec = rewrite(renumbered, |epoch| epoch);
    spec.batches[5].signer = 3;
    fails_with(&check(&spec.files()), "signature");
}

/// Protects the end of an epoch: cutting the tail off in an earlier epoch and writing on needs that epoch's key.
#[test]
fn cutting_back_into_a_closed_epoch_is_found() {
    for keep in 1..8 {
        let continued = |spec: &mut Spec| {
            spec.batches.truncate(keep);
            let epoch = if keep > 5 { 2 } else { u64::from(keep > 2) };
            spec.batch(epoch, vec![data(50), data(51)]);
            (spec.sealed, spec.published, spec.gone) = (vec![], vec![], vec![]);
        };
        let mut spec = rewrite(continued, |epoch| epoch);
        spec.batches.last_mut().unwrap().signer = 3;
        fails_with(&check(&spec.files()), "signature");
    }
}

/// Protects against backdating: the time of a commit changed and signed again by a key of a later epoch.
#[test]
fn backdating_is_found() {
    let back = |spec: &mut Spec| spec.batches[3].at -= 3;
    fails_with(&check(&rewrite(back, |epoch| if epoch == 1 { 2 } else { epoch }).files()), "signature");
    // With the right key, inside the open epoch, the clocks still tell.
    let report = check(&rewrite(|spec| spec.batches[10].at -= 500, |epoch| epoch).files());
    assert!(kinds(&report).contains(&"time-backwards") && kinds(&report).contains(&"mono-backwards"), "{}", text(&report));
}

/// Protects the log key's one use: it signs a commit only where a lost epoch key is announced, which is always listed.
#[test]
fn the_log_key_signs_breaks_only_and_they_are_listed() {
    let report = check(&rewrite(|spec| spec.batches[3].key = KeyKind::Log, |epoch| epoch).files());
    fails_with(&report, "key-claimed");
    let report = check(
        &rewrite(
            |spec| {
                spec.batches[3].key = KeyKind::Log;
                spec.batches[3].signer = LOG_SIGNS;
            },
            |epoch| if epoch == 1 { LOG_SIGNS } else { epoch },
        )
        .files(),
    );
    fails_with(&report, "signature");
    let broken = |spec: &mut Spec| {
        spec.batches[8].events[0] = epoch(3, true);
        spec.batches[8].key = KeyKind::Log;
    };
    let mut spec = rewrite(broken, |epoch| epoch);
    fails_with(&check(&spec.files()), "signature");
    spec.batches[8].signer = LOG_SIGNS;
    let report = check(&spec.files());
    assert!(report.is_ok() && kinds(&report) == ["epoch-break"], "{}", text(&report));
    spec.batches[8].key = KeyKind::Epoch;
    fails_with(&check(&spec.files()), "key-claimed");
}

/// Protects against keys nobody announced: two epochs in one commit, an epoch twice, a key with another name, no creation.
#[test]
fn announcements_follow_the_rules() {
    let check_with = |change: fn(&mut Spec)| check(&rewrite(change, |epoch| epoch).files());
    let cut = |spec: &mut Spec| (spec.sealed, spec.published, spec.gone) = (vec![], vec![], vec![]);
    let two = |spec: &mut Spec| {
        spec.batches[5].events.push(epoch(3, false));
        spec.published.clear();
    };
    fails_with(&check_with(two), "epoch-twice");
    fails_with(&check_with(|spec| spec.batches[8].events[0] = epoch(2, false)), "epoch-order");
    let renamed = |spec: &mut Spec| {
        let key = VerifierKey::new(KeyName::parse(&format!("{ORIGIN}/epoch/7")).unwrap(), *epoch_key(3).verifier().public());
        spec.batches[8].events[0] = own("epoch", &format!("{{\"epoch\":3,\"key\":\"{key}\",\"why\":\"count\"}}"));
    };
    fails_with(&check_with(renamed), "epoch-key-name");
    let mut headless = Spec::honest(true);
    cut(&mut headless);
    headless.batches[0].events[0] = data(0);
    fails_with(&check(&headless.files()), "created-missing");
    let mut twice = Spec::honest(true);
    cut(&mut twice);
    twice.batches[1].events[0] = twice.batches[0].events[0].clone();
    fails_with(&check(&twice.files()), "created-twice");
    let mut foreign = Spec::honest(true);
    foreign.batches[2].events[0].members = foreign.batches[2].events[0].members.replace("\"recorder\"", "\"api\"");
    fails_with(&check(&foreign.files()), "ledger-event-malformed");
}

fn with_checkpoint(note: String) -> Report {
    let mut files = Spec::honest(true).files();
    files.insert("checkpoint".to_owned(), note.into_bytes());
    check(&files)
}

fn checkpoint() -> (Files, String) {
    let files = Spec::honest(true).files();
    let note = String::from_utf8(files["checkpoint"].clone()).unwrap();
    (files, note)
}

/// Protects published checkpoints: unsigned, signed by another, with a bad second signature, or of another tree, they are refused;
/// signatures of unknown keys beside the good one are not.
#[test]
fn checkpoints_need_the_log_key() {
    let (_, note) = checkpoint();
    let (body, signature) = note.split_once("\n\n").unwrap();
    fails_with(&with_checkpoint(format!("{body}\n")), "checkpoint-signature");
    fails_with(&with_checkpoint(format!("{body}\n\n")), "checkpoint-signature");
    let parsed = Checkpoint::parse(&format!("{body}\n")).unwrap();
    let stranger = SigningKey::from_seed(KeyName::parse("example.com/stranger").unwrap(), [1; 32]).unwrap();
    let namesake = SigningKey::from_seed(KeyName::parse(ORIGIN).unwrap(), [1; 32]).unwrap();
    fails_with(&with_checkpoint(parsed.sign(&[&stranger]).unwrap()), "checkpoint-signature");
    fails_with(&with_checkpoint(parsed.sign(&[&namesake]).unwrap()), "checkpoint-signature");
    let both = parsed.sign(&[&log_key(), &stranger, &namesake]).unwrap();
    assert!(with_checkpoint(both).is_ok());
    let bad = signature.replace('A', "B");
    if bad != signature {
        fails_with(&with_checkpoint(format!("{note}{bad}")), "checkpoint-signature");
    }
    let mut other = parsed.clone();
    other.root.0[0] ^= 1;
    fails_with(&with_checkpoint(other.sign(&[&log_key()]).unwrap()), "checkpoint-differs");
    other.origin = "localhost/sealtrail/else".to_owned();
    assert!(!with_checkpoint(other.sign(&[&log_key()]).unwrap()).is_ok());
}

/// Protects the negative control: the honest ledger under a wrong key, a wrong mac key, or a checkpoint with one bit changed fails.
#[test]
fn wrong_keys_never_verify() {
    let disk = disk_of(&Spec::honest(true).files());
    let stranger = VerifierKey::new(vkey().name().clone(), [3; 32]);
    fails_with(&check_disk(&disk, &VerifyOptions { vkey: Some(stranger), ..options() }), "key-differs");
    fails_with(&check_disk(&disk, &VerifyOptions { mac_key: Some([1; 32]), ..options() }), "mac-differs");
    let quick = VerifyOptions { quick: true, ..options() };
    let stranger = VerifierKey::new(vkey().name().clone(), [3; 32]);
    fails_with(&check_disk(&disk, &VerifyOptions { vkey: Some(stranger), ..quick }), "key-differs");
}

/// Protects signatures against being optional: a commit line without one, and a batch without its macs, are damage.
#[test]
fn nothing_may_be_stripped() {
    let mut spec = Spec::honest(true);
    (spec.sealed, spec.gone, spec.published) = (vec![], vec![], vec![]);
    let files = spec.files();
    let wal = "wal/000000000000.wal";
    let whole = String::from_utf8_lossy(&files[wal]);
    let stripped = whole.split_inclusive('\n').map(|line| match line.split_once(",\"sig\"") {
        Some((commit, _)) => format!("{commit}}}\n"),
        None => line.to_owned(),
    });
    let mut bare = files.clone();
    bare.insert(wal.to_owned(), stripped.collect::<String>().into_bytes());
    let report = check(&bare);
    assert!(!report.is_ok() && report.size.0 == 0, "{}", text(&report));
    // A log without macs cannot be passed off as one that has them, or the reverse.
    let mut silent = Spec::honest(false).files();
    silent.insert("log.json".to_owned(), Spec::honest(true).files()["log.json"].clone());
    fails_with(&check(&silent), "mac-missing");
    assert!(noticed(&check(&silent)));
}
