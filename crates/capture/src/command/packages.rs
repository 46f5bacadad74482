//! Package managers: what is installed, removed, published or run from a registry.

use super::options::Options;
use super::table::is_plain;
use super::walk::Walk;
use super::word::Word;
use super::wrap::{self, Call};

const PACKAGE: &str = "infra.package";
/// A longer list is told by its first packages.
const PACKAGES_MAX: usize = 16;

/// `npm install x`, `yarn add x`, `pnpm dlx x`; `npm run x` is a command.
pub(super) fn javascript(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let Some((command, operands)) = options.operands.split_first() else {
        return if call.program == "yarn" { packages(walk, call, "install", &[]) } else { walk.quiet(call.program) };
    };
    let verb = match command.text.as_str() {
        "install" | "i" | "add" | "ci" | "in" | "clean-install" => "install",
        "update" | "up" | "upgrade" => "update",
        "remove" | "rm" | "uninstall" | "un" | "unlink" => "remove",
        "publish" | "unpublish" | "link" | "audit" | "outdated" | "login" | "deprecate" => command.text.as_str(),
        "dlx" | "x" | "exec" | "create" | "init" => "execute",
        _ => return subcommand(walk, call, options),
    };
    packages(walk, call, verb, operands);
}

/// `npx package args`, `uvx package`, `pipx run package`: code from a registry runs.
pub(super) fn run_once(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    let options = Options::parse(call.words, "-p --package --from --with --python -c --call");
    let installs = call.program == "pipx";
    let verb = options.operands.first().filter(|_| installs).map(|word| word.text.clone());
    let package = options.value(&["-p", "--package", "--from"]).or(options.operands.get(usize::from(installs)).copied());
    let verb = verb.filter(|verb| verb != "run").unwrap_or_else(|| "execute".to_owned());
    let package: Vec<&Word> = package.into_iter().collect();
    packages(walk, call, &verb, &package);
}

/// `pip install -r file x`, `poetry add x`, `uv pip install x`, `uv run cmd`, `conda install x`.
pub(super) fn python(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let mut operands = options.operands.as_slice();
    if matches!(operands.first(), Some(word) if matches!(word.text.as_str(), "pip" | "tool" | "env" | "self")) {
        operands = &operands[1..];
    }
    let Some((command, rest)) = operands.split_first() else { return walk.quiet(call.program) };
    let verb = match command.text.as_str() {
        "install" | "add" | "sync" | "lock" | "create" => "install",
        "uninstall" | "remove" => "remove",
        "update" | "upgrade" => "update",
        "publish" | "download" | "build" => command.text.as_str(),
        "run" => return behind(walk, call, "run"),
        _ => return subcommand(walk, call, options),
    };
    for file in options.values(&["-r", "--requirement", "-c", "--constraint"]) {
        walk.file("data.file_read", "read", file);
    }
    packages(walk, call, verb, rest);
}

/// The command behind `uv run`, `bundle exec`, `poetry run`.
fn behind(walk: &mut Walk, call: &Call<'_>, word: &str) {
    let Some(at) = call.words.iter().position(|found| found.text == word) else { return };
    let values = ["--with", "--python", "-p", "--extra", "--group", "--package"];
    let mut rest = &call.words[at + 1..];
    while let Some(first) = rest.first().filter(|word| word.text.starts_with('-')) {
        rest = &rest[(1 + usize::from(values.contains(&first.text.as_str()))).min(rest.len())..];
    }
    wrap::pass_on(walk, call, rest);
}

