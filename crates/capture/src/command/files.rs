//! Programs that read, write, move and delete files.

use super::options::{Options, part};
use super::walk::Walk;
use super::word::Word;
use super::wrap::Call;

const READ: &str = "data.file_read";
const WRITE: &str = "data.file_write";
const DELETE: &str = "data.file_deleted";
const MOVE: &str = "data.file_move";

/// Does the same to each operand.
pub(super) fn each(walk: &mut Walk, event_type: &'static str, action: &str, operands: &[&Word]) {
    for operand in operands {
        walk.file(event_type, action, operand);
    }
}

/// `sort`, `shuf`: operands are read, `-o` is written.
pub(super) fn sort(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    each(walk, READ, "read", &options.operands);
    each(walk, WRITE, "write", &options.values(&["-o", "--output"]));
}

/// `ls` and friends: the operands, or the working folder.
pub(super) fn list(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    if options.operands.is_empty() {
        here(walk, "list");
    }
    each(walk, READ, "list", &options.operands);
}

/// `cat`: reads its operands; without any it passes its input on.
pub(super) fn cat(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    each(walk, READ, "read", &options.operands);
    if options.operands.iter().all(|word| word.text == "-") {
        walk.output = call.fed.cloned();
        walk.quiet(call.program);
    }
}

/// `grep pattern file…`; without a file, recursive tools search the working folder and others their input.
pub(super) fn grep(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let skip = usize::from(!options.has(&["-e", "-f", "--regexp", "--file", "--files"])).min(options.operands.len());
    let files = &options.operands[skip..];
    each(walk, READ, "search", files);
    each(walk, READ, "read", &options.values(&["-f", "--file"]));
    let searches_folders = matches!(call.program, "rg" | "ag" | "ack" | "ugrep") && !call.piped && call.fed.is_none();
    if files.is_empty() && (searches_folders || options.has(&["-r", "-R", "--recursive"])) {
        here(walk, "search");
    } else if files.is_empty() {
        walk.quiet(call.program);
    }
}

/// The working folder.
fn here(walk: &mut Walk, action: &str) {
    walk.file(READ, action, &Word { text: ".".to_owned(), ..Word::default() });
}

/// `fd pattern folder…`.
pub(super) fn search_folder(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let folders = options.operands.get(1..).unwrap_or_default();
    each(walk, READ, "search", folders);
    if folders.is_empty() {
        here(walk, "search");
    }
    if let Some(command) = options.value(&["-x", "-X"]) {
        walk.words(&[command.clone(), Word { uncertain: true, ..Word::default() }], false);
    }
}

