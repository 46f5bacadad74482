//! The certificate: a report as one canonical JSON document, whose hash is sealed.

use serde_json::{Map, Value, json};

use super::finding::Finding;
use super::moment::time;
use super::report::{Listed, Report};
use super::words::{Class, Witness};

/// The `format` member of a certificate.
pub const FORMAT: &str = "sealtrail.coverage/1";

/// What no certificate can say.
pub const NOT_PROVEN: &[&str] = &[
    "that every action reached a witness: what none of them saw is in no trail",
    "that what a witness said is true: hooks, transcripts and telemetry are the client's own word",
    "that witnesses are independent: whoever owns the machine can silence several at once",
    "anything about witnesses that were not on, or sessions outside the range",
    "the likely causes: they are read from what else the trail shows",
];

/// About which log and range a certificate speaks.
#[derive(Clone, Debug)]
pub struct Issued<'a> {
    /// Name of the log.
    pub origin: &'a str,
    /// The signed checkpoint: the certificate speaks about the events that it covers, and no others.
    pub checkpoint: &'a str,
    /// How many events that are.
    pub size: u64,
    /// Which of them were asked for: a session, or a span of time.
    pub range: Value,
    /// The percentage that was asked for.
    pub threshold: u8,
}

/// Makes the certificate of a finished report.
pub fn certificate(report: &Report, issued: &Issued<'_>) -> Value {
    let matrix: Vec<Value> = Class::ALL.iter().map(|class| of_class(report, *class)).collect();
    let witnesses: Vec<Value> =
        Witness::ALL.iter().map(|witness| json!({"witness": witness.word(), "sessions": report.heard(*witness)})).collect();
    let required: Vec<&str> = report.required().map(Witness::word).collect();
    json!({
        "format": FORMAT,
        "origin": issued.origin,
        "checkpoint": issued.checkpoint,
        "tree_size": issued.size,
        "range": issued.range,
        "made_at": time(report.made_at()),
        "required": required,
        "threshold_percent": issued.threshold,
        "verdict": report.verdict().word(),
        "threshold_reached": report.holds(issued.threshold),
        "sessions": report.actions(Class::Session),
        "witnesses": witnesses,
        "matrix": matrix,
        "not_on": listed(&report.off, super::report::Off::to_json),
        "gaps": listed(&report.gaps, super::gap::Gap::to_json),
        "losses": listed(&report.losses, super::gap::Loss::to_json),
        "findings": listed(&report.findings, Finding::to_json),
        "notes": listed(&report.notes, Finding::to_json),
        "not_proven": NOT_PROVEN,
    })
}

fn of_class(report: &Report, class: Class) -> Value {
    let cells: Vec<Value> = Witness::ALL
        .iter()
        .map(|witness| {
            let tally = report.tally(class, *witness);
            json!({
                "witness": witness.word(), "should": tally.should(), "seen": tally.seen, "partial": tally.partial, "missing": tally.missing,
                "absent": tally.absent, "pending": tally.pending, "basis_points": tally.basis_points(),
            })
        })
        .collect();
    json!({"class": class.word(), "actions": report.actions(class), "witnesses": cells})
}

fn listed<T>(list: &Listed<T>, to_json: impl Fn(&T) -> Value) -> Value {
    json!({"items": list.items.iter().map(to_json).collect::<Vec<_>>(), "left_out": list.left_out})
}

/// Writes a document in its one spelling: members sorted by their bytes, no white space, whole numbers only.
///
/// The bytes are what is hashed and kept; a verifier never writes them anew to check the hash.
pub fn canonical(document: &Value) -> String {
    sorted(document).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut names: Vec<&String> = members.keys().collect();
            names.sort_unstable();
            Value::Object(names.into_iter().map(|name| (name.clone(), sorted(&members[name]))).collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
