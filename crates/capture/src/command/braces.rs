//! `a{b,c}d` is two words: braces need nothing that only the running shell knows.

use super::word::Word;

/// 64 words of one; a list that makes more stays as it was written, uncertain.
const WORDS_MAX: usize = 64;
/// 256 bytes: with the next limit the work for one word is 64 * 8 * 256 steps.
const WORD_BYTES_MAX: usize = 256;
/// 8 braces that open no list.
const TRIES_MAX: usize = 8;

/// The words that the braces of `word` make of it; none if there are no braces, too many, or quotes and expansions among them.
pub(super) fn expand(word: &Word) -> Option<Vec<Word>> {
    if !word.braces || word.quoted || word.text.len() > WORD_BYTES_MAX || word.text.contains(['$', '`']) {
        return None;
    }
    let mut done = Vec::new();
    let mut open = vec![word.text.clone()];
    while let Some(text) = open.pop() {
        match first_list(&text) {
            None => done.push(text),
            Some(texts) => open.extend(texts.into_iter().rev()),
        }
        if done.len() + open.len() > WORDS_MAX {
            return None;
        }
    }
    Some(done.into_iter().map(|text| Word { text, braces: false, ..word.clone() }).collect())
}

/// The texts that the first list in `text` makes of it; none if there is no list.
fn first_list(text: &str) -> Option<Vec<String>> {
    for (start, _) in text.match_indices('{').take(TRIES_MAX) {
        if let Some((items, end)) = list(&text[start..]) {
            let (before, after) = (&text[..start], &text[start + end..]);
            return Some(items.into_iter().map(|item| format!("{before}{item}{after}")).collect());
        }
    }
    None
}

/// The items of the list that opens `text`, and where it ends.
fn list(text: &str) -> Option<(Vec<String>, usize)> {
    let mut depth = 0usize;
    let mut cuts = vec![1];
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            ',' if depth == 1 => cuts.push(at + 1),
            '}' if depth == 1 => {
                cuts.push(at + 1);
                let items: Vec<String> = cuts.windows(2).map(|ends| text[ends[0]..ends[1] - 1].to_owned()).collect();
                let items = if items.len() > 1 { items } else { range(&items[0])? };
                return Some((items, at + 1));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `1..9`, `01..12` and `a..e`.
fn range(text: &str) -> Option<Vec<String>> {
    let (from, to) = text.split_once("..")?;
    if let (Ok(first), Ok(last)) = (from.parse::<i64>(), to.parse::<i64>()) {
        let is_padded = |end: &str| end.len() > 1 && end.starts_with('0');
        let width = if is_padded(from) || is_padded(to) { from.len().max(to.len()) } else { 0 };
        let (low, high) = (first.min(last), first.max(last));
        let few = high.checked_sub(low).is_some_and(|count| count < WORDS_MAX as i64);
        if !few || width > 0 && low < 0 || text.contains('+') {
            return None;
        }
        let up = (low..=high).map(|number| format!("{number:0width$}"));
        return Some(if first <= last { up.collect() } else { up.rev().collect() });
    }
    let ([first], [last]) = (from.as_bytes(), to.as_bytes()) else { return None };
    let letters = first.is_ascii_lowercase() && last.is_ascii_lowercase() || first.is_ascii_uppercase() && last.is_ascii_uppercase();
    (letters && first <= last).then(|| (*first..=*last).map(|letter| char::from(letter).to_string()).collect())
}
