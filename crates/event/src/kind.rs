//! The closed vocabularies of an event.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every word of the vocabulary, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the word as it stands in envelopes, queries and output.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Finds the word, exactly as written.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

vocabulary! {
    /// The five audit domains; derived from the event type by [`domain_of`].
    Domain {
        /// Authentication and access.
        Auth = "auth",
        /// Agent lifecycle and configuration.
        Agent = "agent",
        /// Data access and processing.
        Data = "data",
        /// Workflow execution and decision points.
        Workflow = "workflow",
        /// System, security and the ledger itself.
        System = "system",
    }
}

vocabulary! {
    /// The second axis: the gateway article's categories.
    Category {
        /// Start, end and other life signs of a session.
        SessionLifecycle = "session_lifecycle",
        /// A tool was asked for or ran.
        ToolInvocation = "tool_invocation",
        /// A tool touched a system outside the machine's files.
        InfrastructureOperation = "infrastructure_operation",
        /// Something was allowed or denied.
        PolicyDecision = "policy_decision",
        /// Tokens and money.
        Cost = "cost",
    }
}

vocabulary! {
    /// How much an event matters, in rising order.
    Severity {
        /// Detail.
        Debug = "debug",
        /// Normal.
        Info = "info",
        /// Odd, or a failure.
        Warning = "warning",
        /// Needs attention.
        High = "high",
        /// Needs attention now.
        Critical = "critical",
    }
}

vocabulary! {
    /// Which part of one action the event tells.
    Phase {
        /// The action was asked for.
        Intent = "intent",
        /// Somebody or some rule judged it.
        Verdict = "verdict",
        /// It ended, or is known not to have run.
        Outcome = "outcome",
    }
}

vocabulary! {
    /// What was decided about an action.
    PolicyResult {
        /// Allowed.
        Allowed = "allowed",
        /// Denied.
        Denied = "denied",
        /// A person is being asked.
        Asked = "asked",
        /// No policy looked at it.
        NotEvaluated = "not_evaluated",
    }
}

vocabulary! {
    /// Whose settings a settings file of the client holds, the strongest first.
    SettingsScope {
        /// The organisation's, which nobody else can loosen.
        Managed = "managed",
        /// What the client was started with.
        Launch = "launch",
        /// What was permitted for the session only.
        Session = "session",
        /// The person's for this project.
        Local = "local",
        /// The project's, for everybody who works on it.
        Project = "project",
        /// The person's for all projects.
        User = "user",
        /// The client's own note of the folders whose settings the person trusts.
        Trust = "trust",
    }
}

vocabulary! {
    /// The independent source that saw the event.
    Witness {
        /// A hook of the client.
        Hook = "hook",
        /// The client's transcript files.
        Transcript = "transcript",
        /// The client's OpenTelemetry export.
        Otel = "otel",
        /// The LLM gateway.
        Gateway = "gateway",
        /// The MCP collector or proxy.
        Mcp = "mcp",
        /// The ingest API.
        Api = "api",
        /// A git repository.
        Git = "git",
        /// The file system.
        Fs = "fs",
        /// Sealtrail's own recorder.
        Recorder = "recorder",
    }
}

vocabulary! {
    /// How the witness knows.
    Grade {
        /// The witness saw it happen.
        Observed = "observed",
        /// Somebody told the witness.
        Asserted = "asserted",
        /// The recorder concluded it from other events.
        Derived = "derived",
    }
}

vocabulary! {
    /// How an action ended (the canonical words of `outcome`).
    Outcome {
        /// Not finished yet.
        Pending = "pending",
        /// Finished well.
        Success = "success",
        /// Ran and failed.
        Failure = "failure",
        /// Never ran: a rule or a person refused.
        Denied = "denied",
        /// Never ran, or ended in an error of the machinery.
        Error = "error",
        /// Nobody saw the end.
        Unknown = "unknown",
    }
}

/// Returns the domain of an event type by its first word; unknown words belong to `system`.
pub fn domain_of(event_type: &str) -> Domain {
    match event_type.split('.').next().unwrap_or("") {
        "auth" => Domain::Auth,
        "agent" | "instructions" | "session" | "skill" => Domain::Agent,
        "data" | "infra" | "mcp" => Domain::Data,
        "workflow" | "tool" | "task" | "model" | "prompt" => Domain::Workflow,
        _ => Domain::System,
    }
}
