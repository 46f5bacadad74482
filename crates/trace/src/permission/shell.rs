//! A command line cut into the simple commands that rules are held against, as the client cuts it.
//!
//! It is no shell: what it cannot cut with certainty it names (`odd`), and rules that permit do not reach beyond that.

/// 64 commands nested in commands are looked into.
const DEPTH_MAX: usize = 64;

/// One simple command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Simple {
    /// Its words as written, assignments in front included.
    pub(crate) raw: Vec<String>,
    /// The same without quotes and backslashes.
    pub(crate) plain: Vec<String>,
    /// Files it writes to, without quotes.
    pub(crate) writes: Vec<String>,
    /// It stands in a substitution: only rules against it count.
    pub(crate) nested: bool,
}

/// What a line is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) commands: Vec<Simple>,
    /// Why the client does not let a pattern permit it.
    pub(crate) odd: Option<&'static str>,
    /// Nobody can tell what it does without running it: a command whose name is computed, a script given to another shell.
    pub(crate) opaque: Option<&'static str>,
}

/// Cuts a command line.
pub(crate) fn cut(text: &str) -> Line {
    let mut line = Line::default();
    cut_into(text, &mut line, 0, false);
    for command in &line.commands {
        let first = command.plain.iter().find(|word| assignment(word).is_none()).map_or("", |word| word.as_str());
        if first.starts_with('$') {
            line.opaque = Some("a command whose name is computed when it runs");
        }
        let base = first.rsplit('/').next().unwrap_or(first);
        let script = matches!(base, "sh" | "bash" | "zsh" | "dash" | "ksh")
            && command.plain.iter().any(|word| word.starts_with('-') && word.contains('c'));
        if script || base == "eval" {
            line.opaque = Some("a script that is given to a shell as a text");
        }
    }
    line
}

/// Returns the name that a word like `NAME=value` assigns to.
pub(crate) fn assignment(word: &str) -> Option<&str> {
    let (name, _) = word.split_once('=')?;
    let name = name.strip_suffix('+').unwrap_or(name);
    let plain =
        !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then_some(name)
}

/// Words that only structure a line; what follows them is a command.
const STRUCTURE: &[&str] = &["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "in", "esac"];

struct Cutter<'a> {
    line: &'a mut Line,
    depth: usize,
    nested: bool,
    now: Simple,
    raw: String,
    plain: String,
    in_word: bool,
    /// The next word is the file that a redirection writes to, or reads from.
    target: Option<bool>,
}

fn cut_into(text: &str, line: &mut Line, depth: usize, nested: bool) {
    if depth > DEPTH_MAX {
        line.odd = Some("commands nested too deeply");
        return;
    }
    let chars: Vec<char> = text.chars().collect();
    let mut cutter =
        Cutter { line, depth, nested, now: Simple::default(), raw: String::new(), plain: String::new(), in_word: false, target: None };
    let mut at = 0;
    while at < chars.len() {
        at = cutter.step(&chars, at);
    }
    cutter.end_command();
}

