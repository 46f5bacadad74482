//! Shell text into tokens: words, operators, redirections, here-documents, as bash splits them. What is unfinished ends with the text.

use super::NESTING_MAX;
use super::braces;
use super::word::Word;

/// 1 KiB of a `((…))` are read for its end: every `((` starts a new reading.
const ARITHMETIC_BYTES_MAX: usize = 1024;

/// How a redirection uses its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    In,
    Out,
    Append,
    /// `<<<`: the word itself is the input.
    Text,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Word(Word),
    Redirect(Direction, Word),
    /// A here-document with its body, at the place of its redirection.
    Here(Word),
    /// `;` or a newline.
    Then,
    /// `&`
    Background,
    And,
    Or,
    /// `|` and `|&`: the next command reads what this one writes.
    Pipe,
    /// `;;`, `;&`, `;;&` of a `case`.
    CaseEnd,
    Open,
    Close,
}

/// Splits `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer::new(text.as_bytes());
    lexer.run();
    lexer.out
}

/// A cursor over the text; `word.rs` reads words with it.
pub(super) struct Lexer<'a> {
    pub(super) text: &'a [u8],
    pub(super) at: usize,
    /// Levels of `$(…)` and `${…}` around this text.
    pub(super) depth: usize,
    pub(super) out: Vec<Token>,
    /// Here-documents whose bodies start at the next line.
    here: Vec<Here>,
    /// Ends at the `)` that nothing here opened.
    inside: bool,
    opens: usize,
    cases: usize,
}

