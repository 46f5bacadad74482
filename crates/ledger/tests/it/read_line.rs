//! The line parsers: they take exactly what the encoders write, and survive anything.

use proptest::prelude::*;
use sealtrail_event::SlotName;
use sealtrail_ledger::line::{
    Commit, CommitLine, Commitment, Compression, EnvelopeLine, FileSum, HighWater, KeyKind, Line, LineError, LogInfo, MacLine, Manifest,
    ManifestFiles, PlainBytes, SlotLine, Time, write_envelope, write_slot,
};

fn time() -> impl Strategy<Value = Time> {
    (0i128..253_402_300_000_000_000_000).prop_map(Time::from_unix_ns)
}

prop_compose! {
    fn commit()(
        numbers in any::<[u64; 4]>(), root in any::<[u8; 32]>(), chain in any::<[u8; 32]>(), crc in any::<u32>(), time in time(),
        boot in "[a-z0-9-]{1,128}", log in any::<bool>(),
    ) -> Commit {
        let [size, len, mono, epoch] = numbers;
        let key = if log { KeyKind::Log } else { KeyKind::Epoch };
        Commit { size, root, chain, len, crc, time, mono, boot: boot.into(), epoch, key }
    }
}

fn commitments() -> impl Strategy<Value = Vec<Commitment>> {
    proptest::collection::vec(proptest::option::of((any::<[u8; 32]>(), any::<u64>())), SlotName::ALL.len()).prop_map(|found| {
        let slots = SlotName::ALL.iter().zip(found);
        slots.filter_map(|(name, slot)| slot.map(|(hash, bytes)| Commitment { name: *name, hash, bytes })).collect()
    })
}

prop_compose! {
    fn manifest()(
        numbers in any::<[u64; 8]>(), hashes in any::<[[u8; 32]; 4]>(), frontier in proptest::collection::vec(any::<[u8; 32]>(), 0..64),
        times in (time(), time()), line in commit_line(), gzip in any::<bool>(),
    ) -> Manifest {
        let [first, size, a, b, c, d, e, f] = numbers;
        let [chain, x, y, z] = hashes;
        let sum = |bytes, sha256| FileSum { bytes, sha256 };
        Manifest {
            first, size, first_t: times.0, last_t: times.1, chain, frontier, commit: String::from_utf8(line).unwrap(),
            compression: if gzip { Compression::Gzip } else { Compression::None },
            files: ManifestFiles { entries: sum(a, x), slots: sum(b, y), commits: sum(c, z) },
            plain: PlainBytes { entries: d, slots: e, commits: f },
        }
    }
}

prop_compose! {
    fn commit_line()(commit in commit(), sig in any::<[u8; 64]>()) -> Vec<u8> {
        let (mut body, mut line) = (Vec::new(), Vec::new());
        commit.write_body(&mut body);
        CommitLine::write(&mut line, &body, &sig);
        line
    }
}

/// Encodes what was parsed, whatever it is.
fn encode(line: &Line<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    match line {
        Line::Envelope(envelope) => {
            write_envelope(&mut out, envelope.seq, envelope.members, &envelope.slots.iter().copied().collect::<Vec<_>>());
        }
        Line::Slot(slot) => write_slot(&mut out, slot.seq, slot.name, &slot.salt, slot.value),
        Line::Mac(macs) => macs.write(&mut out),
        Line::Commit(commit) => {
            let mut body = Vec::new();
            commit.commit.write_body(&mut body);
            CommitLine::write(&mut out, &body, &commit.sig);
        }
    }
    out
}

/// Whatever a parser accepts, its encoder gives back byte for byte; nothing panics.
fn strict(bytes: &[u8]) {
    if let Ok(line) = Line::parse(bytes) {
        assert_eq!(encode(&line), bytes);
    }
    if let Ok(log) = LogInfo::parse(bytes) {
        assert_eq!(log.encode(), bytes);
    }
    if let Ok(manifest) = Manifest::parse(bytes) {
        assert_eq!(manifest.encode(), bytes);
    }
    if let Ok(mark) = HighWater::parse(bytes) {
        assert_eq!(mark.encode(), bytes);
    }
}

