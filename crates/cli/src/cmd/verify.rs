//! `verify-integrity`: everything recomputed from the bytes, and every finding told with what, where and since when.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sealtrail_disk::{Disk, RealDisk};
use sealtrail_ledger::MacKey;
use sealtrail_ledger::prove::{Export, verify_export};
use sealtrail_ledger::report::{Finding, Report, Severity};
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::{VerifierKey, strict64};
use serde_json::{Value, json};

use crate::args::Verify;
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::progress::Progress;
use crate::run::Call;
use crate::table::{Cell, Table};
use crate::theme::{self, Label};
use crate::trail;
use crate::visible::visible;
use crate::when::{bytes, count};

/// 4 GiB: an export is read whole; a larger one is better verified as a ledger.
const EXPORT_BYTES_MAX: u64 = 4 << 30;

pub(crate) fn run(call: &mut Call, args: &Verify) -> Result<Exit, Failure> {
    let pin = args.vkey.as_deref().map(read_vkey).transpose()?;
    match target(call, args)? {
        Target::Ledger(dir) => ledger(call, args, &dir, pin),
        Target::Export(file) => export(call, &file, pin.as_ref()),
    }
}

enum Target {
    Ledger(PathBuf),
    Export(PathBuf),
}

/// Finds out what is to be verified: the trail of the home, a home, a ledger folder, or an exported file.
fn target(call: &mut Call, args: &Verify) -> Result<Target, Failure> {
    let Some(path) = &args.path else {
        // Opened like any reader does: what waits in the spool is sealed first.
        return Ok(Target::Ledger(trail::open(call)?.reader.dir().to_owned()));
    };
    if path.is_file() {
        return Ok(Target::Export(path.clone()));
    }
    for dir in [path.clone(), path.join("ledger")] {
        if dir.join("log.json").exists() || dir.join("wal").exists() || dir.join("seg").exists() {
            return Ok(Target::Ledger(dir));
        }
    }
    Err(Failure::new("verify.nothing", Exit::NotVerified, format!("{} is no ledger and no export", path.display()))
        .hint("a ledger is a folder with log.json; an export is a file made with: sealtrail search -o json --proof"))
}

pub(crate) fn read_vkey(path: &Path) -> Result<VerifierKey, Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let line = text.trim().trim_start_matches("vkey ");
    VerifierKey::parse(line)
        .map_err(|error| Failure::because("vkey", Exit::Usage, format!("{} holds no verifier key", path.display()), &error))
}

/// Reads the line that `init` showed.
fn read_mac_key(path: &Path) -> Result<[u8; 32], Failure> {
    let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error))?;
    let line = text.trim().trim_start_matches("mac-key ");
    let key = MacKey::parse(&format!("{line}\n")).filter(|key| key.epoch() == 0);
    let base64 = key.as_ref().and_then(|_| line.splitn(4, '+').nth(3));
    base64.and_then(|base64| strict64::decode_array(base64).ok()).ok_or_else(|| {
        Failure::usage(format!("{} holds no key of epoch 0", path.display()))
            .hint("give the line that `sealtrail init --hmac` showed: SEALTRAIL+MAC+0+…")
    })
}

/// Returns the disk that ledgers are read from.
pub(crate) fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

fn ledger(call: &mut Call, args: &Verify, dir: &Path, pin: Option<VerifierKey>) -> Result<Exit, Failure> {
    let read = |path: &PathBuf| fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error));
    let options = VerifyOptions {
        vkey: pin,
        mac_key: args.mac_key.as_deref().map(read_mac_key).transpose()?,
        quick: args.quick,
        known: args.checkpoint.iter().map(read).collect::<Result<_, _>>()?,
        ..VerifyOptions::default()
    };
    let mut progress = Progress::new(&call.screen, "verifying");
    let report = verify(&disk(), dir, &options, &mut |at| progress.at(at.done, at.total));
    let took = progress.finish();
    let report = report.map_err(|error| Failure::of("verify", &error).exit(Exit::NotVerified))?;
    show(call, dir, &report, took)?;
    Ok(if report.is_ok() { Exit::Yes } else { Exit::NotVerified })
}

fn show(call: &mut Call, dir: &Path, report: &Report, took: Duration) -> Result<(), Failure> {
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{}", to_json(dir, report))?;
        return Ok(());
    }
    let told = report.findings.iter().filter(|finding| finding.severity != Severity::Note || call.global.verbose > 0);
    let mut table = Table::new(["severity", "what", "where", "event", "after", "detail"].into_iter());
    let mut any = false;
    for finding in told {
        any = true;
        table.push(row(finding).into_iter());
    }
    let columns = call.screen.columns;
    let out = call.screen.out();
    if any {
        table.write(out, columns)?;
        writeln!(out)?;
    }
    let label = if report.is_ok() { theme::GOOD } else { theme::BAD };
    writeln!(out, "{}", label.paint(visible(&report.summary())))?;
    let rate = report.bytes as f64 / took.as_secs_f64().max(0.001);
    call.screen.say(&format!(
        "{} events, {} read in {:.2} s ({}/s)",
        count(report.events),
        bytes(report.bytes),
        took.as_secs_f64(),
        bytes(rate as u64)
    ));
    Ok(())
}

