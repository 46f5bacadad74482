//! One shell word: quotes removed, expansions kept as they were written, the scripts inside them found.

use super::NESTING_MAX;
use super::lex::{Lexer, Token, length};

/// 128 bytes of a `[…]` or `{…}` are read for its end: every bracket starts a new reading.
const LIST_BYTES_MAX: usize = 128;

/// A word after quote removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The text; an expansion stands as it was written.
    pub(super) text: String,
    /// It holds an expansion or a glob, so the shell may make something else of it.
    pub(super) uncertain: bool,
    /// Some part of it was quoted: it is no reserved word and no operator.
    pub(super) quoted: bool,
    /// It holds braces that make several words of it.
    pub(super) braces: bool,
    /// The scripts inside `$(…)`, backquotes and `<(…)`.
    pub(super) scripts: Vec<String>,
}

impl Word {
    /// A word behind which a command starts.
    pub(super) fn is_reserved(&self) -> bool {
        let reserved = ["if", "then", "elif", "else", "while", "until", "do", "!", "{", "coproc", "time"];
        !self.quoted && reserved.contains(&self.text.as_str())
    }
}

impl Lexer<'_> {
    /// Reads one word; it ends at a blank, an operator or the end.
    pub(super) fn word(&mut self) -> Word {
        let mut word = Word::default();
        let mut text = Vec::new();
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b')' => break,
                b'(' if text.ends_with(b"=") && !word.quoted => self.array(&mut text, &mut word),
                b'(' => break,
                b'<' | b'>' if self.peek(1) == Some(b'(') => {
                    text.push(byte);
                    self.skip(1);
                    self.script(&mut text, &mut word);
                }
                b'<' | b'>' => break,
                b'\\' => self.escaped(&mut text, &mut word),
                b'\'' => self.single(&mut text, &mut word),
                b'"' => self.double(&mut text, &mut word),
                b'$' if self.peek(1) == Some(b'\'') => self.ansi(&mut text, &mut word),
                b'$' if self.peek(1) == Some(b'"') => self.skip(1),
                b'$' => self.expansion(&mut text, &mut word),
                b'`' => self.backquote(&mut text, &mut word),
                _ => {
                    word.uncertain |= matches!(byte, b'*' | b'?') || (byte == b'[' && self.closed(b']').is_some());
                    word.braces |= byte == b'{' && self.is_brace_list();
                    text.push(byte);
                    self.skip(1);
                }
            }
        }
        word.text = String::from_utf8_lossy(&text).into_owned();
        word
    }

    fn escaped(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        match self.peek(1) {
            Some(b'\n') => return self.skip(2),
            Some(next) => text.push(next),
            None => text.push(b'\\'),
        }
        word.quoted = true;
        self.skip(2);
    }

    /// Whether a glob or brace that opens here closes within the word, and what stands between.
    fn closed(&self, close: u8) -> Option<&[u8]> {
        let near = &self.rest()[..self.rest().len().min(LIST_BYTES_MAX)];
        let end = near.iter().position(|byte| *byte == close || byte.is_ascii_whitespace())?;
        (near[end] == close).then_some(&near[..end])
    }

    /// `{a,b}` and `{1..9}`, but not `{}` or a lone brace.
    fn is_brace_list(&self) -> bool {
        self.closed(b'}').is_some_and(|inside| inside.contains(&b',') || inside.windows(2).any(|two| two == b".."))
    }

    fn single(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.skip(1);
        let inside = length(self.rest(), |byte| byte != b'\'');
        text.extend_from_slice(&self.rest()[..inside]);
        self.skip(inside + 1);
        word.quoted = true;
    }

    fn double(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.skip(1);
        word.quoted = true;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => return self.skip(1),
                b'\\' => {
                    match self.peek(1) {
                        Some(b'\n') => {}
                        Some(next @ (b'$' | b'`' | b'"' | b'\\')) => text.push(next),
                        Some(next) => text.extend([b'\\', next]),
                        None => text.push(b'\\'),
                    }
                    self.skip(2);
                }
                b'$' => self.expansion(text, word),
                b'`' => self.backquote(text, word),
                _ => {
                    text.push(byte);
                    self.skip(1);
                }
            }
        }
    }

    /// `$'…'` with the escapes of C.
    fn ansi(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.skip(2);
        word.quoted = true;
        while let Some(byte) = self.peek(0) {
            self.skip(1);
            match byte {
                b'\'' => return,
                b'\\' => self.ansi_escape(text),
                _ => text.push(byte),
            }
        }
    }

    fn ansi_escape(&mut self, text: &mut Vec<u8>) {
        let Some(next) = self.peek(0) else { return text.push(b'\\') };
        self.skip(1);
        match next {
            b'a' => text.push(7),
            b'b' => text.push(8),
            b't' => text.push(b'\t'),
            b'n' => text.push(b'\n'),
            b'v' => text.push(11),
            b'f' => text.push(12),
            b'r' => text.push(b'\r'),
            b'e' | b'E' => text.push(0x1b),
            b'\\' | b'\'' | b'"' | b'?' => text.push(next),
            b'0'..=b'7' => {
                self.at -= 1;
                self.code(text, 8, 3, b"\\");
            }
            b'x' => self.code(text, 16, 2, b"\\x"),
            b'u' => self.letter(text, 4, b"\\u"),
            b'U' => self.letter(text, 8, b"\\U"),
            b'c' => {
                let control = self.peek(0).map_or(b'c', |letter| letter & 0x1f);
                text.push(control);
                self.skip(1);
            }
            _ => text.extend([b'\\', next]),
        }
    }

    /// A byte by its number; `or` stands where there are no digits.
    fn code(&mut self, text: &mut Vec<u8>, radix: u32, digits_max: usize, or: &[u8]) {
        match self.number(radix, digits_max) {
            Some(number) => text.push(number.to_le_bytes()[0]),
            None => text.extend(or),
        }
    }

    /// A letter by its number in Unicode.
    fn letter(&mut self, text: &mut Vec<u8>, digits_max: usize, or: &[u8]) {
        match self.number(16, digits_max).and_then(char::from_u32) {
            Some(letter) => text.extend(letter.to_string().as_bytes()),
            None => text.extend(or),
        }
    }

    fn number(&mut self, radix: u32, digits_max: usize) -> Option<u32> {
        let digits = length(self.rest(), |byte| char::from(byte).is_digit(radix)).min(digits_max);
        let number = std::str::from_utf8(&self.rest()[..digits]).ok().and_then(|digits| u32::from_str_radix(digits, radix).ok());
        self.skip(digits);
        number
    }

    /// `$name`, `${…}`, `$(…)`, `$((…))`; a lone `$` is itself.
    fn expansion(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = self.at;
        self.skip(1);
        match self.peek(0) {
            Some(b'(') if self.peek(1) == Some(b'(') && self.arithmetic_end().is_some() => {
                let end = self.arithmetic_end().unwrap_or(self.at);
                self.scripts_in(&self.text[self.at..end], word);
                self.at = end;
            }
            Some(b'(') => {
                text.push(b'$');
                return self.script(text, word);
            }
            Some(b'{') if self.depth < NESTING_MAX => self.braced(word),
            Some(next) if next.is_ascii_alphabetic() || next == b'_' => {
                self.skip(length(self.rest(), |byte| byte.is_ascii_alphanumeric() || byte == b'_'));
            }
            Some(next) if next.is_ascii_digit() || b"@*#?$!-".contains(&next) => self.skip(1),
            _ => return text.push(b'$'),
        }
        word.uncertain = true;
        text.extend_from_slice(&self.text[from..self.at]);
    }

    /// `(…)` after `$`, `<` or `>`: the inside is a script of its own.
    fn script(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = self.at;
        let (inside, _) = self.bracket();
        word.scripts.push(String::from_utf8_lossy(inside).into_owned());
        word.uncertain = true;
        text.extend_from_slice(&self.text[from..self.at]);
    }

    /// `name=(…)`: words, which may hold scripts.
    fn array(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = self.at;
        let (_, tokens) = self.bracket();
        for token in tokens {
            if let Token::Word(inner) | Token::Redirect(_, inner) = token {
                word.scripts.extend(inner.scripts);
            }
        }
        word.uncertain = true;
        text.extend_from_slice(&self.text[from..self.at]);
    }

    /// `{…}` after `$`: up to its end, past quotes and expansions inside.
    fn braced(&mut self, word: &mut Word) {
        let mut inner = Word::default();
        let mut text = Vec::new();
        self.skip(1);
        self.depth += 1;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'}' => break,
                b'\\' => self.skip(2),
                b'"' => self.double(&mut text, &mut inner),
                b'$' => self.expansion(&mut text, &mut inner),
                b'`' => self.backquote(&mut text, &mut inner),
                _ => self.skip(1),
            }
        }
        self.depth -= 1;
        self.skip(1);
        word.scripts.append(&mut inner.scripts);
    }

    fn backquote(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = self.at;
        let mut inside = Vec::new();
        self.skip(1);
        while let Some(byte) = self.peek(0) {
            self.skip(1);
            match byte {
                b'`' => break,
                b'\\' if matches!(self.peek(0), Some(b'`' | b'\\' | b'$')) => {
                    inside.extend(self.peek(0));
                    self.skip(1);
                }
                _ => inside.push(byte),
            }
        }
        text.extend_from_slice(&self.text[from..self.at]);
        word.scripts.push(String::from_utf8_lossy(&inside).into_owned());
        word.uncertain = true;
    }

    /// A here-document whose delimiter was not quoted: expansions count, quotes do not.
    pub(super) fn expanded(&self, body: &str) -> Word {
        let mut word = Word { quoted: true, ..Word::default() };
        let text = self.read_expansions(body.as_bytes(), &mut word);
        word.text = String::from_utf8_lossy(&text).into_owned();
        word
    }

    /// Adds the scripts inside `text` to those of `word`.
    pub(super) fn scripts_in(&self, text: &[u8], word: &mut Word) {
        self.read_expansions(text, word);
    }

    fn read_expansions(&self, body: &[u8], word: &mut Word) -> Vec<u8> {
        let mut lexer = self.inner(body);
        if lexer.depth > NESTING_MAX {
            return body.to_vec();
        }
        let mut text = Vec::new();
        while let Some(byte) = lexer.peek(0) {
            match byte {
                b'\\' if lexer.peek(1) == Some(b'\n') => lexer.skip(2),
                b'\\' if matches!(lexer.peek(1), Some(b'$' | b'`' | b'\\')) => {
                    text.extend(lexer.peek(1));
                    lexer.skip(2);
                }
                b'$' => lexer.expansion(&mut text, word),
                b'`' => lexer.backquote(&mut text, word),
                _ => {
                    text.push(byte);
                    lexer.skip(1);
                }
            }
        }
        text
    }
}
