//! Controls of the attacks: what nobody touched verifies, in every form in which it may lie on disk.

use sealtrail_ledger::line::Compression;
use sealtrail_ledger::verify::VerifyOptions;

use crate::attack_forge::{check, check_disk, disk_of, noticed, options, text};
use crate::attack_spec::Spec;

/// Protects the attacks' meaning: the ledger that they damage is good before, with and without macs, compressed or not.
#[test]
fn the_untouched_ledger_verifies() {
    for hmac in [false, true] {
        for compression in [Compression::Gzip, Compression::None] {
            let spec = Spec { compression, ..Spec::honest(hmac) };
            let report = check(&spec.files());
            assert!(!noticed(&report), "{}", text(&report));
            assert_eq!((report.size.0, report.events, report.commits, report.signatures, report.epochs), (35, 35, 11, 11, 4));
            assert_eq!(report.erased.iter().map(|erasure| (erasure.erase, erasure.slots)).collect::<Vec<_>>(), [(20, 10)]);
            assert_eq!(report.macs, if hmac { 35 } else { 0 });
        }
    }
}

/// Protects every way to cut the same log into files: the same events give the same verdict and root wherever segments end.
#[test]
fn every_segmentation_verifies() {
    let spec = Spec::honest(true);
    let root = check(&spec.files()).root;
    for sealed in [vec![], vec![11], vec![1, 1, 1], vec![10], vec![2, 5, 4], vec![1; 11]] {
        let report = check(&Spec { sealed: sealed.clone(), gone: Vec::new(), ..spec.clone() }.files());
        assert_eq!(report.root, root, "{sealed:?}");
        let only = report.findings.iter().all(|finding| matches!(finding.kind, "erased-still-there" | "not-witnessed"));
        assert!(only, "{sealed:?} {}", text(&report));
    }
}

/// Protects the quick check on a log of several parts: it starts from a manifest, and the epoch key is proved by the checkpoint.
#[test]
fn the_quick_check_starts_in_the_middle() {
    let disk = disk_of(&Spec::honest(true).files());
    let report = check_disk(&disk, &VerifyOptions { quick: true, ..options() });
    assert!(!noticed(&report), "{}", text(&report));
    assert_eq!((report.size.0, report.events), (35, 11));
}