fn row(finding: &Finding) -> [Cell; 6] {
    let label: Label = match finding.severity {
        Severity::Fail => theme::BAD,
        Severity::Warn => theme::WARNING,
        Severity::Note => theme::QUIET,
    };
    let optional = |text: Option<String>| Cell::from(text.unwrap_or_default());
    [
        Cell::new(finding.severity.as_str(), label),
        Cell::from(finding.kind),
        Cell::from(finding.file.as_str()),
        optional(finding.seq.map(|seq| seq.to_string())),
        optional(finding.since.map(|since| since.to_string())),
        Cell::from(finding.detail.as_str()),
    ]
}

fn to_json(dir: &Path, report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|finding| {
            json!({"severity": finding.severity.as_str(), "kind": finding.kind, "file": finding.file, "seq": finding.seq,
                "since": finding.since.map(|since| since.to_string()), "detail": finding.detail})
        })
        .collect();
    json!({
        "path": dir.display().to_string(), "ok": report.is_ok(), "summary": report.summary(), "origin": report.origin, "vkey": report.vkey,
        "pinned": report.pinned, "quick": report.quick, "size": report.size.0, "events": report.events, "commits": report.commits,
        "signatures": report.signatures, "macs": report.macs, "slots": report.slots, "epochs": report.epochs, "bytes": report.bytes,
        "erased": report.erased.iter().map(|erasure| erasure.slots).sum::<u64>(), "published": report.published.map(|size| size.0),
        "first": report.first.map(|time| time.to_string()), "last": report.last.map(|time| time.to_string()),
        "findings": findings, "findings_left_out": report.findings_left_out,
    })
}

fn export(call: &mut Call, file: &Path, pin: Option<&VerifierKey>) -> Result<Exit, Failure> {
    let size = fs::metadata(file).map_err(|error| Failure::file("read", file, &error))?.len();
    if size > EXPORT_BYTES_MAX {
        return Err(Failure::new(
            "verify.large",
            Exit::Failed,
            format!("{} has {size} bytes, the limit is {EXPORT_BYTES_MAX}", file.display()),
        )
        .hint("verify the ledger folder instead"));
    }
    let text = fs::read(file).map_err(|error| Failure::file("read", file, &error))?;
    let export = verify_export(&text, pin).map_err(|error| {
        Failure::of("verify.export", &error).exit(Exit::NotVerified).hint("export with: sealtrail search -o json --proof")
    })?;
    let sentence = sentence(file, &export);
    if call.screen.wants_json() {
        let refused: Vec<Value> = export.refused.iter().map(|(item, error)| json!({"item": item, "error": chain(error)})).collect();
        let object = json!({"path": file.display().to_string(), "ok": export.refused.is_empty(), "summary": sentence, "verified": export.verified.len(), "refused": refused});
        writeln!(call.screen.out(), "{object}")?;
    } else {
        for (item, error) in &export.refused {
            writeln!(call.screen.out(), "{} item {item}: {}", theme::BAD.paint("fail"), visible(&chain(error)))?;
        }
        let label = if export.refused.is_empty() { theme::GOOD } else { theme::BAD };
        writeln!(call.screen.out(), "{}", label.paint(visible(&sentence)))?;
    }
    Ok(if export.refused.is_empty() { Exit::Yes } else { Exit::NotVerified })
}

fn sentence(file: &Path, export: &Export) -> String {
    let (good, bad) = (export.verified.len(), export.refused.len());
    if bad > 0 {
        return format!("NOT verified {}: {bad} of {} events are not what was sealed.", file.display(), good + bad);
    }
    let mut logs: Vec<&str> = export.verified.iter().map(|item| item.origin.as_str()).collect();
    logs.sort_unstable();
    logs.dedup();
    let missing: usize = export.verified.iter().map(|item| item.missing.len()).sum();
    let missing = if missing == 0 { String::new() } else { format!("; {missing} slots are erased or withheld") };
    let pinned = if export.verified.iter().all(|item| item.pinned) {
        ""
    } else {
        "; the key is the export's own word, since none was given with --vkey"
    };
    format!(
        "Verified {}: {good} events are exactly what was sealed in {}{missing}{pinned}. It proves what is in it, not that nothing was left out.",
        file.display(),
        logs.join(", ")
    )
}
