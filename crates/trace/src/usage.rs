//! Tokens and money: each answer of a model once, whoever told it, by session, agent and model. Pure: events in, sums out.
//!
//! Several witnesses may tell the same answer, and one witness may tell it twice: the request's id, or the message's, says that it is one. No
//! price is invented: where nobody says what something cost, that is said.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::field::{at, text};

/// 1,000,000 answers: some 300 MB, more than a year of one busy machine; of further ones only the number is told.
const ANSWERS_MAX: usize = 1_000_000;

/// Counts of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Sent, those of the prompt cache not among them.
    pub input: u64,
    /// Answered.
    pub output: u64,
    /// Read from the prompt cache.
    pub cache_read: u64,
    /// Written to the prompt cache.
    pub cache_creation: u64,
}

impl Tokens {
    /// Returns what is in these and not in `told`.
    fn beyond(self, told: Self) -> Self {
        Self {
            input: self.input.saturating_sub(told.input),
            output: self.output.saturating_sub(told.output),
            cache_read: self.cache_read.saturating_sub(told.cache_read),
            cache_creation: self.cache_creation.saturating_sub(told.cache_creation),
        }
    }

    fn add(&mut self, other: Self) {
        self.input = self.input.saturating_add(other.input);
        self.output = self.output.saturating_add(other.output);
        self.cache_read = self.cache_read.saturating_add(other.cache_read);
        self.cache_creation = self.cache_creation.saturating_add(other.cache_creation);
    }
}

/// Who says what something cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CostSource {
    /// Nobody: it is not known.
    #[default]
    Unknown,
    /// The witnesses of the single answers (OpenTelemetry, the gateway).
    Witness,
    /// The prices of the configuration.
    Prices,
    /// The client's own account of the session, in its transcript.
    Client,
}

impl CostSource {
    /// Returns the word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Witness => "witness",
            Self::Prices => "prices",
            Self::Client => "client",
        }
    }
}

/// What one model costs, in US dollars for a million tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// Name of the model, with `*` for anything.
    pub model: String,
    /// Tokens sent.
    pub input: f64,
    /// Tokens answered.
    pub output: f64,
    /// Tokens read from the prompt cache.
    pub cache_read: f64,
    /// Tokens written to the prompt cache.
    pub cache_write: f64,
}

/// One sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sum {
    /// Answers.
    pub answers: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// What they cost, if that is known.
    pub cost_usd: Option<f64>,
    /// Who says so.
    pub cost_source: CostSource,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The session.
    pub session_id: String,
    /// The agent; empty for the main one.
    pub agent_id: String,
    /// The model.
    pub model: String,
    /// The sum.
    pub sum: Sum,
}

/// Witnesses of answers, the one whose numbers count first. The transcript has the client's last word on each message.
const RANKS: &[&str] = &["transcript", "gateway", "otel", "api"];

/// One answer.
#[derive(Clone, Debug)]
struct Answer {
    rank: usize,
    session: String,
    agent: String,
    model: String,
    tokens: Tokens,
    cost_usd: Option<f64>,
}

/// The client's account of one session: what each model took and cost.
#[derive(Clone, Debug, Default)]
struct Account {
    total_usd: Option<f64>,
    models: BTreeMap<String, Tokens>,
}

/// The agent of what the client asked a model beside the conversation (to compact it, to name it): its account has it, no line tells the answer.
pub const SIDE: &str = "(side requests)";

/// Collects answers.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    answers: BTreeMap<String, Answer>,
    accounts: BTreeMap<String, Account>,
    /// Answers that two witnesses tell with different numbers of tokens.
    disagree: BTreeSet<String>,
    left_out: u64,
}

impl Usage {
    /// Takes in the next event, in the order of the ledger.
    pub fn add(&mut self, view: &Value) {
        match text(view, "event_type").as_str() {
            "model.response" | "model.call" => self.answer(view),
            "transcript.cost_state" => self.account(view),
            _ => {}
        }
    }

    fn answer(&mut self, view: &Value) {
        let number = |names: &[&str]| names.iter().find_map(|name| at(view, name)?.as_u64());
        let tokens = Tokens {
            input: number(&["input_tokens"]).unwrap_or(0),
            output: number(&["output_tokens"]).unwrap_or(0),
            cache_read: number(&["cache_read_tokens", "usage.cache_read_input_tokens"]).unwrap_or(0),
            cache_creation: number(&["cache_creation_tokens", "usage.cache_creation_input_tokens"]).unwrap_or(0),
        };
        let witness = text(view, "witness");
        let rank = RANKS.iter().position(|name| *name == witness).unwrap_or(RANKS.len());
        let named = ["request_id", "message_id", "audit_id"].iter().map(|name| text(view, name)).find(|name| !name.is_empty());
        let cost_usd = at(view, "cost_usd").and_then(Value::as_f64).filter(|cost| cost.is_finite());
        let answer =
            Answer { rank, session: text(view, "session_id"), agent: text(view, "agent_id"), model: text(view, "model"), tokens, cost_usd };
        let key = format!("{}\0{}", answer.session, named.unwrap_or_default());
        let full = self.answers.len() >= ANSWERS_MAX;
        match self.answers.get_mut(&key) {
            None if full => self.left_out += 1,
            None => drop(self.answers.insert(key, answer)),
            Some(known) => {
                if known.rank != rank && known.tokens != tokens {
                    self.disagree.insert(key);
                }
                let cost_usd = known.cost_usd.or(answer.cost_usd);
                // Of one witness the last word counts, of two the better one.
                if rank <= known.rank {
                    *known = answer;
                }
                known.cost_usd = cost_usd;
            }
        }
    }

