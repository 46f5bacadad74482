//! Exit codes: a contract with scripts, listed in `docs/cli.md`.

/// How a command ended. A number that is not listed must be read as a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, and what was asked holds.
    Yes,
    /// Any failure that has no number of its own.
    Failed,
    /// A proof is wrong, a record is missing, or trees do not agree.
    NotVerified,
    /// Some of it was done, some was not.
    Incomplete,
    /// Nothing matched; only with `--require-match`.
    None,
    /// A lock or a server is busy; trying again may help.
    Unavailable,
    /// Not allowed, or the confirmation is missing.
    Refused,
    /// Bad arguments. Not 2: to the client, 2 from a hook means "block this action".
    Usage,
    /// Bad configuration.
    Config,
    /// Stopped by Ctrl-C, after a clean stop.
    Interrupted,
}

impl Exit {
    /// Every code with its number and meaning, in the order of the numbers.
    pub(crate) const TABLE: &[(Self, &'static str)] = &[
        (Self::Yes, "done, and what was asked holds"),
        (Self::Failed, "any failure not below"),
        (Self::NotVerified, "a proof is wrong, a record is missing, or trees do not agree"),
        (Self::Incomplete, "some of it was done, some was not"),
        (Self::None, "nothing matched (only with `--require-match`)"),
        (Self::Unavailable, "the trail is busy; trying again may help"),
        (Self::Refused, "not allowed, or the confirmation is missing"),
        (Self::Usage, "bad arguments"),
        (Self::Config, "bad configuration"),
        (Self::Interrupted, "stopped by Ctrl-C, after a clean stop"),
    ];

    /// Returns the number that the shell sees.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::Failed => 1,
            Self::NotVerified => 3,
            Self::Incomplete => 4,
            Self::None => 5,
            Self::Unavailable => 6,
            Self::Refused => 7,
            Self::Usage => 64,
            Self::Config => 78,
            Self::Interrupted => 130,
        }
    }
}
