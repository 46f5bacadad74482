//! `import cloudtrail`, `import compliance`, `import jsonl`: rows of other systems, joined to the sessions of the trail.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sealtrail_capture::import::{Candidate, Mapping, Row, RowError, cloudtrail, compliance};
use sealtrail_engine::{Finder, Home};
use sealtrail_index::Options;
use serde_json::Value;

use super::source::{next_line, open, whole};
use super::{Imported, Unmatched};
use crate::exit::Exit;
use crate::failure::{Failure, chain};
use crate::filter;
use crate::home;
use crate::progress::Progress;
use crate::record::Recorder;
use crate::run::Call;
use crate::trail;

/// 65,536 texts are remembered as being a session of the trail or not.
const KNOWN_MAX: usize = 65_536;

/// Which rows.
pub(super) enum Kind {
    Cloudtrail,
    Compliance,
    Jsonl(Box<Mapping>),
}

/// Reads a mapping; what is wrong with it is told with its place.
pub(super) fn mapping(path: &Path) -> Result<Mapping, Failure> {
    let wrong = |why: String| Failure::new("import.mapping", Exit::Config, format!("cannot use the mapping {}", path.display())).cause(why);
    let text = String::from_utf8(whole(path)?).map_err(|error| wrong(error.to_string()))?;
    let options = serde_saphyr::options! { with_snippet: false, strict_booleans: true };
    let mapping: Mapping = serde_saphyr::from_str_with_options(&text, options).map_err(|error| wrong(error.to_string()))?;
    mapping.check().map_err(|error| wrong(error.to_string()))?;
    Ok(mapping)
}

/// Seals the rows of some files.
pub(super) fn run(call: &mut Call, recorder: &mut Recorder, files: &[PathBuf], kind: &Kind) -> Result<Imported, Failure> {
    let mut sessions = Sessions::open(call)?;
    let mut imported = Imported { unmatched: Some(Unmatched::default()), ..Imported::default() };
    let mut progress = Progress::new(&call.screen, "sealing");
    let mut count = 0;
    for file in files {
        let mut take = |place: String, record: Result<Value, String>| -> Result<(), Failure> {
            count += 1;
            progress.at(count, count);
            let made = record.and_then(|record| kind.row(&record, &place).map_err(|error| chain(&error)));
            match made {
                Err(why) => imported.refused.push((place, why)),
                Ok(row) => seal(row, place, recorder, &mut sessions, &mut imported)?,
            }
            Ok(())
        };
        match kind {
            Kind::Jsonl(_) => lines(file, &mut take)?,
            Kind::Cloudtrail => documents(file, "Records", &mut take)?,
            Kind::Compliance => documents(file, "data", &mut take)?,
        }
    }
    progress.finish();
    Ok(imported)
}

fn seal(row: Row, place: String, recorder: &mut Recorder, sessions: &mut Sessions, imported: &mut Imported) -> Result<(), Failure> {
    let mut joined = None;
    for candidate in row.candidates() {
        if sessions.has(&candidate.value)? {
            joined = Some(candidate.clone());
            break;
        }
    }
    if joined.is_none() {
        let tried: Vec<String> = row.candidates().iter().map(|Candidate { how, value }| format!("{how}={value}")).collect();
        let tried = if tried.is_empty() { "it names no session".to_owned() } else { tried.join(", ") };
        imported.unmatched.get_or_insert_default().add(format!("{place}: {tried}"));
    }
    let now = u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0);
    match row.event(joined.as_ref(), now, recorder.redactor()) {
        Ok(event) => recorder.put(event).map_err(|why| Failure::new("trail.refused", Exit::Unavailable, why)),
        Err(error) => {
            imported.refused.push((place, chain(&error)));
            Ok(())
        }
    }
}

impl Kind {
    fn row(&self, record: &Value, place: &str) -> Result<Row, RowError> {
        match self {
            Self::Cloudtrail => cloudtrail(record),
            Self::Compliance => compliance(record),
            Self::Jsonl(mapping) => mapping.row(record, place),
        }
    }
}

/// Reads one object a line.
fn lines(file: &Path, take: &mut dyn FnMut(String, Result<Value, String>) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut input = open(file)?;
    // The file's name and not its path: the same file elsewhere has the same rows.
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut number = 0;
    while let Some(line) = next_line(&mut input)? {
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let text = line.trim_ascii_end();
        let record = serde_json::from_slice(text).map_err(|error| format!("column {}: {}", error.column(), told(&error)));
        take(format!("{name} line {number}"), record)?;
    }
    Ok(())
}

/// Reads documents with a list of rows in `list`, lists of rows, or single rows, one after the other.
fn documents(file: &Path, list: &str, take: &mut dyn FnMut(String, Result<Value, String>) -> Result<(), Failure>) -> Result<(), Failure> {
    let text = whole(file)?;
    let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
    let mut number = 0;
    for document in serde_json::Deserializer::from_slice(&text).into_iter::<Value>() {
        let rows = match document {
            Ok(Value::Array(rows)) => rows,
            Ok(Value::Object(mut members)) => match members.shift_remove(list) {
                Some(Value::Array(rows)) => rows,
                Some(other) => vec![other],
                None => vec![Value::Object(members)],
            },
            Ok(other) => vec![other],
            Err(error) => {
                return take(format!("{name} line {} column {}", error.line(), error.column()), Err(told(&error)));
            }
        };
        for row in rows {
            number += 1;
            take(format!("{name} row {number}"), Ok(row))?;
        }
    }
    Ok(())
}

/// Returns what a JSON error says, without the place, which is told beside it.
fn told(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The sessions of the trail.
struct Sessions {
    finder: Finder,
    known: HashMap<String, bool>,
}

impl Sessions {
    fn open(call: &Call) -> Result<Self, Failure> {
        let home = Home::new(home::find(&call.global)?);
        let finder = Finder::open(&home).map_err(|error| trail::unanswered(&error))?;
        Ok(Self { finder, known: HashMap::new() })
    }

    /// Tells whether the trail has an event of this session that another witness than an importer told.
    fn has(&mut self, id: &str) -> Result<bool, Failure> {
        if let Some(known) = self.known.get(id) {
            return Ok(*known);
        }
        let imported = filter::any_exactly(&["witness"], &["api"])?;
        let query = filter::any_exactly(&["session_id"], &[id])?.and(filter::not(&imported));
        let mut nothing = |_| {};
        let mut hits = trail::hits(&self.finder.reader, Some(&self.finder.index), &query.into(), &Options::default(), &mut nothing)?;
        let found = hits.next().transpose().map_err(|error| trail::unanswered(&error))?.is_some();
        drop(hits);
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(id.to_owned(), found);
        Ok(found)
    }
}
