//! The grammar around simple commands: reserved words, `case`, functions, brackets. Nothing of it is evaluated.

use super::lex::Token;
use super::walk::{Place, Simple, Walk};
use super::word::Word;

/// What the grammar of one script needs to remember.
#[derive(Default)]
pub(super) struct Script {
    simple: Simple,
    /// Working folders to return to at each `)`.
    places: Vec<Option<Place>>,
    cases: usize,
    in_pattern: bool,
    /// Inside `[[ … ]]`, where `<`, `(` and `&&` compare.
    in_test: bool,
    /// Braces open inside a function body.
    function: Option<usize>,
    pending_function: bool,
    /// The doubt around this script, which returns after a function body.
    doubt: bool,
    status: Status,
}

/// For which actions the exit status 0 of this script vouches: those of the last list, unless the shell may have left them out.
#[derive(Default)]
struct Status {
    /// The first action of this script.
    start: usize,
    /// The first action of the last simple command.
    last: usize,
    /// `;` or a newline came: the status before it is lost once something follows.
    lost: bool,
    /// `||` in this list: one side may not have run.
    alternative: bool,
    /// Levels of `if`, `while`, `for`, `case`.
    compound: usize,
    /// A bracket or a compound command just closed.
    closed: bool,
}

impl Script {
    /// Walks the simple commands of a script.
    pub(super) fn walk(mut self, walk: &mut Walk, tokens: Vec<Token>) {
        self.doubt = walk.doubtful;
        self.status.start = walk.actions.len();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(word) | Token::Redirect(_, word) if self.in_test => self.test_word(word),
                Token::And | Token::Or | Token::Open | Token::Close | Token::Pipe if self.in_test => {}
                Token::Word(word) if self.in_pattern => self.pattern(&word),
                Token::Word(word) => self.word(walk, word, matches!(tokens.peek(), Some(Token::Open))),
                Token::Redirect(direction, word) => self.simple.redirects.push((direction, word)),
                Token::Here(word) => self.simple.here.push(word),
                Token::Open | Token::Pipe if self.in_pattern => {}
                Token::Open if self.pending_function => self.places.push(None),
                Token::Open => {
                    self.close(walk);
                    self.places.push(Some(walk.place.clone()));
                }
                Token::Close => self.close_bracket(walk),
                operator => self.operator(walk, &operator),
            }
        }
        self.close(walk);
        walk.doubtful = self.doubt;
    }

    /// What separates commands.
    fn operator(&mut self, walk: &mut Walk, operator: &Token) {
        self.in_test = false;
        self.close(walk);
        let status = &mut self.status;
        match operator {
            Token::Pipe => {
                walk.unconfirm(if status.closed { status.start } else { status.last });
                self.simple.piped = true;
            }
            Token::Or => {
                walk.unconfirm(status.start);
                status.alternative = true;
            }
            Token::Background => {
                walk.unconfirm(status.start);
                status.lost = true;
            }
            Token::Then => status.lost = true,
            Token::CaseEnd => {
                status.lost = true;
                self.in_pattern = self.cases > 0;
            }
            _ => {}
        }
    }

    /// A word of a command; reserved words in the first place only steer.
    fn word(&mut self, walk: &mut Walk, word: Word, before_bracket: bool) {
        if !self.simple.words.is_empty() {
            return self.later_word(walk, word);
        }
        if word.quoted || word.uncertain {
            self.simple.words.push(word);
            return;
        }
        if before_bracket {
            self.pending_function = true;
            return;
        }
        match word.text.as_str() {
            "if" | "while" | "until" => self.status.compound += 1,
            "fi" | "done" => self.end_compound(),
            "esac" => {
                self.cases = self.cases.saturating_sub(1);
                self.end_compound();
            }
            "then" | "elif" | "else" | "do" | "coproc" => {}
            "!" => self.status.alternative = true,
            "{" if self.pending_function => self.open_function(walk),
            "{" => self.function = self.function.map(|depth| depth + 1),
            "}" => self.close_brace(walk),
            text => {
                self.pending_function = false;
                self.in_test = text == "[[";
                if matches!(text, "for" | "select" | "case") {
                    self.status.compound += 1;
                }
                self.simple.words.push(word);
            }
        }
    }

    fn end_compound(&mut self) {
        self.status.compound = self.status.compound.saturating_sub(1);
        self.status.closed = true;
    }

    fn later_word(&mut self, walk: &mut Walk, word: Word) {
        let first = &self.simple.words[0].text;
        if word.text == "{" && first == "function" {
            self.simple = Simple::default();
            return self.open_function(walk);
        }
        if word.text == "in" && self.simple.words.len() == 2 && first == "case" {
            let case = std::mem::take(&mut self.simple);
            walk.simple(case);
            self.cases += 1;
            self.in_pattern = true;
            return;
        }
        self.simple.words.push(word);
    }

    /// A word between `[[` and `]]`: only the scripts in it are told.
    fn test_word(&mut self, word: Word) {
        self.in_test = word.text != "]]" || word.quoted;
        self.simple.words.push(word);
    }

    /// A function body: it may run later, or never.
    fn open_function(&mut self, walk: &mut Walk) {
        self.pending_function = false;
        self.function = Some(1);
        walk.doubtful = true;
    }

    fn close_brace(&mut self, walk: &mut Walk) {
        self.status.closed = true;
        let inside = self.function.is_some();
        self.function = self.function.map(|depth| depth.saturating_sub(1)).filter(|depth| *depth > 0);
        if inside && self.function.is_none() {
            walk.doubtful = self.doubt;
        }
    }

    /// A word of a `case` pattern.
    fn pattern(&mut self, word: &Word) {
        if word.text == "esac" && !word.quoted {
            self.cases = self.cases.saturating_sub(1);
            self.in_pattern = false;
            self.end_compound();
        }
    }

    /// The end of a simple command.
    fn close(&mut self, walk: &mut Walk) {
        let simple = std::mem::take(&mut self.simple);
        if simple.is_empty() {
            // `| { …; }` and `| while …`: the next command reads the pipe too.
            self.simple.piped = simple.piped;
            return;
        }
        if matches!(simple.words.first(), Some(word) if word.text == "function" && !word.quoted) {
            self.pending_function = true;
            return;
        }
        let status = &mut self.status;
        if std::mem::take(&mut status.lost) {
            walk.unconfirm(status.start);
            status.alternative = false;
        }
        (status.last, status.closed) = (walk.actions.len(), false);
        walk.simple(simple);
        if self.status.alternative || self.status.compound > 0 {
            walk.unconfirm(self.status.last);
        }
    }

    fn close_bracket(&mut self, walk: &mut Walk) {
        if self.in_pattern {
            self.in_pattern = false;
            return;
        }
        self.close(walk);
        self.status.closed = true;
        if let Some(Some(place)) = self.places.pop() {
            walk.place = place;
        }
    }
}
