//! Redacts texts and says what was found, as JSON lines; the comparison with other scanners (`oracles/`) runs it.
//!
//! Without arguments each line of stdin is a text, answered at once by `{"found":[{"rule","start","end"}],"text"}`. With `--paths` each
//! line names a file, answered by `{"file","found","text"}` and, for a `.json` file, `"value"`: the same as the recorder sees it.
//! With `--speed` all of stdin is one text, redacted until a second has passed; answered by the megabytes per second.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for developers: reads files, prints, and has a clock")]

use std::io::{BufRead, Read, Write};
use std::time::Instant;

use sealtrail_capture::redact::{Redacted, Redactor};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let redactor = Redactor::new();
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut stdin = std::io::stdin().lock();
    let mode = std::env::args().nth(1);
    if mode.as_deref() == Some("--speed") {
        let mut text = String::new();
        stdin.read_to_string(&mut text)?;
        writeln!(out, "{}", speed(&redactor, &text))?;
        return Ok(());
    }
    for line in stdin.lines() {
        let line = line?;
        let answer = match mode.as_deref() {
            Some("--paths") => file(&redactor, &line)?,
            _ => answer(redactor.text(&line)),
        };
        writeln!(out, "{answer}")?;
        if mode.is_none() {
            out.flush()?;
        }
    }
    Ok(())
}

fn file(redactor: &Redactor, path: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(path)?;
    let mut answer = answer(redactor.text(&text));
    answer["file"] = path.into();
    if path.ends_with(".json")
        && let Ok(mut value) = serde_json::from_str::<Value>(&text)
    {
        redactor.value(&mut value);
        answer["value"] = value;
    }
    Ok(answer)
}

fn answer(redacted: Redacted) -> Value {
    let found: Vec<Value> = redacted.found.iter().map(|f| json!({"rule": f.rule, "start": f.start, "end": f.end})).collect();
    json!({"found": found, "text": redacted.text})
}

fn speed(redactor: &Redactor, text: &str) -> Value {
    redactor.text(text);
    let start = Instant::now();
    let mut rounds = 0_u32;
    let mut found = 0;
    while start.elapsed().as_millis() < 1000 {
        found = redactor.text(text).found.len();
        rounds += 1;
    }
    let megabytes = text.len() as f64 * f64::from(rounds) / 1e6;
    json!({"bytes": text.len(), "found": found, "megabytes_per_second": (megabytes / start.elapsed().as_secs_f64()).round()})
}
