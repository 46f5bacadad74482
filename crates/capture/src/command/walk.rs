//! The walk over a script: simple commands one after another, with what the shell would know at each.

use std::collections::BTreeMap;

use super::grammar::Script;
use super::lex::{Direction, tokens};
use super::word::Word;
use super::{ACTIONS_MAX, Action, NESTING_MAX, TEXT_BYTES_MAX, reach, wrap};
use crate::path;

/// The state of the walk and what it found.
pub(super) struct Walk {
    pub(super) actions: Vec<Action>,
    /// The first command without an effect, told when nothing else is there.
    quiet: Option<Action>,
    pub(super) place: Place,
    privileged: bool,
    /// Inside a function body or behind something that may never run.
    pub(super) doubtful: bool,
    /// Inside something for which the exit status does not vouch.
    unvouched: bool,
    /// Another machine or a container: its kind and its name.
    within: Option<(&'static str, String)>,
    /// What the last command writes, where the text tells it.
    pub(super) output: Option<Word>,
    /// The first action of this pipeline.
    pipeline: usize,
    nesting: usize,
    /// Bytes of nested scripts that may still be read; `$($($(…)))` repeats its inside at every level.
    bytes_left: usize,
    unread: Option<&'static str>,
}

/// The working folder.
#[derive(Clone)]
pub(super) struct Place {
    cwd: Option<String>,
    /// A `cd` to somewhere only the shell knows.
    lost: bool,
}

/// One simple command: words, redirections, here-documents.
#[derive(Default)]
pub(super) struct Simple {
    pub(super) words: Vec<Word>,
    pub(super) redirects: Vec<(Direction, Word)>,
    pub(super) here: Vec<Word>,
    /// It reads what another command writes.
    pub(super) piped: bool,
}

impl Simple {
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty() && self.redirects.is_empty() && self.here.is_empty()
    }
}

impl Walk {
    pub(super) fn new(cwd: Option<&str>) -> Self {
        Self {
            actions: Vec::new(),
            quiet: None,
            place: Place { cwd: cwd.map(str::to_owned), lost: false },
            privileged: false,
            doubtful: false,
            unvouched: false,
            within: None,
            output: None,
            pipeline: 0,
            nesting: 0,
            bytes_left: 4 * TEXT_BYTES_MAX,
            unread: None,
        }
    }

    /// The actions found; a line without any effect is one `tool.command`, and so is what was not read.
    pub(super) fn finish(mut self) -> Vec<Action> {
        if self.actions.is_empty() {
            self.actions.extend(self.quiet.take());
        }
        for action in &mut self.actions {
            reach::tell(action);
        }
        if let Some(why) = self.unread {
            self.actions.truncate(ACTIONS_MAX - 1);
            self.actions.push(Action { certain: false, ..Action::new("tool.command", "execute", "command") });
            self.actions.last_mut().map(|action| action.detail.insert("unread", why.to_owned()));
        }
        self.actions
    }

    /// Notes that something of the text was not read.
    pub(super) fn leave_unread(&mut self, why: &'static str) {
        self.unread.get_or_insert(why);
    }

    /// Walks a script in the current shell.
    pub(super) fn script(&mut self, text: &str) {
        if self.nesting >= NESTING_MAX || text.len() > self.bytes_left {
            return self.leave_unread("nesting");
        }
        self.bytes_left -= text.len();
        self.nesting += 1;
        Script::default().walk(self, tokens(text));
        self.nesting -= 1;
    }

    /// Walks a script in a shell of its own: a `cd` inside does not count outside.
    pub(super) fn subshell(&mut self, text: &str) {
        let place = self.place.clone();
        self.script(text);
        self.place = place;
    }

