//! Random views and random queries for the tests: of few words, so that they meet.

use fastrand::Rng;
use serde_json::{Map, Value, json};

const TEXTS: &[&str] = &[
    "fail",
    "failure",
    "success",
    "OK",
    "denied",
    "low",
    "info",
    "HIGH",
    "confidential",
    "sensitive",
    "tool_invocation",
    "tool.invocation",
    "data.file_read",
    "auth.user_login",
    "203.0.113.7",
    "203.0.113.99",
    "10.0.0.1",
    "::1",
    "0:0:0:0:0:0:0:1",
    "5",
    "5.0",
    "1e3",
    "-3",
    "007",
    "Straße",
    "STRASSE",
    "ΑΣ",
    "ας",
    "ΑΣΑ",
    "naïve café",
    "İstanbul",
    "rm -rf /var/log",
    "rm -RF /VAR",
    "prod-config",
    "prod_config",
    "",
    "a",
    "ab",
    "abc",
    "2026-03-01T10:00:00Z",
    "2026-03-01",
    "2026-03-02T00:00:00.5+02:00",
    "never",
    "a\u{0}b",
    "x*y?z\\",
    "null",
    "true",
    "/srv/app/main.rs",
    "/srv/app/config.yaml",
    "user_1",
    "user_2",
    "user_12345",
    "日本語のテキスト",
    "\u{1}",
    "😀😀",
];

const NAMES: &[&str] = &[
    "user_id",
    "source_ip",
    "status",
    "outcome",
    "severity",
    "event_type",
    "data_classification",
    "timestamp",
    "recorded_at",
    "tool_name",
    "cwd",
    "command",
    "prompt",
    "duration_ms",
    "cost_usd",
    "audit_id",
    "tool_use_id",
    "execution_id",
    "own",
    "other.name",
    "a",
    "b",
    "compliance_tags",
    "domain",
    "witness",
    "details",
    "mfa_verified",
    "uid",
    "error",
];

const OBJECTS: &[&str] = &["resource", "operation", "result", "input", "as_sent", "workflow_steps", "deep", "metadata"];

const INNER: &[&str] = &[
    "path",
    "url",
    "type",
    "size_bytes",
    "status",
    "action",
    "file_path",
    "userId",
    "user_id",
    "eventType",
    "sourceIp",
    "a",
    "b",
    "x.y",
    "record_count",
    "decision",
    "outcome",
    "",
    "sensitivity_level",
];

pub(crate) const FIELDS: &[&str] = &[
    "user_id",
    "userId",
    "developerId",
    "source_ip",
    "ip_address",
    "status",
    "outcome",
    "result.status",
    "resultStatus",
    "severity",
    "event_type",
    "eventType",
    "data_classification",
    "timestamp",
    "time",
    "recorded_at",
    "tool_name",
    "tool",
    "cwd",
    "command",
    "prompt",
    "duration_ms",
    "latency_ms",
    "cost_usd",
    "audit_id",
    "tool_use_id",
    "execution_id",
    "own",
    "\"other.name\"",
    "other.name",
    "a",
    "a.b",
    "a.a.b",
    "deep",
    "deep.a",
    "deep.a.b",
    "deep[0].a",
    "deep[1]",
    "resource.path",
    "path",
    "resource",
    "resource.size_bytes",
    "operation.action",
    "action",
    "workflow_steps.status",
    "workflow_steps[0].status",
    "workflow_steps[].decision.a",
    "input.file_path",
    "input",
    "as_sent",
    "as_sent.userId",
    "as_sent.event_type",
    "compliance_tags",
    "compliance_tags[1]",
    "domain",
    "witness",
    "details",
    "details.a",
    "mfa_verified",
    "uid",
    "metadata.x.y",
    "metadata.x",
    "\"metadata.\"",
    "error",
    "resource.sensitivity_level",
    "status[0]",
];

/// Makes a view: most of its members are known ones, and nothing is certain.
pub(crate) fn view(rng: &mut Rng) -> Value {
    let mut members = Map::new();
    if rng.u8(..4) > 0 {
        members.insert("timestamp".to_owned(), json!(format!("2026-03-0{}T1{}:00:00Z", rng.u8(1..4), rng.u8(..3))));
    }
    for _ in 0..rng.usize(1..9) {
        let name = pick(rng, NAMES);
        members.insert(name.to_owned(), value(rng, 0));
    }
    for _ in 0..rng.usize(..4) {
        let name = pick(rng, OBJECTS);
        let value = match rng.u8(..5) {
            0 => value(rng, 1),
            1 => Value::Array((0..rng.usize(..4)).map(|_| object(rng, 1)).collect()),
            _ => object(rng, 1),
        };
        members.insert(name.to_owned(), value);
    }
    match rng.u16(..400) {
        0 => drop(members.insert("as_sent.userId".to_owned(), value(rng, 1))),
        1 => drop(members.insert("resource.path".to_owned(), value(rng, 1))),
        2 => drop(members.insert("nul\u{0}name".to_owned(), value(rng, 1))),
        3 => drop(members.insert("long".repeat(200), value(rng, 1))),
        4 => drop(members.insert("many".to_owned(), Value::Array((0..5_000).map(Value::from).collect()))),
        5 => drop(members.insert("prompt".to_owned(), json!((0..9_000).map(|n| format!("{n:x} ")).collect::<String>()))),
        _ => {}
    }
    Value::Object(members)
}

