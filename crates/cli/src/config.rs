//! Which `audit.yaml` is in force.

use std::fs;
use std::path::{Path, PathBuf};

use sealtrail_config::{Loaded, Origin, Problem};
use sealtrail_engine::{Home, find_config};

use crate::exit::Exit;
use crate::failure::Failure;

/// The place that a project may use, below the working folder.
const PROJECT: &str = ".claude/config/audit.yaml";

/// Text of a configuration and where it was.
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Source {
    /// Reads a file that must exist.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = fs::read_to_string(path).map_err(|error| Failure::file("read", path, &error).exit(Exit::Config))?;
        Ok(Self { name: path.display().to_string(), text })
    }
}

/// Returns the places, the first that exists is used. The home's own comes first: a project folder is writable by the agents
/// that work in it, so it must not be able to overrule the trail.
pub(crate) fn candidates(home: &Path) -> Vec<PathBuf> {
    vec![home.join("audit.yaml"), std::env::current_dir().unwrap_or_default().join(PROJECT)]
}

/// Returns the configuration in force, if there is one.
pub(crate) fn find(home: &Path) -> Result<Option<Source>, Failure> {
    let cwd = std::env::current_dir().ok();
    find_config(&Home::new(home), None, cwd.as_deref()).map(|path| Source::read(&path)).transpose()
}

/// Loads the configuration in force, or the defaults.
pub(crate) fn load(home: &Path) -> Result<Loaded, Failure> {
    let source = find(home)?;
    sealtrail_config::load(source.as_ref().map(|source| (source.name.as_str(), source.text.as_str()))).map_err(|problems| wrong(&problems))
}

/// Makes one failure of every problem.
fn wrong(problems: &[Problem]) -> Failure {
    let mut failure = Failure::new("config.wrong", Exit::Config, "cannot use the configuration");
    for problem in problems {
        failure = failure.cause(format!("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.message));
    }
    problems.iter().filter_map(|problem| problem.hint.as_ref()).fold(failure, |failure, hint| failure.hint(hint))
}

/// Says where a value comes from.
pub(crate) fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::File { file, line, .. } => format!("{file}:{line}"),
    }
}
