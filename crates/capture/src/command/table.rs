//! The table of programs: one row says how a program's words are to be read. Add a row to add a program.

use super::options::Options;
use super::walk::Walk;
use super::wrap::Call;
use super::{cloud, data, files, git, net, packages, script};

/// How the words of a program are read.
pub(super) enum Tell {
    /// Operands are files; the event type and the verb are given.
    Files(&'static str, &'static str),
    /// Like `Files`, but the first operand is a pattern or a program, unless one of these options gives it.
    FilesAfter(&'static str, &'static str, &'static [&'static str]),
    /// A function tells; the text says it in the manual, which a test writes.
    #[cfg_attr(not(test), allow(dead_code, reason = "only the test that writes the manual reads the text"))]
    By(&'static str, fn(&mut Walk, &Call<'_>, &Options<'_>)),
    /// `tool.command` with the first operand as `subcommand`.
    Subcommand,
    /// No effect beside its output.
    Quiet,
}

/// Programs, the options that take the next word, and how the rest is read.
pub(super) struct Row {
    names: &'static [&'static str],
    values: &'static str,
    tell: Tell,
}

const READ: &str = "data.file_read";
const WRITE: &str = "data.file_write";
const DELETE: &str = "data.file_deleted";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Reading
    row(&["cat"], "", Tell::By("`data.file_read` read", files::cat)),
    row(&["tac", "nl", "less", "more", "most", "bat", "batcat", "zcat", "gzcat", "bzcat", "xzcat", "zstdcat", "zless", "rev", "cksum", "md5sum", "sha1sum",
          "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum", "md5", "wc", "file", "comm", "cmp", "tsort", "glow", "csvlook", "view"],
        "", Tell::Files(READ, "read")),
    row(&["od", "hexdump", "strings", "xxd", "hd", "shasum", "stat", "expand", "fmt", "fold", "join", "paste", "uniq", "pr"],
        "-A -j -N -t -w -n -s -l -c -a -b -d -f -g -o -1 -2", Tell::Files(READ, "read")),
    row(&["head", "tail"], "-n -c --lines --bytes -s --pid", Tell::Files(READ, "read")),
    row(&["cut"], "-d -f -c -b --delimiter --fields --characters --bytes", Tell::Files(READ, "read")),
    row(&["column"], "-t -s -o -c -N -R", Tell::Files(READ, "read")),
    row(&["base64", "base32"], "-w -b -i -o --wrap", Tell::Files(READ, "read")),
    row(&["diff", "colordiff", "sdiff", "diff3", "vimdiff", "icdiff"], "-U -C -I -x --unified --context --exclude", Tell::Files(READ, "read")),
    row(&["sort"], "-k -t -o -S -T --key --output", Tell::By("`data.file_read` read, `-o` `data.file_write`", files::sort)),
    row(&["shuf"], "-n -i -o", Tell::By("`data.file_read` read, `-o` `data.file_write`", files::sort)),
    row(&["ls", "ll", "la", "exa", "eza", "lsd", "dir", "tree", "du"], "-I -L -d --max-depth -P", Tell::By("`data.file_read` list", files::list)),
    row(&["find", "gfind"], "", Tell::By("`data.file_read` search; `-delete` `data.file_deleted`; the command behind `-exec`", files::find)),
    row(&["fd", "fdfind"], "-e -t -E -d -x -X --extension --type --exclude --max-depth", Tell::By("`data.file_read` search; the command behind `-x`", files::search_folder)),
    row(&["grep", "egrep", "fgrep", "zgrep", "ggrep"],
        "-e -f -A -B -C -m -D -d --regexp --file --max-count --after-context --before-context --context",
        Tell::By("`data.file_read` search", files::grep)),
    row(&["rg", "ag", "ack", "ugrep"],
        "-e -f -A -B -C -m -g -t -T -M -j -d -r --regexp --file --glob --type --type-not --max-count --max-depth --replace --sort",
        Tell::By("`data.file_read` search", files::grep)),
    row(&["awk", "gawk", "mawk", "nawk"], "-F -v -f --field-separator --assign --file", Tell::By("`data.file_read` read", files::awk)),
    row(&["jq", "gojq", "jaq"], "-f --from-file --indent --tab -L", Tell::By("`data.file_read` read, `-i` `data.file_write` edit", files::jq)),
    row(&["yq", "dasel", "xmllint", "xq", "tomlq"], "-f -o -p --xpath", Tell::By("`data.file_read` read, `-i` `data.file_write` edit", files::jq)),
    row(&["sed", "gsed"], "-e -f -l --expression --file", Tell::By("`data.file_read` read, `-i` `data.file_write` edit", files::sed)),
    // Writing
    row(&["tee", "sponge"], "", Tell::By("`data.file_write` write or append", files::tee)),
    row(&["touch"], "-d -t -r --date --reference", Tell::Files(WRITE, "touch")),
    row(&["truncate", "fallocate"], "-s -r -l -o --size --length", Tell::Files(WRITE, "truncate")),
    row(&["mkdir", "mkfifo"], "-m --mode", Tell::Files(WRITE, "create")),
    row(&["mktemp"], "-p -t --tmpdir --suffix", Tell::By("`data.file_write` create", files::make_temporary)),
    row(&["chmod"], "--reference", Tell::FilesAfter(WRITE, "chmod", &["--reference"])),
    row(&["chown", "chgrp"], "--reference --from", Tell::FilesAfter(WRITE, "chown", &["--reference"])),
    row(&["chattr", "setfacl", "xattr"], "-m -x -M -w -d", Tell::FilesAfter(WRITE, "attributes", &["-m", "-x", "-w", "-d"])),
    row(&["cp", "gcp", "install", "ginstall"], "-t -S -m -o -g --target-directory --suffix --mode --owner --group", Tell::By("`data.file_read` and `data.file_write` copy", files::copy)),
    row(&["mv", "gmv", "rename"], "-t -S --target-directory --suffix", Tell::By("`data.file_move` and `data.file_write` move", files::relocate)),
    row(&["ln"], "-t -S --target-directory", Tell::By("`data.file_write` link", files::link)),
    row(&["dd"], "", Tell::By("`if=` `data.file_read`, `of=` `data.file_write`", files::dd)),
    row(&["split", "csplit"], "-l -b -n -a -f", Tell::By("`data.file_read`, `data.file_write`", files::split)),
    row(&["patch"], "-i -p -d -o -r --input --strip --directory", Tell::By("`data.file_write` edit", files::patch)),
    row(&["vi", "vim", "nvim", "nano", "emacs", "ed", "ex", "pico", "micro", "code", "subl"], "-c -S -u", Tell::Files(WRITE, "edit")),
    row(&["tar", "gtar", "bsdtar"], "-f -C -T -X --file --directory --exclude --files-from", Tell::By("`data.file_read`, `data.file_write` archive or extract", files::tar)),
    row(&["zip", "7z", "7za", "rar"], "-x -i -P", Tell::By("`data.file_read`, `data.file_write` archive", files::zip)),
    row(&["unzip", "unrar"], "-d -x -P", Tell::By("`data.file_read`, `data.file_write` extract", files::unzip)),
    row(&["gzip", "gunzip", "bzip2", "bunzip2", "xz", "unxz", "zstd", "unzstd", "lz4", "pigz"], "-S -o -T", Tell::Files(WRITE, "compress")),
    row(&["prettier", "black", "gofmt", "rustfmt", "isort", "clang-format", "dos2unix", "unix2dos"], "--config -l --line-length", Tell::By("`data.file_write` edit, or `data.file_read`", files::formatter)),
    // Deleting
    row(&["rm", "grm", "unlink", "srm", "trash", "trash-put", "gio-trash"], "", Tell::By("`data.file_deleted` delete", files::remove)),
    row(&["rmdir"], "", Tell::Files(DELETE, "delete")),
    row(&["shred", "wipe"], "-n -s --iterations --size", Tell::Files(DELETE, "shred")),
    // Repositories
    row(&["git"], "", Tell::By("`infra.git` and its command; files of `rm`, `mv`, `clean`, `restore`, `checkout --`", git::git)),
    row(&["gh", "glab", "hub", "tea"], "-R --repo", Tell::By("`infra.git` `pr.create`, …", git::forge)),
    row(&["svn", "hg"], "", Tell::By("`infra.git`", git::other)),
    // Clouds and infrastructure
    row(&["aws", "awslocal"], "", Tell::By("`infra.cloud` service, operation, resource; local files of `s3 cp`", cloud::aws)),
    row(&["gcloud", "az", "oci", "ibmcloud", "doctl", "hcloud", "linode-cli", "scw", "aliyun"], "", Tell::By("`infra.cloud` service, operation, resource", cloud::words)),
    row(&["gsutil", "s3cmd", "mc", "rclone", "azcopy", "s5cmd"], "", Tell::By("`infra.cloud`; local files of a copy", cloud::storage)),
    row(&["kubectl", "oc", "k", "k9s", "kustomize", "minikube", "kind", "eksctl"], "", Tell::By("`infra.cloud` verb, kind/name; the command behind `exec … --`", cloud::kubectl)),
    row(&["terraform", "tofu", "terragrunt", "pulumi", "cdk", "cdktf", "serverless", "sls", "sam", "packer", "vagrant", "ansible", "ansible-playbook",
          "helm", "helmfile", "argocd", "flux", "nomad", "consul", "vault", "bao"], "", Tell::By("`infra.cloud` command", cloud::tool)),
    row(&["docker", "podman", "nerdctl", "docker-compose", "podman-compose", "buildah", "skopeo", "crane"], "", Tell::By("`infra.cloud`; the command of `run` and `exec`", cloud::container)),
    row(&["flyctl", "fly", "vercel", "netlify", "heroku", "wrangler", "supabase", "firebase", "railway", "render"], "", Tell::By("`infra.cloud` command", cloud::tool)),
    // Databases
    row(&["psql", "pgcli"], "-c -f -h -p -U -d -o -v -F -R -P -T --command --file --host --port --username --dbname --output --set", Tell::By("`data.db_query` and its verb", data::psql)),
    row(&["mysql", "mariadb", "mycli"], "-e -h -P -u -D -S --execute --host --port --user --database", Tell::By("`data.db_query` and its verb", data::mysql)),
    row(&["sqlite3", "duckdb", "litecli"], "-c -cmd -init -separator -s", Tell::By("`data.db_query` and its verb", data::sqlite)),
    row(&["mongosh", "mongo"], "--eval --host --port -u -p --username --password --authenticationDatabase", Tell::By("`data.db_query`", data::mongo)),
    row(&["redis-cli", "valkey-cli"], "-h -p -a -n -u --user --pass", Tell::By("`data.db_query` and its command", data::redis)),
    row(&["clickhouse-client", "clickhouse", "sqlcmd", "cqlsh", "snowsql", "trino", "presto", "bq", "isql", "influx", "usql"],
        "-q -Q -e -h -S -d -U -P -f -u -p -k --query --host --database --user --password --file --execute", Tell::By("`data.db_query` and its verb", data::other)),
    row(&["pg_dump", "pg_dumpall", "mysqldump", "mariadb-dump", "mongodump", "mongoexport", "sqlite3_dump"],
        "-h -p -P -U -u -d -f -n -t --host --port --username --user --dbname --db --uri --file --out -o --collection --result-file -r", Tell::By("`data.db_query` dump, `data.file_write`", data::dump)),
    row(&["pg_restore", "mongorestore", "mongoimport", "createdb", "dropdb", "redis-server"],
        "-h -p -U -d --host --port --username --dbname --db --uri --collection", Tell::By("`data.db_query` restore, create, drop", data::restore)),
    // Network
    row(&["curl"], net::CURL_VALUES, Tell::By("`data.api_call` and its method; files sent and received", net::curl)),
    row(&["wget", "wget2"], "-O -o -P -U -t -T -i -a -e --output-document --header --user --password --post-data --post-file --method --body-data --body-file --timeout --tries --user-agent --directory-prefix", Tell::By("`data.api_call` and its method; files received", net::wget)),
    row(&["http", "https", "xh", "xhs", "httpie"], "-a -A -o -s --auth --output --session --style --timeout", Tell::By("`data.api_call` and its method", net::httpie)),
    row(&["aria2c", "axel", "lynx", "w3m", "links", "open", "xdg-open"], "-o -d -x -s --dir --out", Tell::By("`data.api_call` get, or `data.file_read` open", net::fetch)),
    row(&["ssh", "autossh", "mosh"], "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", Tell::By("`data.api_call` connect or execute; the far command", net::ssh)),
    row(&["scp"], "-c -F -i -J -l -o -P -S", Tell::By("`data.api_call` upload or download; the near files", net::transfer)),
    row(&["rsync"], "-e -f -T -B -M --rsh --exclude --include --filter --exclude-from --include-from --files-from --bwlimit --port --password-file --rsync-path", Tell::By("`data.api_call` upload or download; the near files", net::transfer)),
    row(&["sftp", "ftp", "lftp", "telnet", "nc", "ncat", "netcat", "socat", "openssl"],
        "-p -i -w -s -q -e -c -o -P -connect -servername -in -out", Tell::By("`data.api_call` connect or listen", net::connect)),
    row(&["ping", "ping6", "traceroute", "mtr", "dig", "nslookup", "host", "whois", "nmap", "drill"], "-c -i -W -t -p -n", Tell::By("`data.api_call` lookup or scan", net::lookup)),
    row(&["mail", "mailx", "mutt", "sendmail", "msmtp", "swaks"], "-s -a -A -c -b -r -f -S --to --server", Tell::By("`data.api_call` send; files attached", net::mail)),
    // Packages
    row(&["npm", "pnpm", "yarn", "bun", "cnpm"], "--prefix --registry -C --cwd --filter -F -w --workspace", Tell::By("`infra.package` install, remove, publish, …", packages::javascript)),
    row(&["npx", "bunx", "pnpx"], "-p --package -c --call", Tell::By("`infra.package` execute", packages::run_once)),
    row(&["uvx", "pipx"], "--from --with --python", Tell::By("`infra.package` execute", packages::run_once)),
    row(&["pip", "pip3", "poetry", "pdm", "conda", "mamba", "micromamba", "pipenv", "easy_install", "uv"],
        "-r -c -e -i -t -n -p --requirement --constraint --index-url --extra-index-url --target --find-links --editable --name --channel --group --python", Tell::By("`infra.package` install, remove, …; the command behind `run`", packages::python)),
    row(&["apt", "apt-get", "aptitude", "dnf", "yum", "zypper", "apk", "brew", "snap", "port", "choco", "winget", "scoop", "flatpak", "nix-env", "dpkg", "rpm", "emerge", "xbps-install", "opkg"],
        "-t -o -c --target-release --option --repo", Tell::By("`infra.package` install, remove, …", packages::system)),
    row(&["pacman", "yay", "paru"], "", Tell::By("`infra.package` install, remove", packages::pacman)),
    row(&["gem", "bundle", "bundler", "composer", "mix", "hex", "nuget", "dotnet", "cpan", "cpanm", "luarocks", "opam", "cabal", "stack", "helm-plugin"],
        "-v --version --source -s", Tell::By("`infra.package` install, remove, …", packages::language)),
    row(&["cargo"], "--manifest-path -p --package --features --target --git --branch --rev --tag --path --version --registry", Tell::By("`infra.package` install, publish, …", packages::cargo)),
    row(&["go"], "-o -tags -run -count", Tell::By("`infra.package` install", packages::go)),
    // Scripts
    row(&["bash", "sh", "zsh", "dash", "ksh", "ash", "fish"], "-o -O -c --rcfile --init-file", Tell::By("what the script does; `tool.script` for a file", script::shell)),
    row(&["eval"], "", Tell::By("what the words do", script::eval)),
    row(&["source", "."], "", Tell::By("`tool.script`", script::source)),
    row(&["alias"], "", Tell::By("what it stands for, uncertain", script::alias)),
    row(&["trap"], "", Tell::By("what the script does, uncertain", script::trap)),
    row(&["python", "python2", "python3", "pypy3", "ipython"], "-c -m -W -X -Q", Tell::By("`tool.script`; `-m pip` as `pip`", script::python)),
    row(&["node", "nodejs", "ruby", "perl", "php", "deno", "tsx", "ts-node", "lua", "Rscript", "osascript", "pwsh", "powershell", "tclsh", "julia", "elixir", "groovy", "swift"],
        "-e --eval -p --print -r --require -c -I -M -C -Command --loader --import", Tell::By("`tool.script`", script::interpreter)),
    // Others
    row(&["cd", "pushd", "popd"], "", Tell::By("the working folder of what follows", script::change_folder)),
    row(&["printenv", "set", "export", "declare", "typeset"], "", Tell::By("alone: `tool.command`, detail `reads` `environment`", script::variables)),
    row(&["make", "gmake", "just", "task", "gradle", "gradlew", "mvn", "mvnw", "cmake", "ninja", "bazel", "tox", "nox", "systemctl", "service", "launchctl", "crontab",
          "kill", "pkill", "killall", "useradd", "userdel", "usermod", "passwd", "mount", "umount", "iptables", "ufw", "reboot", "shutdown", "claude"],
        "-C -f -j -u -s --directory --file --user --signal", Tell::Subcommand),
    row(&["echo", "printf"], "", Tell::By("nothing, unless alone; what it writes may be what the next command runs", script::echo)),
    row(&["true", "false", ":", "test", "[", "[[", "((", "sleep", "exit", "return", "wait", "read", "shift", "break", "continue", "umask", "ulimit", "let",
          "type", "which", "whereis", "hash", "pwd", "date", "whoami", "id", "uname", "hostname", "basename", "dirname", "realpath", "readlink", "seq", "tr", "yes", "local",
          "unset", "readonly",  "unalias", "shopt", "clear", "tput", "history", "jobs", "fg", "bg", "disown", "nproc", "uptime", "free", "df", "ps", "top", "htop",
          "pgrep", "lsof", "groups", "tty", "cal", "bc", "expr", "factor", "arch", "locale", "sync", "for", "select", "case", "mapfile", "readarray", "getopts", "complete"],
        "", Tell::Quiet),
];