proptest! {
    /// Protects readers from damaged files: arbitrary bytes after every kind of head never panic and never pass inexactly.
    #[test]
    fn arbitrary_bytes_never_panic(head in 0usize..8, tail in proptest::collection::vec(any::<u8>(), 0..400)) {
        let heads: [&[u8]; 8] = [
            b"", b"{\"v\":1,\"i\":", b"{\"i\":7,\"slot\":\"", b"{\"mac\":\"", b"{\"commit\":{\"size\":", b"{\"first\":1,\"size\":",
            b"{\"size\":1,\"root\":\"", b"{\"format\":\"sealtrail-ledger/1\",\"origin\":\"",
        ];
        strict(&[heads[head], &tail].concat());
    }

    /// Protects the round trip of an envelope: position, members and commitments come back as written.
    #[test]
    fn envelopes_come_back(seq in any::<u64>(), word in "[a-z0-9_]{1,40}", slots in commitments(), flip in any::<(prop::sample::Index, u8)>()) {
        let members = format!("\"audit_id\":\"{word}\",\"n\":[1,{{\"x\":2}}]");
        let mut line = Vec::new();
        write_envelope(&mut line, seq, members.as_bytes(), &slots);
        let parsed = EnvelopeLine::parse(&line).unwrap();
        prop_assert_eq!((parsed.seq, parsed.members), (seq, members.as_bytes()));
        prop_assert_eq!(parsed.slots.iter().copied().collect::<Vec<_>>(), slots);
        prop_assert_eq!(parsed.string_member("audit_id"), Some(word.as_str()));
        flipped(line, flip);
    }

    /// Protects the round trip of a slot.
    #[test]
    fn slots_come_back(seq in any::<u64>(), name in 0usize..7, salt in any::<[u8; 16]>(), text in "[^\"\\\\\\p{C}]{0,50}", flip in any::<(prop::sample::Index, u8)>()) {
        let value = format!("{{\"k\":\"{text}\"}}");
        let slot = SlotLine { seq, name: SlotName::ALL[name], salt, value: value.as_bytes() };
        let line = encode(&Line::Slot(slot.clone()));
        prop_assert_eq!(SlotLine::parse(&line).unwrap(), slot);
        flipped(line, flip);
    }

    /// Protects the round trip of a mac line.
    #[test]
    fn macs_come_back(macs in proptest::collection::vec(any::<[u8; 32]>(), 1..20), flip in any::<(prop::sample::Index, u8)>()) {
        let line = encode(&Line::Mac(MacLine::new(&macs)));
        prop_assert_eq!(MacLine::parse(&line).unwrap(), MacLine::new(&macs));
        flipped(line, flip);
    }

    /// Protects the round trip of a commit.
    #[test]
    fn commits_come_back(commit in commit(), sig in any::<[u8; 64]>(), flip in any::<(prop::sample::Index, u8)>()) {
        let mut body = Vec::new();
        commit.write_body(&mut body);
        let mut line = Vec::new();
        CommitLine::write(&mut line, &body, &sig);
        prop_assert_eq!(CommitLine::parse(&line).unwrap(), CommitLine { commit, body: &body, sig });
        flipped(line, flip);
    }

    /// Protects the round trip of a manifest.
    #[test]
    fn manifests_come_back(manifest in manifest(), flip in any::<(prop::sample::Index, u8)>()) {
        let file = manifest.encode();
        prop_assert_eq!(Manifest::parse(&file).unwrap(), manifest);
        flipped(file, flip);
    }

    /// Protects the round trip of a high-water mark.
    #[test]
    fn marks_come_back(numbers in any::<[u64; 3]>(), hashes in any::<[[u8; 32]; 3]>(), flip in any::<(prop::sample::Index, u8)>()) {
        let [size, offset, epoch] = numbers;
        let [root, chain, one] = hashes;
        let mark = HighWater { size, root, chain, frontier: vec![one; (size % 65) as usize], wal: "000000000012.wal".into(), offset, epoch };
        let file = mark.encode();
        prop_assert_eq!(HighWater::parse(&file).unwrap(), mark);
        flipped(file, flip);
    }

    /// Protects the round trip of `log.json`.
    #[test]
    fn logs_come_back(origin in "[a-z/.]{1,255}", id in any::<u128>(), created in time(), hmac in any::<bool>(), flip in any::<(prop::sample::Index, u8)>()) {
        let log = LogInfo { vkey: format!("{origin}+01234567+AQ=="), origin, log_id: format!("{id:032x}"), created, hmac };
        let file = log.encode();
        prop_assert_eq!(LogInfo::parse(&file).unwrap(), log);
        flipped(file, flip);
    }
}

