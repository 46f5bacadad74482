//! How soon a sealed event is found: handed to a running daemon, looked for until a search shows it.

use std::path::Path;
use std::time::Instant;

use sealtrail_engine::{CreateHome, Daemon, DaemonOptions, Finder, Home, Ingested};
use sealtrail_event::{AuditId, Envelope, Event, Token, Witness};
use sealtrail_index::{Answer, Options, run};
use sealtrail_query::Search;

use crate::bench::stats::{Samples, us};

/// 500 events, one after the other.
const ROUNDS: u64 = 500;

/// Prints the time from the receipt to the event in the answer of a search, which another part of the process does with its own reader.
pub(crate) fn measure(folder: &Path) -> Result<(), String> {
    // What an earlier run left is made again.
    drop(std::fs::remove_dir_all(folder));
    let (home, _) = Home::create(folder, &CreateHome::default()).map_err(|error| format!("cannot create a home: {error}"))?;
    let daemon = Daemon::start(&home, DaemonOptions::default()).map_err(|error| format!("cannot start the daemon: {error}"))?;
    let mut finder = Finder::open(&home).map_err(|error| format!("cannot open the trail: {error}"))?;
    let (handle, mut receipt, mut found) = (daemon.handle(), Vec::new(), Vec::new());
    for n in 0..ROUNDS {
        let event = event(n)?;
        let text = format!("event_type=data.file_read audit_id={}", event.envelope.audit_id);
        let search = Search::parse_at(&text, jiff::Timestamp::now()).map_err(|error| error.to_string())?;
        let start = Instant::now();
        let sealed = handle.ingest(vec![event]);
        if !matches!(sealed[..], [Ingested::Sealed(_)]) {
            return Err(format!("event {n} was not sealed: {sealed:?}"));
        }
        receipt.push(nanos(start));
        let start = Instant::now();
        while hits(&mut finder, &search)? == 0 {}
        found.push(nanos(start));
    }
    daemon.stop().map_err(|error| format!("cannot stop the daemon: {error}"))?;
    let (receipt, found) = (Samples::new(receipt), Samples::new(found));
    println!(
        "found after its receipt: p50 {}, p99 {} (the receipt itself: {}, {})        target < 50 ms",
        us(found.p50()),
        us(found.p99()),
        us(receipt.p50()),
        us(receipt.p99())
    );
    Ok(())
}

fn hits(finder: &mut Finder, search: &Search) -> Result<usize, String> {
    finder.refresh().map_err(|error| format!("cannot look for what is new: {error}"))?;
    let mut nothing = |_| {};
    match run(&finder.reader, Some(&finder.index), search, &Options::default(), &mut nothing) {
        Ok(Answer::Events(hits)) => Ok(hits.filter_map(Result::ok).count()),
        Ok(_) => Ok(0),
        Err(error) => Err(format!("cannot search: {error}")),
    }
}

fn event(n: u64) -> Result<Event, String> {
    let mut entropy = [0u8; 10];
    entropy[2..].copy_from_slice(&n.to_be_bytes());
    let word = |text: &str| Token::parse(text).map_err(|error| error.to_string());
    let now = jiff::Timestamp::now();
    let id = AuditId::new(u64::try_from(now.as_millisecond()).unwrap_or(0), entropy);
    Ok(Event { envelope: Envelope::new(id, word("data.file_read")?, word(&now.to_string())?, Witness::Api), slots: Vec::new() })
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
