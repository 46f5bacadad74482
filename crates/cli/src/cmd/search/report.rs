//! Answers that are no plain list of events: the table of a report, the matches of a sequence.

use sealtrail_index::SequenceMatch;
use sealtrail_query::{ColumnKind, Table};
use serde_json::{Value, json};

use super::{Found, columns};
use crate::args::Search;
use crate::failure::Failure;
use crate::field;
use crate::rows::Rows;
use crate::run::Call;

/// Writes the table of a report; one whose rows are events as events.
pub(super) fn table(call: &mut Call, args: &Search, table: &Table, found: &mut Found) -> Result<(), Failure> {
    let events = matches!(&table.columns[..], [only] if only.kind == ColumnKind::Event);
    let names = if events { columns(&args.fields) } else { table.columns.iter().map(|column| column.name.clone()).collect() };
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
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
pub(super) fn matches(call: &mut Call, args: &Search, matches: &[SequenceMatch], found: &mut Found) -> Result<(), Failure> {
    let limit = if args.all { usize::MAX } else { usize::try_from(args.limit).unwrap_or(usize::MAX) };
    let shown = &matches[matches.len().saturating_sub(limit)..];
    found.cut = shown.len() < matches.len();
    found.written = shown.len() as u64;
    let mut names = columns(&args.fields);
    if args.fields.is_empty() {
        names.insert(0, "match".to_owned());
        names.insert(4, "user_id".to_owned());
    }
    let mut rows = Rows::new(&call.screen, names, call.zone.clone());
    // The newest match first, and within a match the order of its steps.
    for (number, one) in shown.iter().rev().enumerate() {
        if call.screen.wants_json() {
            rows.event(call.screen.out(), &whole(one))?;
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

fn whole(one: &SequenceMatch) -> Value {
    let ids: Vec<String> = one.hits.iter().map(|hit| field::text(&hit.view, "audit_id")).collect();
    let events: Vec<&Value> = one.hits.iter().map(|hit| &hit.view).collect();
    json!({"audit_ids": ids, "events": events})
}
