//! The grammar around simple commands: reserved words, `case`, functions, brackets. Nothing of it is evaluated.

use super::lex::{Token, Word};
use super::walk::{Place, Simple, Walk};

/// What the grammar of one script needs to remember.
#[derive(Default)]
pub(super) struct Script {
    simple: Simple,
    /// Working folders to return to at each `)`.
    places: Vec<Option<Place>>,
    cases: usize,
    in_pattern: bool,
    /// Braces open inside a function body.
    function: Option<usize>,
    pending_function: bool,
    /// The doubt around this script, which returns after a function body.
    doubt: bool,
}

impl Script {
    /// Walks the simple commands of a script.
    pub(super) fn walk(mut self, walk: &mut Walk, tokens: Vec<Token>) {
        self.doubt = walk.doubtful;
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                Token::Word(word) if self.in_pattern => self.pattern(&word),
                Token::Word(word) => self.word(walk, word, matches!(tokens.peek(), Some(Token::Open))),
                Token::Redirect(direction, word) => self.simple.redirects.push((direction, word)),
                // It comes after the end of its line and belongs to the last command of the line.
                Token::Here(word) => self.simple.here.push(word),
                Token::End => self.close(walk, tokens.peek()),
                Token::Pipe if self.in_pattern => {}
                Token::Pipe => {
                    self.close(walk, None);
                    self.simple.piped = true;
                }
                Token::CaseEnd => {
                    self.close(walk, None);
                    self.in_pattern = self.cases > 0;
                }
                Token::Open if self.in_pattern => {}
                Token::Open if self.pending_function => self.places.push(None),
                Token::Open => {
                    self.close(walk, None);
                    self.places.push(Some(walk.place.clone()));
                }
                Token::Close => self.close_bracket(walk),
            }
        }
        self.close(walk, None);
        walk.doubtful = self.doubt;
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
            "if" | "then" | "elif" | "else" | "fi" | "while" | "until" | "do" | "done" | "!" | "coproc" => {}
            "esac" => self.cases = self.cases.saturating_sub(1),
            "{" if self.pending_function => self.open_function(walk),
            "{" => self.function = self.function.map(|depth| depth + 1),
            "}" => {
                let inside = self.function.is_some();
                self.function = self.function.map(|depth| depth.saturating_sub(1)).filter(|depth| *depth > 0);
                if inside && self.function.is_none() {
                    walk.doubtful = self.doubt;
                }
            }
            _ => {
                self.pending_function = false;
                self.simple.words.push(word);
            }
        }
    }

    fn later_word(&mut self, walk: &mut Walk, word: Word) {
        let first = &self.simple.words[0].text;
        if word.text == "{" && first == "function" {
            self.simple = Simple::default();
            return self.open_function(walk);
        }
        if word.text == "in" && self.simple.words.len() == 2 && first == "case" {
            self.simple = Simple::default();
            self.cases += 1;
            self.in_pattern = true;
            return;
        }
        self.simple.words.push(word);
    }

    /// A function body: it may run later, or never.
    fn open_function(&mut self, walk: &mut Walk) {
        self.pending_function = false;
        self.function = Some(1);
        walk.doubtful = true;
    }

    /// A word of a `case` pattern.
    fn pattern(&mut self, word: &Word) {
        if word.text == "esac" && !word.quoted {
            self.cases = self.cases.saturating_sub(1);
            self.in_pattern = false;
        }
    }

    /// The end of a simple command; one with a here-document to come waits for it.
    fn close(&mut self, walk: &mut Walk, next: Option<&Token>) {
        if matches!(next, Some(Token::Here(_))) {
            return;
        }
        let simple = std::mem::take(&mut self.simple);
        if matches!(simple.words.first(), Some(word) if word.text == "function" && !word.quoted) {
            self.pending_function = true;
            return;
        }
        walk.simple(&simple);
    }

    fn close_bracket(&mut self, walk: &mut Walk) {
        if self.in_pattern {
            self.in_pattern = false;
            return;
        }
        self.close(walk, None);
        if let Some(Some(place)) = self.places.pop() {
            walk.place = place;
        }
    }
}
