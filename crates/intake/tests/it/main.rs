//! The byte formats of `docs/format/intake.md`.
#![allow(clippy::unwrap_used, reason = "tests")]

use sealtrail_intake::*;

fn frame() -> Frame {
    Frame {
        kind: Kind::Hook,
        delivery: Delivery::new(1_700_000_000_123_456_789, [7; 10]),
        received_unix_ns: 1_700_000_000_123_456_789,
        uid: 1000,
        pid: 4711,
        client_pid: 4000,
        seen: 2,
        body: 2,
        client: "claude-code_2-1-329_harness".into(),
    }
}

/// Protects the frame's bytes: these are the ones in `docs/format/intake.md`, and they must never change within version 1.
#[test]
fn frame_bytes_are_golden() {
    let hex: String = frame().header().iter().map(|byte| format!("{byte:02x}")).collect();
    // From Python: b"STH1" + struct.pack(">HBB", 84, 1, 0) + uuid7 + struct.pack(">QIIIQIB", ns, 1000, 4711, 4000, 2, 2, 27) + text.
    let golden = concat!(
        "5354483100540100018bcfe5687b7707870707070707070717979cfe3d85cd15000003e80000126700000fa0",
        "0000000000000002000000021b636c617564652d636f64655f322d312d3332395f6861726e657373"
    );
    assert_eq!(hex, golden);
}

/// Protects against a header that means something else after a round trip, and against panics on every cut and every flipped byte.
#[test]
fn frame_round_trip_and_damage() {
    let mut whole = frame().header();
    whole.extend_from_slice(b"{}");
    assert_eq!(Frame::parse_whole(&whole).unwrap(), (frame(), &b"{}"[..]));
    for cut in 0..whole.len() {
        assert!(Frame::parse_whole(&whole[..cut]).is_err());
    }
    for at in 0..whole.len() {
        for value in [0u8, 1, 0x7f, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] = value;
            let _ = Frame::parse_whole(&bytes);
        }
    }
    let huge = Frame { body: u32::MAX, ..frame() };
    assert_eq!(Frame::parse(&huge.header()), Err(FrameError::Body(u32::MAX)));
}

/// Protects answers: what the daemon says is what the hook hears, and garbage means "spool it".
#[test]
fn answers_round_trip() {
    for answer in [
        Answer::Sealed(48_213),
        Answer::Retry,
        Answer::Discarded,
        Answer::Block("policy 7 forbids this".into()),
        Answer::Status("{}".into()),
    ] {
        let bytes = answer.encode();
        let head: [u8; ANSWER_HEAD_BYTES] = bytes[..ANSWER_HEAD_BYTES].try_into().unwrap();
        assert_eq!(Answer::reason_bytes(&head), bytes.len() - ANSWER_HEAD_BYTES);
        assert_eq!(Answer::parse(&head, &bytes[ANSWER_HEAD_BYTES..]), answer);
    }
    assert_eq!(Answer::parse(&[0xee; ANSWER_HEAD_BYTES], b""), Answer::Retry);
}

/// Protects records behind a torn one: at every place where a writer can be stopped, all complete records are still found.
#[test]
fn torn_record_hides_no_other() {
    let record = |fill: u8| [record_head(20).as_slice(), &[fill; 20]].concat();
    for cut in 0..record(2).len() {
        let spool = [record(1), record(2)[..cut].to_vec(), record(3), vec![0; 5]].concat();
        let boxes = pieces(&spool, |sealed| sealed.iter().all(|byte| *byte == sealed[0]));
        let found: Vec<u8> =
            boxes.iter().filter_map(|(_, piece)| if let Piece::Box(sealed) = piece { Some(sealed[0]) } else { None }).collect();
        assert_eq!(found, [1, 3], "cut at {cut}");
        let torn = boxes.iter().filter(|(_, piece)| matches!(piece, Piece::Torn(_))).count();
        assert_eq!(torn, usize::from(cut > 0), "cut at {cut}");
        assert_eq!(boxes.last().unwrap().1, Piece::Zeros(5));
    }
}

/// Protects the counting of losses: same class and cause share a slot, others do not, and a full table refuses instead of overwriting.
#[test]
fn gaps_are_counted_in_place() {
    let mut table = GapTable::default();
    assert_eq!(table.count("tool_invocation", "disk_full", 1, 10), Some(0..64));
    assert_eq!(table.count("session_lifecycle", "disk_full", 1, 11), Some(64..128));
    assert_eq!(table.count("tool_invocation", "disk_full", 2, 12), Some(0..64));
    let gaps = GapTable::from_bytes(table.as_bytes()).gaps();
    assert_eq!(gaps[0], Gap { class: "tool_invocation".into(), cause: "disk_full".into(), count: 3, first_unix_ns: 10, last_unix_ns: 12 });
    assert_eq!(gaps[1].class, "session_lifecycle");
    for n in 0..62 {
        assert!(table.count("other", &format!("cause{n}"), 1, 13).is_some());
    }
    assert_eq!(table.count("other", "one_too_many", 1, 14), None);
}

/// Protects the fail mode from being chosen by content: only the outermost member names the hook event.
#[test]
fn hook_event_name_is_the_outermost_member() {
    let name = |text: &str| hook_event_name(text.as_bytes()).map(str::to_owned);
    assert_eq!(name(r#"{"session_id":"x","hook_event_name":"PreToolUse","tool_input":{}}"#).as_deref(), Some("PreToolUse"));
    assert_eq!(name(r#"{ "tool_input":{"hook_event_name":"Stop"}, "hook_event_name" : "PreToolUse" }"#).as_deref(), Some("PreToolUse"));
    assert_eq!(name(r#"{"a":"\"hook_event_name\":\"Stop\"","hook_event_name":"PostToolUse"}"#).as_deref(), Some("PostToolUse"));
    assert_eq!(name(r#"{"a":"hook_event_name","b":["hook_event_name"]}"#), None);
    for garbage in
        ["", "}", "\"", "{\"hook_event_name\"", "{\"hook_event_name\":", "{\"hook_event_name\":\"", "{\"hook_event_name\":7}", "{\"a\\"]
    {
        assert_eq!(name(garbage), None, "{garbage}");
    }
}

/// Protects `hook.conf`: what is written is read, and damage leaves the defaults.
#[test]
fn hook_conf_round_trip() {
    let mut conf = HookConf { enabled: false, deadline_ms: 500, ..HookConf::default() };
    conf.fail[Class::ToolInvocation as usize] = FailMode::Block;
    assert_eq!(HookConf::parse(&conf.text()), conf);
    assert_eq!(HookConf::parse("\u{0}garbage\n=\nfail.what=block\nfail.other=maybe"), HookConf::default());
}
