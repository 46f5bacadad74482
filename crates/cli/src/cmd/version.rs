//! `version`: the program and the formats it writes.

use serde_json::json;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;

pub(crate) fn run(call: &mut Call) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let json = call.screen.wants_json();
    let out = call.screen.out();
    if json {
        writeln!(out, "{}", json!({"sealtrail": version, "event_schema": sealtrail_event::SCHEMA_VERSION, "ledger_format": 1}))?;
    } else {
        writeln!(out, "sealtrail {version}\nevent schema {}\nledger format 1", sealtrail_event::SCHEMA_VERSION)?;
    }
    Ok(Exit::Yes)
}
