//! What sessions, persons and days have used, and what they may.

use std::collections::{HashMap, VecDeque};

use sealtrail_capture::gateway::{Answer, BudgetCrossed};
use sealtrail_config::{Budget, BudgetPer, Price};

/// 65,536 sessions and persons of about 100 bytes: 8 MiB. The oldest is forgotten first, and then begins anew.
const COUNTED_MAX: usize = 65_536;

/// The API takes half of the usual price for requests of a batch.
const BATCHED_SHARE: f64 = 0.5;

const NS_PER_DAY: u64 = 86_400 * 1_000_000_000;

/// What was used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Used {
    pub(crate) tokens: u64,
    pub(crate) usd: f64,
}

/// For whom something is used.
#[derive(Clone, Copy, Debug)]
pub(crate) struct For<'a> {
    pub(crate) session: Option<&'a str>,
    pub(crate) person: &'a str,
    pub(crate) unix_ns: u64,
}

/// Budgets, prices, and what was used so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Budgets {
    budgets: Vec<Budget>,
    prices: Vec<Price>,
    used: HashMap<(BudgetPer, String), Used>,
    order: VecDeque<(BudgetPer, String)>,
}

/// A call that a budget refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: &'static str,
    pub(crate) rule: String,
}

impl Budgets {
    pub(crate) fn new(budgets: Vec<Budget>, prices: Vec<Price>) -> Self {
        Self { budgets, prices, ..Self::default() }
    }

    /// Tells whether anything is limited.
    pub(crate) fn any(&self) -> bool {
        !self.budgets.is_empty()
    }

    /// Returns the budget that refuses a call, if one does.
    pub(crate) fn refusing(&self, whom: For<'_>) -> Option<Refused> {
        let full = self.budgets.iter().filter(|budget| budget.block).find(|budget| {
            let used = key(budget.per, whom).and_then(|key| self.used.get(&key)).copied().unwrap_or_default();
            is_over(budget, used)
        })?;
        Some(Refused { reason: reason(full.per), rule: rule(full) })
    }

    /// Counts what was used; returns the budgets that this crosses.
    pub(crate) fn use_up(&mut self, whom: For<'_>, now: Used) -> Vec<BudgetCrossed> {
        let mut crossed = Vec::new();
        for per in [BudgetPer::Session, BudgetPer::User, BudgetPer::Day] {
            let Some(key) = key(per, whom).filter(|_| self.budgets.iter().any(|budget| budget.per == per)) else { continue };
            let before = self.used.get(&key).copied().unwrap_or_default();
            let after = Used { tokens: before.tokens.saturating_add(now.tokens), usd: before.usd + now.usd };
            if self.used.insert(key.clone(), after).is_none() {
                self.order.push_back(key);
            }
            for budget in self.budgets.iter().filter(|budget| budget.per == per && !is_over(budget, before) && is_over(budget, after)) {
                let (tokens, usd) = (after.tokens, after.usd);
                crossed.push(BudgetCrossed { per: word(per), rule: rule(budget), tokens, usd, blocks: budget.block });
            }
        }
        while self.order.len() > COUNTED_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.used.remove(&oldest);
            }
        }
        crossed
    }

    /// Returns what an answer to a request of a batch cost.
    pub(crate) fn cost_batched(&self, model: Option<&str>, answer: &Answer) -> Option<f64> {
        self.cost(model, answer).map(|cost| cost * BATCHED_SHARE)
    }

    /// Returns what an answer cost, if its model has a price.
    pub(crate) fn cost(&self, model: Option<&str>, answer: &Answer) -> Option<f64> {
        let model = model?;
        let price = self.prices.iter().find(|price| matches(&price.model, model))?;
        let count = |name: &str| answer.tokens(name).unwrap_or_default() as f64;
        let sum = count("input_tokens") * price.input
            + count("output_tokens") * price.output
            + count("cache_read_input_tokens") * price.cache_read
            + count("cache_creation_input_tokens") * price.cache_write;
        Some(sum / 1_000_000.0).filter(|_| !answer.usage.is_empty())
    }
}

/// Returns the tokens of an answer, those of the cache included.
pub(crate) fn tokens(answer: &Answer) -> u64 {
    ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"]
        .iter()
        .filter_map(|name| answer.tokens(name))
        .fold(0, u64::saturating_add)
}

