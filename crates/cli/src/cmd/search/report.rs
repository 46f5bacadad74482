//! Answers that are no plain list of events: the table of a report, the matches of a sequence.

use sealtrail_index::SequenceMatch;
use sealtrail_query::{ColumnKind, Search as Plan, Source, Table};
use serde_json::{Value, json};

use super::{Found, columns};
use crate::args::{Output, Search};
use crate::failure::Failure;
use crate::field;
use crate::rows::Rows;
use crate::run::Call;
use crate::theme;
use crate::timeline::Timeline;
use crate::visible::visible;

/// Writes the table of a report; one whose rows are events as events.
pub(super) fn table(call: &mut Call, args: &Search, table: &Table, found: &mut Found) -> Result<(), Failure> {
    let events = matches!(&table.columns[..], [only] if only.kind == ColumnKind::Event);
    let names = if events { columns(Output::Tsv, &args.fields) } else { table.columns.iter().map(|column| column.name.clone()).collect() };
    let mut rows =
        if events { Rows::of_events(&call.screen, names, call.zone.clone()) } else { Rows::new(&call.screen, names, call.zone.clone()) };
    if events {
        for event in table.rows.iter().flatten() {
            rows.event(call.screen.out(), event)?;
        }
    } else {
        for row in table.objects() {
            rows.event(call.screen.out(), &row)?;
        }
    }
    rows.finish(call.screen.out())?;
    found.written = table.rows.len() as u64;
    if let Some(truncated) = table.truncated {
        call.screen.warn(&format!("limit= left out {} rows that stand for {} events", truncated.rows, truncated.count));
    }
    if table.missing > 0 {
        call.screen.say(&format!("{} events match and have no value for it", table.missing));
    }
    Ok(())
}

/// Writes the matches of a sequence: as JSON one object a match, else the events of one match under another.
pub(super) fn matches(call: &mut Call, args: &Search, search: &Plan, matches: &[SequenceMatch], found: &mut Found) -> Result<(), Failure> {
    let limit = usize::try_from(args.limit()).unwrap_or(usize::MAX);
    let newest = if args.oldest_first { &matches[..limit.min(matches.len())] } else { &matches[matches.len().saturating_sub(limit)..] };
    found.cut = newest.len() < matches.len();
    found.written = newest.len() as u64;
    let mut shown: Vec<&SequenceMatch> = newest.iter().collect();
    if !args.oldest_first {
        // The newest match first, and within a match the order of its steps.
        shown.reverse();
    }
    if call.screen.output() == Output::Timeline {
        return timelines(call, search, &shown);
    }
    let mut names = columns(call.screen.output(), &args.fields);
    if args.fields.is_empty() {
        names.retain(|name| name != field::NUMBER);
        names.insert(0, "match".to_owned());
        names.insert(4, "user_id".to_owned());
    }
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
    for (number, one) in shown.iter().enumerate() {
        if call.screen.wants_json() {
            rows.event(call.screen.out(), &whole(search, one))?;
            continue;
        }
        for hit in &one.hits {
            let mut view = hit.view.clone();
            view["match"] = json!(number + 1);
            rows.event(call.screen.out(), &view)?;
        }
    }
    Ok(rows.finish(call.screen.out())?)
}

/// Writes each match as a timeline of its own.
fn timelines(call: &mut Call, search: &Plan, shown: &[&SequenceMatch]) -> Result<(), Failure> {
    for (number, one) in shown.iter().enumerate() {
        let told = whole(search, one);
        let keys: Vec<String> =
            one.found.keys.iter().map(|key| key.to_value().as_str().map_or_else(|| key.to_value().to_string(), visible)).collect();
        let ms = told["span_ms"].as_u64().unwrap_or(0);
        let open = if one.found.settled { "" } else { ", not settled yet" };
        let gap = if number == 0 { "" } else { "\n" };
        let head =
            format!("{gap}match {}  {}  {} events in {}.{:03} s{open}", number + 1, keys.join(" "), one.hits.len(), ms / 1000, ms % 1000);
        writeln!(call.screen.out(), "{}", theme::HEAD.paint(head))?;
        let mut timeline = Timeline::new(call.zone.clone(), call.screen.columns);
        one.hits.iter().for_each(|hit| timeline.push(&hit.view));
        timeline.write(call.screen.out())?;
    }
    Ok(())
}

/// Returns a match with its keys, its times, its ids and its whole events.
fn whole(search: &Plan, one: &SequenceMatch) -> Value {
    let mut object = match &search.source {
        Source::Sequence(sequence) => one.found.to_value(sequence),
        Source::Events(_) => json!({}),
    };
    object["audit_ids"] = one.hits.iter().map(|hit| field::text(&hit.view, "audit_id")).collect();
    object["events"] = one.hits.iter().map(|hit| hit.view.clone()).collect();
    object
}
