//! Messages between an MCP client and its server, one a line, the first byte says which way: whatever comes, envelopes and slots keep their limits, and
//! every intent has one outcome once the connection has ended.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use sealtrail_capture::mcp::{End, Known, Link, Now, Transport, Watch, Way, Whole};
use sealtrail_capture::redact::Redactor;
use sealtrail_event::{AuditId, ENVELOPE_BYTES_MAX, Event, Phase, SLOT_BYTES_MAX};

static REDACTOR: LazyLock<Arc<Redactor>> = LazyLock::new(|| Arc::new(Redactor::new()));

fuzz_target!(|data: &[u8]| {
    let link = Link {
        server: "fuzz".into(),
        transport: Transport::Stdio,
        target: "fuzz".into(),
        session_id: None,
        client_version: None,
        client_pid: None,
        uid: 1000,
        user: None,
        host: None,
        cwd: None,
    };
    let mut watch = Watch::new(link, Arc::clone(&REDACTOR), Known::default());
    let mut number = 0u64;
    let mut ids = || {
        number += 1;
        let mut tail = [0; 10];
        tail[2..].copy_from_slice(&number.to_be_bytes());
        AuditId::new(1, tail)
    };
    let mut now = Now { unix_ns: 1, ids: &mut ids };
    let mut events = Vec::new();
    for line in data.split(|byte| *byte == b'\n').take(64) {
        let Some((first, message)) = line.split_first() else { continue };
        let way = if first & 1 == 0 { Way::ToServer } else { Way::ToClient };
        if first & 0xf0 == 0xf0 {
            let (head, tail) = message.split_at(message.len() / 2);
            if way == Way::ToServer {
                events.extend(watch.large_begins(0, head, &mut now).events);
            }
            let whole = Whole { head, tail, size_bytes: message.len() as u64, sha256: [0; 32] };
            events.extend(watch.large_ends(way, 0, &whole, &mut now).events);
        } else {
            events.extend(watch.see(way, u64::from(first >> 6), message, &mut now).events);
        }
    }
    events.extend(watch.ended_with(&End { reason: "server_exited", ..End::default() }, &mut now));
    events.iter().for_each(check);
    // A large message whose method stands behind what was held has an intent and is no request that could be answered.
    if data.split(|byte| *byte == b'\n').all(|line| line.first().is_none_or(|first| first & 0xf0 != 0xf0)) {
        let of = |phase: Phase| events.iter().filter(|event| event.envelope.phase == Some(phase)).count();
        assert_eq!(of(Phase::Intent), of(Phase::Outcome));
    }
});

fn check(event: &Event) {
    assert!(event.envelope.check().is_ok());
    let envelope = serde_json::to_vec(&event.envelope).unwrap_or_default();
    assert!(!envelope.is_empty() && envelope.len() < ENVELOPE_BYTES_MAX);
    assert!(event.slots.iter().all(|slot| slot.json.len() <= SLOT_BYTES_MAX && !slot.json.contains('\n')));
}
