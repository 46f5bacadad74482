//! `import …`: records that were captured elsewhere are sealed here.

mod rows;
mod source;
mod transcripts;

use std::io::BufRead;
use std::path::Path;

use serde_json::{Value, json};

use crate::args::ImportCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::record::{Recorded, Recorder};
use crate::run::Call;
use crate::visible::visible;
use source::{next_line, open};

/// 20 rows that match no session are listed on a terminal; all are counted, and JSON lists up to [`UNMATCHED_MAX`].
const UNMATCHED_SHOWN: usize = 20;

/// 10,000 rows that match no session are listed in JSON.
const UNMATCHED_MAX: usize = 10_000;

/// What an import did.
#[derive(Default)]
pub(crate) struct Imported {
    pub(crate) sealed: u64,
    /// Records that the trail had already, by their own ids.
    known: u64,
    /// What was not sealed: where it stood, and why.
    refused: Vec<(String, String)>,
    /// What stays for the next import: a last line that is not complete.
    left: Vec<String>,
    /// Lines of transcripts that say something else than what was sealed of them.
    rewritten: u64,
    /// Rows that belong to no session of the trail; nothing where rows have none.
    unmatched: Option<Unmatched>,
}

/// Rows that belong to no session of the trail.
#[derive(Default)]
struct Unmatched {
    count: u64,
    rows: Vec<String>,
}

impl Unmatched {
    fn add(&mut self, place: String) {
        self.count += 1;
        if self.rows.len() < UNMATCHED_MAX {
            self.rows.push(place);
        }
    }
}

pub(crate) fn run(call: &mut Call, command: &ImportCommand) -> Result<Exit, Failure> {
    let mut recorder = Recorder::open(call)?;
    let (mut imported, counted) = match command {
        ImportCommand::Hooks { file } => (hooks(call, &mut recorder, open(file)?)?, false),
        ImportCommand::Events { file } => (events(call, &mut recorder, file)?, true),
        ImportCommand::Transcripts { paths } => (transcripts::run(call, &mut recorder, paths)?, true),
        ImportCommand::Cloudtrail { files } => (rows::run(call, &mut recorder, files, &rows::Kind::Cloudtrail)?, true),
        ImportCommand::Compliance { files } => (rows::run(call, &mut recorder, files, &rows::Kind::Compliance)?, true),
        ImportCommand::Jsonl { files, map } => {
            let mapping = Box::new(rows::mapping(map)?);
            (rows::run(call, &mut recorder, files, &rows::Kind::Jsonl(mapping))?, true)
        }
    };
    let done = recorder.close()?;
    if counted {
        // What the ledger itself said of each event.
        (imported.sealed, imported.known) = (done.sealed, imported.known + done.known);
        imported.rewritten = done.rewritten;
        if done.refused > 0 {
            imported.refused.push(("the ledger".to_owned(), format!("{} events are over the limits of its format", done.refused)));
        }
    }
    report(call, &imported)?;
    Ok(if imported.refused.is_empty() { Exit::Yes } else { Exit::Incomplete })
}

fn report(call: &mut Call, imported: &Imported) -> Result<(), Failure> {
    for (place, why) in &imported.refused {
        call.screen.warn(&format!("{} was not sealed: {}", visible(place), visible(why)));
    }
    for place in &imported.left {
        call.screen.warn(&format!("{} ends in the middle of a line: that line is left for the next import", visible(place)));
    }
    if imported.rewritten > 0 {
        let what = format!("{} lines say something else than what was sealed of them: search transcript.changed", imported.rewritten);
        call.screen.warn(&what);
    }
    if call.screen.wants_json() {
        let refused: Vec<Value> =
            imported.refused.iter().map(|(place, why)| json!({"line": line_of(place), "place": place, "error": why})).collect();
        let mut told = json!({"sealed": imported.sealed, "known": imported.known, "refused": refused});
        if let Some(unmatched) = &imported.unmatched {
            told["unmatched"] = json!({"count": unmatched.count, "rows": unmatched.rows});
        }
        if imported.rewritten > 0 {
            told["rewritten"] = json!(imported.rewritten);
        }
        if !imported.left.is_empty() {
            told["left"] = json!(imported.left);
        }
        writeln!(call.screen.out(), "{told}")?;
        return Ok(());
    }
    let known = if imported.known > 0 { format!(", {} were in the trail already", imported.known) } else { String::new() };
    call.screen.say(&format!("{} records sealed{known}, {} refused", imported.sealed, imported.refused.len()));
    if let Some(unmatched) = imported.unmatched.as_ref().filter(|unmatched| unmatched.count > 0) {
        call.screen.say(&format!("{} rows match no session of the trail:", unmatched.count));
        for place in unmatched.rows.iter().take(UNMATCHED_SHOWN) {
            call.screen.say(&format!("  {}", visible(place)));
        }
        if unmatched.count > UNMATCHED_SHOWN as u64 {
            call.screen.say("  … (`--output json` lists more)");
        }
    }
    Ok(())
}