/// `find`: the folders are searched; `-delete` deletes, `-exec` runs.
pub(super) fn find(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let is_test = |word: &&Word| word.text.starts_with('-') || word.text == "(" || word.text == "!";
    let start = call.words.iter().take_while(|word| matches!(word.text.as_str(), "-L" | "-H" | "-P")).count();
    let folders: Vec<Word> = call.words[start..].iter().take_while(|word| !is_test(word)).cloned().collect();
    let folders = if folders.is_empty() { vec![Word { text: ".".to_owned(), ..Word::default() }] } else { folders };
    let tests = &call.words[start..];
    let runs = tests.iter().any(|word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir"));
    let deletes = tests.iter().any(|word| word.text == "-delete");
    for folder in &folders {
        walk.file(READ, "search", folder);
        if deletes && let Some(action) = walk.file(DELETE, "delete", folder) {
            action.certain = false;
            action.detail.insert("recursive", "true".to_owned());
        }
    }
    if runs {
        executed(walk, tests);
    }
}

/// `-exec cmd {} ;`, once for each.
fn executed(walk: &mut Walk, tests: &[Word]) {
    let mut rest = tests;
    while let Some(at) = rest.iter().position(|word| matches!(word.text.as_str(), "-exec" | "-execdir" | "-ok" | "-okdir")) {
        rest = &rest[at + 1..];
        let end = rest.iter().position(|word| word.text == ";" || word.text == "+").unwrap_or(rest.len());
        let mut words = rest[..end].to_vec();
        for word in words.iter_mut().filter(|word| word.text.contains("{}")) {
            word.uncertain = true;
            if word.text == "{}" {
                word.text = String::new();
            }
        }
        walk.words(&words, false);
        rest = &rest[end..];
    }
}

/// `awk program file…`; `name=value` among the files sets a variable.
pub(super) fn awk(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let skip = usize::from(!options.has(&["-f", "--file"])).min(options.operands.len());
    for operand in options.operands[skip..].iter().filter(|word| !word.text.contains('=')) {
        walk.file(READ, "read", operand);
    }
}

/// `jq filter file…`; `--arg` and its like take two words.
pub(super) fn jq(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let mut words: Vec<Word> = Vec::new();
    let mut rest = call.words.iter();
    while let Some(word) = rest.next() {
        match word.text.as_str() {
            "--arg" | "--argjson" => drop(rest.next().and_then(|_| rest.next())),
            "--slurpfile" | "--rawfile" => {
                let file = rest.next().and_then(|_| rest.next());
                walk_optional(walk, file);
            }
            "--args" | "--jsonargs" => break,
            _ => words.push(word.clone()),
        }
    }
    let options = Options::parse(&words, "-f --from-file --indent -L -p -o --xpath");
    let given = options.value(&["-f", "--from-file"]);
    walk_optional(walk, given);
    let eval = usize::from(
        matches!(options.operands.first(), Some(word) if call.program == "yq" && matches!(word.text.as_str(), "e" | "eval" | "ea")),
    );
    let skip = (usize::from(given.is_none() && call.program != "xmllint") + eval).min(options.operands.len());
    let in_place = options.has(&["-i", "--inplace", "--in-place"]);
    let (event_type, action) = if in_place { (WRITE, "edit") } else { (READ, "read") };
    each(walk, event_type, action, &options.operands[skip..]);
}

fn walk_optional(walk: &mut Walk, word: Option<&Word>) {
    if let Some(word) = word {
        walk.file(READ, "read", word);
    }
}

/// `sed script file…`; `-i` edits in place.
pub(super) fn sed(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let in_place = options.has_start("-i") || options.has_start("--in-place");
    let skip = usize::from(!options.has(&["-e", "-f", "--expression", "--file"])).min(options.operands.len());
    let (event_type, action) = if in_place { (WRITE, "edit") } else { (READ, "read") };
    each(walk, event_type, action, &options.operands[skip..]);
}

/// `tee`: writes, or appends with `-a`.
pub(super) fn tee(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let action = if options.has(&["-a", "--append"]) { "append" } else { "write" };
    each(walk, WRITE, action, &options.operands);
}

/// `mktemp [template]`: makes a name that only the running shell knows.
pub(super) fn make_temporary(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let template = options.operands.first().copied().cloned().unwrap_or_default();
    walk.file(WRITE, "create", &Word { uncertain: true, ..template });
}

/// Sources and destination of a copy or move; none when there is no destination.
fn ends<'a>(options: &'a Options<'a>) -> Option<(Vec<&'a Word>, &'a Word)> {
    if let Some(folder) = options.value(&["-t", "--target-directory"]) {
        return Some((options.operands.clone(), folder));
    }
    let (last, sources) = options.operands.split_last()?;
    (!sources.is_empty()).then(|| (sources.to_vec(), *last))
}

/// Where `source` ends up: inside the destination when that is a folder by its look.
fn arrival(source: &Word, to: &Word, several: bool) -> Word {
    let is_folder = several || to.text.ends_with('/') || matches!(to.text.as_str(), "." | ".." | "~");
    if !is_folder {
        return part(to, &to.text);
    }
    let name = source.text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    Word { text: format!("{}/{name}", to.text.trim_end_matches('/')), uncertain: to.uncertain || source.uncertain, ..Word::default() }
}

/// `cp`, `install`: sources are read, the destination is written.
pub(super) fn copy(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if call.program.ends_with("install") && options.has(&["-d", "--directory"]) {
        return each(walk, WRITE, "create", &options.operands);
    }
    let Some((sources, to)) = ends(options) else { return };
    let several = sources.len() > 1 || options.has(&["-t", "--target-directory"]);
    for source in sources {
        walk.file(READ, "copy", source);
        let arrival = arrival(source, to, several);
        let from = Some(walk.path(&source.text)).filter(|_| !source.text.is_empty());
        if let Some(action) = walk.file(WRITE, "copy", &arrival) {
            action.detail.extend(from.map(|from| ("from", from)));
        }
    }
}

/// `mv`: each source moves, the destination is written.
pub(super) fn relocate(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if call.program == "rename" {
        let skip = 1.min(options.operands.len());
        return each(walk, MOVE, "move", &options.operands[skip..]);
    }
    let Some((sources, to)) = ends(options) else { return };
    let several = sources.len() > 1 || options.has(&["-t", "--target-directory"]);
    for source in sources {
        let arrival = arrival(source, to, several);
        let (from, into) = (walk.path(&source.text), walk.path(&arrival.text));
        if let Some(action) = walk.file(MOVE, "move", source) {
            action.detail.insert("to", into);
        }
        if let Some(action) = walk.file(WRITE, "move", &arrival)
            && !source.text.is_empty()
        {
            action.detail.insert("from", from);
        }
    }
}

