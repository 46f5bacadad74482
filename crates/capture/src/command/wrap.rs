//! Commands that run other commands, peeled off one by one until the real one shows.

use super::lex::Direction;
use super::options::Options;
use super::table::{self, How, Wrapper};
use super::walk::{Simple, Walk};
use super::word::Word;

/// One command with everything its row in the table may want to know.
pub(super) struct Call<'a> {
    /// The program without its folder.
    pub(super) program: &'a str,
    /// The program as it was written.
    pub(super) written: &'a Word,
    /// The words after it.
    pub(super) words: &'a [Word],
    /// The text it is fed by a here-document or here-string.
    pub(super) fed: Option<&'a Word>,
    /// It reads the output of another command, or a file.
    pub(super) piped: bool,
}

/// Tells what one simple command does.
pub(super) fn command(walk: &mut Walk, simple: &Simple) {
    let words = without_assignments(&simple.words);
    let Some(first) = words.first() else { return };
    if first.uncertain && first.text.starts_with(['$', '`']) {
        walk.add("tool.command", "execute", "command", Some(first.text.clone()), false);
        return;
    }
    let program = first.text.rsplit('/').next().unwrap_or(&first.text);
    let text = simple.redirects.iter().rev().find(|(direction, _)| *direction == Direction::Text);
    let fed = simple.here.last().or_else(|| text.map(|(_, word)| word));
    let piped = simple.piped || simple.redirects.iter().any(|(direction, _)| *direction == Direction::In);
    let call = Call { program: program.strip_suffix(".exe").unwrap_or(program), written: first, words: &words[1..], fed, piped };
    match table::wrapper(call.program) {
        Some(wrapper) => peel(walk, &call, wrapper),
        None => table::tell(walk, &call),
    }
}

/// Drops `NAME=value` in front.
fn without_assignments(words: &[Word]) -> &[Word] {
    let is_assignment = |word: &&Word| {
        let Some((name, _)) = word.text.split_once('=') else { return false };
        let name = name.strip_suffix('+').unwrap_or(name);
        let name = name.split('[').next().unwrap_or(name);
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        starts && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    &words[words.iter().take_while(is_assignment).count()..]
}

fn peel(walk: &mut Walk, call: &Call<'_>, wrapper: &Wrapper) {
    let rest = skip_options(call.words, wrapper.values);
    let rest = without_assignments(&rest[wrapper.operands.min(rest.len())..]);
    match wrapper.how {
        How::Plain if rest.is_empty() => walk.quiet(call.program),
        How::Plain => pass_on(walk, call, rest),
        How::Environment => environment(walk, call, wrapper, rest),
        How::Root if rest.is_empty() => walk.as_root(|walk| walk.quiet(call.program)),
        How::Root => walk.as_root(|walk| pass_on(walk, call, rest)),
        How::Script if rest.is_empty() => walk.quiet(call.program),
        How::Script => {
            let script = rest.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            walk.unvouched(|walk| walk.subshell(&script));
        }
        How::RootShell => root_shell(walk, call, wrapper),
        How::Input => with_input(walk, call, rest),
    }
}

/// The command behind a wrapper keeps the input of the wrapper.
pub(super) fn pass_on(walk: &mut Walk, call: &Call<'_>, rest: &[Word]) {
    let here = call.fed.cloned().into_iter().collect();
    walk.nested(&Simple { words: rest.to_vec(), redirects: Vec::new(), here, piped: call.piped });
}

/// `env NAME=value command`; alone it shows all variables.
fn environment(walk: &mut Walk, call: &Call<'_>, wrapper: &Wrapper, rest: &[Word]) {
    let options = Options::parse(&call.words[..call.words.len() - rest.len()], wrapper.values);
    if let Some(line) = options.value(&["-S", "--split-string"]) {
        return walk.subshell(&line.text);
    }
    if rest.is_empty() {
        return table::environment(walk, call.program);
    }
    let place = walk.place.clone();
    if let Some(folder) = options.value(&["-C", "--chdir"]) {
        walk.change_folder(Some(folder));
    }
    pass_on(walk, call, rest);
    walk.place = place;
}

/// `su -c 'script' user`.
fn root_shell(walk: &mut Walk, call: &Call<'_>, wrapper: &Wrapper) {
    let options = Options::parse(call.words, wrapper.values);
    match options.value(&["-c", "--command"]) {
        Some(script) => walk.as_root(|walk| walk.subshell(&script.text)),
        None => walk.as_root(|walk| walk.quiet(call.program)),
    }
}

/// `xargs` and `parallel`: operands come from the input.
fn with_input(walk: &mut Walk, call: &Call<'_>, rest: &[Word]) {
    let mut words: Vec<Word> = rest.iter().take_while(|word| word.text != ":::").cloned().collect();
    if words.is_empty() {
        return walk.quiet(call.program);
    }
    let mut replaced = false;
    for word in words.iter_mut().skip(1).filter(|word| word.text.contains("{}") || word.text == "%") {
        word.uncertain = true;
        replaced = true;
        if matches!(word.text.as_str(), "{}" | "%") {
            word.text = String::new();
        }
    }
    if !replaced {
        words.push(Word { uncertain: true, ..Word::default() });
    }
    walk.words(&words, false);
}

fn skip_options<'a>(words: &'a [Word], values: &str) -> &'a [Word] {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let text = word.text.as_str();
        if text == "--" {
            return &words[at + 1..];
        }
        if !text.starts_with('-') || text.len() < 2 {
            break;
        }
        at += 1 + usize::from(values.split(' ').any(|name| name == text));
    }
    &words[at.min(words.len())..]
}
