//! The disk refuses any one step of the index, or says so and did it: what is found stays right, and what was to be forgotten is.

use std::io::ErrorKind;
use std::panic;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use sealtrail_disk::{Crash, Data, Disk, Fault, LyingDisk, Names, SimDisk};
use sealtrail_event::SlotName;
use sealtrail_ledger::read::Reader;
use sealtrail_query::Search;
use serde_json::json;

use crate::error::IndexError;
use crate::files::Files;
use crate::folder::FilesOn;
use crate::layout::SPAN;
use crate::open::open_folder;
use crate::world::World;
use crate::{Answer, Index, Indexer, IndexerOptions, Options, run};

/// The folder of the index.
const DIR: &str = "/i";
/// Stands in the events that are erased and nowhere else.
const ERASED: &str = "quolibet";

/// What is asked of the index.
const QUESTIONS: &[&str] = &["event_type=data.file_read", "user_id=user3", "user_id=*", "| count by event_type", "| count by user_id"];

/// The same ledger before and after an erasure, and what its events answer.
struct Ledgers {
    before: Reader,
    after: Reader,
    told: [Vec<String>; 2],
}

impl Ledgers {
    /// Makes one and a half partitions of events, of which an erasure touches the full one and, in the second ledger, a little more.
    fn make() -> Self {
        let world = |erase: bool| {
            let mut world = World::new(11);
            world.append((0..SPAN * 3 / 2).map(|n| {
                let user = if (20..40).contains(&n) { format!("{ERASED}{n}") } else { format!("user{}", n % 7) };
                let event_type = if n.is_multiple_of(3) { "data.file_read" } else { "tool.call" };
                json!({ "event_type": event_type, "timestamp": "2026-03-01T10:00:00Z", "user_id": user, "prompt": format!("text {user}") })
            }));
            if erase {
                world.erase(10, 60, &[SlotName::Identity, SlotName::Prompt]);
                world.append((0..SPAN / 8).map(|n| json!({ "event_type": "data.file_read", "user_id": format!("late{n}") })));
            }
            world.reader()
        };
        let (before, after) = (world(false), world(true));
        assert_eq!(before.log(), after.log(), "a ledger of the same seed is the same");
        let told = [&before, &after].map(|reader| QUESTIONS.iter().map(|text| told(reader, None, text).unwrap()).collect());
        Self { before, after, told }
    }

    /// Returns the questions with the answers of the events.
    fn answers(&self, reader: &Reader) -> impl Iterator<Item = (&str, &String)> {
        let [before, after] = &self.told;
        QUESTIONS.iter().copied().zip(if reader.size() == self.after.size() { after } else { before })
    }
}

/// One index on a disk, written and asked as a daemon does it.
struct Life {
    files: Arc<dyn Files>,
    ledgers: Arc<Ledgers>,
    indexer: Option<Indexer>,
    index: Option<Index>,
    /// Whether a writer that failed goes on; else a new one takes its place.
    stubborn: bool,
}

impl Life {
    fn new(disk: Arc<dyn Disk>, ledgers: &Arc<Ledgers>, stubborn: bool) -> Self {
        Self { files: Arc::new(FilesOn(disk)), ledgers: Arc::clone(ledgers), indexer: None, index: None, stubborn }
    }

    /// Fills partitions, ends a full one, follows an erasure, dies and is opened again.
    fn live(&mut self) {
        let ledgers = Arc::clone(&self.ledgers);
        let Ledgers { before, after, .. } = &*ledgers;
        for (reader, events) in [(before, SPAN * 2 / 3), (before, SPAN * 2 / 3), (before, u64::MAX), (after, u64::MAX)] {
            self.write(|indexer| indexer.feed(reader, events).map(|_| ()));
            self.look(reader);
        }
        self.indexer = None;
        self.write(|indexer| indexer.feed(after, u64::MAX).map(|_| ()));
        self.look(after);
    }

