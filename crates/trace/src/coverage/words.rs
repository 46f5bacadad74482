//! The words of the matrix: witnesses, classes of actions, phases.

/// Defines a closed list of words.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the word for machines.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Finds a value by its word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(super) use words;

words! {
    /// An independent source that can have seen an action.
    Witness {
        /// Hooks of the client.
        Hook = "hook",
        /// Transcript files of the client.
        Transcript = "transcript",
        /// The client's OpenTelemetry export.
        Otel = "otel",
        /// The LLM gateway.
        Gateway = "gateway",
        /// The MCP collector or proxy.
        Mcp = "mcp",
        /// Records that somebody handed in.
        Api = "api",
    }
}

/// How many witnesses there are.
pub(super) const WITNESSES: usize = Witness::ALL.len();

words! {
    /// What is joined across witnesses.
    Class {
        /// One call of a tool, by `tool_use_id`.
        ToolCall = "tool_call",
        /// One request to the model, by `request_id`.
        ModelCall = "model_call",
        /// One prompt, by `prompt_id`.
        Prompt = "prompt",
        /// One subagent, by `agent_id` within its session.
        Subagent = "subagent",
        /// One session, by `session_id`.
        Session = "session",
    }
}

impl Class {
    /// Returns the plural for people.
    pub fn plural(self) -> &'static str {
        match self {
            Self::ToolCall => "tool calls",
            Self::ModelCall => "model calls",
            Self::Prompt => "prompts",
            Self::Subagent => "subagents",
            Self::Session => "sessions",
        }
    }
}

/// A set of the phases of an action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phases(u8);

impl Phases {
    /// No phase.
    pub const NONE: Self = Self(0);
    /// It is about to be done; of a session, its start.
    pub const INTENT: Self = Self(1);
    /// Whether it may be done.
    pub const VERDICT: Self = Self(2);
    /// How it ended; of a session, its end.
    pub const OUTCOME: Self = Self(4);

    /// Returns the phases of both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns those that the other does not have.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Tells whether one of the other's phases is here.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Tells whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Finds the phase of an event by its word.
    pub fn parse(word: &str) -> Self {
        match word {
            "intent" => Self::INTENT,
            "verdict" => Self::VERDICT,
            "outcome" => Self::OUTCOME,
            _ => Self::NONE,
        }
    }

    /// Returns the words of the phases, in order.
    pub fn words(self) -> Vec<&'static str> {
        let all = [(Self::INTENT, "intent"), (Self::VERDICT, "verdict"), (Self::OUTCOME, "outcome")];
        all.iter().filter(|(phase, _)| self.has(*phase)).map(|(_, word)| *word).collect()
    }
}