fn key(per: BudgetPer, whom: For<'_>) -> Option<(BudgetPer, String)> {
    let day = whom.unix_ns / NS_PER_DAY;
    let name = match per {
        BudgetPer::Session => whom.session?.to_owned(),
        BudgetPer::User => format!("{day} {}", whom.person),
        BudgetPer::Day => day.to_string(),
    };
    Some((per, name))
}

fn is_over(budget: &Budget, used: Used) -> bool {
    budget.tokens.is_some_and(|limit| used.tokens >= limit) || budget.usd.is_some_and(|limit| used.usd >= limit)
}

fn rule(budget: &Budget) -> String {
    let tokens = budget.tokens.map(|limit| format!("{limit} tokens"));
    let usd = budget.usd.map(|limit| format!("{limit} USD"));
    let limits: Vec<String> = [tokens, usd].into_iter().flatten().collect();
    let per = match budget.per {
        BudgetPer::Session => "session",
        BudgetPer::User => "user and day",
        BudgetPer::Day => "day",
    };
    format!("budget of {} per {per}", limits.join(" or "))
}

fn word(per: BudgetPer) -> &'static str {
    match per {
        BudgetPer::Session => "session",
        BudgetPer::User => "user",
        BudgetPer::Day => "day",
    }
}

fn reason(per: BudgetPer) -> &'static str {
    match per {
        BudgetPer::Session => "budget_session",
        BudgetPer::User => "budget_user",
        BudgetPer::Day => "budget_day",
    }
}

/// Tells whether a name fits a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(per: BudgetPer, tokens: Option<u64>, usd: Option<f64>, block: bool) -> Budget {
        Budget { per, tokens, usd, block }
    }

    fn whom(session: &'static str, day: u64) -> For<'static> {
        For { session: Some(session), person: "ada", unix_ns: day * NS_PER_DAY }
    }

    /// Protects budgets: crossing one is told once, and from then on a blocking one refuses those whom it counts, and only those.
    #[test]
    fn a_crossed_budget_is_told_once_and_refuses() {
        let mut budgets = Budgets::new(
            vec![budget(BudgetPer::Session, Some(100), None, true), budget(BudgetPer::Day, None, Some(5.0), false)],
            Vec::new(),
        );
        let used = Used { tokens: 60, usd: 2.0 };
        assert_eq!(budgets.use_up(whom("a", 1), used), []);
        assert_eq!(budgets.refusing(whom("a", 1)), None);
        let crossed = budgets.use_up(whom("a", 1), used);
        assert_eq!((crossed.len(), crossed[0].per, crossed[0].tokens, crossed[0].blocks), (1, "session", 120, true));
        assert_eq!(budgets.refusing(whom("a", 1)).unwrap().rule, "budget of 100 tokens per session");
        assert_eq!(budgets.refusing(whom("b", 1)), None);
        let crossed = budgets.use_up(whom("a", 1), used);
        assert_eq!((crossed.len(), crossed[0].per), (1, "day"));
        assert_eq!(budgets.use_up(whom("c", 2), used), [], "a new day begins at nothing");
    }

    /// Protects prices: the first pattern that fits counts, and without a price there is no cost.
    #[test]
    fn a_price_is_found_by_pattern() {
        let price = |model: &str, input: f64| Price { model: model.to_owned(), input, ..Price::default() };
        let budgets = Budgets::new(Vec::new(), vec![price("claude-opus-*", 15.0), price("*sonnet*", 3.0)]);
        let mut answer = Answer::default();
        answer.usage.insert("input_tokens".to_owned(), 1_000_000.into());
        assert_eq!(budgets.cost(Some("claude-opus-5-5"), &answer), Some(15.0));
        assert_eq!(budgets.cost(Some("us.anthropic.claude-sonnet-4"), &answer), Some(3.0));
        assert_eq!(budgets.cost(Some("claude-haiku"), &answer), None);
        for (pattern, name, fits) in
            [("*", "", true), ("a*b", "ab", true), ("a*b", "aXbY", false), ("a", "ab", false), ("*a*a", "a", false)]
        {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
