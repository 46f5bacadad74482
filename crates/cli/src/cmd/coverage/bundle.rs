//! A certificate with its proof in one file: made, and checked from nothing but its bytes.
//!
//! The hash of the certificate is sealed as an event. The file holds the certificate, that event with its inclusion proof and signed checkpoint,
//! and the proof that the log of the certificate's own checkpoint is the beginning of that log.

use std::fs;
use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_ledger::prove::{Verified, verify_sealed};
use sealtrail_tlog::proof::verify_consistency;
use sealtrail_tlog::{Checkpoint, NodeHash, Seq, TlogProof, TreeSize, VerifierKey, strict64};
use sealtrail_trace::coverage::{FORMAT, Report, canonical};
use serde_json::{Value, json};

use crate::cmd::verify::read_vkey;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::run::Call;
use crate::theme;
use crate::trail::{self, Access as How, Trail};
use crate::visible::visible;

/// The `schema` member of the file.
const SCHEMA: &str = "sealtrail.coverage.bundle/1";
/// The event that holds the certificate's hash.
const EVENT: &str = "evidence.certificate_issued";
/// 256 MiB: every list of a certificate is bounded to some 10 MB.
const BYTES_MAX: u64 = 256 << 20;

/// Seals the hash of a certificate and writes the file; returns the number of the event.
pub(super) fn export(call: &mut Call, trail: &mut Trail, report: &Report, text: &str, size: u64, file: &Path) -> Result<u64, Failure> {
    let record = json!({
        "event_type": EVENT, "status": "success", "result": {"audit_hash": sha256(text)},
        "certificate": {"format": FORMAT, "verdict": report.verdict().word(), "tree_size": size},
    });
    let seq = seal(call, trail, &record)?;
    trail.reader.refresh().map_err(|error| trail::unreadable(&error))?;
    trail.wait_for_checkpoint(seq + 1);
    let sealed = trail.reader.seal(Seq(seq)).map_err(|error| trail::unproved(&error))?;
    let proof = sealed.get("proof").and_then(Value::as_str).unwrap_or_default();
    let newer = TlogProof::parse(proof.as_bytes()).map_err(|error| Failure::of("coverage.proof", &error))?;
    let newer = size_of(&newer).ok_or_else(|| Failure::new("coverage.proof", Exit::NotVerified, "the published checkpoint has no size"))?;
    let consistency = trail.reader.prove_consistency(TreeSize(size), newer).map_err(|error| trail::unproved(&error))?;
    let hashes: Vec<String> = consistency.hashes.iter().map(|hash| strict64::encode(&hash.0)).collect();
    let bundle = json!({"schema": SCHEMA, "certificate": text, "seal": sealed, "consistency": hashes});
    fs::write(file, format!("{bundle}\n")).map_err(|error| Failure::file("write", file, &error))?;
    Ok(seq)
}

/// Seals a record through the daemon, or through a writer that is closed at once: that publishes the checkpoint over it.
fn seal(call: &mut Call, trail: &mut Trail, record: &Value) -> Result<u64, Failure> {
    let home = trail.home.clone();
    let mut how = std::mem::replace(&mut trail.access, How::Busy);
    if matches!(how, How::Busy) {
        how = trail::writer_in_time(call, &home);
    }
    match how {
        How::Daemon => {
            trail.access = How::Daemon;
            let later = |error| Failure::of("coverage.not_sealed", &error).exit(Exit::Unavailable);
            sealtrail_engine::note(&home, record).map_err(later)
        }
        How::Writer(mut writer) => {
            let seq = writer.note(record).map_err(|error| crate::record::refused(&error))?;
            writer.close().map_err(|error| crate::record::refused(&error))?;
            Ok(seq)
        }
        How::Busy | How::Nobody => {
            Err(Failure::new("coverage.not_sealed", Exit::Unavailable, "cannot seal the certificate: another command has the trail open"))
        }
        How::Refused(why) => Err(Failure::new("coverage.not_sealed", Exit::Unavailable, format!("cannot seal the certificate: {why}"))),
    }
}

fn size_of(proof: &TlogProof) -> Option<TreeSize> {
    // The second line of a checkpoint; the proof was verified when it was made.
    proof.checkpoint.lines().nth(1)?.parse().ok().map(TreeSize)
}

fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks a file that `--export` wrote.
pub(super) fn verify(call: &mut Call, file: &Path, vkey: Option<&Path>) -> Result<Exit, Failure> {
    let pin = vkey.map(read_vkey).transpose()?;
    let bytes = fs::metadata(file).map_err(|error| Failure::file("read", file, &error))?.len();
    if bytes > BYTES_MAX {
        let what = format!("{} has {bytes} bytes, the limit is {BYTES_MAX}", file.display());
        return Err(Failure::new("coverage.large", Exit::Failed, what));
    }
    let read = fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
    let checked = check(&read, pin.as_ref()).map_err(|failure| failure.at(file))?;
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", checked.to_json())?;
        return Ok(Exit::Yes);
    }
    let sentence = checked.sentence(file);
    writeln!(call.screen.out(), "{}", theme::GOOD.paint(visible(&sentence)))?;
    Ok(Exit::Yes)
}

