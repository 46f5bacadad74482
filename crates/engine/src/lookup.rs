//! Finds events by their ids, many at once, in the whole ledger.

use std::sync::PoisonError;

use jiff::Timestamp;
use sealtrail_event::AuditId;
use sealtrail_index::{Answer, Index, Options, run};
use sealtrail_ledger::read::Reader;
use sealtrail_query::Search;
use sealtrail_tlog::Seq;
use serde_json::Value;

use crate::shared::Shared;

/// 100 ids are asked for in one search: a query of 12 KiB at most.
const IDS: usize = 100;

/// The ledger and, once somebody needed it, its index.
pub(crate) struct Lookup {
    reader: Reader,
    index: Option<Index>,
}

impl Lookup {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader, index: None }
    }
}

impl Shared {
    /// Returns the event of a number, if it can be read now.
    pub(crate) fn sealed(&self, seq: u64) -> Option<Value> {
        let mut lookup = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        lookup.reader.refresh().ok()?;
        Some(lookup.reader.get(Seq(seq)).ok()??.view())
    }

    /// Returns those of `wanted` that are in the ledger, with their numbers. A ledger that cannot be read now is told elsewhere: then none is found.
    pub(crate) fn look_up(&self, wanted: &[AuditId]) -> Vec<(AuditId, u64)> {
        let mut lookup = self.lookup.lock().unwrap_or_else(PoisonError::into_inner);
        let Lookup { reader, index } = &mut *lookup;
        if wanted.is_empty() || reader.refresh().is_err() {
            return Vec::new();
        }
        let mut found = Vec::new();
        // An id that tells its time leads to its segment. Of any other a segment says only that it may be there: the index knows.
        let (timed, others): (Vec<&AuditId>, Vec<&AuditId>) = wanted.iter().partition(|id| id.unix_ms().is_some());
        for id in timed {
            if let Ok(Some(stored)) = reader.find(id) {
                found.push((id.clone(), stored.seq.0));
            }
        }
        if others.is_empty() {
            return found;
        }
        // What is not indexed, the search looks at event by event.
        match index {
            Some(index) => drop(index.refresh()),
            None => *index = Index::open(&self.home.index(), reader.log()).ok(),
        }
        for some in others.chunks(IDS) {
            found.extend(search(reader, index.as_ref(), some).into_iter().flatten());
        }
        found
    }
}

fn search(reader: &Reader, index: Option<&Index>, ids: &[&AuditId]) -> Option<Vec<(AuditId, u64)>> {
    let list: Vec<String> = ids.iter().map(|id| format!("\"{id}\"")).collect();
    let search = Search::parse_at(&format!("audit_id in ({})", list.join(", ")), Timestamp::UNIX_EPOCH).ok()?;
    let mut nothing = |_| {};
    let Ok(Answer::Events(hits)) = run(reader, index, &search, &Options::default(), &mut nothing) else { return None };
    let of = |hit: sealtrail_index::Hit| Some((AuditId::parse(hit.view.get("audit_id")?.as_str()?).ok()?, hit.seq.0));
    Some(hits.map_while(Result::ok).filter_map(of).collect())
}