const fn row(names: &'static [&'static str], values: &'static str, tell: Tell) -> Row {
    Row { names, values, tell }
}

/// Tells what a program does by its row; a program without one is a `tool.command`.
pub(super) fn tell(walk: &mut Walk, call: &Call<'_>) {
    let named = |name: &str| ROWS.iter().find(|row| row.names.contains(&name));
    // `python3.12`, `pip3.11`, `psql-16`
    let plain = call.program.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['.', '-']);
    let Some(row) = named(call.program).or_else(|| named(plain)) else { return unknown(walk, call) };
    let options = Options::parse(call.words, row.values);
    match row.tell {
        Tell::Files(event_type, action) => files::each(walk, event_type, action, &options.operands),
        Tell::FilesAfter(event_type, action, given) => {
            let skip = usize::from(!options.has(given)).min(options.operands.len());
            files::each(walk, event_type, action, &options.operands[skip..]);
        }
        Tell::By(_, tell) => tell(walk, call, &options),
        Tell::Subcommand => {
            let subcommand = options.operands.first().map(|word| word.text.clone());
            if let Some(action) = walk.add("tool.command", "execute", "command", Some(call.program.to_owned()), true) {
                action.detail.extend(subcommand.filter(|text| is_plain(text)).map(|text| ("subcommand", text)));
            }
        }
        Tell::Quiet => walk.quiet(call.program),
    }
}

