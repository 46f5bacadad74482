//! `run/hook.conf`: what the hook must know of `audit.yaml`, as lines of `key=value`.

use crate::class::Class;

/// What happens to the client when an event can be recorded nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// The client goes on; the loss is counted.
    Continue,
    /// A tool call that is about to run is denied; the loss is counted.
    Block,
}

impl FailMode {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Block => "block",
        }
    }
}

/// The settings of the hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookConf {
    /// Whether anything is recorded.
    pub enabled: bool,
    /// Milliseconds that connecting and waiting for the answer may take together.
    pub deadline_ms: u32,
    /// Fail mode of each class, in the order of [`Class::ALL`].
    pub fail: [FailMode; 4],
}

impl Default for HookConf {
    /// Returns what holds without a file: on, two seconds, and the client goes on.
    fn default() -> Self {
        Self { enabled: true, deadline_ms: 2_000, fail: [FailMode::Continue; 4] }
    }
}

impl HookConf {
    /// Reads the lines; what is not understood is left at its default, because a hook has nobody to tell.
    pub fn parse(text: &str) -> Self {
        let mut conf = Self::default();
        for line in text.lines() {
            let Some((key, value)) = line.split_once('=') else { continue };
            match (key, value) {
                ("enabled", _) => conf.enabled = value != "false",
                ("deadline_ms", _) => conf.deadline_ms = value.parse().unwrap_or(conf.deadline_ms).clamp(10, 60_000),
                (_, "block") => conf.set(key, FailMode::Block),
                (_, "continue") => conf.set(key, FailMode::Continue),
                _ => {}
            }
        }
        conf
    }

    /// Returns the lines that [`Self::parse`] reads.
    pub fn text(&self) -> String {
        let mut out = format!("enabled={}\ndeadline_ms={}\n", self.enabled, self.deadline_ms);
        for (class, mode) in Class::ALL.iter().zip(self.fail) {
            out.push_str(&format!("fail.{}={}\n", class.as_str(), mode.as_str()));
        }
        out
    }

    /// Returns the fail mode of a class.
    pub fn fail_mode(&self, class: Class) -> FailMode {
        self.fail[class as usize]
    }

    fn set(&mut self, key: &str, mode: FailMode) {
        if let Some(class) = key.strip_prefix("fail.").and_then(Class::parse) {
            self.fail[class as usize] = mode;
        }
    }
}
