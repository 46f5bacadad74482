//! `demo`: a real recorded session is sealed, told, proved; a copy of the trail loses one bit and is caught.

use std::fs;
use std::path::{Path, PathBuf};

use sealtrail_engine::{CreateHome, Home};
use sealtrail_ledger::read::{Reader, Stored};
use sealtrail_ledger::report::Report;
use sealtrail_ledger::verify::{VerifyOptions, verify};
use sealtrail_tlog::Seq;

use crate::args::Demo;
use crate::cmd::verify::disk;
use crate::cmd::{import, session};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::field::text;
use crate::home;
use crate::record::Recorder;
use crate::run::Call;
use crate::theme;
use crate::trail;
use crate::visible::visible;

/// Every hook call of one session of the real client, as it was recorded.
const SESSION: &str = include_str!("../../../../fixtures/claude-code/hooks-session.jsonl");
/// 99 demonstrations side by side; then somebody should tidy up.
const TRIES: usize = 99;

pub(crate) fn run(call: &mut Call, args: &Demo) -> Result<Exit, Failure> {
    let path = free_place(&home::absolute(&args.into)?)?;
    let (home, _) = Home::create(&path, &CreateHome::default()).map_err(|error| Failure::of("home.create", &error))?;
    head(call, 1, "a recorded session of Claude Code is captured and sealed")?;
    let mut recorder = Recorder::open_home(&home)?;
    let imported = import::hooks(call, &mut recorder, SESSION.as_bytes())?;
    recorder.close()?;
    writeln!(call.screen.out(), "{} hook calls sealed in {}", imported.sealed, home.path().display())?;

    let reader = Reader::open(disk(), &home.ledger()).map_err(|error| trail::unreadable(&error))?;
    let (id, chosen) = choose(&reader)?;
    head(call, 2, "its timeline: one line an action")?;
    let story = session::load_from(&reader, None, &id)?;
    session::timeline(call, &story, true)?;

    head(call, 3, "one action, proved")?;
    let view = chosen.view();
    let event = text(&view, "audit_id");
    let proof = reader.prove_inclusion(chosen.seq).map_err(|error| trail::unproved(&error))?;
    writeln!(call.screen.out(), "{}  {}  {}", theme::KIND.paint(text(&view, "event_type")), visible(&crate::field::summary(&view)), event)?;
    writeln!(
        call.screen.out(),
        "is event {} of {}; {} hashes lead from it to this signed root:\n",
        chosen.seq.0,
        reader.size().0,
        proof.hashes.len()
    )?;
    for line in proof.checkpoint.trim_end().lines() {
        writeln!(call.screen.out(), "    {line}")?;
    }

    head(call, 4, "verified; then one bit of a copy is changed")?;
    let caught = tamper(call, &home, &chosen)?;
    next_commands(call, home.path(), &event, &id)?;
    if caught {
        return Ok(Exit::Yes);
    }
    Err(Failure::new("demo", Exit::Failed, "the change was not caught; this is a defect in sealtrail, please report it"))
}

fn head(call: &mut Call, number: u8, what: &str) -> Result<(), Failure> {
    let gap = if number == 1 { "" } else { "\n" };
    Ok(writeln!(call.screen.out(), "{gap}{}\n", theme::HEAD.paint(format!("{number}. {what}")))?)
}

/// Returns the folder that was asked for, or the first free one beside it.
fn free_place(wanted: &Path) -> Result<PathBuf, Failure> {
    let name = wanted.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let numbered = (2..=TRIES).map(|n| wanted.with_file_name(format!("{name}-{n}")));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|path| !path.exists()).ok_or_else(|| {
        Failure::new("demo.place", Exit::Failed, format!("{} and {TRIES} folders like it exist", wanted.display()))
            .hint("remove them, or choose another place: --into DIR")
    })
}

