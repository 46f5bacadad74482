//! Which `audit.yaml` holds, what it says to hooks, and what changed since the last start.

use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use sealtrail_config::{Config, FailMode, Loaded, Problem, load};
use sealtrail_disk::{RealDisk, replace};
use sealtrail_event::{Envelope, Event, Severity, SlotName, Token, Witness};
use sealtrail_intake::{Class, HookConf};
use serde_json::{Map, Value, json};

use crate::clock::{new_id, time_token, unix_ns};
use crate::home::Home;

/// 1 MiB: a file of 10,000 destinations.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file cannot be used.
    #[error("cannot use {}: {} problems", path.display(), problems.len())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
}

/// Returns the file that holds: the one asked for, the home's, or the project's in `cwd`; nothing when none exists.
pub fn find_config(home: &Home, asked_for: Option<&Path>, cwd: Option<&Path>) -> Option<PathBuf> {
    if let Some(path) = asked_for {
        return Some(path.to_owned());
    }
    let project = cwd.map(|cwd| cwd.join(".claude/config/audit.yaml"));
    [Some(home.config()), project].into_iter().flatten().find(|path| path.exists())
}

/// Reads the configuration that holds; everything is at its default when there is no file.
pub fn load_config(home: &Home, asked_for: Option<&Path>, cwd: Option<&Path>) -> Result<Loaded, SettingsError> {
    let path = find_config(home, asked_for, cwd);
    let Some(path) = path else { return load(None).map_err(|problems| SettingsError::Invalid { path: home.config(), problems }) };
    let text = read(&path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
    load(Some((&path.display().to_string(), &text))).map_err(|problems| SettingsError::Invalid { path, problems })
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut text = String::new();
    std::fs::File::open(path)?.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {CONFIG_BYTES_MAX} bytes")));
    }
    Ok(text)
}

/// Returns what hooks must know of a configuration.
pub fn hook_conf(config: &Config) -> HookConf {
    let modes = &config.audit.fail_mode;
    let mut conf = HookConf { enabled: config.audit.enabled, deadline_ms: config.audit.capture.hook_deadline_ms, ..HookConf::default() };
    for (class, mode) in Class::ALL.iter().zip(&mut conf.fail) {
        let own = match class {
            Class::SessionLifecycle => modes.session_lifecycle,
            Class::ToolInvocation => modes.tool_invocation,
            Class::PolicyDecision => modes.policy_decision,
            Class::Other => modes.other,
        };
        *mode = match own.unwrap_or(modes.otherwise) {
            FailMode::Continue => sealtrail_intake::FailMode::Continue,
            FailMode::Block => sealtrail_intake::FailMode::Block,
        };
    }
    conf
}

/// Returns the event that says that the configuration is not the one of the last time, or nothing when it is.
pub(crate) fn change(home: &Home, loaded: &Loaded) -> Option<Event> {
    let new = hash(loaded);
    let old = std::fs::read_to_string(home.run().join("config.sha256")).ok().map(|old| old.trim().to_owned());
    if old.as_ref() == Some(&new) {
        return None;
    }
    let time = time_token(unix_ns())?;
    let mut envelope = Envelope::new(new_id(), Token::parse("system.config_changed").ok()?, time.clone(), Witness::Recorder);
    envelope.recorded_at = Some(time);
    envelope.severity = if loaded.config.audit.enabled { Severity::Warning } else { Severity::High };
    let mut event = Event { envelope, slots: Vec::new() };
    let members = json!({ "config": { "old_sha256": old, "new_sha256": new, "values": loaded.masked() } });
    if let Value::Object(members) = members {
        event.put(SlotName::Content, members);
    }
    Some(event)
}

/// Notes the configuration as the known one. Called once its event is sealed.
pub(crate) fn keep_hash(home: &Home, loaded: &Loaded) {
    // Failing to write it only makes the next start tell the same change again.
    let _ = replace(&RealDisk, &home.run().join("config.sha256"), hash(loaded).as_bytes());
}

/// The hash is over the values with every default, so that an unchanged meaning is an unchanged hash.
fn hash(loaded: &Loaded) -> String {
    let text = serde_json::to_vec(&loaded.values).unwrap_or_default();
    digest(&SHA256, &text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes an object of one member.
pub(crate) fn one(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}
