//! The two streams: data goes to standard output, talk to standard error.

use std::io::{self, BufWriter, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use crate::args::{Color, Global, Output};
use crate::failure::Failure;
use crate::theme;

/// Where a command writes, and what it may assume about the reader.
pub(crate) struct Screen {
    out: BufWriter<AutoStream<io::Stdout>>,
    err: AutoStream<io::Stderr>,
    /// Columns of the terminal; nothing when standard output is not one.
    pub(crate) columns: Option<usize>,
    output: Output,
    quiet: bool,
    verbose: u8,
    progress: bool,
    input: bool,
}

impl Screen {
    /// Looks at the streams once; nothing else in this crate does.
    pub(crate) fn new(global: &Global) -> Self {
        let stdout = io::stdout();
        let stderr = io::stderr();
        let ci = std::env::var_os("CI").is_some();
        let columns = stdout.is_terminal().then(|| terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)));
        Self {
            columns,
            output: global.output,
            quiet: global.quiet,
            verbose: global.verbose,
            progress: !global.no_progress && !ci && stderr.is_terminal(),
            input: !global.no_input && !ci && io::stdin().is_terminal(),
            out: BufWriter::with_capacity(64 * 1024, AutoStream::new(stdout, choice(global.color, &io::stdout()))),
            err: AutoStream::new(stderr, choice(global.color, &io::stderr())),
        }
    }

    /// Returns the stream for data.
    pub(crate) fn out(&mut self) -> &mut dyn Write {
        &mut self.out
    }

    /// Returns what the caller asked for, where `auto` means a table on a terminal and tab-separated values elsewhere.
    pub(crate) fn output(&self) -> Output {
        match (self.output, self.columns) {
            (Output::Auto, Some(_)) => Output::Table,
            (Output::Auto, None) => Output::Tsv,
            (chosen, _) => chosen,
        }
    }

    /// Tells whether output was left to us: commands that print prose then print prose, on a terminal and elsewhere.
    pub(crate) fn is_prose(&self) -> bool {
        matches!(self.output, Output::Auto | Output::Table | Output::Timeline)
    }

    /// Tells whether the answer will be a table.
    pub(crate) fn is_table(&self) -> bool {
        matches!(self.output(), Output::Table | Output::Timeline)
    }

    /// Tells whether errors should be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        matches!(self.output, Output::Json | Output::Ndjson)
    }

    /// Tells whether a progress bar may be drawn.
    pub(crate) fn may_draw(&self) -> bool {
        self.progress && !self.quiet
    }

    /// Tells whether a question may be asked.
    pub(crate) fn may_ask(&self) -> bool {
        self.input
    }

    /// Tells something on standard error. Nobody can act on a failed write there, so it is ignored.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.quiet {
            self.settle();
            let _ = writeln!(self.err, "{text}");
        }
    }

    /// Tells something that `-q` does not silence: the answer would mislead without it.
    pub(crate) fn warn(&mut self, text: &str) {
        self.settle();
        let _ = writeln!(self.err, "{}: {text}", theme::WARNING.paint("warning"));
    }

    /// Tells a detail with `-v`.
    pub(crate) fn detail(&mut self, text: &str) {
        if self.verbose > 0 {
            self.say(text);
        }
    }

    /// Shows a failure.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        self.settle();
        let as_json = self.wants_json();
        let _ = failure.write(&mut self.err, as_json);
    }

    /// Asks a yes-or-no question; the caller made sure that it may.
    pub(crate) fn ask(&mut self, question: &str) -> Result<bool, Failure> {
        self.settle();
        let _ = write!(self.err, "{question} [y/N] ");
        let _ = self.err.flush();
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Writes out what is buffered.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }

    /// Keeps data and talk in order when both streams are the same terminal; a failed flush shows again at the end.
    fn settle(&mut self) {
        let _ = self.out.flush();
    }
}

fn choice(color: Color, stream: &impl anstream::stream::RawStream) -> ColorChoice {
    match color {
        Color::Auto => AutoStream::choice(stream),
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
}
