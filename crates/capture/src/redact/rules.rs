//! The rule file: what kinds of secrets there are and which keyword announces each.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::judge::Class;

/// The rules that ship with Sealtrail.
const BUILT_IN: &str = include_str!("../../rules/secrets.toml");

/// 1 KiB after the keyword: the longest common token (a session token of a cloud) that a pattern must see at once.
const REACH_BYTES: usize = 1024;

/// Rules with the automaton that finds their keywords.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) rules: Vec<Rule>,
    pub(super) keywords: AhoCorasick,
    /// For each keyword of the automaton, the rules that it announces.
    pub(super) announced: Vec<Vec<u16>>,
}

/// One kind of secret.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) class: Class,
    pub(super) entropy: f64,
    /// The keyword starts the secret, and no letter or digit stands before it.
    pub(super) word: bool,
    /// How far before the keyword the pattern may start.
    pub(super) back: usize,
    pub(super) reach: usize,
    /// What the name may not continue with (kind `assigned`).
    pub(super) not: Vec<String>,
    /// What must follow the name's keyword: nothing (kind `assigned`).
    pub(super) ends_name: bool,
    pattern: String,
    ignore_case: bool,
    regex: OnceLock<Option<Regex>>,
}

/// How a rule looks around its keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// The pattern starts at the keyword (or up to `back` before it); group 1, if any, is the secret.
    Token,
    /// The keyword stands in a name that is given a value; the pattern, if any, is the whole value.
    Assigned,
    /// A PEM block: from the keyword to its END line.
    Block,
    /// A value that punctuation joins to the keyword; there is no pattern.
    Near,
}

/// Why a rule file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum RuleError {
    #[error("cannot read the rule file: {0}")]
    Syntax(#[from] toml::de::Error),
    #[error("cannot build the keyword automaton of the rule file: {0}")]
    Keywords(#[from] aho_corasick::BuildError),
}

impl Rules {
    /// Loads the built-in rules.
    pub(super) fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("the built-in rule file is sound: a test loads it")
    }

    fn parse(text: &str) -> Result<Self, RuleError> {
        let file: RuleFile = toml::from_str(text)?;
        let mut words: Vec<String> = Vec::new();
        let mut announced: Vec<Vec<u16>> = Vec::new();
        let mut rules = Vec::with_capacity(file.rule.len());
        for (index, row) in file.rule.into_iter().enumerate() {
            let index = u16::try_from(index).unwrap_or(u16::MAX);
            for keyword in &row.keywords {
                let keyword = keyword.to_ascii_lowercase();
                match words.iter().position(|w| *w == keyword) {
                    Some(at) => announced[at].push(index),
                    None => {
                        words.push(keyword);
                        announced.push(vec![index]);
                    }
                }
            }
            rules.push(row.into_rule());
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)?;
        Ok(Self { rules, keywords, announced })
    }
}

impl Rule {
    /// The pattern, compiled at its first use; none when the rule has no pattern.
    pub(super) fn regex(&self) -> Option<&Regex> {
        self.regex.get_or_init(|| self.compile()).as_ref()
    }

    fn compile(&self) -> Option<Regex> {
        if self.pattern.is_empty() {
            return None;
        }
        let pattern = match self.kind {
            Kind::Token if self.back > 0 => self.pattern.clone(),
            Kind::Token | Kind::Block => format!("^(?:{})", self.pattern),
            Kind::Assigned | Kind::Near => format!("^(?:{})$", self.pattern),
        };
        RegexBuilder::new(&pattern).unicode(false).case_insensitive(self.ignore_case).build().ok()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    rule: Vec<RuleRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleRow {
    id: String,
    /// For readers of the file only.
    #[serde(rename = "about")]
    _about: String,
    keywords: Vec<String>,
    #[serde(default)]
    pattern: String,
    kind: Option<Kind>,
    class: Option<Class>,
    #[serde(default)]
    entropy: f64,
    #[serde(default)]
    word: bool,
    #[serde(default)]
    back: usize,
    reach: Option<usize>,
    #[serde(default)]
    not: Vec<String>,
    #[serde(default)]
    ends_name: bool,
    #[serde(default)]
    ignore_case: bool,
}

impl RuleRow {
    fn into_rule(self) -> Rule {
        Rule {
            id: self.id,
            kind: self.kind.unwrap_or(Kind::Token),
            class: self.class.unwrap_or(Class::Any),
            entropy: self.entropy,
            word: self.word,
            back: self.back,
            reach: self.reach.unwrap_or(REACH_BYTES),
            not: self.not,
            ends_name: self.ends_name,
            pattern: self.pattern,
            ignore_case: self.ignore_case,
            regex: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// Protects the built-in rule file: it loads, each pattern compiles, ids are unique and fit a placeholder.
    #[test]
    fn built_in_rules_are_sound() {
        let rules = Rules::parse(BUILT_IN).unwrap_or_else(|error| panic!("{}", error.to_string().chars().take(400).collect::<String>()));
        let mut ids: Vec<&str> = rules.rules.iter().map(|r| r.id.as_str()).collect();
        for rule in &rules.rules {
            assert_eq!(rule.regex().is_none(), rule.pattern.is_empty(), "{}: {}", rule.id, rule.pattern);
            assert!(rule.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{}", rule.id);
            assert!(rule.kind != Kind::Token || !rule.pattern.is_empty(), "{}", rule.id);
        }
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "a rule id stands twice");
    }
}
