//! Time and entropy, as arguments: this crate has neither.

/// One reading of the clocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Wall clock: nanoseconds since 1970.
    pub unix_ns: i128,
    /// Monotonic clock, in nanoseconds.
    pub mono_ns: u64,
    /// Which boot the monotonic clock belongs to: 1 to 128 printable bytes without space, quote or backslash.
    pub boot: String,
}

impl Stamp {
    /// Returns the boot id as it may stand in a commit; an unusable one becomes `unknown`.
    pub(crate) fn boot_word(&self) -> Box<str> {
        let usable = sealtrail_event::Token::parse(&self.boot).is_ok();
        if usable { self.boot.as_str().into() } else { "unknown".into() }
    }
}

/// A source of random bytes, good enough for keys.
pub trait Entropy: Send {
    /// Fills `into`. A source that cannot must end the process: salts and keys that are not random are worse than none.
    fn fill(&mut self, into: &mut [u8]);
}

impl<F: FnMut(&mut [u8]) + Send> Entropy for F {
    fn fill(&mut self, into: &mut [u8]) {
        self(into);
    }
}