/// `ln target name`.
pub(super) fn link(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let Some((sources, name)) = ends(options) else { return };
    let to = sources.first().map(|word| walk.path(&word.text));
    if let Some(action) = walk.file(WRITE, "link", name) {
        action.detail.extend(to.map(|to| ("to", to)));
    }
}

/// `dd if= of=`.
pub(super) fn dd(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    for operand in call.words {
        if let Some(file) = operand.text.strip_prefix("if=") {
            walk.file(READ, "read", &part(operand, file));
        }
        if let Some(file) = operand.text.strip_prefix("of=") {
            walk.file(WRITE, "write", &part(operand, file));
        }
    }
}

/// `split file prefix`.
pub(super) fn split(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    if let Some(file) = options.operands.first() {
        walk.file(READ, "read", file);
    }
    if let Some(prefix) = options.operands.get(1).and_then(|prefix| walk.file(WRITE, "write", prefix)) {
        prefix.certain = false;
    }
}

/// `patch [file [patch]]`.
pub(super) fn patch(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    walk_optional(walk, options.value(&["-i", "--input"]).or(options.operands.get(1).copied()));
    match options.operands.first() {
        Some(file) => each(walk, WRITE, "edit", &[file]),
        None => each(walk, WRITE, "edit", &[&Word::default()]),
    }
}

/// `tar`: with `c` it writes the archive, with `x` it reads it and writes a folder, with `t` it reads.
pub(super) fn tar(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let bundled = call.words.first().filter(|word| !word.text.starts_with('-') && word.text.bytes().all(|b| b.is_ascii_lowercase()));
    let letter = |letter: char, long: &str| {
        let short = ['-', letter].iter().collect::<String>();
        bundled.is_some_and(|word| word.text.contains(letter)) || options.has(&[&short, long])
    };
    let skip = usize::from(bundled.is_some());
    let from_bundle = bundled.is_some_and(|word| word.text.contains('f'));
    let archive = if from_bundle { options.operands.get(1).copied() } else { options.value(&["-f", "--file"]) };
    let members = options.operands.get(skip + usize::from(from_bundle)..).unwrap_or_default();
    if letter('c', "--create") || letter('r', "--append") || letter('u', "--update") {
        each(walk, READ, "read", members);
        if let Some(archive) = archive {
            walk.file(WRITE, "archive", archive);
        }
        return;
    }
    walk_optional(walk, archive);
    if letter('x', "--extract") || letter('x', "--get") {
        let folder = options.value(&["-C", "--directory"]).cloned();
        let folder = folder.unwrap_or(Word { text: ".".to_owned(), ..Word::default() });
        if let Some(action) = walk.file(WRITE, "extract", &folder) {
            action.certain = false;
        }
    }
}

/// `zip archive file…`, `7z a archive file…`.
pub(super) fn zip(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let skip = usize::from(call.program != "zip").min(options.operands.len());
    let Some((archive, members)) = options.operands[skip..].split_first() else { return };
    if skip == 1 && matches!(options.operands[0].text.as_str(), "x" | "e" | "l" | "t") {
        return each(walk, READ, "read", &[archive]);
    }
    each(walk, READ, "read", members);
    walk.file(WRITE, "archive", archive);
}

/// `unzip archive [-d folder]`.
pub(super) fn unzip(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    walk_optional(walk, options.operands.first().copied());
    if options.has(&["-l", "-t", "-p"]) {
        return;
    }
    let folder = options.value(&["-d"]).cloned().unwrap_or(Word { text: ".".to_owned(), ..Word::default() });
    if let Some(action) = walk.file(WRITE, "extract", &folder) {
        action.certain = false;
    }
}

/// Formatters write only when asked to, or always, by their kind.
pub(super) fn formatter(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let by_flag = matches!(call.program, "prettier" | "gofmt" | "clang-format");
    let writes = !by_flag || options.has(&["-w", "--write", "-i"]);
    let (event_type, action) = if writes && !options.has(&["--check", "--diff"]) { (WRITE, "edit") } else { (READ, "read") };
    each(walk, event_type, action, &options.operands);
}

/// `rm` and its like.
pub(super) fn remove(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let recursive = options.has(&["-r", "-R", "--recursive"]);
    for operand in &options.operands {
        if let Some(action) = walk.file(DELETE, "delete", operand)
            && recursive
        {
            action.detail.insert("recursive", "true".to_owned());
        }
    }
}