/// What a file proves.
struct Checked {
    certificate: Value,
    sealed: Verified,
    sha256: String,
}

impl Checked {
    fn to_json(&self) -> Value {
        json!({
            "ok": true, "sha256": self.sha256, "origin": self.sealed.origin, "vkey": self.sealed.vkey, "pinned": self.sealed.pinned,
            "seq": self.sealed.seq.0, "issued_at": text(&self.sealed.view, "recorded_at"), "certificate": self.certificate,
        })
    }

    fn sentence(&self, file: &Path) -> String {
        let pinned = if self.sealed.pinned { "" } else { "; the key is the file's own word, since none was given with --vkey" };
        format!(
            "Verified {}: the certificate with the verdict {} over {} sessions of {} is what was sealed as event {} at {}{pinned}. \
             It proves what was compared then, not that every action reached a witness.",
            file.display(),
            text(&self.certificate, "verdict"),
            text(&self.certificate, "sessions"),
            self.sealed.origin,
            self.sealed.seq.0,
            text(&self.sealed.view, "recorded_at"),
        )
    }
}

/// Checks every link: the bytes, their hash in the event, the event in the log, and the certificate's log as the beginning of that log.
fn check(bytes: &[u8], pin: Option<&VerifierKey>) -> Result<Checked, Failure> {
    let wrong =
        |what: &str| Failure::new("coverage.not_verified", Exit::NotVerified, format!("the certificate is not verified: {what}, in"));
    let bundle: Value = serde_json::from_slice(bytes).map_err(|error| wrong("this is no JSON").cause(error.to_string()))?;
    if text(&bundle, "schema") != SCHEMA {
        return Err(wrong(&format!("its schema is not {SCHEMA}")));
    }
    let (Some(written), Some(seal)) = (bundle.get("certificate").and_then(Value::as_str), bundle.get("seal")) else {
        return Err(wrong("certificate or seal is missing"));
    };
    let sealed = verify_sealed(seal, pin).map_err(|error| Failure::of("coverage.not_verified", &error).exit(Exit::NotVerified))?;
    let sha256 = sha256(written);
    if text(&sealed.view, "event_type") != EVENT || text(&sealed.view, "witness") != "recorder" {
        return Err(wrong(&format!("event {} issues no certificate", sealed.seq.0)));
    }
    if text(&sealed.view, "result.audit_hash") != sha256 {
        return Err(wrong(&format!("its hash is not the one in event {}", sealed.seq.0)));
    }
    let certificate: Value = serde_json::from_str(written).map_err(|error| wrong("the text is no JSON").cause(error.to_string()))?;
    if text(&certificate, "format") != FORMAT || canonical(&certificate) != written {
        return Err(wrong(&format!("the text is not the one spelling of {FORMAT}")));
    }
    if text(&certificate, "origin") != sealed.origin {
        return Err(wrong(&format!("it speaks about another log than {}", sealed.origin)));
    }
    same_log(&bundle, &certificate, seal, &sealed).map_err(|what| wrong(&what))?;
    Ok(Checked { certificate, sealed, sha256 })
}

/// Checks that the certificate's checkpoint is of the beginning of the log that holds the event.
fn same_log(bundle: &Value, certificate: &Value, seal: &Value, sealed: &Verified) -> Result<(), String> {
    let key = VerifierKey::parse(&sealed.vkey).map_err(|error| error.to_string())?;
    let open =
        |note: &str| Checkpoint::open(note.as_bytes(), &key, &[]).map(|(checkpoint, _)| checkpoint).map_err(|error| error.to_string());
    let older = open(&text(certificate, "checkpoint"))?;
    let proof = TlogProof::parse(text(seal, "proof").as_bytes()).map_err(|error| error.to_string())?;
    let newer = open(&proof.checkpoint)?;
    if certificate.get("tree_size").and_then(Value::as_u64) != Some(older.size.0) {
        return Err("its tree_size is not that of its checkpoint".to_owned());
    }
    if sealed.seq.0 < older.size.0 {
        return Err(format!("it was issued as event {}, before the {} events that it speaks about", sealed.seq.0, older.size.0));
    }
    let listed = bundle.get("consistency").and_then(Value::as_array).ok_or("the consistency proof is missing")?;
    let hash = |item: &Value| item.as_str().and_then(|text| NodeHash::parse(text).ok());
    let hashes: Option<Vec<NodeHash>> = listed.iter().map(hash).collect();
    let hashes = hashes.ok_or("the consistency proof holds what is no hash")?;
    verify_consistency(older.size, &older.root, newer.size, &newer.root, &hashes).map_err(|error| error.to_string())
}