    /// Walks a script whose exit status nobody asks for.
    pub(super) fn unvouched(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.unvouched, true);
        walk(self);
        self.unvouched = before;
    }

    /// Walks words that are a command behind another (`xargs`, `find -exec`), for which the status of the other does not vouch.
    pub(super) fn words(&mut self, words: &[Word], piped: bool) {
        self.unvouched(|walk| walk.nested(&Simple { words: words.to_vec(), piped, ..Simple::default() }));
    }

    /// Walks a command behind another, with its input.
    pub(super) fn nested(&mut self, simple: &Simple) {
        if self.nesting >= NESTING_MAX {
            return self.leave_unread("nesting");
        }
        self.nesting += 1;
        wrap::command(self, simple);
        self.nesting -= 1;
    }

    /// Runs `walk` with doubt: what it finds may not happen, or not like this.
    pub(super) fn doubtfully(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.doubtful, true);
        walk(self);
        self.doubtful = before;
    }

    /// Runs `walk` as another user.
    pub(super) fn as_root(&mut self, walk: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.privileged, true);
        walk(self);
        self.privileged = before;
    }

    /// Runs `walk` on another machine (`host`) or in a `container`: its working folder and its user are not known.
    pub(super) fn within(&mut self, kind: &'static str, name: String, walk: impl FnOnce(&mut Self)) {
        let place = std::mem::replace(&mut self.place, Place { cwd: None, lost: true });
        let before = self.within.replace((kind, short(name)));
        let privileged = std::mem::replace(&mut self.privileged, false);
        walk(self);
        (self.place, self.within, self.privileged) = (place, before, privileged);
    }

    /// Says of all actions from `start` on that the exit status does not vouch for them.
    pub(super) fn unconfirm(&mut self, start: usize) {
        self.actions.iter_mut().skip(start).for_each(|action| action.confirmed = false);
    }

    /// The address that this pipeline, or a script in the words of this command, called last.
    pub(super) fn called(&self) -> Option<String> {
        let called = self.actions.iter().skip(self.pipeline).rev().find(|action| action.event_type == "data.api_call");
        called.and_then(|action| action.target.clone())
    }

    /// `cd`; without a folder it is the home folder.
    pub(super) fn change_folder(&mut self, to: Option<&Word>) {
        match to {
            Some(word) if !word.uncertain && word.text != "-" => {
                let cwd = self.path(&word.text);
                self.place.lost &= !word.text.starts_with(['/', '~']);
                self.place.cwd = Some(cwd);
            }
            Some(_) => self.place.lost = true,
            None => self.place = Place { cwd: Some("~".to_owned()), lost: false },
        }
    }

    /// The working folder, where it is known.
    pub(super) fn cwd(&self) -> Option<String> {
        self.place.cwd.clone().filter(|_| !self.place.lost)
    }

    /// The path as one name: from the working folder, without `.` and `..`; `~` stays.
    pub(super) fn path(&self, text: &str) -> String {
        let known = !text.starts_with(['~', '$']) && (text.starts_with('/') || !self.place.lost);
        match self.place.cwd.as_deref().filter(|_| known) {
            Some(cwd) if !cwd.starts_with('/') && !text.starts_with('/') => tidy(&format!("{cwd}/{text}")),
            cwd => match path::absolute(text, cwd) {
                whole if whole.starts_with('/') => whole,
                relative => tidy(&relative),
            },
        }
    }

    /// Adds what is done to a file; an empty word is one that comes from the input.
    pub(super) fn file(&mut self, event_type: &'static str, action: &str, word: &Word) -> Option<&mut Action> {
        if is_no_file(&word.text) || is_process(&word.text) {
            return None;
        }
        let named = !word.text.is_empty();
        let target = named.then(|| self.path(&word.text));
        let reached = !self.place.lost || word.text.starts_with(['/', '~']);
        self.add(event_type, action, "file", target, named && reached && !word.uncertain)
    }

    /// Adds an action; nothing is added behind the limit.
    pub(super) fn add(
        &mut self,
        event_type: &'static str,
        action: &str,
        resource: &'static str,
        target: Option<String>,
        certain: bool,
    ) -> Option<&mut Action> {
        if self.actions.len() >= ACTIONS_MAX {
            self.leave_unread("actions");
            return None;
        }
        let nameless = target.as_ref().is_some_and(String::is_empty);
        self.actions.push(Action {
            event_type,
            action: one_word(action),
            resource,
            target: target.filter(|_| !nameless).map(short),
            detail: self.within.clone().into_iter().collect(),
            certain: certain && !nameless && !self.doubtful,
            privileged: self.privileged,
            confirmed: !self.doubtful && !self.unvouched,
        });
        self.actions.last_mut()
    }

    /// Notes a command without an effect beside its output.
    pub(super) fn quiet(&mut self, program: &str) {
        let privileged = self.privileged;
        let detail: BTreeMap<_, _> = self.within.clone().into_iter().collect();
        self.quiet.get_or_insert_with(|| Action {
            target: Some(short(program.to_owned())),
            privileged,
            detail,
            ..Action::new("tool.command", "execute", "command")
        });
    }

    /// Tells one simple command: what runs inside its words, its redirections, itself.
    pub(super) fn simple(&mut self, mut simple: Simple) {
        let output = self.output.take();
        if !simple.piped {
            self.pipeline = self.actions.len();
        } else if simple.here.is_empty() {
            simple.here.extend(output);
        }
        let redirected = simple.redirects.iter().map(|(_, word)| word);
        for word in simple.words.iter().chain(redirected).chain(&simple.here) {
            for script in &word.scripts {
                self.unvouched(|walk| walk.subshell(script));
            }
        }
        self.output = None;
        for (direction, word) in &simple.redirects {
            self.redirect(*direction, word);
        }
        wrap::command(self, &simple);
    }

    fn redirect(&mut self, direction: Direction, word: &Word) {
        match direction {
            Direction::In => self.file("data.file_read", "read", word),
            Direction::Out => self.file("data.file_write", "write", word),
            Direction::Append => self.file("data.file_write", "append", word),
            Direction::Text => None,
        };
        if let Some(address) = word.text.strip_prefix("/dev/tcp/").or_else(|| word.text.strip_prefix("/dev/udp/")) {
            let scheme = &word.text[5..8];
            self.add("data.api_call", "connect", "url", Some(format!("{scheme}://{}", address.replacen('/', ":", 1))), !word.uncertain);
        }
    }
}

/// Files that are none: the null device, terminals, descriptors.
fn is_no_file(text: &str) -> bool {
    let devices = ["-", "/dev/null", "/dev/stdout", "/dev/stderr", "/dev/stdin", "/dev/tty", "/dev/zero", "/dev/random", "/dev/urandom"];
    devices.contains(&text) || ["/dev/fd/", "/dev/tcp/", "/dev/udp/"].iter().any(|start| text.starts_with(start))
}

/// `<(…)` and `>(…)`: their scripts are told, the pipe between is no file.
fn is_process(text: &str) -> bool {
    text.starts_with("<(") || text.starts_with(">(")
}

/// Removes `.`, `..` and doubled slashes from a path that is not absolute, as far as its text allows.
fn tidy(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != ".." && !last.starts_with(['~', '$'])) => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// 4 KiB: the longest path of the system; a longer target is cut.
fn short(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(4096));
    text
}

/// 64 bytes: longer than any verb; the text of `action` must be one word.
fn one_word(text: &str) -> String {
    let word: String = text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '"' | '\\')).take(64).collect();
    if word.is_empty() { "execute".to_owned() } else { word }
}