fn object(rng: &mut Rng, depth: usize) -> Value {
    Value::Object((0..rng.usize(..4)).map(|_| (pick(rng, INNER).to_owned(), value(rng, depth + 1))).collect())
}

fn value(rng: &mut Rng, depth: usize) -> Value {
    match rng.u8(..if depth < 4 { 24 } else { 20 }) {
        0..10 => json!(pick(rng, TEXTS)),
        10 => json!(format!("{} {}", pick(rng, TEXTS), pick(rng, TEXTS))),
        11 => json!(format!("{}{}{}", pick(rng, TEXTS), " filler".repeat(rng.usize(..40)), pick(rng, TEXTS))),
        12..17 => number(rng),
        17 | 18 => json!(rng.bool()),
        19 => Value::Null,
        20 | 21 => Value::Array((0..rng.usize(..3)).map(|_| value(rng, depth + 1)).collect()),
        _ => object(rng, depth),
    }
}

fn number(rng: &mut Rng) -> Value {
    let pick = rng.usize(..16);
    [
        json!(0),
        json!(-0.0),
        json!(5),
        json!(5.0),
        json!(1000),
        json!(1e300),
        json!((1u64 << 53) - 1),
        json!(1u64 << 53),
        json!((1u64 << 53) + 1),
        json!(-1),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1),
        json!(200),
        json!(-3),
        json!(5.5),
    ][pick]
        .clone()
}

/// Makes a query in words; some are none.
pub(crate) fn query(rng: &mut Rng, depth: usize) -> String {
    let inner = |rng: &mut Rng| query(rng, depth + 1);
    match rng.u8(..if depth < 3 { 16 } else { 10 }) {
        0..8 => test(rng),
        8 => operand(rng),
        9 => format!("event_type={} {}", operand(rng), test(rng)),
        10 => format!("not ({})", inner(rng)),
        11 | 12 => format!("({} or {})", inner(rng), inner(rng)),
        _ => format!("({} and {})", inner(rng), inner(rng)),
    }
}

fn test(rng: &mut Rng) -> String {
    let field = pick(rng, FIELDS);
    match rng.u8(..14) {
        0..4 => format!("{field}={}", operand(rng)),
        4 => format!("{field}!={}", operand(rng)),
        5 => format!("{field}:{}", operand(rng)),
        6 => format!("{field} exists"),
        7 => format!("{field} in ({}, {}, {})", operand(rng), operand(rng), operand(rng)),
        8 => format!(
            "{field}~\"{}\"",
            pick(rng, &["^5", "fail|ok", "(?i)SUCC", "/srv/.*\\.yaml", "^$", "a.c", "rm -rf", "[0-9]{3}", "Σ", "user_1"])
        ),
        9 | 10 => format!(
            "{field}{}{}",
            pick(rng, &["<", "<=", ">", ">="]),
            pick(rng, &["5", "0", "5.0", "-3", "1e3", "9007199254740993", "0.1", "1e300"])
        ),
        11 => format!(
            "{field}{}{}",
            pick(rng, &["<", "<=", ">", ">="]),
            pick(rng, &["2026-03-02", "2026-03-01T10:00:00Z", "info", "confidential", "\"m\"", "2500-01-01"])
        ),
        12 => format!(
            "timestamp{}{}",
            pick(rng, &["<", "<=", ">", ">=", "="]),
            pick(rng, &["2026-03-01", "2026-03-02T11:00:00Z", "2026-03-03"])
        ),
        _ => format!("{field}={}", pick(rng, &["null", "true", "5", "5.0", "9007199254740992", "203.0.113.0/24", "*"])),
    }
}

fn operand(rng: &mut Rng) -> String {
    let text = pick(rng, TEXTS).replace('\\', "\\\\").replace(['*', '?', '\u{0}', '\u{1}'], "").replace('"', "");
    let cut: String = text.chars().skip(rng.usize(..2)).take(rng.usize(1..12)).collect();
    match rng.u8(..8) {
        0 => format!("\"{cut}*\""),
        1 => format!("\"*{cut}\""),
        2 => format!("\"*{cut}*\""),
        3 => format!("\"{}?{}\"", cut.chars().take(2).collect::<String>(), cut.chars().skip(3).collect::<String>()),
        4 => format!("\"{cut}\""),
        _ => format!("\"{text}\""),
    }
}

fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from.get(rng.usize(..from.len().max(1))).copied().unwrap_or("")
}
