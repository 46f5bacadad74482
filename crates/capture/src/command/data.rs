//! Databases: which one, what kind of statement, and the statement without its literals.

use super::lex::Word;
use super::net;
use super::options::Options;
use super::walk::Walk;
use super::wrap::Call;

const QUERY: &str = "data.db_query";
/// 400 characters tell what a statement is about.
const SQL_CHARS_MAX: usize = 400;

/// `psql [-c sql] [-f file] [database]`.
pub(super) fn psql(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let database = options.value(&["-d", "--dbname"]).or(options.operands.first().copied());
    let sql = options.values(&["-c", "--command"]);
    let file = options.values(&["-f", "--file"]);
    statements(walk, call, options, database, &sql, &file);
}

/// `mysql -e sql database`.
pub(super) fn mysql(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let database = options.value(&["-D", "--database"]).or(options.operands.first().copied());
    let sql = options.values(&["-e", "--execute"]);
    statements(walk, call, options, database, &sql, &[]);
}

/// `sqlite3 file [sql]`, `duckdb file -c sql`.
pub(super) fn sqlite(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let mut sql = options.values(&["-c", "-cmd"]);
    sql.extend(options.operands.iter().skip(1).copied());
    let Some(file) = options.operands.first().copied() else { return statements(walk, call, options, None, &sql, &[]) };
    let path = Word { text: walk.path(&file.text), ..file.clone() };
    statements(walk, call, options, Some(&path), &sql, &[]);
}

/// `mongosh [address] --eval script`.
pub(super) fn mongo(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let sql = options.values(&["--eval"]);
    statements(walk, call, options, options.operands.first().copied(), &sql, &[]);
}

/// `redis-cli [-h host] COMMAND key …`: the values of a command are not told.
pub(super) fn redis(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let host = options.value(&["-h", "-u"]);
    let target = host.map(|word| net::without_credentials(&word.text));
    let command = options.operands.first().map(|word| word.text.to_ascii_lowercase());
    let key = options.operands.get(1).filter(|_| command.as_deref() != Some("auth")).map(|word| word.text.clone());
    let certain = options.operands.iter().take(2).all(|word| !word.uncertain);
    if let Some(action) = walk.add(QUERY, command.as_deref().unwrap_or("query"), "database", target, certain) {
        action.detail.insert("program", call.program.to_owned());
        action.detail.extend(key.map(|key| ("key", key)));
    }
}

/// Clients with `-q`, `-e`, `--query`; `bq query sql`.
pub(super) fn other(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let mut sql = options.values(&["-q", "-Q", "-e", "--query", "--execute"]);
    sql.extend(options.operands.iter().copied().filter(|word| word.text.contains(' ')));
    let database = options.value(&["-d", "--database", "-k"]);
    let file = options.values(&["-f", "--file"]);
    statements(walk, call, options, database, &sql, &file);
}

/// `pg_dump database > file`: everything is read.
pub(super) fn dump(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    whole(walk, call, options, "dump");
    for file in options.values(&["-f", "--file", "--out", "-o", "--result-file", "-r"]) {
        walk.file("data.file_write", "write", file);
    }
}

/// `pg_restore`, `dropdb` and the like: everything is written.
pub(super) fn restore(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let verb = match call.program {
        "createdb" => "create",
        "dropdb" => "drop",
        _ => "restore",
    };
    whole(walk, call, options, verb);
}

fn whole(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>, verb: &str) {
    let database = options.value(&["-d", "--dbname", "--db", "--uri"]).or(options.operands.first().copied());
    let target = database.map(|word| net::without_credentials(&word.text));
    let certain = database.is_none_or(|word| !word.uncertain);
    let host = options.value(&["-h", "--host"]).map(|word| word.text.clone());
    if let Some(action) = walk.add(QUERY, verb, "database", target, certain) {
        action.detail.insert("program", call.program.to_owned());
        action.detail.extend(host.map(|host| ("host", host)));
    }
}

/// One action for each statement; without any, one `query`.
fn statements(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>, database: Option<&Word>, sql: &[&Word], files: &[&Word]) {
    let target = database.map(|word| net::without_credentials(&word.text));
    let known = database.is_none_or(|word| !word.uncertain);
    let host = options.value(&["-h", "--host"]).map(|word| word.text.clone());
    let fed = call.fed.filter(|_| sql.is_empty());
    let texts: Vec<&Word> = sql.iter().copied().chain(fed).take(8).collect();
    let told = |walk: &mut Walk, verb: &str, sql: Option<String>, certain: bool| {
        if let Some(action) = walk.add(QUERY, verb, "database", target.clone(), certain) {
            action.detail.insert("program", call.program.to_owned());
            action.detail.extend(host.clone().map(|host| ("host", host)));
            action.detail.extend(sql.map(|sql| ("sql", sql)));
        }
    };
    for text in &texts {
        let plain = without_literals(&text.text);
        told(walk, verb_of(&plain), Some(plain.clone()), known && !text.uncertain);
    }
    if texts.is_empty() {
        told(walk, "query", None, known && !call.piped);
    }
    for file in files {
        walk.file("data.file_read", "read", file);
    }
}

/// The first word of a statement, if it is a word of SQL.
fn verb_of(sql: &str) -> &'static str {
    let first = sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty()).unwrap_or_default();
    let verbs = [
        "select", "insert", "update", "delete", "drop", "create", "alter", "truncate", "grant", "revoke", "copy", "with", "explain",
        "show", "merge", "replace", "begin", "call", "vacuum", "analyze", "load", "use", "describe",
    ];
    verbs.into_iter().find(|verb| first.eq_ignore_ascii_case(verb)).unwrap_or("query")
}

/// Replaces strings and numbers by `?`, drops comments, joins blanks.
fn without_literals(sql: &str) -> String {
    let mut out = String::new();
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        if out.len() >= SQL_CHARS_MAX {
            break;
        }
        match c {
            '\'' => {
                while let Some(c) = rest.next() {
                    if c == '\'' && rest.next_if_eq(&'\'').is_none() {
                        break;
                    }
                }
                out.push('?');
            }
            '-' if rest.peek() == Some(&'-') => while rest.next_if(|c| *c != '\n').is_some() {},
            '$' if rest.peek() == Some(&'$') => {
                let quoted: String = rest.by_ref().skip(1).collect();
                out.push('?');
                let tail = quoted.split_once("$$").map_or("", |(_, tail)| tail);
                out.push_str(&tail.chars().take(40).collect::<String>());
                break;
            }
            c if c.is_ascii_digit() && !out.ends_with(|p: char| p.is_alphanumeric() || p == '_') => {
                while rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '.').is_some() {}
                out.push('?');
            }
            c if c.is_whitespace() => {
                if !out.is_empty() && !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            c => out.push(c),
        }
    }
    out.trim_end().to_owned()
}