/// Returns the session, and an action whose text a person recognises.
fn choose(reader: &Reader) -> Result<(String, Stored), Failure> {
    let mut chosen: Option<(String, Stored)> = None;
    for stored in reader.iter(Seq(0)) {
        let stored = stored.map_err(|error| trail::unreadable(&error))?;
        let view = stored.view();
        let telling = text(&view, "phase") == "outcome" && !text(&view, "tool_input.command").is_empty();
        let session = text(&view, "session_id");
        if telling && !session.is_empty() {
            return Ok((session, stored));
        }
        if chosen.is_none() && !session.is_empty() {
            chosen = Some((session, stored));
        }
    }
    chosen.ok_or_else(|| Failure::new("demo", Exit::Failed, "the recorded session gave no event"))
}

/// Verifies the trail, changes one bit in a copy of its ledger, verifies the copy; tells whether exactly the copy was refused.
fn tamper(call: &mut Call, home: &Home, chosen: &Stored) -> Result<bool, Failure> {
    let original = check(&home.ledger())?;
    writeln!(call.screen.out(), "{}  {}\n", theme::GOOD.paint("the trail"), visible(&original.summary()))?;
    let copy = home.path().join("tampered-copy");
    copy_folder(&home.ledger(), &copy)?;
    let (file, at) = flip(&copy, chosen)?;
    writeln!(call.screen.out(), "changed one bit of byte {at} in {}: the command of the action above\n", file.display())?;
    let changed = check(&copy)?;
    let label = if changed.is_ok() { theme::GOOD } else { theme::BAD };
    writeln!(call.screen.out(), "{}   {}", label.paint("the copy"), visible(&changed.summary()))?;
    Ok(original.is_ok() && !changed.is_ok())
}

fn check(dir: &Path) -> Result<Report, Failure> {
    verify(&disk(), dir, &VerifyOptions::default(), &mut |_| {}).map_err(|error| Failure::of("verify", &error))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), Failure> {
    fs::create_dir_all(to).map_err(|error| Failure::file("create folder", to, &error))?;
    for entry in fs::read_dir(from).map_err(|error| Failure::file("list", from, &error))? {
        let entry = entry.map_err(|error| Failure::file("list", from, &error))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source.is_dir() {
            copy_folder(&source, &target)?;
        } else {
            fs::copy(&source, &target).map_err(|error| Failure::file("copy", &source, &error))?;
        }
    }
    Ok(())
}

/// Changes one bit of the chosen action's command, where it stands in plain text; in the newest file otherwise.
fn flip(ledger: &Path, chosen: &Stored) -> Result<(PathBuf, usize), Failure> {
    let needle = chosen.slots.iter().find(|slot| slot.json.contains("\"command\":\"")).map(|slot| slot.json.as_bytes().to_vec());
    let folder = ledger.join("wal");
    for entry in fs::read_dir(&folder).map_err(|error| Failure::file("list", &folder, &error))?.flatten() {
        let path = entry.path();
        let mut bytes = fs::read(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let slot = needle.as_ref().and_then(|needle| bytes.windows(needle.len()).position(|window| window == needle));
        let Some(slot) = slot else { continue };
        let command = bytes[slot..].windows(11).position(|window| window == b"\"command\":\"").unwrap_or(0);
        let at = slot + command + 11;
        bytes[at] ^= 1;
        fs::write(&path, &bytes).map_err(|error| Failure::file("write", &path, &error))?;
        return Ok((path, at));
    }
    Err(Failure::new("demo", Exit::Failed, "the action is not in the copy"))
}

fn next_commands(call: &mut Call, home: &Path, event: &str, session: &str) -> Result<(), Failure> {
    head(call, 5, "go on")?;
    let out = call.screen.out();
    writeln!(out, "  export SEALTRAIL_HOME={}", quoted(home))?;
    for line in [
        "sealtrail search --event-type 'data.*'".to_owned(),
        format!("sealtrail get {event}"),
        format!("sealtrail trace-chain {event}"),
        format!("sealtrail session show {session}"),
        "sealtrail verify-integrity".to_owned(),
        format!("sealtrail verify-integrity {}", quoted(&home.join("tampered-copy"))),
    ] {
        writeln!(out, "  {line}")?;
    }
    writeln!(out, "\nattach it to your own Claude Code (shows the change to your settings first):\n")?;
    writeln!(out, "  unset SEALTRAIL_HOME; sealtrail init --dry-run")?;
    writeln!(out, "  sealtrail init")?;
    Ok(())
}

/// Quotes a path for a shell when it needs it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