/// Returns the number in `line 7`.
fn line_of(place: &str) -> Option<u64> {
    place.rsplit("line ").next()?.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Seals recorded hook calls: each line is a hook's standard input, or an object that holds it as `event`.
pub(crate) fn hooks(call: &mut Call, recorder: &mut Recorder, input: impl BufRead) -> Result<Imported, Failure> {
    let mut progress = Progress::new(&call.screen, "sealing");
    let mut imported = Imported::default();
    let mut number = 0;
    let mut input = input;
    while let Some(line) = next_line(&mut input)? {
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let taken = capture(&line);
        match recorder.hook(&taken) {
            Ok(()) => imported.sealed += 1,
            Err(why) => imported.refused.push((format!("line {number}"), why)),
        }
        progress.at(imported.sealed, imported.sealed);
    }
    progress.finish();
    Ok(imported)
}

/// One recorded hook call.
pub(crate) struct Taken {
    /// The bytes that the hook got.
    pub(crate) body: Vec<u8>,
    /// When, nanoseconds since 1970.
    pub(crate) received_unix_ns: Option<u64>,
    /// What the client said it is.
    pub(crate) client: String,
}

/// Finds the hook input in a line. Bytes that are no recording are the input itself: capture keeps what it cannot understand.
fn capture(line: &[u8]) -> Taken {
    let bare = || Taken { body: line.to_vec(), received_unix_ns: None, client: String::new() };
    let Ok(Value::Object(outer)) = serde_json::from_slice::<Value>(line) else { return bare() };
    let Some(event @ Value::Object(_)) = outer.get("event").filter(|_| !outer.contains_key("hook_event_name")) else { return bare() };
    let seconds = outer.get("received_at").and_then(Value::as_f64).filter(|seconds| *seconds > 0.0);
    let client = outer.get("env").and_then(|env| env.get("AI_AGENT")).and_then(Value::as_str).unwrap_or_default();
    Taken { body: event.to_string().into_bytes(), received_unix_ns: seconds.map(|s| (s * 1e9) as u64), client: client.to_owned() }
}

/// Seals event records of any known shape: one object a line, or one array of objects.
fn events(call: &mut Call, recorder: &mut Recorder, file: &Path) -> Result<Imported, Failure> {
    let text = source::whole(file)?;
    let mut progress = Progress::new(&call.screen, "sealing");
    let mut imported = Imported::default();
    let mut number = 0;
    for item in serde_json::Deserializer::from_slice(&text).into_iter::<Value>() {
        let records = match item {
            Ok(Value::Array(records)) => records,
            Ok(record) => vec![record],
            Err(error) => {
                imported.refused.push((format!("line {}", number + 1), error.to_string()));
                break;
            }
        };
        for record in records {
            number += 1;
            match recorder.record(&record) {
                Ok(Recorded::Fresh) => {}
                Ok(Recorded::Known) => imported.known += 1,
                Err(why) => imported.refused.push((format!("line {number}"), why)),
            }
            progress.at(number, number);
        }
    }
    progress.finish();
    Ok(imported)
}
