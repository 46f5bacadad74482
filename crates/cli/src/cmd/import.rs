//! `import …`: records that were captured elsewhere are sealed here.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use serde_json::{Value, json};

use crate::args::ImportCommand;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::record::{Recorded, Recorder};
use crate::run::Call;
use crate::visible::visible;

/// 64 MiB: a line is one delivery, and a delivery is at most half of that; longer ones are refused.
const LINE_BYTES_MAX: u64 = 64 << 20;

/// What an import did.
#[derive(Default)]
pub(crate) struct Imported {
    pub(crate) sealed: u64,
    /// Records that the trail had already, by their own ids.
    pub(crate) known: u64,
    pub(crate) refused: Vec<(u64, String)>,
}

pub(crate) fn run(call: &mut Call, command: &ImportCommand) -> Result<Exit, Failure> {
    let (file, hooks) = match command {
        ImportCommand::Hooks { file } => (file, true),
        ImportCommand::Events { file } => (file, false),
    };
    let mut recorder = Recorder::open(call)?;
    let imported = if hooks { self::hooks(call, &mut recorder, open(file)?)? } else { events(call, &mut recorder, open(file)?)? };
    recorder.close()?;
    for (line, why) in &imported.refused {
        call.screen.warn(&format!("line {line} was not sealed: {}", visible(why)));
    }
    if call.screen.wants_json() {
        let refused: Vec<Value> = imported.refused.iter().map(|(line, why)| json!({"line": line, "error": why})).collect();
        writeln!(call.screen.out(), "{}", json!({"sealed": imported.sealed, "known": imported.known, "refused": refused}))?;
    } else {
        let known = if imported.known > 0 { format!(", {} were in the trail already", imported.known) } else { String::new() };
        call.screen.say(&format!("{} records sealed{known}, {} refused", imported.sealed, imported.refused.len()));
    }
    Ok(if imported.refused.is_empty() { Exit::Yes } else { Exit::Incomplete })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    Ok(Box::new(BufReader::new(file)))
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
            Err(why) => imported.refused.push((number, why)),
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
fn events(call: &mut Call, recorder: &mut Recorder, mut input: impl BufRead) -> Result<Imported, Failure> {
    let mut text = Vec::new();
    input.read_to_end(&mut text).map_err(|error| Failure::of("import", &error))?;
    let mut progress = Progress::new(&call.screen, "sealing");
    let mut imported = Imported::default();
    let mut number = 0;
    for item in serde_json::Deserializer::from_slice(&text).into_iter::<Value>() {
        let records = match item {
            Ok(Value::Array(records)) => records,
            Ok(record) => vec![record],
            Err(error) => {
                imported.refused.push((number + 1, error.to_string()));
                break;
            }
        };
        for record in records {
            number += 1;
            match recorder.record(&record) {
                Ok(Recorded::Fresh) => imported.sealed += 1,
                Ok(Recorded::Known) => imported.known += 1,
                Err(why) => imported.refused.push((number, why)),
            }
            progress.at(number, number);
        }
    }
    progress.finish();
    Ok(imported)
}

fn next_line(input: &mut impl BufRead) -> Result<Option<Vec<u8>>, Failure> {
    let mut line = Vec::new();
    let read = input.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).map_err(|error| Failure::of("import", &error))?;
    if read as u64 == LINE_BYTES_MAX && !line.ends_with(b"\n") {
        return Err(Failure::new("import.line", Exit::Failed, format!("a line has more than {LINE_BYTES_MAX} bytes")));
    }
    Ok((read > 0).then_some(line))
}
