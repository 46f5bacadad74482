//! `get`: one event, whole, with its proof.

use sealtrail_ledger::read::Stored;
use serde_json::{Value, json};

use crate::access;
use crate::args::{Get, Output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field;
use crate::run::Call;
use crate::theme;
use crate::trail::{self, Trail};
use crate::visible::brief;

/// Longer values are cut on a terminal; `-o json` has them whole.
const VALUE_CHARS_MAX: usize = 400;

pub(crate) fn run(call: &mut Call, args: &Get) -> Result<Exit, Failure> {
    let mut trail = trail::open(call)?;
    let stored = access::find(call, &mut trail, "get", &args.audit_id)?;
    trail.wait_for_checkpoint(stored.seq.0 + 1);
    if call.screen.output() == Output::Id {
        writeln!(call.screen.out(), "{}", field::text(&stored.view(), "audit_id"))?;
    } else if call.screen.is_prose() {
        prose(call, &trail, &stored)?
    } else {
        machine(call, &trail, &stored)?
    }
    Ok(Exit::Yes)
}

fn machine(call: &mut Call, trail: &Trail, stored: &Stored) -> Result<(), Failure> {
    let mut view = stored.view();
    view["seal"] = trail.reader.seal(stored.seq).map_err(|error| trail::unproved(&error))?;
    writeln!(call.screen.out(), "{view}")?;
    Ok(())
}

fn prose(call: &mut Call, trail: &Trail, stored: &Stored) -> Result<(), Failure> {
    let view = stored.view();
    let proof = trail.reader.prove_inclusion(stored.seq);
    let title = field::text(&view, "event_type");
    let zone = call.zone.clone();
    let out = call.screen.out();
    writeln!(out, "{}  {}", theme::KIND.paint(&title), theme::QUIET.paint(field::text(&view, "audit_id")))?;
    let mut lines = Vec::new();
    flatten(&view, "", &mut lines);
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in lines.iter().filter(|(name, _)| !matches!(name.as_str(), "event_type" | "audit_id")) {
        let shown = if name.ends_with("timestamp") || name.ends_with("_at") { zone.show(value) } else { brief(value, VALUE_CHARS_MAX) };
        writeln!(out, "  {name:width$}  {shown}")?;
    }
    match proof {
        Ok(proof) => {
            let (origin, size) = (trail.reader.log().origin.clone(), checkpoint_size(&proof.checkpoint));
            writeln!(
                out,
                "\n{}  event {} of {size} in {origin}, {} hashes to the signed root",
                theme::GOOD.paint("proved"),
                stored.seq.0,
                proof.hashes.len()
            )?;
            writeln!(out, "  leaf  {}", sealtrail_tlog::strict64::encode(stored.leaf_hash().as_bytes()))?;
            writeln!(out, "  check it elsewhere: sealtrail prove {} > event.tlog-proof", field::text(&view, "audit_id"))?;
            Ok(())
        }
        Err(error) => Err(trail::unproved(&error)),
    }
}

/// The second line of a checkpoint is its size.
fn checkpoint_size(note: &str) -> &str {
    note.lines().nth(1).unwrap_or("?")
}

/// Lists the single values of an event by their dotted names.
fn flatten(value: &Value, name: &str, lines: &mut Vec<(String, String)>) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (member, value) in members {
                flatten(value, &if name.is_empty() { member.clone() } else { format!("{name}.{member}") }, lines);
            }
        }
        Value::String(text) => lines.push((name.to_owned(), text.clone())),
        other => lines.push((name.to_owned(), json!(other).to_string())),
    }
}
