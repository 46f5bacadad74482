//! `prove` and `checkpoint`: what C2SP tools check without us.

use serde_json::json;

use crate::access;
use crate::args::{CheckpointCommand, Output, Prove};
use crate::exit::Exit;
use crate::failure::Failure;
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
            let proof = trail.reader.prove_inclusion(stored.seq).map_err(|error| trail::unproved(&error))?;
            write!(call.screen.out(), "{}", proof.to_text())?;
        }
    }
    Ok(Exit::Yes)
}

pub(crate) fn checkpoint(call: &mut Call, command: &CheckpointCommand) -> Result<Exit, Failure> {
    let CheckpointCommand::Show = command;
    let trail = trail::open(call)?;
    let prover = sealtrail_ledger::prove::Prover::new(&trail.reader).map_err(|error| trail::unproved(&error))?;
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