    /// Fills partitions, then throws the index away and makes it anew.
    fn made_anew(&mut self) {
        let ledgers = Arc::clone(&self.ledgers);
        let after = &ledgers.after;
        self.write(|indexer| indexer.feed(after, u64::MAX).map(|_| ()));
        self.write(|indexer| indexer.rebuild(after, &mut |_| ()).map(|_| ()));
        self.look(after);
        // As the next round of a daemon does.
        self.write(|indexer| indexer.feed(after, u64::MAX).map(|_| ()));
        self.look(after);
    }

    fn write(&mut self, work: impl FnOnce(&mut Indexer) -> Result<(), IndexError>) {
        let indexer = match self.indexer.take() {
            Some(indexer) => Ok(indexer),
            None => {
                let options = IndexerOptions { memory_bytes: 16 << 20 };
                Indexer::open_on(Arc::clone(&self.files), Path::new(DIR), self.ledgers.before.log(), &options)
            }
        };
        let Ok(mut indexer) = indexer else { return };
        if work(&mut indexer).is_ok() || self.stubborn {
            self.indexer = Some(indexer);
        }
    }

    /// Asks the index, which may refuse to answer, but not answer anything else than the events do.
    fn look(&mut self, reader: &Reader) {
        let fresh = match &mut self.index {
            Some(index) => index.refresh(),
            none @ None => Index::open_on(Arc::clone(&self.files), Path::new(DIR), reader.log()).map(|index| *none = Some(index)),
        };
        drop(fresh);
        let Some(index) = &self.index else { return };
        // Until an erasure was followed the columns count the erased, and no event is shown that the ledger has not.
        for (text, answer) in self.ledgers.answers(reader).filter(|(text, _)| *text != "| count by user_id") {
            if let Ok(told) = told(reader, Some(index), text) {
                assert_eq!(told, *answer, "{text}");
            }
        }
    }

    /// The disk is well again: after one more round everything is in the index, once, and nothing else is.
    fn ends_well(mut self, disk: &SimDisk, context: &str) {
        let after = &self.ledgers.after;
        self.indexer = None;
        let files: Arc<dyn Files> = Arc::new(FilesOn(Arc::new(disk.clone())));
        self.files = Arc::clone(&files);
        let options = IndexerOptions { memory_bytes: 16 << 20 };
        let mut indexer = Indexer::open_on(Arc::clone(&files), Path::new(DIR), after.log(), &options).unwrap();
        indexer.feed(after, u64::MAX).unwrap();
        let index = Index::open_on(Arc::clone(&files), Path::new(DIR), after.log()).unwrap();
        let (stats, size) = (index.stats().unwrap(), after.size().0);
        assert_eq!((stats.indexed_to, stats.events, stats.partitions), (size, size, size.div_ceil(SPAN)), "{context}");
        for (text, answer) in self.ledgers.answers(after) {
            assert_eq!(told(after, Some(&index), text).unwrap(), *answer, "{context}: {text}");
        }
        assert_eq!(named(disk, &*files), Vec::<String>::new(), "{context}");
        let names = disk.list(Path::new(DIR)).unwrap();
        assert_eq!(names.len(), 4, "{context}: {names:?}");
    }
}

fn told(reader: &Reader, index: Option<&Index>, text: &str) -> Result<String, IndexError> {
    let search = Search::parse_at(text, jiff::Timestamp::UNIX_EPOCH).unwrap();
    let mut nothing = |_| {};
    Ok(match run(reader, index, &search, &Options::default(), &mut nothing)? {
        Answer::Events(hits) => format!("{:?}", hits.map(|hit| hit.map(|hit| hit.seq.0)).collect::<Result<Vec<_>, _>>()?),
        Answer::Table(table) => serde_json::to_string(&table).unwrap(),
        Answer::Matches(_) => panic!("{text} is no sequence"),
    })
}

/// Returns the files whose bytes have the erased word, and the terms that have it: dictionaries keep no word in one piece.
fn named(disk: &SimDisk, files: &dyn Files) -> Vec<String> {
    let has = |bytes: &[u8]| bytes.windows(ERASED.len()).any(|part| part == ERASED.as_bytes());
    let mut found = Vec::new();
    for file in disk.files() {
        if has(&disk.read(&file).unwrap()) {
            found.push(file.display().to_string());
        }
        if file.ends_with("meta.json") {
            let index = open_folder(files, file.parent().unwrap()).unwrap();
            for segment in index.searchable_segments().unwrap() {
                let reader = tantivy::SegmentReader::open(&segment).unwrap();
                let words = reader.inverted_index(index.schema().get_field("w").unwrap()).unwrap();
                let mut terms = words.terms().stream().unwrap();
                while let Some((term, _)) = terms.next() {
                    if has(term) {
                        found.push(String::from_utf8_lossy(term).into_owned());
                    }
                }
            }
        }
    }
    found
}