impl Cutter<'_> {
    fn odd(&mut self, why: &'static str) {
        self.line.odd.get_or_insert(why);
    }

    fn push(&mut self, raw: &[char], plain: &str) {
        self.raw.extend(raw);
        self.plain.push_str(plain);
        self.in_word = true;
    }

    /// Takes in what stands at `at`; returns where it goes on.
    fn step(&mut self, chars: &[char], at: usize) -> usize {
        let next = chars.get(at + 1).copied();
        match chars[at] {
            '\\' if next == Some('\n') => at + 2,
            '\\' => {
                let escaped = next.map(String::from).unwrap_or_default();
                self.push(&chars[at..(at + 2).min(chars.len())], &escaped);
                at + 2
            }
            '\'' => {
                let end = find(chars, at + 1, '\'').unwrap_or(chars.len());
                let inner: String = chars[at + 1..end].iter().collect();
                self.push(&chars[at..(end + 1).min(chars.len())], &inner);
                end + 1
            }
            '"' => self.double(chars, at),
            '$' | '`' => self.dollar(chars, at, false),
            '#' if !self.in_word => find(chars, at, '\n').unwrap_or(chars.len()),
            ' ' | '\t' | '\r' => {
                self.end_word();
                at + 1
            }
            '\n' | ';' => {
                self.end_command();
                at + 1
            }
            '|' => {
                self.end_command();
                at + 1 + usize::from(matches!(next, Some('|' | '&')))
            }
            '&' => self.ampersand(chars, at),
            '>' | '<' => self.redirect(chars, at),
            '(' | ')' => self.parenthesis(chars, at),
            '{' | '}' if !self.in_word && next.is_none_or(|next| next.is_whitespace() || next == ';') => {
                self.odd("a group in braces");
                self.end_command();
                at + 1
            }
            other => {
                self.push(&[other], other.encode_utf8(&mut [0; 4]));
                at + 1
            }
        }
    }

    fn double(&mut self, chars: &[char], at: usize) -> usize {
        self.push(&['"'], "");
        let mut i = at + 1;
        while i < chars.len() && chars[i] != '"' {
            match chars[i] {
                '\\' if chars.get(i + 1).is_some_and(|next| "\"\\$`\n".contains(*next)) => {
                    self.push(&chars[i..i + 2], chars[i + 1].encode_utf8(&mut [0; 4]));
                    i += 2;
                }
                '$' | '`' => i = self.dollar(chars, i, true),
                other => {
                    self.push(&[other], other.encode_utf8(&mut [0; 4]));
                    i += 1;
                }
            }
        }
        if i < chars.len() {
            self.push(&['"'], "");
        }
        i + 1
    }

    /// `$name`, `${…}`, `$(…)` and backquotes.
    fn dollar(&mut self, chars: &[char], at: usize, quoted: bool) -> usize {
        let (from, end) = match (chars[at], chars.get(at + 1)) {
            ('`', _) => (at + 1, find(chars, at + 1, '`').unwrap_or(chars.len())),
            (_, Some('(')) => (at + 2, closing(chars, at + 1)),
            (_, Some('{')) => {
                self.odd("a variable in braces");
                let end = find(chars, at, '}').unwrap_or(chars.len() - 1);
                let raw: String = chars[at..=end].iter().collect();
                self.push(&chars[at..=end], &raw);
                return end + 1;
            }
            (_, Some('\'')) if !quoted => {
                self.odd("a text with escapes");
                self.push(&chars[at..=at], "");
                return at + 1;
            }
            _ => {
                self.push(&chars[at..=at], "$");
                return at + 1;
            }
        };
        self.odd("a command inside a command");
        let inner: String = chars[from..end.min(chars.len())].iter().collect();
        cut_into(&inner, self.line, self.depth + 1, true);
        let raw = &chars[at..(end + 1).min(chars.len())];
        self.push(raw, &raw.iter().collect::<String>());
        end + 1
    }

    fn ampersand(&mut self, chars: &[char], at: usize) -> usize {
        match chars.get(at + 1) {
            Some('&') => {
                self.end_command();
                at + 2
            }
            Some('>') => {
                self.end_word();
                self.target = Some(true);
                at + 2 + usize::from(chars.get(at + 2) == Some(&'>'))
            }
            _ => {
                self.odd("a command in the background");
                self.end_command();
                at + 1
            }
        }
    }

    fn redirect(&mut self, chars: &[char], at: usize) -> usize {
        let next = chars.get(at + 1).copied();
        if next == Some('(') {
            self.odd("a command inside a command");
            let end = closing(chars, at + 1);
            let inner: String = chars[at + 2..end.min(chars.len())].iter().collect();
            cut_into(&inner, self.line, self.depth + 1, true);
            let raw = &chars[at..(end + 1).min(chars.len())];
            self.push(raw, &raw.iter().collect::<String>());
            return end + 1;
        }
        // The number of the stream belongs to the redirection.
        if self.in_word && self.raw.bytes().all(|b| b.is_ascii_digit()) {
            (self.raw, self.plain, self.in_word) = (String::new(), String::new(), false);
        }
        self.end_word();
        match (chars[at], next) {
            ('<', Some('<')) if chars.get(at + 2) == Some(&'<') => {
                self.target = Some(false);
                at + 3
            }
            ('<', Some('<')) => self.heredoc(chars, at + 2),
            ('>', Some('&')) | ('<', Some('&')) => {
                self.target = Some(false);
                at + 2
            }
            ('>', Some('>' | '|')) => {
                self.target = Some(true);
                at + 2
            }
            (which, _) => {
                self.target = Some(which == '>');
                at + 1
            }
        }
    }

    /// Leaves out the text of a here-document; one without quotes is expanded, so that anything may run in it.
    fn heredoc(&mut self, chars: &[char], at: usize) -> usize {
        let mut from = at + usize::from(chars.get(at) == Some(&'-'));
        while chars.get(from).is_some_and(|c| *c == ' ') {
            from += 1;
        }
        let end = (from..chars.len()).find(|i| chars[*i].is_whitespace()).unwrap_or(chars.len());
        let word: String = chars[from..end].iter().collect();
        if !word.contains(['\'', '"', '\\']) {
            self.odd("a text that the shell expands");
        }
        let mark = word.replace(['\'', '"', '\\'], "");
        let Some(line_end) = find(chars, end, '\n') else { return chars.len() };
        let rest: String = chars[end..line_end].iter().collect();
        if !rest.trim().is_empty() {
            self.odd("a text that the shell expands");
        }
        let mut at = line_end + 1;
        while at < chars.len() {
            let stop = find(chars, at, '\n').unwrap_or(chars.len());
            let text: String = chars[at..stop].iter().collect();
            at = stop + 1;
            if text.trim_start_matches('\t') == mark {
                break;
            }
        }
        self.end_command();
        at.min(chars.len())
    }

    fn parenthesis(&mut self, chars: &[char], at: usize) -> usize {
        let function = chars[at] == '(' && self.in_word && chars.get(at + 1) == Some(&')');
        if function {
            self.odd("a function");
            (self.raw, self.plain, self.in_word, self.now) = (String::new(), String::new(), false, Simple::default());
            return at + 2;
        }
        self.odd("a group in parentheses");
        self.end_command();
        at + 1
    }

    fn end_word(&mut self) {
        if !self.in_word {
            return;
        }
        self.in_word = false;
        let (raw, plain) = (std::mem::take(&mut self.raw), std::mem::take(&mut self.plain));
        match self.target.take() {
            Some(true) => self.now.writes.push(plain),
            Some(false) => {}
            None if self.now.raw.is_empty() && STRUCTURE.contains(&raw.as_str()) => {}
            None if self.now.raw.is_empty() && matches!(raw.as_str(), "for" | "case" | "select" | "function") => {
                self.odd("a variable that changes in a loop");
                self.now.raw.push(raw);
                self.now.plain.push(plain);
            }
            None => {
                self.now.raw.push(raw);
                self.now.plain.push(plain);
            }
        }
    }

    fn end_command(&mut self) {
        self.end_word();
        self.target = None;
        let mut done = std::mem::take(&mut self.now);
        let heads = matches!(done.raw.first().map(String::as_str), Some("for" | "case" | "select" | "function"));
        if (done.raw.is_empty() && done.writes.is_empty()) || heads {
            return;
        }
        done.nested = self.nested;
        self.line.commands.push(done);
    }
}

fn find(chars: &[char], from: usize, wanted: char) -> Option<usize> {
    (from..chars.len()).find(|i| chars[*i] == wanted)
}

/// Finds the parenthesis that closes the one at `open`, past quoted ones.
fn closing(chars: &[char], open: usize) -> usize {
    let (mut depth, mut quote, mut at) = (0usize, None, open);
    while at < chars.len() {
        match (chars[at], quote) {
            ('\\', None | Some('"')) => at += 1,
            (c, Some(q)) if c == q => quote = None,
            (c @ ('\'' | '"'), None) => quote = Some(c),
            ('(', None) => depth += 1,
            (')', None) => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
        at += 1;
    }
    chars.len()
}