struct Here {
    token: usize,
    delimiter: String,
    tabs: bool,
    literal: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, depth: 0, out: Vec::new(), here: Vec::new(), inside: false, opens: 0, cases: 0 }
    }

    /// A lexer of a text inside this one.
    pub(super) fn inner<'b>(&self, text: &'b [u8]) -> Lexer<'b> {
        Lexer { depth: self.depth + 1, ..Lexer::new(text) }
    }

    pub(super) fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    /// The text from the cursor on; the cursor never stands behind the end.
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.text[self.at..]
    }

    /// Moves on, at most to the end.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.text.len());
    }

    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' => self.skip(1),
                b'\\' if self.peek(1) == Some(b'\n') => self.skip(2),
                b'#' => self.skip(length(self.rest(), |byte| byte != b'\n')),
                b'\n' => {
                    self.skip(1);
                    self.out.push(Token::Then);
                    self.here_documents();
                }
                b')' if self.inside && self.opens == 0 && self.cases == 0 => return,
                b';' | b'&' | b'|' | b'(' | b')' => self.operator(byte),
                b'<' | b'>' if self.peek(1) != Some(b'(') => self.redirect(),
                b'0'..=b'9' if self.is_descriptor() => self.redirect(),
                _ => self.words(),
            }
        }
    }

    /// The tokens between the bracket under the cursor and the one that closes it; the cursor moves behind it.
    pub(super) fn bracket(&mut self) -> (&'a [u8], Vec<Token>) {
        let start = (self.at + 1).min(self.text.len());
        let mut inner = Lexer { at: start, depth: self.depth + 1, inside: true, ..Lexer::new(self.text) };
        if inner.depth > NESTING_MAX {
            inner.skip_brackets();
        } else {
            inner.run();
        }
        let inside = &self.text[start..inner.at];
        self.at = (inner.at + 1).min(self.text.len());
        (inside, inner.out)
    }

    /// Deeper than anybody writes: brackets are counted, nothing else is read.
    fn skip_brackets(&mut self) {
        let mut depth = 0usize;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 0 => return,
                b')' => depth -= 1,
                _ => {}
            }
            self.skip(1);
        }
    }

    /// Where the arithmetic ends whose `((` is under the cursor: behind its `))`. None if it is two brackets.
    pub(super) fn arithmetic_end(&self) -> Option<usize> {
        let mut depth = 0usize;
        let mut inner_end = None;
        for (at, byte) in self.rest().iter().take(ARITHMETIC_BYTES_MAX).enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 2 => (depth, inner_end) = (1, Some(at)),
                b')' if depth == 1 => return (inner_end == Some(at - 1)).then_some(self.at + at + 1),
                b')' => depth -= 1,
                _ => {}
            }
        }
        None
    }

    fn operator(&mut self, byte: u8) {
        let (token, bytes) = match (byte, self.peek(1)) {
            (b'&', Some(b'>')) => return self.redirect(),
            (b'(', Some(b'(')) if self.is_arithmetic() => return,
            (b';', Some(b';')) => (Token::CaseEnd, if self.peek(2) == Some(b'&') { 3 } else { 2 }),
            (b';', Some(b'&')) => (Token::CaseEnd, 2),
            (b'&', Some(b'&')) => (Token::And, 2),
            (b'|', Some(b'|')) => (Token::Or, 2),
            (b'|', Some(b'&')) => (Token::Pipe, 2),
            (b'|', _) => (Token::Pipe, 1),
            (b'(', _) => (Token::Open, 1),
            (b')', _) => (Token::Close, 1),
            (b'&', _) => (Token::Background, 1),
            _ => (Token::Then, 1),
        };
        match token {
            Token::Open => self.opens += 1,
            Token::Close => self.opens = self.opens.saturating_sub(1),
            _ => {}
        }
        self.skip(bytes);
        self.out.push(token);
    }

    /// `((…))` as a command or behind `for` is one word.
    fn is_arithmetic(&mut self) -> bool {
        let starts = match self.out.last() {
            Some(Token::Word(word)) => word.is_reserved() || word.text == "for",
            _ => true,
        };
        let Some(end) = self.arithmetic_end().filter(|_| starts) else { return false };
        let mut word = Word { text: "((".to_owned(), ..Word::default() };
        self.scripts_in(&self.text[self.at..end], &mut word);
        self.at = end;
        self.out.push(Token::Word(Word { uncertain: false, ..word }));
        true
    }

    /// Whether digits stand directly before `<` or `>`.
    fn is_descriptor(&self) -> bool {
        let digits = length(self.rest(), |byte| byte.is_ascii_digit());
        matches!(self.peek(digits), Some(b'<' | b'>')) && self.peek(digits + 1) != Some(b'(')
    }

    fn redirect(&mut self) {
        self.skip(length(self.rest(), |byte| byte.is_ascii_digit()));
        let Some((form, direction)) = REDIRECTIONS.iter().find(|(form, _)| self.rest().starts_with(form.as_bytes())) else {
            return self.skip(1);
        };
        self.skip(form.len());
        self.skip(length(self.rest(), |byte| matches!(byte, b' ' | b'\t')));
        let word = self.word();
        // `2>&1` and `>&-` name a descriptor, no file.
        let descriptor = form.ends_with('&') && word.text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        match direction {
            None => {
                self.here.push(Here { token: self.out.len(), delimiter: word.text, tabs: *form == "<<-", literal: word.quoted });
                self.out.push(Token::Here(Word::default()));
            }
            Some(direction) if !descriptor && (!word.text.is_empty() || word.quoted) => self.out.push(Token::Redirect(*direction, word)),
            Some(_) => {}
        }
    }

    fn here_documents(&mut self) {
        for here in std::mem::take(&mut self.here) {
            let mut body = String::new();
            while self.at < self.text.len() {
                let line = &self.rest()[..length(self.rest(), |byte| byte != b'\n')];
                self.skip(line.len() + 1);
                let tabs = if here.tabs { length(line, |byte| byte == b'\t') } else { 0 };
                if &line[tabs..] == here.delimiter.as_bytes() {
                    break;
                }
                body.push_str(&String::from_utf8_lossy(&line[tabs..]));
                body.push('\n');
            }
            let word = if here.literal { Word { text: body, quoted: true, ..Word::default() } } else { self.expanded(&body) };
            self.out[here.token] = Token::Here(word);
        }
    }

    /// One word, or the words that its braces make of it.
    fn words(&mut self) {
        let word = self.word();
        let names_descriptor = word.text.starts_with('{') && word.text.ends_with('}') && !word.quoted && !word.braces;
        if names_descriptor && matches!(self.peek(0), Some(b'<' | b'>')) {
            return;
        }
        let starts = !matches!(self.out.last(), Some(Token::Word(before)) if !before.is_reserved());
        match word.text.as_str() {
            "case" if starts && !word.quoted => self.cases += 1,
            "esac" if !word.quoted => self.cases = self.cases.saturating_sub(1),
            _ => {}
        }
        match braces::expand(&word) {
            Some(words) => self.out.extend(words.into_iter().map(Token::Word)),
            None => self.out.push(Token::Word(Word { uncertain: word.uncertain || word.braces, ..word })),
        }
    }
}

/// How many bytes at the start of `text` are like this.
pub(super) fn length(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|byte| !is(*byte)).unwrap_or(text.len())
}

/// Longest form first; none is a here-document.
const REDIRECTIONS: [(&str, Option<Direction>); 12] = [
    ("<<<", Some(Direction::Text)),
    ("<<-", None),
    ("<<", None),
    ("&>>", Some(Direction::Append)),
    ("&>", Some(Direction::Out)),
    (">>", Some(Direction::Append)),
    (">|", Some(Direction::Out)),
    (">&", Some(Direction::Out)),
    ("<&", Some(Direction::In)),
    ("<>", Some(Direction::Append)),
    (">", Some(Direction::Out)),
    ("<", Some(Direction::In)),
];
