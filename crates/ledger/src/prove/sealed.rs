//! Events that carry their own proof (`sealtrail.sealed/1`), and exports made of them, verified from nothing but their bytes.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_event::SlotName;
use sealtrail_tlog::strict64;
use sealtrail_tlog::{KeyError, Seq, TlogProof, TlogProofError, TreeSize, VerifierKey, leaf_hash};
use serde_json::{Map, Value, json};

use super::strict_json::Strict;
use crate::line::{EnvelopeLine, LineError, SLOT_LABEL};
use crate::read::{Stored, StoredSlot};

/// The `schema` member of a self-proving event.
pub const SEALED_SCHEMA: &str = "sealtrail.sealed/1";

/// Members that an export may add beside those of the event; what they say is checked too.
const ADDED: [&str; 4] = ["seal", "seq", "erased", "withheld"];

/// Why a self-proving event is refused.
#[derive(Debug, thiserror::Error)]
pub enum SealedError {
    /// Not an object of the schema.
    #[error("cannot read a sealed event: member {member} is missing or of another form, schema {SEALED_SCHEMA}")]
    Shape {
        /// The member.
        member: &'static str,
    },
    /// The key is not one.
    #[error("cannot use the key of a sealed event")]
    Key(#[from] KeyError),
    /// The key is not the one expected.
    #[error("the sealed event is of key {found}, not of the expected {wanted}")]
    OtherKey {
        /// The key in it.
        found: String,
        /// The key expected.
        wanted: String,
    },
    /// The proof is refused.
    #[error("the proof of the sealed event does not verify")]
    Proof(#[from] TlogProofError),
    /// The envelope is no envelope line.
    #[error("cannot read the envelope of a sealed event")]
    Envelope(#[from] LineError),
    /// The envelope states another position than the proof.
    #[error("the sealed envelope is of event {found}, the proof of event {wanted}")]
    Position {
        /// Position in the envelope.
        found: u64,
        /// Position in the proof.
        wanted: u64,
    },
    /// A slot is not what the envelope commits to.
    #[error("slot {slot} of event {seq} is not what its envelope commits to")]
    Slot {
        /// The event.
        seq: u64,
        /// The slot.
        slot: &'static str,
    },
    /// What an export shows beside the seal is not what was sealed.
    #[error("member {member} of event {seq} is not what was sealed")]
    Shown {
        /// The event.
        seq: u64,
        /// The first member that differs.
        member: String,
    },
    /// An item of an export proves nothing.
    #[error("the item carries no seal: nothing proves it")]
    NotSealed,
}

/// What a self-proving event proves.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    /// Position in the log.
    pub seq: Seq,
    /// Name of the log.
    pub origin: String,
    /// Verifier key that signed the checkpoint; only a key known from elsewhere says who that is.
    pub vkey: String,
    /// Whether that key was given by the caller.
    pub pinned: bool,
    /// Size of the log in the checkpoint.
    pub size: TreeSize,
    /// The event: envelope and disclosed slots, as [`Stored::view`] shows it.
    pub view: Value,
    /// Slots that the envelope commits to and that are not here: erased or withheld.
    pub missing: Vec<SlotName>,
}

pub(super) fn to_json(event: &Stored, proof: &TlogProof, vkey: &str) -> Value {
    let slot = |slot: &StoredSlot| json!({"slot": slot.name.as_str(), "salt": strict64::encode(&slot.salt), "value": slot.json});
    json!({
        "schema": SEALED_SCHEMA,
        "vkey": vkey,
        "envelope": String::from_utf8_lossy(&event.envelope),
        "slots": event.slots.iter().map(slot).collect::<Vec<_>>(),
        "proof": proof.to_text(),
    })
}

/// Verifies a self-proving event; `pin` is the log's key, known from elsewhere.
pub fn verify_sealed(sealed: &Value, pin: Option<&VerifierKey>) -> Result<Verified, SealedError> {
    if text(sealed, "schema")? != SEALED_SCHEMA {
        return Err(SealedError::Shape { member: "schema" });
    }
    let vkey_text = text(sealed, "vkey")?;
    let vkey = VerifierKey::parse(vkey_text)?;
    if let Some(pin) = pin.filter(|pin| **pin != vkey) {
        return Err(SealedError::OtherKey { found: vkey_text.to_owned(), wanted: pin.to_string() });
    }
    let line = text(sealed, "envelope")?.as_bytes();
    let proof = TlogProof::parse(text(sealed, "proof")?.as_bytes())?;
    let checkpoint = proof.verify(&leaf_hash(line), &vkey, &[])?;
    let envelope = EnvelopeLine::parse(line)?;
    if envelope.seq != proof.seq.0 {
        return Err(SealedError::Position { found: envelope.seq, wanted: proof.seq.0 });
    }
    let slots = slots(sealed, &envelope)?;
    let stored = Stored { seq: proof.seq, envelope: line.to_vec(), slots };
    Ok(Verified {
        seq: proof.seq,
        origin: checkpoint.origin,
        vkey: vkey_text.to_owned(),
        pinned: pin.is_some(),
        size: checkpoint.size,
        view: stored.view(),
        missing: stored.erased(),
    })
}

fn slots(sealed: &Value, envelope: &EnvelopeLine<'_>) -> Result<Vec<StoredSlot>, SealedError> {
    let items = sealed.get("slots").and_then(Value::as_array).ok_or(SealedError::Shape { member: "slots" })?;
    let mut slots: Vec<StoredSlot> = Vec::new();
    for item in items {
        let name = SlotName::parse(text(item, "slot")?).ok_or(SealedError::Shape { member: "slot" })?;
        let salt = strict64::decode_array::<16>(text(item, "salt")?).map_err(|_| SealedError::Shape { member: "salt" })?;
        let value = text(item, "value")?;
        let hash = digest(&SHA256, &[SLOT_LABEL.as_bytes(), &salt, value.as_bytes()].concat());
        let good = envelope.slots.get(name).is_some_and(|c| c.hash == hash.as_ref() && c.bytes == value.len() as u64);
        if !good || slots.last().is_some_and(|last| last.name >= name) {
            return Err(SealedError::Slot { seq: envelope.seq, slot: name.as_str() });
        }
        slots.push(StoredSlot { name, salt, json: value.to_owned() });
    }
    Ok(slots)
}

fn text<'a>(value: &'a Value, member: &'static str) -> Result<&'a str, SealedError> {
    value.get(member).and_then(Value::as_str).ok_or(SealedError::Shape { member })
}

/// Why an export cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Neither a JSON array of objects nor one object a line.
    #[error("cannot read the export: item {item} is not a JSON object whose members stand once each")]
    Json {
        /// Number of the item, from 1.
        item: usize,
    },
    /// Nothing in it.
    #[error("cannot verify the export: it holds no event")]
    Empty,
}

/// What was found in an export.
#[derive(Debug, Default)]
pub struct Export {
    /// The items that verified, in order.
    pub verified: Vec<Verified>,
    /// The items that did not, by their number from 1.
    pub refused: Vec<(usize, SealedError)>,
}

/// Verifies an export: a JSON array or one object a line; each item is a sealed event, or an event with a `seal` member.
///
/// It proves what is in it, never that nothing was left out.
pub fn verify_export(bytes: &[u8], pin: Option<&VerifierKey>) -> Result<Export, ExportError> {
    let mut export = Export::default();
    for (at, item) in items(bytes)?.iter().enumerate() {
        match verify_item(item, pin) {
            Ok(verified) => export.verified.push(verified),
            Err(error) => export.refused.push((at + 1, error)),
        }
    }
    if export.verified.is_empty() && export.refused.is_empty() {
        return Err(ExportError::Empty);
    }
    Ok(export)
}

fn items(bytes: &[u8]) -> Result<Vec<Value>, ExportError> {
    let mut items = Vec::new();
    for (at, item) in serde_json::Deserializer::from_slice(bytes).into_iter::<Strict>().enumerate() {
        match item.map_err(|_| ExportError::Json { item: at + 1 })? {
            Strict(Value::Array(inner)) if at == 0 => items = inner,
            Strict(item) => items.push(item),
        }
    }
    match items.iter().position(|item| !item.is_object()) {
        Some(at) => Err(ExportError::Json { item: at + 1 }),
        None => Ok(items),
    }
}

fn verify_item(item: &Value, pin: Option<&VerifierKey>) -> Result<Verified, SealedError> {
    if item.get("schema").and_then(Value::as_str) == Some(SEALED_SCHEMA) {
        return verify_sealed(item, pin);
    }
    let shown = item.as_object().ok_or(SealedError::NotSealed)?;
    let verified = verify_sealed(shown.get("seal").ok_or(SealedError::NotSealed)?, pin)?;
    let differs = first_difference(shown, &verified);
    match differs {
        Some(member) => Err(SealedError::Shown { seq: verified.seq.0, member }),
        None => Ok(verified),
    }
}

/// Returns the first member that an export shows differently from what was sealed, shows without a seal, or does not show.
fn first_difference(shown: &Map<String, Value>, verified: &Verified) -> Option<String> {
    let nothing = Map::new();
    let sealed = verified.view.as_object().unwrap_or(&nothing);
    // An event may have a member of its own with one of those names; then it is a member like any other.
    let added = |name: &str| ADDED.contains(&name) && (name == "seal" || name == "erased" || !sealed.contains_key(name));
    let names: BTreeSet<&String> = shown.keys().chain(sealed.keys()).filter(|name| !added(name)).collect();
    if let Some(name) = names.into_iter().find(|name| shown.get(*name) != sealed.get(*name)) {
        return Some(name.clone());
    }
    if added("seq") && shown.get("seq").is_some_and(|seq| *seq != verified.seq.0) {
        return Some("seq".to_owned());
    }
    let missing = |name: &Value| verified.missing.iter().any(|slot| Some(slot.as_str()) == name.as_str());
    let lists = ["erased", "withheld"].into_iter();
    let wrong = |list: &&str| shown.get(*list).is_some_and(|names| !names.as_array().is_some_and(|names| names.iter().all(missing)));
    lists.filter(|list| added(list)).find(wrong).map(str::to_owned)
}
