//! Repositories: git, its siblings, and the tools of the places that host them.

use super::net;
use super::options::Options;
use super::table::is_plain;
use super::walk::Walk;
use super::word::Word;
use super::wrap::Call;

/// Options of git itself that take the next word.
const GLOBAL: &[&str] = &["-C", "-c", "--git-dir", "--work-tree", "--namespace", "--exec-path"];
/// Options of git's commands that take the next word.
const VALUES: &str = "-m -b -B -c -C -F -o -n -s -u -t -S -G --message --branch --depth --author --date --origin --upload-pack --onto --strategy -X --since --until --grep --format --file";

/// `git`: the repository, the command, its remote and branch; what it does to files.
pub(super) fn git(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let mut repository = None;
    let mut rest = call.words;
    while let Some(word) = rest.first().filter(|word| word.text.starts_with('-')) {
        let takes = GLOBAL.contains(&word.text.as_str());
        if word.text == "-C" {
            repository = rest.get(1);
        }
        rest = &rest[(1 + usize::from(takes)).min(rest.len())..];
    }
    let Some((command, words)) = rest.split_first() else { return walk.quiet(call.program) };
    // `-c alias.x='!cmd'`, `-c core.sshCommand=cmd` and their like run something else behind git's back.
    let configured = call.words[..call.words.len() - rest.len()].iter().any(|word| runs_other(&word.text));
    let options = Options::parse(words, VALUES);
    let (remote, branch) = remote_and_branch(&command.text, &options);
    let known = !configured && !command.uncertain && repository.is_none_or(|word| !word.uncertain);
    let target = match command.text.as_str() {
        "clone" => options.operands.first().map(|word| net::without_credentials(&word.text)),
        _ => repository.map(|word| walk.path(&word.text)).or_else(|| walk.cwd()),
    };
    let force = options.has(&["--force", "-f", "--force-with-lease", "--hard"]) || options.has(&["-D"]) && command.text == "branch";
    if let Some(action) = walk.add("infra.git", &command.text, "repository", target, known) {
        action.detail.extend(remote.map(|remote| ("remote", net::without_credentials(&remote.text))));
        action.detail.extend(branch.map(|branch| ("branch", branch.text.clone())));
        if force && matches!(command.text.as_str(), "push" | "reset" | "branch" | "checkout" | "clean" | "switch") {
            action.detail.insert("force", "true".to_owned());
        }
        let sub = options.operands.first().filter(|word| SUBCOMMANDS.contains(&command.text.as_str()) && is_plain(&word.text));
        action.detail.extend(sub.map(|word| ("subcommand", word.text.clone())));
    }
    on_files(walk, &command.text, words, &options, repository);
}

/// Whether a setting names a program.
fn runs_other(setting: &str) -> bool {
    let setting = setting.to_ascii_lowercase();
    let names =
        ["alias.", "core.sshcommand", "core.pager", "core.editor", "core.hookspath", "core.fsmonitor", "credential.", "diff.external"];
    setting.contains('=') && names.iter().any(|name| setting.starts_with(name))
}

/// Commands whose first operand is a command again.
const SUBCOMMANDS: &[&str] = &["remote", "stash", "worktree", "submodule", "config", "bisect", "notes", "lfs", "reflog"];

fn remote_and_branch<'a>(command: &str, options: &'a Options<'_>) -> (Option<&'a Word>, Option<&'a Word>) {
    let operand = |at: usize| options.operands.get(at).copied();
    match command {
        "push" | "pull" | "fetch" => (operand(0), operand(1)),
        "ls-remote" => (operand(0), None),
        "remote" => (operand(2), None),
        "checkout" | "switch" | "merge" | "rebase" | "branch" => (None, options.value(&["-b", "-B", "-c", "-C"]).or(operand(0))),
        _ => (None, None),
    }
}

/// What a git command does to files of the working tree.
fn on_files(walk: &mut Walk, command: &str, words: &[Word], options: &Options<'_>, repository: Option<&Word>) {
    let whole = || repository.cloned().unwrap_or(Word { text: ".".to_owned(), ..Word::default() });
    match command {
        "rm" if !options.has(&["--cached"]) => {
            for file in &options.operands {
                walk.file("data.file_deleted", "delete", file);
            }
        }
        "mv" => {
            if let [source, .., to] = options.operands.as_slice() {
                let into = walk.path(&to.text);
                if let Some(action) = walk.file("data.file_move", "move", source) {
                    action.detail.insert("to", into);
                }
            }
        }
        "clean" if !options.has(&["-n", "--dry-run"]) => {
            if let Some(action) = walk.file("data.file_deleted", "delete", &whole()) {
                action.certain = false;
                action.detail.insert("recursive", "true".to_owned());
            }
        }
        "clone" => {
            if let Some(folder) = options.operands.get(1) {
                walk.file("data.file_write", "create", folder);
            }
        }
        "restore" => {
            for file in &options.operands {
                walk.file("data.file_write", "restore", file);
            }
        }
        // `git checkout [branch] -- file…`
        "checkout" => {
            let files = words.iter().skip_while(|word| word.text != "--").skip(1);
            for file in files {
                walk.file("data.file_write", "restore", file);
            }
        }
        _ => {}
    }
}

/// `gh`, `glab`: the object and what is done to it (`pr.create`).
pub(super) fn forge(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let words: Vec<&str> = options.texts().into_iter().filter(|text| is_plain(text)).take(2).collect();
    let action = if words.is_empty() { "execute".to_owned() } else { words.join(".") };
    let target = options.value(&["-R", "--repo"]).map(|word| word.text.clone());
    let target =
        target.or_else(|| (words.first() == Some(&"api")).then(|| options.operands.get(1).map(|word| word.text.clone())).flatten());
    if let Some(action) = walk.add("infra.git", &action, "repository", target, true) {
        action.detail.insert("program", call.program.to_owned());
    }
}

/// `svn`, `hg`.
pub(super) fn other(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let command = options.operands.first().map_or("execute", |word| word.text.as_str());
    let target = options.operands.get(1).map(|word| net::without_credentials(&word.text)).or_else(|| walk.cwd());
    if let Some(action) = walk.add("infra.git", command, "repository", target, true) {
        action.detail.insert("program", call.program.to_owned());
    }
}