/// A program that the table does not know; one that is written as a path is a script.
pub(super) fn unknown(walk: &mut Walk, call: &Call<'_>) {
    let written = &call.written.text;
    let installed = ["/bin/", "/sbin/", "/usr/", "/opt/"].iter().any(|folder| written.starts_with(folder));
    if written.contains('/') && !installed {
        let target = walk.path(written);
        walk.add("tool.script", "execute", "script", Some(target), !call.written.uncertain);
        return;
    }
    let target = if is_program(written) { written.clone() } else { call.program.chars().take(64).collect() };
    walk.add("tool.command", "execute", "command", Some(target), !call.written.uncertain);
}

/// `env` or `printenv` alone: all variables are shown.
pub(super) fn environment(walk: &mut Walk, program: &str) {
    if let Some(action) = walk.add("tool.command", "execute", "command", Some(program.to_owned()), true) {
        action.detail.insert("reads", "environment".to_owned());
    }
}

fn is_program(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A short plain word: a verb, not a value.
pub(super) fn is_plain(text: &str) -> bool {
    (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-:.".contains(&b))
}

/// A command that runs another one.
pub(super) struct Wrapper {
    pub(super) names: &'static [&'static str],
    /// Options that take the next word.
    pub(super) values: &'static str,
    /// Words between the options and the command (`timeout 5 cmd`).
    pub(super) operands: usize,
    pub(super) how: How,
}

/// What a wrapper changes.
#[derive(Clone, Copy)]
pub(super) enum How {
    Plain,
    /// `env`: variables in front of the command, or a list of variables.
    Environment,
    /// `sudo`, `doas`: another user.
    Root,
    /// `su -c script`.
    RootShell,
    /// `watch`: the words are a script.
    Script,
    /// `xargs`: operands come from the input.
    Input,
}

#[rustfmt::skip]
const WRAPPERS: &[Wrapper] = &[
    wrapper_row(&["sudo", "doas", "pkexec"], "-u -g -h -p -C -T -D -R -r -t -U --user --group --host --prompt --chdir", 0, How::Root),
    wrapper_row(&["su", "runuser"], "-c -s -u -g --command --shell", 0, How::RootShell),
    wrapper_row(&["env"], "-u -C -S --unset --chdir --split-string", 0, How::Environment),
    wrapper_row(&["time", "nohup", "setsid", "command", "builtin", "caffeinate", "chronic", "unbuffer", "proxychains", "proxychains4", "torsocks", "fakeroot", "rtk"], "-f -o", 0, How::Plain),
    wrapper_row(&["exec"], "-a", 0, How::Plain),
    wrapper_row(&["nice"], "-n --adjustment", 0, How::Plain),
    wrapper_row(&["ionice"], "-c -n -p --class --classdata", 0, How::Plain),
    wrapper_row(&["timeout", "gtimeout"], "-k -s --kill-after --signal", 1, How::Plain),
    wrapper_row(&["stdbuf"], "-i -o -e --input --output --error", 0, How::Plain),
    wrapper_row(&["strace", "ltrace"], "-o -e -p -s --trace", 0, How::Plain),
    wrapper_row(&["watch"], "-n --interval", 0, How::Script),
    wrapper_row(&["chroot", "flock"], "-w -E --wait --timeout", 1, How::Plain),
    wrapper_row(&["xargs", "gxargs", "parallel"], "-n -I -P -L -d -a -s -E -j --max-args --max-procs --replace --delimiter --arg-file --jobs", 0, How::Input),
];

const fn wrapper_row(names: &'static [&'static str], values: &'static str, operands: usize, how: How) -> Wrapper {
    Wrapper { names, values, operands, how }
}