/// `apt-get install x`, `brew install x`, `apk add x`, `dpkg -i file`.
pub(super) fn system(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if matches!(call.program, "dpkg" | "rpm" | "nix-env" | "emerge" | "xbps-install") {
        let verb = match () {
            () if options.has(&["-i", "--install", "-U", "-iA"]) || call.program == "emerge" || call.program == "xbps-install" => "install",
            () if options.has(&["-r", "-P", "--remove", "--purge", "-e", "--erase"]) => "remove",
            () => return walk.quiet(call.program),
        };
        return packages(walk, call, verb, &options.operands);
    }
    let Some((command, rest)) = options.operands.split_first() else { return walk.quiet(call.program) };
    let verb = match command.text.as_str() {
        "install" | "add" | "in" | "reinstall" | "localinstall" | "groupinstall" => "install",
        "remove" | "purge" | "uninstall" | "del" | "erase" | "autoremove" | "rm" => "remove",
        "upgrade" | "dist-upgrade" | "full-upgrade" | "up" => "upgrade",
        "update" | "tap" | "refresh" => "update",
        _ => return subcommand(walk, call, options),
    };
    packages(walk, call, verb, rest);
}

/// `pacman -S x`, `-R x`.
pub(super) fn pacman(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let verb = match () {
        () if options.has(&["-R"]) => "remove",
        () if options.has(&["-S", "-U"]) => "install",
        () => return walk.quiet(call.program),
    };
    packages(walk, call, verb, &options.operands);
}

/// `gem install x`, `bundle install`, `composer require x`, `dotnet add package x`.
pub(super) fn language(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let words = options.texts();
    let (verb, skip) = match words.as_slice() {
        ["install" | "i" | "require" | "deps.get" | "restore", ..] => ("install", 1),
        ["add", "package", ..] => ("install", 2),
        ["add", ..] => ("install", 1),
        ["remove" | "uninstall", ..] => ("remove", 1),
        ["update" | "upgrade", ..] => ("update", 1),
        ["push" | "publish", ..] => ("publish", 1),
        ["exec", ..] if call.program.starts_with("bundle") => return behind(walk, call, "exec"),
        _ if matches!(call.program, "cpan" | "cpanm") => ("install", 0),
        _ => return subcommand(walk, call, options),
    };
    packages(walk, call, verb, &options.operands[skip..]);
}

/// `cargo add x`, `cargo install x`; the rest of cargo is a command.
pub(super) fn cargo(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let Some((command, rest)) = options.operands.split_first() else { return walk.quiet(call.program) };
    let verb = match command.text.as_str() {
        "add" | "install" | "binstall" => "install",
        "remove" | "rm" | "uninstall" => "remove",
        "update" => "update",
        "publish" | "yank" | "owner" => command.text.as_str(),
        _ => return subcommand(walk, call, options),
    };
    packages(walk, call, verb, rest);
}

/// `go get x`, `go install x@v`; the rest of go is a command.
pub(super) fn go(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let Some((command, rest)) = options.operands.split_first() else { return walk.quiet(call.program) };
    match command.text.as_str() {
        "get" | "install" => packages(walk, call, "install", rest),
        _ => subcommand(walk, call, options),
    }
}

/// One action for each package; without names (a lock file says them) one for all.
fn packages(walk: &mut Walk, call: &Call<'_>, verb: &str, names: &[&Word]) {
    if names.is_empty() {
        if let Some(action) = walk.add(PACKAGE, verb, "package", None, true) {
            action.detail.insert("manager", call.program.to_owned());
        }
        return;
    }
    for name in names.iter().take(PACKAGES_MAX) {
        let target = super::net::without_credentials(&name.text);
        if let Some(action) = walk.add(PACKAGE, verb, "package", Some(target), !name.uncertain) {
            action.detail.insert("manager", call.program.to_owned());
        }
        // `npx package args`: only the first word is a package.
        if verb == "execute" {
            return;
        }
    }
}

/// A command of the tool that installs nothing (`npm test`, `cargo build`).
fn subcommand(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let words: Vec<&str> = options.texts().into_iter().take(2).take_while(|text| is_plain(text)).collect();
    let words = if words.first() == Some(&"run") { words.join(" ") } else { words.first().copied().unwrap_or_default().to_owned() };
    if let Some(action) = walk.add("tool.command", "execute", "command", Some(call.program.to_owned()), true)
        && !words.is_empty()
    {
        action.detail.insert("subcommand", words);
    }
}
