//! The load of the in-process benchmarks: events of about 1 KiB that look like what hooks bring.

use sealtrail_event::{AuditId, Category, Envelope, Event, Outcome, Phase, Slot, SlotName, Token, Witness};

/// Makes event number `n` (1 KiB of JSON, 1.2 KiB with its salts and commitments): three slots, an envelope of an ordinary tool call; the same `n` gives the same event.
pub(crate) fn event(n: u64) -> Event {
    let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut entropy = [0; 10];
    entropy[..8].copy_from_slice(&noise.to_be_bytes());
    let id = AuditId::new(1_790_000_000_000 + n, entropy);
    let mut envelope = Envelope::new(id, token("data.file_read"), token("2026-11-21T01:44:29.123456789Z"), Witness::Hook);
    envelope.recorded_at = Some(token("2026-11-21T01:44:29.123999789Z"));
    envelope.category = Some(Category::ToolInvocation);
    envelope.phase = Some(Phase::Outcome);
    envelope.outcome = Some(Outcome::Success);
    envelope.session_id = Some(token(&format!("9c5e117c-7fe1-40cf-9fc6-{:012x}", noise >> 48)));
    envelope.tool_use_id = Some(token(&format!("toolu_{noise:024x}")));
    envelope.hook_event_name = Some(token("PostToolUse"));
    envelope.tool_name = Some(token("Read"));
    envelope.duration_ms = Some(n % 5000);
    let filler: String = (0..3).map(|k| format!("{:016x} fn step_{k}() ", noise.rotate_left(k))).collect();
    let slots = [
        (SlotName::Identity, r#"{"user_id":"alice","uid":1000,"host":"build-17"}"#.to_owned()),
        (SlotName::Input, format!(r#"{{"tool_input":{{"file_path":"/home/dev/project/src/module_{}.rs"}}}}"#, noise % 4096)),
        (SlotName::Output, format!(r#"{{"tool_response":{{"type":"text","file":{{"content":"{filler}"}}}}}}"#)),
    ];
    Event { envelope, slots: slots.map(|(name, json)| Slot { name, json }).into() }
}

/// Makes event number `n` with an output of 4 KiB, as reading a file gives.
pub(crate) fn large_event(n: u64) -> Event {
    let mut event = event(n);
    if let Some(output) = event.slots.iter_mut().find(|slot| slot.name == SlotName::Output) {
        let filler: String =
            (0..164).map(|k| format!("{:016x} fn {:04} ", n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(k), k)).collect();
        output.json = format!(r#"{{"tool_response":{{"type":"text","file":{{"content":"{filler}"}}}}}}"#);
    }
    event
}

fn token(text: &str) -> Token {
    Token::parse(text).expect("the load uses plain tokens")
}
