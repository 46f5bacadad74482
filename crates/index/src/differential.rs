//! Random views and random queries: what the index says must be what the evaluator says.

use std::path::Path;

use fastrand::Rng;
use sealtrail_query::Query;
use serde_json::Value;

use crate::files::RealFiles;
use crate::open::Mark;
use crate::partition::Partition;
use crate::plan::Plan;
use crate::random::{query, view};
use crate::segment::Segment;

/// Opens the segments of a partition.
fn segments(dir: &Path) -> Vec<Segment> {
    let index = tantivy::Index::open_in_dir(dir).unwrap();
    let mut found: Vec<Segment> =
        index.searchable_segments().unwrap().iter().map(|segment| Segment::open(segment, dir, 0).unwrap()).collect();
    found.sort_by_key(|segment| segment.span().0);
    found
}

/// Makes a partition of views in several commits.
fn partition(dir: &Path, views: &[Value], rng: &mut Rng) -> Vec<Segment> {
    let mut partition = Partition::open(&RealFiles, dir, 0, 16 << 20).unwrap();
    for (seq, view) in views.iter().enumerate() {
        partition.add_view(seq as u64, view).unwrap();
        if rng.u16(..150) == 0 {
            partition.commit(Mark { to: seq as u64 + 1, leaf: String::new() }).unwrap();
        }
    }
    partition.commit(Mark { to: views.len() as u64, leaf: String::new() }).unwrap();
    partition.settle(rng.bool()).unwrap();
    partition.close().unwrap();
    segments(dir)
}

/// Protects the answers: for every event and every query, what the index holds for certain is so, and what it rules out is so.
/// Prints its seed; `SEALTRAIL_SEED` runs one again.
#[test]
fn the_index_says_what_the_evaluator_says() {
    let seed = std::env::var("SEALTRAIL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| Rng::new().get_seed());
    println!("SEALTRAIL_SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut asked, mut certain, mut unsure) = (0u64, 0u64, 0u64);
    for _ in 0..4 {
        let views: Vec<Value> = (0..200).map(|_| view(&mut rng)).collect();
        let dir = tempfile::tempdir().unwrap();
        let segments = partition(dir.path(), &views, &mut rng);
        assert_eq!(segments.iter().map(|segment| u64::from(segment.docs)).sum::<u64>(), views.len() as u64);
        for _ in 0..2_000 {
            let text = query(&mut rng, 0);
            let Ok(query) = Query::parse(&text) else { continue };
            asked += 1;
            let plan = Plan::new(&query);
            for segment in &segments {
                let found = plan.answer(segment, &None).unwrap();
                for doc in 0..segment.docs {
                    let view = &views[segment.position(doc) as usize];
                    let holds = query.matches(view);
                    let (yes, maybe) = (found.yes.contains(doc), found.maybe.contains(doc));
                    assert!(!yes || holds, "SEALTRAIL_SEED={seed}: {text} does not hold for {view}, says the evaluator");
                    assert!(!holds || maybe, "SEALTRAIL_SEED={seed}: {text} holds for {view}, says the evaluator");
                    certain += u64::from(yes == maybe);
                    unsure += u64::from(yes != maybe);
                }
            }
        }
    }
    println!("{asked} queries; certain {certain}, unsure {unsure}");
    assert!(asked > 4_000, "most queries parse, {asked} did");
    assert!(unsure * 4 < certain, "the index knows most answers");
}
