//! Shells, interpreters and the words of the shell that steer it.

use super::options::Options;
use super::walk::Walk;
use super::word::Word;
use super::wrap::{self, Call};
use super::{net, table};

const SCRIPT: &str = "tool.script";

/// `bash -c 'script'`, `bash file`, `bash <<EOF`.
pub(super) fn shell(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if let Some(script) = options.value(&["-c"]) {
        return inner(walk, call, script);
    }
    let from_input = options.has(&["-s"]);
    if let Some(file) = options.operands.first().filter(|word| !from_input && !matches!(word.text.as_str(), "-" | "/dev/stdin")) {
        return run(walk, call, file);
    }
    match call.fed {
        Some(text) => inner(walk, call, text),
        None if call.piped => script(walk, call, None, false),
        None => walk.quiet(call.program),
    }
}

/// A script in the words of this one.
///
/// Expansions stand in its text as they were written: inside words they make uncertain actions, in front they are code that nobody knows.
fn inner(walk: &mut Walk, call: &Call<'_>, text: &Word) {
    if is_unknown(text) {
        return script(walk, call, None, false);
    }
    walk.subshell(&text.text);
}

fn is_unknown(text: &Word) -> bool {
    text.uncertain && text.text.trim_start().starts_with(['$', '`', '"'])
}

/// `echo words | …`: what it writes may be what the next command runs, if it is no more than its words.
pub(super) fn echo(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let is_option = |word: &&Word| call.program == "echo" && matches!(word.text.as_str(), "-n" | "-e" | "-E" | "-ne" | "-en");
    let escapes = call.program == "printf" || call.words.iter().take_while(is_option).any(|word| word.text.contains('e'));
    let words: Vec<&Word> = call.words.iter().skip_while(is_option).collect();
    let mut text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    if escapes {
        text = text.replace("\\n", "\n");
    }
    let changed = escapes && text.contains(['\\', '%']);
    let uncertain = words.iter().any(|word| word.uncertain);
    walk.output = (!changed).then(|| Word { text, uncertain, quoted: true, ..Word::default() });
    walk.quiet(call.program);
}

/// `alias name=script`: may run later, under another name.
pub(super) fn alias(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    for (_, script) in options.operands.iter().filter_map(|word| word.text.split_once('=')) {
        walk.doubtfully(|walk| walk.subshell(script));
    }
    walk.quiet(call.program);
}

/// `eval words`.
pub(super) fn eval(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let text = call.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    let text = Word { text, uncertain: call.words.iter().any(|word| word.uncertain), ..Word::default() };
    if is_unknown(&text) {
        return script(walk, call, None, false);
    }
    walk.script(&text.text);
}

/// `source file`.
pub(super) fn source(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if let Some(file) = options.operands.first() {
        run(walk, call, file);
    }
}

/// `trap 'script' EXIT`: runs later, or never.
pub(super) fn trap(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    if let Some(script) = call.words.first().filter(|word| word.quoted && word.text != "-") {
        walk.doubtfully(|walk| walk.subshell(&script.text));
    }
    walk.quiet(call.program);
}

/// `python -c code`, `python -m module`, `python file`, `python <<EOF`.
pub(super) fn python(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let values = ["-W", "-X", "-Q"];
    let mut at = 0;
    while let Some(word) = call.words.get(at).filter(|word| word.text.starts_with('-') && word.text.len() > 1) {
        match word.text.as_str() {
            "-c" => return code(walk, call, call.words.get(at + 1)),
            "-m" => return module(walk, call, at + 1),
            text => at += 1 + usize::from(values.contains(&text)),
        }
    }
    match call.words.get(at).filter(|word| word.text != "-") {
        Some(file) => run(walk, call, file),
        None => fed(walk, call),
    }
}

fn module(walk: &mut Walk, call: &Call<'_>, at: usize) {
    let Some(module) = call.words.get(at) else { return walk.quiet(call.program) };
    if matches!(module.text.as_str(), "pip" | "pip3" | "pipx" | "uv" | "poetry") {
        return wrap::pass_on(walk, call, &call.words[at..]);
    }
    if let Some(action) = walk.add(SCRIPT, "execute", "script", None, !module.uncertain) {
        named(action, call);
        action.detail.insert("module", module.text.clone());
    }
}