    fn account(&mut self, view: &Value) {
        let models = at(view, "transcript.modelUsage").and_then(Value::as_object);
        let tokens = |usage: &Value| {
            let number = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or(0);
            Tokens {
                input: number("inputTokens"),
                output: number("outputTokens"),
                cache_read: number("cacheReadInputTokens"),
                cache_creation: number("cacheCreationInputTokens"),
            }
        };
        let models = models.into_iter().flatten().map(|(model, usage)| (model.clone(), tokens(usage))).collect();
        // The client does not know what an unknown model costs, and says so.
        let whole = at(view, "transcript.hasUnknownModelCost") != Some(&Value::Bool(true));
        let total_usd = at(view, "transcript.totalCostUSD").and_then(Value::as_f64).filter(|_| whole);
        // It counts from the start of the session, so the last one counts.
        self.accounts.insert(text(view, "session_id"), Account { total_usd, models });
    }

    /// Returns the sums by session, agent and model, in this order.
    pub fn rows(&self, prices: &[Price]) -> Vec<Row> {
        let mut sums: BTreeMap<(&str, &str, &str), Sum> = BTreeMap::new();
        for answer in self.answers.values() {
            sums.entry((&answer.session, &answer.agent, &answer.model)).or_default().take(answer, prices);
        }
        let row = |((session, agent, model), sum): ((&str, &str, &str), Sum)| Row {
            session_id: session.to_owned(),
            agent_id: agent.to_owned(),
            model: model.to_owned(),
            sum,
        };
        let mut rows: Vec<Row> = sums.into_iter().map(row).collect();
        rows.extend(self.accounts.keys().flat_map(|session| self.side(session, prices)));
        rows.sort_by(|a, b| (&a.session_id, &a.agent_id, &a.model).cmp(&(&b.session_id, &b.agent_id, &b.model)));
        rows
    }

    /// Returns what the client's account of a session has beyond the answers that were told, by model.
    fn side(&self, session: &str, prices: &[Price]) -> Vec<Row> {
        let Some(account) = self.accounts.get(session) else { return Vec::new() };
        let mut told: BTreeMap<&str, Tokens> = BTreeMap::new();
        for answer in self.answers.values().filter(|answer| answer.session == session) {
            told.entry(&answer.model).or_default().add(answer.tokens);
        }
        let mut rows = Vec::new();
        for (model, whole) in &account.models {
            let tokens = whole.beyond(told.get(model.as_str()).copied().unwrap_or_default());
            if tokens != Tokens::default() {
                let price = prices.iter().find(|price| matches(&price.model, model));
                let cost_usd = price.map(|price| price.of(tokens));
                let cost_source = if cost_usd.is_some() { CostSource::Prices } else { CostSource::Unknown };
                let sum = Sum { answers: 0, tokens, cost_usd, cost_source };
                rows.push(Row { session_id: session.to_owned(), agent_id: SIDE.to_owned(), model: model.clone(), sum });
            }
        }
        rows
    }

    /// Returns the sum of one session over all agents and models; the client's own account of its cost counts, where there is one.
    pub fn session(&self, session: &str, prices: &[Price]) -> Sum {
        let mut sum = Sum::default();
        self.answers.values().filter(|answer| answer.session == session).for_each(|answer| sum.take(answer, prices));
        self.side(session, prices).iter().for_each(|row| sum.tokens.add(row.sum.tokens));
        if let Some(total) = self.accounts.get(session).and_then(|account| account.total_usd) {
            (sum.cost_usd, sum.cost_source) = (Some(total), CostSource::Client);
        }
        sum
    }

    /// Returns the sessions in which a model answered.
    pub fn sessions(&self) -> BTreeSet<&str> {
        self.answers.values().map(|answer| answer.session.as_str()).collect()
    }

    /// Returns of how many answers two witnesses tell different numbers of tokens.
    pub fn disagreements(&self) -> u64 {
        self.disagree.len() as u64
    }

    /// Returns how many answers were too many to be counted.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }
}

impl Sum {
    fn take(&mut self, answer: &Answer, prices: &[Price]) {
        let priced = prices.iter().find(|price| matches(&price.model, &answer.model)).map(|price| price.of(answer.tokens));
        let (cost, source) = match (priced, answer.cost_usd) {
            (Some(cost), _) => (Some(cost), CostSource::Prices),
            (None, Some(cost)) => (Some(cost), CostSource::Witness),
            (None, None) => (None, CostSource::Unknown),
        };
        // A sum of which a part is not known is not known.
        (self.cost_usd, self.cost_source) = match (self.answers, self.cost_usd, cost) {
            (0, _, cost) => (cost, source),
            (_, Some(sum), Some(cost)) => (Some(sum + cost), self.cost_source.min(source)),
            _ => (None, CostSource::Unknown),
        };
        self.answers += 1;
        self.tokens.add(answer.tokens);
    }

    /// Returns the sum as members of a line.
    pub fn to_json(&self) -> Value {
        json!({
            "answers": self.answers, "input_tokens": self.tokens.input, "output_tokens": self.tokens.output,
            "cache_read_tokens": self.tokens.cache_read, "cache_creation_tokens": self.tokens.cache_creation,
            "cost_usd": self.cost_usd, "cost_source": self.cost_source.as_str(),
        })
    }
}

impl Price {
    fn of(&self, tokens: Tokens) -> f64 {
        let parts = [
            (tokens.input, self.input),
            (tokens.output, self.output),
            (tokens.cache_read, self.cache_read),
            (tokens.cache_creation, self.cache_write),
        ];
        parts.iter().map(|(count, usd)| *count as f64 * usd / 1e6).sum()
    }
}

/// Tells whether a name is one of those that a pattern with `*` means.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|begin| name.strip_prefix(begin)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(end)
}
