//! Shell text into words, operators and redirections (POSIX quoting, plus the common bash forms).

/// A word after quote removal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// The text; an expansion stands as it was written.
    pub(super) text: String,
    /// It holds an expansion or a glob, so the shell may make something else of it.
    pub(super) uncertain: bool,
    /// Some part of it was quoted: it is no reserved word and no operator.
    pub(super) quoted: bool,
    /// The scripts inside `$(…)`, backquotes and `<(…)`.
    pub(super) scripts: Vec<String>,
}

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
    /// The body of a here-document.
    Here(Word),
    /// `;`, `&`, `&&`, `||`, a newline.
    End,
    /// `|` and `|&`: the next command reads what this one writes.
    Pipe,
    /// `;;`, `;&`, `;;&` of a `case`.
    CaseEnd,
    Open,
    Close,
}

/// Splits `text`; unfinished quotes end with the text.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut lexer = Lexer { text: text.as_bytes(), at: 0, out: Vec::new(), here: Vec::new() };
    lexer.run();
    lexer.out
}

struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    out: Vec<Token>,
    /// Here-documents whose bodies start at the next line: delimiter, tabs stripped, no expansion.
    here: Vec<(String, bool, bool)>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' => self.at += 1,
                b'\\' if self.peek(1) == Some(b'\n') => self.at += 2,
                b'#' => self.comment(),
                b'\n' => {
                    self.at += 1;
                    self.out.push(Token::End);
                    self.here_documents();
                }
                b';' | b'&' | b'|' | b'(' | b')' => self.operator(byte),
                b'<' | b'>' if self.peek(1) != Some(b'(') => self.redirect(),
                b'0'..=b'9' if self.is_descriptor() => self.redirect(),
                _ => {
                    let word = self.word();
                    self.out.push(Token::Word(word));
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn comment(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|b| **b != b'\n').count();
    }

    fn operator(&mut self, byte: u8) {
        let (token, length) = match (byte, self.peek(1)) {
            (b'&', Some(b'>')) => return self.redirect(),
            (b';', Some(b';')) => (Token::CaseEnd, if self.peek(2) == Some(b'&') { 3 } else { 2 }),
            (b';', Some(b'&')) => (Token::CaseEnd, 2),
            (b'&', Some(b'&')) | (b'|', Some(b'|')) => (Token::End, 2),
            (b'|', Some(b'&')) => (Token::Pipe, 2),
            (b'|', _) => (Token::Pipe, 1),
            (b'(', _) => (Token::Open, 1),
            (b')', _) => (Token::Close, 1),
            _ => (Token::End, 1),
        };
        self.at += length;
        self.out.push(token);
    }

    /// Whether digits stand directly before `<` or `>`.
    fn is_descriptor(&self) -> bool {
        let digits = self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        matches!(self.peek(digits), Some(b'<' | b'>')) && self.peek(digits + 1) != Some(b'(')
    }

    fn redirect(&mut self) {
        self.at += self.text[self.at..].iter().take_while(|b| b.is_ascii_digit()).count();
        let rest = &self.text[self.at..];
        let Some((form, direction)) = REDIRECTIONS.iter().find(|(form, _)| rest.starts_with(form.as_bytes())) else {
            self.at += 1;
            return;
        };
        self.at += form.len();
        while matches!(self.peek(0), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        let word = self.word();
        // `2>&1` and `>&-` name a descriptor, no file.
        let descriptor = form.ends_with('&') && word.text.bytes().all(|b| b.is_ascii_digit() || b == b'-');
        match direction {
            None => self.here.push((word.text, *form == "<<-", word.quoted)),
            Some(direction) if !descriptor && (!word.text.is_empty() || word.quoted) => self.out.push(Token::Redirect(*direction, word)),
            Some(_) => {}
        }
    }

    fn here_documents(&mut self) {
        for (delimiter, tabs, literal) in std::mem::take(&mut self.here) {
            let mut body = String::new();
            while self.at < self.text.len() {
                let length = self.text[self.at..].iter().take_while(|b| **b != b'\n').count();
                let line = String::from_utf8_lossy(&self.text[self.at..self.at + length]).into_owned();
                self.at = (self.at + length + 1).min(self.text.len());
                let line = if tabs { line.trim_start_matches('\t') } else { line.as_str() };
                if line == delimiter {
                    break;
                }
                body.push_str(line);
                body.push('\n');
            }
            let word = if literal { Word { text: body, quoted: true, ..Word::default() } } else { expanded(&body) };
            self.out.push(Token::Here(word));
        }
    }

    /// Reads one word; it ends at a blank, an operator or the end.
    fn word(&mut self) -> Word {
        let mut word = Word::default();
        let mut text = Vec::new();
        while let Some(byte) = self.peek(0) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b';' | b'&' | b'|' | b')' => break,
                b'(' if !text.ends_with(b"=") => break,
                b'(' => self.balanced(b'(', b')', &mut text, &mut word),
                b'<' | b'>' if self.peek(1) == Some(b'(') && text.is_empty() => {
                    text.push(byte);
                    self.at += 1;
                    self.script(&mut text, &mut word);
                }
                b'<' | b'>' => break,
                b'\\' => self.escaped(&mut text, &mut word),
                b'\'' => self.single(&mut text, &mut word),
                b'"' => self.double(&mut text, &mut word),
                b'$' if self.peek(1) == Some(b'\'') => {
                    self.at += 1;
                    self.ansi(&mut text, &mut word);
                }
                b'$' if self.peek(1) == Some(b'"') => self.at += 1,
                b'$' => self.expansion(&mut text, &mut word),
                b'`' => self.backquote(&mut text, &mut word),
                _ => {
                    word.uncertain |=
                        matches!(byte, b'*' | b'?') || (byte == b'[' && self.closes(b']')) || (byte == b'{' && self.is_brace_list());
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at = self.at.min(self.text.len());
        word.text = String::from_utf8_lossy(&text).into_owned();
        word
    }

    fn escaped(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        match self.peek(1) {
            Some(b'\n') => {}
            Some(next) => text.push(next),
            None => text.push(b'\\'),
        }
        word.quoted = true;
        self.at += 2;
    }

    /// Whether a glob or brace that opens here closes within the word.
    fn closes(&self, close: u8) -> bool {
        let rest = &self.text[self.at..];
        rest.iter().take(256).take_while(|b| !b.is_ascii_whitespace()).any(|b| *b == close)
    }

    /// `{a,b}` and `{1..9}`, but not `{}` or a lone brace.
    fn is_brace_list(&self) -> bool {
        let word = self.text[self.at..].iter().take(256).take_while(|b| **b != b'}' && !b.is_ascii_whitespace());
        let inside: Vec<u8> = word.copied().collect();
        self.closes(b'}') && (inside.contains(&b',') || inside.windows(2).any(|two| two == b".."))
    }

    fn single(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.at += 1;
        let length = self.text[self.at..].iter().take_while(|b| **b != b'\'').count();
        text.extend_from_slice(&self.text[self.at..self.at + length]);
        self.at += length + 1;
        word.quoted = true;
    }

    fn double(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.at += 1;
        word.quoted = true;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => {
                    self.at += 1;
                    return;
                }
                b'\\' => {
                    match self.peek(1) {
                        Some(b'\n') => {}
                        Some(next @ (b'$' | b'`' | b'"' | b'\\')) => text.push(next),
                        Some(next) => text.extend([b'\\', next]),
                        None => text.push(b'\\'),
                    }
                    self.at += 2;
                }
                b'$' => self.expansion(text, word),
                b'`' => self.backquote(text, word),
                _ => {
                    text.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// `$'…'` with the escapes of C.
    fn ansi(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        self.at += 1;
        word.quoted = true;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'\'' => return,
                b'\\' => {
                    let next = self.peek(0).unwrap_or(b'\\');
                    self.at += 1;
                    match next {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        b'e' | b'E' => text.push(0x1b),
                        b'\\' | b'\'' | b'"' | b'?' => text.push(next),
                        b'x' => self.hexadecimal(text),
                        _ => text.extend([b'\\', next]),
                    }
                }
                _ => text.push(byte),
            }
        }
    }

    fn hexadecimal(&mut self, text: &mut Vec<u8>) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let digits = rest.iter().take(2).take_while(|b| b.is_ascii_hexdigit()).count();
        match std::str::from_utf8(&rest[..digits]).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => text.push(byte),
            None => text.extend(b"\\x"),
        }
        self.at += digits;
    }

    /// `$name`, `${…}`, `$(…)`, `$((…))`; a lone `$` is itself.
    fn expansion(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        text.push(b'$');
        self.at += 1;
        match self.peek(0) {
            Some(b'(') if self.peek(1) == Some(b'(') => self.balanced(b'(', b')', text, word),
            Some(b'(') => self.script(text, word),
            Some(b'{') => self.balanced(b'{', b'}', text, word),
            Some(next) if next.is_ascii_alphabetic() || next == b'_' => {
                word.uncertain = true;
                let name = self.text[self.at..].iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
                text.extend_from_slice(&self.text[self.at..self.at + name]);
                self.at += name;
            }
            Some(next) if next.is_ascii_digit() || b"@*#?$!-".contains(&next) => {
                word.uncertain = true;
                text.push(next);
                self.at += 1;
            }
            _ => {}
        }
    }

    /// `(…)` after `$`, `<` or `>`: the inside is a script of its own.
    fn script(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = text.len();
        self.balanced(b'(', b')', text, word);
        let inside = text[from..].strip_prefix(b"(").unwrap_or_default();
        let inside = inside.strip_suffix(b")").unwrap_or(inside);
        word.scripts.push(String::from_utf8_lossy(inside).into_owned());
    }

    /// Copies up to the bracket that closes this one; quotes inside hide brackets.
    fn balanced(&mut self, open: u8, close: u8, text: &mut Vec<u8>, word: &mut Word) {
        let mut depth = 0usize;
        let mut quote = 0u8;
        word.uncertain = true;
        while let Some(byte) = self.peek(0) {
            text.push(byte);
            self.at += 1;
            match byte {
                b'\\' if quote != b'\'' => {
                    text.extend(self.peek(0));
                    self.at += 1;
                }
                b'\'' | b'"' if quote == 0 => quote = byte,
                _ if byte == quote => quote = 0,
                _ if quote != 0 => {}
                _ if byte == open => depth += 1,
                _ if byte == close => {
                    depth -= 1;
                    if depth == 0 {
                        return;
                    }
                }
                _ => {}
            }
        }
    }

    fn backquote(&mut self, text: &mut Vec<u8>, word: &mut Word) {
        let from = self.at;
        let mut inside = Vec::new();
        self.at += 1;
        while let Some(byte) = self.peek(0) {
            self.at += 1;
            match byte {
                b'`' => break,
                b'\\' if matches!(self.peek(0), Some(b'`' | b'\\' | b'$')) => {
                    inside.extend(self.peek(0));
                    self.at += 1;
                }
                _ => inside.push(byte),
            }
        }
        text.extend_from_slice(&self.text[from..self.at]);
        word.scripts.push(String::from_utf8_lossy(&inside).into_owned());
        word.uncertain = true;
    }
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

/// A here-document whose delimiter was not quoted: expansions count, quotes do not.
fn expanded(body: &str) -> Word {
    let mut lexer = Lexer { text: body.as_bytes(), at: 0, out: Vec::new(), here: Vec::new() };
    let mut word = Word { quoted: true, ..Word::default() };
    let mut text = Vec::new();
    while let Some(byte) = lexer.peek(0) {
        match byte {
            b'\\' if matches!(lexer.peek(1), Some(b'$' | b'`' | b'\\')) => {
                text.extend(lexer.peek(1));
                lexer.at += 2;
            }
            b'$' => lexer.expansion(&mut text, &mut word),
            b'`' => lexer.backquote(&mut text, &mut word),
            _ => {
                text.push(byte);
                lexer.at += 1;
            }
        }
    }
    word.text = String::from_utf8_lossy(&text).into_owned();
    word
}