/// `node -e code`, `perl -ne code file`, `ruby file`.
pub(super) fn interpreter(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if call.program == "deno" && matches!(options.operands.first(), Some(word) if matches!(word.text.as_str(), "run" | "eval")) {
        return match options.operands.get(1) {
            Some(word) if options.operands[0].text == "eval" => code(walk, call, Some(word)),
            Some(file) => run(walk, call, file),
            None => walk.quiet(call.program),
        };
    }
    let given =
        options.value(&["-e", "--eval", "-p", "--print", "-Command"]).or_else(|| options.value(&["-c"]).filter(|_| call.program != "perl"));
    if matches!(call.program, "perl" | "ruby") && given_in_line(walk, call) {
        return;
    }
    if given.is_some() {
        return code(walk, call, given);
    }
    match options.operands.first() {
        Some(file) => run(walk, call, file),
        None => fed(walk, call),
    }
}

/// `perl -ne code file…`, `ruby -pi -e code file…`: the code is in the line, and the rest are files that it reads, or edits with `-i`.
fn given_in_line(walk: &mut Walk, call: &Call<'_>) -> bool {
    let is_flags = |word: &Word| word.text.starts_with('-') && !word.text.starts_with("--");
    let Some(at) = call.words.iter().position(|word| is_flags(word) && word.text.ends_with(['e', 'E'])) else { return false };
    let in_place = call.words[..=at].iter().any(|word| is_flags(word) && word.text.contains('i'));
    code(walk, call, call.words.get(at + 1));
    let files: Vec<&Word> = call.words.iter().skip(at + 2).filter(|word| !word.text.starts_with('-')).collect();
    let (event_type, verb) = if in_place { ("data.file_write", "edit") } else { ("data.file_read", "read") };
    super::files::each(walk, event_type, verb, &files);
    true
}

/// Code in the words of the command.
fn code(walk: &mut Walk, call: &Call<'_>, code: Option<&Word>) {
    let from = code.filter(|code| !code.scripts.is_empty()).and_then(|_| walk.called());
    if let Some(action) = walk.add(SCRIPT, "execute", "script", None, code.is_some_and(|code| !code.uncertain)) {
        named(action, call);
        action.detail.insert("inline", "true".to_owned());
        action.detail.extend(from.map(|from| ("code_from", from)));
    }
}

/// Code from the input.
fn fed(walk: &mut Walk, call: &Call<'_>) {
    match call.fed {
        Some(_) => code(walk, call, call.fed),
        None if call.piped => script(walk, call, None, false),
        None => walk.quiet(call.program),
    }
}

/// Code from a file, or from an address.
fn run(walk: &mut Walk, call: &Call<'_>, file: &Word) {
    if file.scripts.is_empty() && file.text.contains("://") {
        let address = net::without_credentials(&file.text);
        if let Some(action) = walk.add(SCRIPT, "execute", "script", Some(address.clone()), !file.uncertain) {
            named(action, call);
            action.detail.insert("code_from", address);
        }
        return;
    }
    match file.scripts.is_empty() {
        true => script(walk, call, Some(walk.path(&file.text)), !file.uncertain),
        false => script(walk, call, None, false),
    }
}

fn script(walk: &mut Walk, call: &Call<'_>, target: Option<String>, certain: bool) {
    // No name: the code comes from a pipe or a substitution, and what that called is where it comes from.
    let from = if target.is_none() { walk.called() } else { None };
    if let Some(action) = walk.add(SCRIPT, "execute", "script", target, certain) {
        named(action, call);
        action.detail.extend(from.map(|from| ("code_from", from)));
    }
}

fn named(action: &mut super::Action, call: &Call<'_>) {
    action.detail.insert("program", call.program.to_owned());
}

/// `cd folder`.
pub(super) fn change_folder(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if call.program == "popd" {
        walk.change_folder(Some(&Word { uncertain: true, ..Word::default() }));
    } else {
        walk.change_folder(call.words.iter().find(|word| word.text == "-").or(options.operands.first().copied()));
    }
    walk.quiet(call.program);
}

/// `printenv`, `set`, `export -p`: without a name they show all variables.
pub(super) fn variables(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let shows_all = call.words.is_empty() || (options.operands.is_empty() && options.has(&["-p", "-x", "-0"]));
    if shows_all { table::environment(walk, call.program) } else { walk.quiet(call.program) }
}
