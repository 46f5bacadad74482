//! `prove` and `checkpoint`: what C2SP tools check without us.

use sealtrail_engine::{Home, cosigned_note};
use sealtrail_ledger::prove::Prover;
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_tlog::TlogProof;
use serde_json::json;

use crate::access;
use crate::args::{CheckpointCommand, Output, Prove};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::home;
use crate::run::Call;
use crate::trail;

pub(crate) fn run(call: &mut Call, args: &Prove) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let stored = access::find(call, &mut trail, "prove", &args.audit_id)?;
    trail.wait_for_checkpoint(stored.seq.0 + 1);
    match call.screen.output() {
        Output::Json | Output::Ndjson => {
            let seal = trail.reader.seal(stored.seq).map_err(|error| trail::unproved(&error))?;
            writeln!(call.screen.out(), "{seal}")?;
        }
        _ => {
            let proof = match witnessed(call, &trail.reader, &stored)? {
                Some(proof) => proof,
                None => trail.reader.prove_inclusion(stored.seq).map_err(|error| trail::unproved(&error))?,
            };
            write!(call.screen.out(), "{}", proof.to_text())?;
        }
    }
    Ok(Exit::Yes)
}

pub(crate) fn checkpoint(call: &mut Call, command: &CheckpointCommand) -> Result<Exit, Failure> {
    let CheckpointCommand::Show = command;
    let trail = trail::open(call)?;
    let prover = Prover::new(&trail.reader).map_err(|error| trail::unproved(&error))?;
    let checkpoint = prover.checkpoint();
    let root = sealtrail_tlog::strict64::encode(checkpoint.root.as_bytes());
    if call.screen.wants_json() {
        let object = json!({"origin": checkpoint.origin, "size": checkpoint.size.0, "root": root, "vkey": trail.reader.log().vkey, "note": prover.note()});
        writeln!(call.screen.out(), "{object}")?;
    } else {
        write!(call.screen.out(), "{}", prover.note())?;
    }
    Ok(Exit::Yes)
}

/// Proves the event under the newest checkpoint that a witness cosigned, if that covers it: a reader who trusts the witness then need not trust this machine.
fn witnessed(call: &Call, reader: &Reader, stored: &Stored) -> Result<Option<TlogProof>, Failure> {
    let home = Home::new(home::find(&call.global)?);
    let Ok(note) = std::fs::read_to_string(cosigned_note(&home)) else { return Ok(None) };
    // A note that is not of this log, or does not cover the event, leaves the published checkpoint, which proves as much without a witness.
    Ok(Prover::new(reader).and_then(|mut prover| prover.prove_under(stored, &note)).ok())
}