/// The wrapper of this name.
pub(super) fn wrapper(program: &str) -> Option<&'static Wrapper> {
    WRAPPERS.iter().find(|wrapper| wrapper.names.contains(&program))
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// Protects the manual: its table of programs is this table. `UPDATE=1` writes it anew.
    #[test]
    fn the_manual_has_every_program() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
        let page = std::fs::read_to_string(file).unwrap();
        let (start, end) = ("<!-- programs -->\n", "<!-- end of programs -->");
        let (before, rest) = page.split_once(start).unwrap();
        let (_, after) = rest.split_once(end).unwrap();
        let mut table = "| programs | what is told |\n| --- | --- |\n".to_owned();
        for row in ROWS {
            let told = match row.tell {
                Tell::Files(event_type, action) | Tell::FilesAfter(event_type, action, _) => format!("`{event_type}` {action}"),
                Tell::By(told, _) => told.to_owned(),
                Tell::Subcommand => "`tool.command`, detail `subcommand`".to_owned(),
                Tell::Quiet => "nothing, unless alone".to_owned(),
            };
            writeln!(table, "| {} | {told} |", list(row.names)).unwrap();
        }
        for wrapper in WRAPPERS {
            writeln!(table, "| {} | the command behind it |", list(wrapper.names)).unwrap();
        }
        let now = format!("{before}{start}{table}{end}{after}");
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(file, now).unwrap();
        } else {
            assert!(page == now, "docs/commands.md does not have the table of the code");
        }
    }

    fn list(names: &[&str]) -> String {
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
    }

    /// Protects the table: no program has two rows.
    #[test]
    fn every_program_has_one_row() {
        let mut names: Vec<&str> =
            ROWS.iter().flat_map(|row| row.names).chain(WRAPPERS.iter().flat_map(|row| row.names)).copied().collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
