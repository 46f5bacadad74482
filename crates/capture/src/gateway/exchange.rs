//! One call as it is seen from outside: who asked what, and how it ended.

use sealtrail_event::{AuditId, Outcome};

use crate::gateway::answer::Answer;
use crate::gateway::batched::Batches;
use crate::gateway::call::Call;
use crate::gateway::caller::Caller;
use crate::gateway::history::Histories;
use crate::gateway::request::Request;
use crate::gateway::told::Told;

/// What one call is, from its request to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Exchange {
    /// Id of the event that says it was asked for.
    pub id: AuditId,
    /// What it asks for.
    pub call: Call,
    /// Who asks.
    pub caller: Caller,
    /// What the request says.
    pub request: Request,
    /// SHA-256 of the request's body, when all of it was there before it left.
    pub prompt_hash: Option<[u8; 32]>,
    /// Bytes of the body, as far as known.
    pub body_bytes: Option<u64>,
}

impl Exchange {
    /// Returns the session: as the header says, else as the body does.
    pub(crate) fn session(&self) -> Option<&str> {
        self.caller.session_id.as_deref().or(self.request.session_id.as_deref())
    }

    /// Returns a name for the person: what was configured to name it, else the account, the device, the credential.
    pub fn person(&self) -> &str {
        let (caller, request) = (&self.caller, &self.request);
        [&caller.user, &request.account_uuid, &request.device_id, &caller.credential]
            .into_iter()
            .find_map(Option::as_deref)
            .unwrap_or("unknown")
    }

    /// Returns the session's name, for those who count by session.
    pub fn session_name(&self) -> Option<&str> {
        self.session()
    }
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// The answer came to its end, a good one or an error of the API.
    Complete,
    /// The client left before the end.
    ClientGone,
    /// The API's answer stopped before its end.
    UpstreamCut,
    /// Nobody answered where the API should be.
    Unreachable,
    /// The API took too long.
    TimedOut,
    /// The client's own request was cut short or over a limit.
    BadRequest,
    /// The gateway stopped.
    Stopped,
    /// The gateway was gone; a later start concluded it.
    Lost,
    /// A rule refused the call, and nothing left.
    Denied {
        /// The kind of rule, in a word.
        reason: &'static str,
        /// The rule in words.
        rule: String,
    },
}

/// The end of one call.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How.
    pub how: How,
    /// Status that the client got.
    pub status: Option<u16>,
    /// The API's name for the request.
    pub request_id: Option<String>,
    /// When the API said to come again.
    pub retry_after: Option<String>,
    /// Milliseconds until the end.
    pub duration_ms: u64,
    /// Milliseconds until the first byte of the answer.
    pub first_byte_ms: Option<u64>,
    /// SHA-256 of the bytes of the answer that were passed on.
    pub response_hash: Option<[u8; 32]>,
    /// How many these were.
    pub response_bytes: u64,
    /// SHA-256 and length of the request's body, where it was not known before it left.
    pub late_prompt: Option<([u8; 32], u64)>,
    /// What it cost, in dollars, if there is a price.
    pub cost_usd: Option<f64>,
    /// Whether the form of the answer has an end of its own.
    pub is_stream: bool,
    /// Why the answer was not read, in a word.
    pub unread: Option<&'static str>,
}

/// A budget that was used up.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetCrossed {
    /// `session`, `user` or `day`.
    pub per: &'static str,
    /// The rule in words.
    pub rule: String,
    /// Tokens and dollars used.
    pub tokens: u64,
    /// Dollars.
    pub usd: f64,
    /// Whether further requests are refused.
    pub blocks: bool,
}

impl State {
    /// Forgets the messages of a request that never left: the next one tells them.
    pub fn forget(&mut self, request: &Request) {
        self.histories.forget(&request.history);
    }
}

/// What is remembered between calls.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Messages that were sent before.
    pub histories: Histories,
    /// Calls and results that were told before.
    pub told: Told,
    /// Batches whose making was seen.
    pub batches: Batches,
}

/// Says how a call ended, and why.
pub(crate) fn judge(exchange: &Exchange, ending: &Ending, answer: &Answer) -> (Outcome, Option<String>) {
    let because = |why: &str| Some(why.to_owned());
    match &ending.how {
        How::ClientGone => (Outcome::Unknown, because("client_gone")),
        How::Stopped => (Outcome::Unknown, because("gateway_stopped")),
        How::Lost => (Outcome::Unknown, because("gateway_lost")),
        How::UpstreamCut => (Outcome::Error, because("upstream_cut")),
        How::Unreachable => (Outcome::Error, because("upstream_unreachable")),
        How::TimedOut => (Outcome::Error, because("upstream_timeout")),
        How::BadRequest => (Outcome::Error, because("bad_request")),
        How::Denied { reason, .. } => (Outcome::Denied, because(reason)),
        How::Complete => {
            let failed = ending.status.is_some_and(|status| status >= 400);
            match &answer.error {
                Some((kind, _)) if !kind.is_empty() => (Outcome::Error, Some(kind.clone())),
                Some(_) => (Outcome::Error, because("api_error")),
                None if failed => (Outcome::Error, ending.status.map(|status| format!("http_{status}"))),
                None if ending.is_stream && !answer.ended && exchange.call.what.is_answered_by_model() => {
                    (Outcome::Error, because("upstream_cut"))
                }
                None => (Outcome::Success, None),
            }
        }
    }
}
