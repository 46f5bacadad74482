//! `status`: three properties, measured: is the trail complete, is it unchanged, can it be read.
//!
//! It reads no old segment: counts come from the index, sizes from the file system, and of the ledger only the checkpoint, the first, the middle
//! and the newest events are read. What takes reading everything is `verify-integrity`.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use sealtrail_engine::Home;
use sealtrail_ledger::prove::Prover;
use sealtrail_tlog::Seq;
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::run::Call;
use crate::theme::{self, Label};
use crate::trail::{self, Trail};
use crate::when::{ago, bytes, count};

mod counted;

use counted::Counted;

pub(crate) fn run(call: &mut Call) -> Result<Exit, Failure> {
    let trail = trail::open_as_it_is(call)?;
    let home = trail.home.clone();
    let counted = Counted::new(&trail)?;
    let properties = [complete(&home, &trail, &counted), unchanged(&trail), retrievable(&trail)?];
    let good = properties.iter().all(|property| property.good);
    let facts = facts(&home, &trail, &counted);
    if call.screen.wants_json() {
        let items: serde_json::Map<String, Value> = properties
            .iter()
            .map(|property| (property.name.to_owned(), json!({"holds": property.good, "measured": property.measured})))
            .collect();
        let mut object = json!({"home": trail.home.path().display().to_string(), "origin": trail.reader.log().origin, "properties": items});
        object["counted_to"] = json!(counted.to);
        for (name, value, _) in facts {
            object[name] = value;
        }
        writeln!(call.screen.out(), "{object}")?;
    } else {
        for property in &properties {
            let (sign, label): (&str, Label) = if property.good { ("ok", theme::GOOD) } else { ("!", theme::WARNING) };
            writeln!(call.screen.out(), "{}  {:<12}  {}", label.paint(format!("{sign:<2}")), property.name, property.measured)?;
        }
        writeln!(call.screen.out())?;
        for (name, _, shown) in &facts {
            writeln!(call.screen.out(), "    {name:<12}  {shown}")?;
        }
    }
    Ok(if good { Exit::Yes } else { Exit::Incomplete })
}

struct Property {
    name: &'static str,
    good: bool,
    measured: String,
}

/// Complete, as far as the trail can know: no counted loss, nothing torn. That every action reached a hook no trail can prove.
fn complete(home: &Home, trail: &Trail, counted: &Counted) -> Property {
    let size = trail.reader.size().0;
    if counted.to < size {
        let measured = format!(
            "not known: the index, which this is counted by, has {} of {} events; sealtrail search --limit 1 completes it",
            count(counted.to),
            count(size)
        );
        return Property { name: "complete", good: false, measured };
    }
    let waiting = sealtrail_engine::gaps(home).map_or(0, |gaps| gaps.len());
    let good = counted.gaps == 0 && waiting == 0;
    let lost = if counted.lost_uncounted { format!("{} or more", count(counted.lost)) } else { count(counted.lost) };
    let measured = match (good, waiting) {
        (true, _) => {
            format!("no counted loss; {} calls, {} with unknown outcome", count(counted.calls().total), count(counted.calls().unknown))
        }
        (false, 0) => format!("{} gaps, {lost} events lost: sealtrail search --event-type ledger.gap", count(counted.gaps)),
        (false, waiting) => format!("{} gaps, {lost} events lost, {waiting} more kinds of loss wait to be sealed", count(counted.gaps)),
    };
    Property { name: "complete", good, measured }
}

/// Unchanged: the newest event leads to the root that is signed. `verify-integrity` recomputes all of it.
fn unchanged(trail: &Trail) -> Property {
    let size = trail.reader.size().0;
    let measured = match Prover::new(&trail.reader) {
        Ok(prover) => {
            let covered = prover.checkpoint().size.0;
            let last = trail.reader.prove_inclusion(Seq(covered.saturating_sub(1)));
            last.map(|_| {
                format!("signed root over {} of {} events; recompute everything: sealtrail verify-integrity", count(covered), count(size))
            })
        }
        Err(error) => Err(error),
    };
    match measured {
        Ok(measured) => Property { name: "unchanged", good: true, measured },
        Err(error) => Property { name: "unchanged", good: false, measured: format!("{error}: sealtrail verify-integrity") },
    }
}

/// Retrievable: the first, the middle and the last event can be read and carry their own number.
fn retrievable(trail: &Trail) -> Result<Property, Failure> {
    let size = trail.reader.size().0;
    let started = std::time::Instant::now();
    for seq in [0, size / 2, size.saturating_sub(1)] {
        let found = trail.reader.get(Seq(seq)).map_err(|error| trail::unreadable(&error))?;
        if size > 0 && found.is_none_or(|stored| stored.seq.0 != seq) {
            return Ok(Property {
                name: "retrievable",
                good: false,
                measured: format!("event {seq} cannot be read: sealtrail verify-integrity"),
            });
        }
    }
    let ms = started.elapsed().as_secs_f64() * 1000.0 / 3.0;
    Ok(Property { name: "retrievable", good: true, measured: format!("first, middle and last event read back, {ms:.1} ms each") })
}

fn facts(home: &Home, trail: &Trail, counted: &Counted) -> Vec<(&'static str, Value, String)> {
    let depth = sealtrail_engine::spool_depth(home).unwrap_or_default();
    let age = counted.newest.map(|at| Timestamp::now().as_second() - at.as_second());
    let size = folder_bytes(&home.ledger());
    let daemon = match sealtrail_engine::status(home) {
        Ok(Some(status)) => (
            json!({"pid": status.pid, "queue": status.queue, "connections": status.connections}),
            format!("running, process {}, {} events in its queue", status.pid, count(status.queue)),
        ),
        Ok(None) => (Value::Null, "not running".to_owned()),
        Err(error) => (Value::Null, format!("does not answer: {error}")),
    };
    let sessions = format!("{} ({} open)", count(counted.sessions()), counted.open);
    vec![
        ("events", json!(trail.reader.size().0), count(trail.reader.size().0)),
        ("newest", json!(age), age.map_or("none".to_owned(), ago)),
        ("bytes", json!(size), bytes(size)),
        ("sessions", json!(counted.sessions()), sessions),
        ("late", json!(counted.late), format!("{} events waited in the spool", count(counted.late))),
        ("erased", json!(counted.erased), format!("{} events have an erased part", count(counted.erased))),
        ("unparsed", json!(counted.unparsed), format!("{} deliveries were kept as bytes", count(counted.unparsed))),
        ("spool", json!(depth.records), format!("{} events wait, {}", count(depth.records), bytes(depth.bytes))),
        ("daemon", daemon.0, daemon.1),
        ("home", json!(trail.home.path().display().to_string()), trail.home.path().display().to_string()),
    ]
}

/// Adds up the blocks that files take; a WAL is preallocated, so its length says nothing.
fn folder_bytes(folder: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let mut total = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(meta) = entry.metadata() else { continue };
        total += if meta.is_dir() { folder_bytes(&entry.path()) } else { meta.blocks() * 512 };
    }
    total
}
