//! Shells, interpreters and the words of the shell that steer it.

use super::lex::Word;
use super::options::Options;
use super::table;
use super::walk::Walk;
use super::wrap::Call;

const SCRIPT: &str = "tool.script";

/// `bash -c 'script'`, `bash file`, `bash <<EOF`.
pub(super) fn shell(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if let Some(script) = options.value(&["-c"]) {
        return inner(walk, script);
    }
    if let Some(file) = options.operands.first() {
        return run(walk, call, file);
    }
    match call.fed {
        Some(script) => inner(walk, script),
        None if call.piped => script(walk, call, None, false),
        None => walk.quiet(call.program),
    }
}

/// A script in the words of this one: uncertain words make uncertain actions.
fn inner(walk: &mut Walk, script: &Word) {
    if script.uncertain && script.text.starts_with('$') && !script.text.contains([' ', ';']) {
        walk.add(SCRIPT, "execute", "script", None, false);
        return;
    }
    // Expansions inside stand in the text as they were written, and are found again there.
    walk.subshell(&script.text);
}

/// `eval words`.
pub(super) fn eval(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let text = call.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    if text.starts_with('$') {
        walk.add(SCRIPT, "execute", "script", None, false);
        return;
    }
    walk.script(&text);
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
        return walk.words(&call.words[at..], call.piped);
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
    let flags = call
        .words
        .first()
        .filter(|word| matches!(call.program, "perl" | "ruby") && word.text.starts_with('-') && word.text.ends_with(['e', 'E']));
    if let Some(flags) = flags {
        let in_place = call
            .words
            .iter()
            .any(|word| word.text.starts_with("-i") || (word.text.starts_with('-') && word.text == flags.text && word.text.contains('i')));
        code(walk, call, call.words.get(1));
        let files: Vec<&Word> = call.words.iter().skip(2).filter(|word| !word.text.starts_with('-')).collect();
        let (event_type, verb) = if in_place { ("data.file_write", "edit") } else { ("data.file_read", "read") };
        return super::files::each(walk, event_type, verb, &files);
    }
    if given.is_some() {
        return code(walk, call, given);
    }
    match options.operands.first() {
        Some(file) => run(walk, call, file),
        None => fed(walk, call),
    }
}

/// Code in the words of the command.
fn code(walk: &mut Walk, call: &Call<'_>, code: Option<&Word>) {
    if let Some(action) = walk.add(SCRIPT, "execute", "script", None, code.is_some_and(|code| !code.uncertain)) {
        named(action, call);
        action.detail.insert("inline", "true".to_owned());
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

/// Code from a file.
fn run(walk: &mut Walk, call: &Call<'_>, file: &Word) {
    match file.scripts.is_empty() {
        true => script(walk, call, Some(walk.path(&file.text)), !file.uncertain),
        false => script(walk, call, None, false),
    }
}

fn script(walk: &mut Walk, call: &Call<'_>, target: Option<String>, certain: bool) {
    if let Some(action) = walk.add(SCRIPT, "execute", "script", target, certain) {
        named(action, call);
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
