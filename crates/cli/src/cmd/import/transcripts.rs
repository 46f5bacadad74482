//! `import transcripts`: transcripts of the client, as files or whole folders.

use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sealtrail_capture::transcript::{Origin, Reading, meta_path, role_of};

use super::Imported;
use super::source::next_line;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::record::Recorder;
use crate::run::Call;

/// 100,000 transcripts of one import.
const FILES_MAX: usize = 100_000;

/// 16 levels of folders.
const LEVELS_MAX: usize = 16;

/// 1 MiB: an agent's description has about 500 bytes.
const META_BYTES_MAX: u64 = 1 << 20;

/// Seals what the transcripts tell; what the trail has already is not sealed again.
pub(super) fn run(call: &mut Call, recorder: &mut Recorder, paths: &[PathBuf]) -> Result<Imported, Failure> {
    let mut files = Vec::new();
    for path in paths {
        let path = std::path::absolute(path).map_err(|error| Failure::file("read", path, &error))?;
        if path.is_dir() {
            find(&path, LEVELS_MAX, &mut files)?;
        } else {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(Failure::new("import.nothing", Exit::Failed, "there is no transcript in these folders")
            .hint("the client keeps them as ~/.claude/projects/<project>/<session>.jsonl"));
    }
    files.sort();
    files.dedup();
    let sizes: Vec<u64> = files.iter().map(|file| fs::metadata(file).map_or(0, |about| about.len())).collect();
    let (total, mut before) = (sizes.iter().sum::<u64>(), 0);
    let mut progress = Progress::new(&call.screen, "reading");
    let mut imported = Imported::default();
    for (file, size) in files.iter().zip(sizes) {
        one(file, recorder, &mut imported, &mut |bytes| progress.at((before + bytes).min(total), total))?;
        before += size;
    }
    progress.finish();
    Ok(imported)
}

/// Finds the transcripts below a folder; links are not followed.
fn find(folder: &Path, levels: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).map_err(|error| Failure::file("read", folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| Failure::file("read", folder, &error))?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(|error| Failure::file("read", folder, &error))?);
        if kind.is_dir() && levels > 0 {
            find(&path, levels - 1, files)?;
        } else if kind.is_file() && path.to_str().and_then(role_of).is_some() {
            if files.len() == FILES_MAX {
                let why = format!("{} holds more than {FILES_MAX} transcripts", folder.display());
                return Err(Failure::new("import.size", Exit::Failed, why).hint("import it folder by folder"));
            }
            files.push(path);
        }
    }
    Ok(())
}

fn one(path: &Path, recorder: &mut Recorder, imported: &mut Imported, progress: &mut dyn FnMut(u64)) -> Result<(), Failure> {
    let file = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
    let about = file.metadata().map_err(|error| Failure::file("read", path, &error))?;
    let mut reading = Reading::new(origin(path, about.uid()));
    let mut input = BufReader::with_capacity(256 * 1024, file);
    let mut read = 0;
    while let Some(line) = next_line(&mut input)? {
        read += line.len() as u64;
        // The client may be in the middle of writing it.
        if !line.ends_with(b"\n") && serde_json::from_slice::<serde::de::IgnoredAny>(&line).is_err() {
            imported.left.push(path.display().to_string());
            break;
        }
        for event in reading.read(line.strip_suffix(b"\n").unwrap_or(&line), now()) {
            recorder.put(event).map_err(|why| Failure::new("trail.refused", Exit::Unavailable, why))?;
        }
        progress(read);
    }
    for event in reading.rest(now()) {
        recorder.put(event).map_err(|why| Failure::new("trail.refused", Exit::Unavailable, why))?;
    }
    Ok(())
}

fn origin(path: &Path, uid: u32) -> Origin {
    let path = path.display().to_string();
    let role = role_of(&path);
    let meta = meta_path(&path).filter(|meta| fs::metadata(meta).is_ok_and(|about| about.len() <= META_BYTES_MAX));
    let (session_id, agent_id) = role.map_or((None, None), |role| (Some(role.session_id).filter(|id| !id.is_empty()), role.agent_id));
    Origin { meta: meta.and_then(|meta| fs::read(meta).ok()), path, session_id, agent_id, uid: Some(uid), user: None, host: None }
}

fn now() -> u64 {
    u64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(0)
}