/// Panics of threads that are no tests: those of the search library, and ours.
static PANICS: AtomicU64 = AtomicU64::new(0);

/// Makes steps fail, `apart` from each other, and looks what is left: by the process that goes on, and by one after a crash.
///
/// Which step is the first, the seed says; `SEALTRAIL_EVERY=1` makes every step fail.
fn every_step(fault: Fault, sticky: bool, apart: u64, live: impl Fn(&mut Life)) {
    count_panics();
    let number = |name: &str| std::env::var(name).ok().and_then(|number| number.parse::<u64>().ok());
    let seed = number("SEALTRAIL_SEED").unwrap_or_else(|| Rng::new().get_seed());
    let apart = number("SEALTRAIL_EVERY").unwrap_or(apart).max(1);
    let ledgers = Arc::new(Ledgers::make());
    let well = SimDisk::new();
    let lying = LyingDisk::new(Arc::new(well.clone()), u64::MAX, fault);
    let mut life = Life::new(Arc::new(lying.clone()), &ledgers, false);
    live(&mut life);
    life.ends_well(&well, "no fault");
    let steps = lying.steps();
    println!("SEALTRAIL_SEED={seed}: {steps} steps, one of {apart} fails");
    let mut k = seed % apart;
    while k < steps {
        let context = format!("SEALTRAIL_SEED={seed}: step {k} of {steps}: {fault:?}, sticky {sticky}");
        let disk = SimDisk::new();
        let inner: Arc<dyn Disk> = Arc::new(disk.clone());
        let lying = if sticky { LyingDisk::sticky(inner, k, fault) } else { LyingDisk::new(inner, k, fault) };
        let mut life = Life::new(Arc::new(lying), &ledgers, k % 2 == 0);
        live(&mut life);
        let mut replay = disk.replay();
        while replay.advance() {}
        life.ends_well(&disk, &context);
        let (data, names) = if k % 4 < 2 { (Data::Kept, Names::Kept) } else { (Data::Dropped, Names::Dropped) };
        let left = replay.image(Crash { data, names });
        Life::new(Arc::new(left.clone()), &ledgers, false).ends_well(&left, &format!("{context}, after a crash: {data:?}"));
        assert_eq!(PANICS.load(Ordering::Relaxed), 0, "{context}");
        k += apart;
    }
}

fn count_panics() {
    let shown = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // A test's thread has the path of the test as its name.
        let of_a_test = std::thread::current().name().is_some_and(|name| name.contains("::"));
        PANICS.fetch_add(u64::from(!of_a_test), Ordering::Relaxed);
        shown(info);
    }));
}

/// Protects the index from a disk that refuses one step while it is filled, merged, asked, follows an erasure and is opened again.
#[test]
fn a_step_that_fails_changes_no_answer() {
    every_step(Fault::NotDone(ErrorKind::Other), false, 29, Life::live);
}

/// Protects the index from a disk that does a step and says it did not: no event is in it twice, no name of the erased stays.
#[test]
fn a_step_that_is_done_but_reported_failed_changes_no_answer() {
    every_step(Fault::DoneButFailed(ErrorKind::Other), false, 29, Life::live);
}

/// Protects the index from a disk that fills up and stays full, until there is room again.
#[test]
fn a_disk_that_stays_full_changes_no_answer() {
    every_step(Fault::Short(ErrorKind::StorageFull), true, 83, Life::live);
}

/// Protects the making anew: a step that fails while an index is thrown away and fed again leaves none that is half of one.
#[test]
fn a_step_that_fails_while_all_is_made_anew_changes_no_answer() {
    every_step(Fault::NotDone(ErrorKind::Other), false, 293, Life::made_anew);
}
