//! One shape for everything that goes wrong, and the one renderer that shows it.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;

use serde_json::json;

use crate::exit::Exit;
use crate::theme;
use crate::visible::visible;

/// Why a command stopped, in the words that the reader sees.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Stable name for scripts, for example `home.missing`.
    pub(crate) code: &'static str,
    pub(crate) exit: Exit,
    message: String,
    causes: Vec<String>,
    hints: Vec<String>,
    silent: bool,
}

impl Failure {
    /// Makes a failure; `message` is lower case and has no full stop.
    pub(crate) fn new(code: &'static str, exit: Exit, message: impl Into<String>) -> Self {
        Self { code, exit, message: message.into(), causes: Vec::new(), hints: Vec::new(), silent: false }
    }

    /// Makes a plain failure out of an error and everything that caused it.
    pub(crate) fn of(code: &'static str, error: &dyn Error) -> Self {
        let mut failure = Self::new(code, Exit::Failed, error.to_string());
        failure.add_sources(error);
        failure
    }

    /// Makes a failure that says what was tried, caused by `error`.
    pub(crate) fn because(code: &'static str, exit: Exit, message: impl Into<String>, error: &dyn Error) -> Self {
        let mut failure = Self::new(code, exit, message);
        failure.causes.push(error.to_string());
        failure.add_sources(error);
        failure
    }

    /// Makes the failure of one step on one file.
    pub(crate) fn file(tried: &str, path: &Path, error: &io::Error) -> Self {
        Self::because("file", Exit::Failed, format!("cannot {tried} {}", path.display()), error)
    }

    /// Makes a usage failure.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("usage", Exit::Usage, message)
    }

    /// Adds a command or an edit that the reader can make.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds one more cause.
    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Names the file that the message is about.
    pub(crate) fn at(mut self, path: &Path) -> Self {
        self.message = format!("{} {}", self.message, path.display());
        self
    }

    /// Gives the failure another exit code.
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Returns the failure in one line.
    pub(crate) fn first_line(&self) -> String {
        let line = self.message.lines().next().unwrap_or_default();
        self.causes.iter().fold(line.to_owned(), |line, cause| format!("{line}: {cause}"))
    }

    fn add_sources(&mut self, error: &dyn Error) {
        let mut next = error.source();
        while let Some(cause) = next {
            self.causes.push(cause.to_string());
            next = cause.source();
        }
    }

    /// Writes the failure; `as_json` is what `-o json` and `-o ndjson` ask for.
    pub(crate) fn write(&self, to: &mut dyn Write, as_json: bool) -> io::Result<()> {
        if self.silent {
            return Ok(());
        }
        if as_json {
            let object = json!({"error": {
                "code": self.code, "message": self.message, "causes": self.causes, "hints": self.hints, "exit": self.exit.number(),
            }});
            return writeln!(to, "{object}");
        }
        writeln!(to, "{}: {}", theme::ERROR.paint("error"), lines(&self.message))?;
        for cause in &self.causes {
            writeln!(to, "  caused by: {}", lines(cause))?;
        }
        if !self.hints.is_empty() {
            writeln!(to)?;
        }
        for hint in &self.hints {
            writeln!(to, "{}: {}", theme::HINT.paint("hint"), lines(hint).replace('\n', "\n      "))?;
        }
        Ok(())
    }
}

/// Returns an error with its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    text
}

/// Makes text safe for a terminal but keeps its line ends, which carets under a query need.
pub(crate) fn lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// An error while writing to standard output. A reader that went away (`| head`) has got what it wanted: success.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { silent: true, ..Self::new("pipe", Exit::Yes, "the reader went away") };
        }
        Self::because("output", Exit::Failed, "cannot write the output", &error)
    }
}
