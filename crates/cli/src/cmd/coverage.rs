//! `coverage`: which witness saw which action, what is missing, and a certificate of it.

use jiff::Timestamp;
use sealtrail_ledger::prove::Prover;
use sealtrail_trace::coverage::{Issued, Report, canonical, certificate};

use crate::access::{self, Access};
use crate::args::{Coverage, CoverageCommand};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;
use crate::trail::{self, Access as How, Trail};

mod bundle;
mod collect;
mod prose;

pub(crate) fn run(call: &mut Call, args: &Coverage) -> Result<Exit, Failure> {
    if let Some(CoverageCommand::Verify { file, vkey }) = &args.command {
        return bundle::verify(call, file, vkey.as_deref());
    }
    let mut trail = trail::open(call)?;
    settle(&mut trail)?;
    let issued = Checkpoint::newest(&trail)?;
    let now = Timestamp::now();
    let (report, asked) = collect::report(call, &trail, args, issued.size, now)?;
    let document = certificate(
        &report,
        &Issued {
            origin: &issued.origin,
            checkpoint: &issued.note,
            size: issued.size,
            range: asked.range.clone(),
            threshold: args.threshold,
        },
    );
    let text = canonical(&document);
    let sealed = match &args.export {
        Some(file) => Some(bundle::export(call, &mut trail, &report, &text, issued.size, file)?),
        None => None,
    };
    access::note(call, &mut trail, &Access { command: "coverage", query: &asked.query, count: asked.events });
    if call.screen.wants_json() {
        writeln!(call.screen.out(), "{document}")?;
    } else {
        prose::write(call, &report, &issued, &asked)?;
        if let (Some(seq), Some(file)) = (sealed, &args.export) {
            call.screen.say(&format!("the certificate is event {seq}; with its proof it is in {}", file.display()));
        }
    }
    Ok(exit(&report, args.threshold))
}

fn exit(report: &Report, threshold: u8) -> Exit {
    if report.holds(threshold) { Exit::Yes } else { Exit::NotVerified }
}

/// The checkpoint that a certificate speaks about.
pub(crate) struct Checkpoint {
    origin: String,
    note: String,
    size: u64,
}

impl Checkpoint {
    fn newest(trail: &Trail) -> Result<Self, Failure> {
        let prover = Prover::new(&trail.reader).map_err(|error| trail::unproved(&error))?;
        let checkpoint = prover.checkpoint();
        Ok(Self { origin: checkpoint.origin.clone(), note: prover.note().to_owned(), size: checkpoint.size.0 })
    }
}

/// Makes sure that everything in the trail is under a published checkpoint: this command closes its writer, or waits for the daemon.
fn settle(trail: &mut Trail) -> Result<(), Failure> {
    match std::mem::replace(&mut trail.access, How::Busy) {
        How::Writer(writer) => writer.close().map_err(|error| crate::record::refused(&error))?,
        other => trail.access = other,
    }
    trail.reader.refresh().map_err(|error| trail::unreadable(&error))?;
    trail.wait_for_checkpoint(trail.reader.size().0);
    Ok(())
}
