//! Text from events, made safe to show. What was recorded is hostile input to a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns `text` with every control character as a picture (`␛`) and everything that hides or turns text as `<U+202E>`.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{0}'..='\u{1f}' => shown.extend(char::from_u32(0x2400 + c as u32)),
            '\u{7f}' => shown.push('\u{2421}'),
            c if hides(c) => shown.push_str(&format!("<U+{:04X}>", c as u32)),
            c => shown.push(c),
        }
    }
    shown
}

/// C1 controls, zero-width and bidirectional controls, line separators, byte-order mark, variation and tag characters.
fn hides(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Returns how many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// Cuts `text` to `columns`, ending it in `…` when something was cut.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut used = 0;
    let mut cut = String::new();
    for c in text.chars() {
        used += c.width().unwrap_or(0);
        if used > columns.saturating_sub(1) {
            break;
        }
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// Cuts a long value to `chars` characters and says how many are left out.
pub(crate) fn brief(text: &str, chars: usize) -> String {
    let total = text.chars().count();
    if total <= chars {
        return visible(text);
    }
    let head: String = text.chars().take(chars).collect();
    format!("{}… ({} more characters)", visible(&head), total - chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the terminal: an event cannot move the cursor, change colours or turn text around.
    #[test]
    fn nothing_recorded_reaches_the_terminal_raw() {
        assert_eq!(visible("a\u{1b}[2Jb\nc\u{202e}d\u{9b}e\u{7f}"), "a␛[2Jb␊c<U+202E>d<U+009B>e␡");
        assert_eq!(visible("Grüße 漢字"), "Grüße 漢字");
    }

    /// Protects table columns: a cut text is never wider than its column, wide characters included.
    #[test]
    fn cut_text_fits_its_column() {
        assert_eq!(fit("漢字漢字", 5), "漢字…");
        assert_eq!(fit("short", 5), "short");
        assert_eq!(brief("abcdef", 4), "abcd… (2 more characters)");
    }
}