/// Damages one byte and checks that the parsers stay exact.
fn flipped(mut bytes: Vec<u8>, (at, mask): (prop::sample::Index, u8)) {
    strict(&bytes);
    let at = at.index(bytes.len());
    bytes[at] ^= mask;
    strict(&bytes);
    bytes.truncate(at);
    strict(&bytes);
}

/// Protects strictness: the forms that other readers would accept as the same value are damage here.
#[test]
fn other_spellings_are_damage() {
    let hash = "A".repeat(43);
    for line in [
        format!("{{\"v\":1,\"i\":01,\"a\":1,\"s\":{{\"input\":{{\"c\":\"{hash}=\",\"n\":1}}}}}}"),
        format!("{{\"v\":1,\"i\":1,\"a\":1,\"s\":{{\"input\":{{\"c\":\"{hash}=\",\"n\":1}}}}}} "),
        format!("{{\"v\":1,\"i\":1,\"a\":1,\"s\":{{ \"input\":{{\"c\":\"{hash}=\",\"n\":1}}}}}}"),
        format!("{{\"v\":1,\"i\":1,\"a\":1,\"s\":{{\"input\":{{\"c\":\"{}B=\",\"n\":1}}}}}}", &hash[1..]),
        format!("{{\"v\":1,\"i\":1,\"a\":1,\"s\":{{\"output\":{{\"c\":\"{hash}=\",\"n\":1}},\"input\":{{\"c\":\"{hash}=\",\"n\":1}}}}}}"),
        format!("{{\"v\":1,\"i\":1,\"a\":1,\"s\":{{\"input\":{{\"c\":\"{hash}=\",\"n\":1}},\"input\":{{\"c\":\"{hash}=\",\"n\":1}}}}}}"),
        "{\"v\":1,\"i\":1,\"a\":1,\"s\":{},\"s\":{}}".to_owned(),
        "{\"v\":1,\"i\":1,\"s\":{}}".to_owned(),
        "{\"v\":1,\"i\":18446744073709551616,\"a\":1,\"s\":{}}".to_owned(),
    ] {
        assert!(matches!(EnvelopeLine::parse(line.as_bytes()), Err(LineError::Expected { .. })), "{line}");
    }
    assert!(Time::parse("2026-02-30T00:00:00.000000000Z").is_none());
    assert!(Time::parse("2026-02-03T23:59:60.000000000Z").is_none());
    assert!(Time::parse("2026-02-03T04:05:06.000000000Z").is_some());
}

/// Protects the limits: a line over its limit is refused before anything is read of it.
#[test]
fn long_lines_are_refused() {
    let envelope = [b"{\"v\":1,\"i\":1,\"a\":\"" as &[u8], &[b'x'; 8_200], b"\",\"s\":{}}"].concat();
    assert!(matches!(EnvelopeLine::parse(&envelope), Err(LineError::TooLong { found: 8_227, limit: 8_192, .. })));
    let value = "x".repeat(8 * 1024 * 1024);
    let mut slot = Vec::new();
    write_slot(&mut slot, 1, SlotName::Raw, &[0; 16], format!("{{\"k\":\"{value}\"}}").as_bytes());
    assert!(SlotLine::parse(&slot).is_err());
    assert!(MacLine::parse(&vec![b'A'; 200_000]).is_err());
}
