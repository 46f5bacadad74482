//! Progress of long work on standard error: nothing in the first 300 ms, then a bar.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::screen::Screen;

/// Work shorter than this shows nothing.
const QUIET_FOR: Duration = Duration::from_millis(300);

/// A bar that appears only when the work turns out to be long.
pub(crate) struct Progress {
    verb: &'static str,
    started: Instant,
    may_draw: bool,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Starts the clock.
    pub(crate) fn new(screen: &Screen, verb: &'static str) -> Self {
        Self { verb, started: Instant::now(), may_draw: screen.may_draw(), bar: None }
    }

    /// Tells how far the work is.
    pub(crate) fn at(&mut self, done: u64, total: u64) {
        if !self.may_draw || self.started.elapsed() < QUIET_FOR {
            return;
        }
        let verb = self.verb;
        let bar = self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
            let shape = "{msg} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}";
            if let Ok(style) = ProgressStyle::with_template(shape) {
                bar.set_style(style);
            }
            bar.set_message(verb);
            bar
        });
        bar.set_length(total);
        bar.set_position(done);
    }

    /// Returns the time since the start and removes the bar.
    pub(crate) fn finish(&mut self) -> Duration {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.started.elapsed()
    }
}
