//! Options and operands of one command.

use super::word::Word;

/// The words after the program's name, sorted into options and operands.
pub(super) struct Options<'a> {
    /// Options with their values, in order: `-n 5` and `--lines=5` both have a value.
    given: Vec<(String, Option<Word>)>,
    pub(super) operands: Vec<&'a Word>,
}

impl<'a> Options<'a> {
    /// Sorts `words`; `values` names the options that take the next word (`-n --lines`), separated by blanks.
    pub(super) fn parse(words: &'a [Word], values: &str) -> Self {
        let mut found = Self { given: Vec::new(), operands: Vec::new() };
        let mut rest = words.iter();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" && !word.quoted {
                found.operands.extend(rest);
                break;
            }
            if !text.starts_with('-') || text.len() < 2 {
                found.operands.push(word);
                continue;
            }
            if let Some((name, value)) = text.split_once('=').filter(|(name, _)| name.starts_with("--")) {
                found.given.push((name.to_owned(), Some(part(word, value))));
            } else if takes_value(values, text) {
                found.given.push((text.to_owned(), rest.next().cloned()));
            } else {
                found.cluster(word, values, &mut rest);
            }
        }
        found
    }

    /// `-xzf file`, `-n5`: letters up to the first that takes a value, which is the rest of the word or the next one.
    fn cluster(&mut self, word: &Word, values: &str, rest: &mut std::slice::Iter<'a, Word>) {
        let text = word.text.as_str();
        self.given.push((text.to_owned(), None));
        if text.starts_with("--") {
            return;
        }
        for (at, letter) in text.char_indices().skip(1).take_while(|(_, letter)| letter.is_ascii_alphabetic()) {
            let name = format!("-{letter}");
            if !takes_value(values, &name) {
                self.given.push((name, None));
                continue;
            }
            let attached = &text[at + 1..];
            let value = if attached.is_empty() { rest.next().cloned() } else { Some(part(word, attached)) };
            self.given.push((name, value));
            return;
        }
    }

    /// Whether one of `names` was given, alone or inside a cluster.
    pub(super) fn has(&self, names: &[&str]) -> bool {
        self.given.iter().any(|(given, _)| names.contains(&given.as_str()))
    }

    /// Whether an option was given that starts like this (`-i.bak`).
    pub(super) fn has_start(&self, start: &str) -> bool {
        self.given.iter().any(|(given, _)| given.starts_with(start))
    }

    /// The value of the first of `names`.
    pub(super) fn value(&self, names: &[&str]) -> Option<&Word> {
        self.values(names).into_iter().next()
    }

    /// The values of all of `names`.
    pub(super) fn values(&self, names: &[&str]) -> Vec<&Word> {
        self.given.iter().filter(|(given, _)| names.contains(&given.as_str())).filter_map(|(_, value)| value.as_ref()).collect()
    }

    /// The texts of the operands.
    pub(super) fn texts(&self) -> Vec<&str> {
        self.operands.iter().map(|word| word.text.as_str()).collect()
    }
}

/// A part of a word, as doubtful as the whole.
pub(super) fn part(word: &Word, text: &str) -> Word {
    Word { text: text.to_owned(), scripts: Vec::new(), ..word.clone() }
}

fn takes_value(values: &str, option: &str) -> bool {
    values.split(' ').any(|name| name == option)
}
