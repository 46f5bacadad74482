//! Databases: which one, what kind of statement, and the statement without its literals.

use super::net;
use super::options::Options;
use super::walk::Walk;
use super::word::Word;
use super::wrap::Call;

const QUERY: &str = "data.db_query";
/// 400 characters tell what a statement is about.
const SQL_CHARS_MAX: usize = 400;
/// 32 statements of one text are told.
const STATEMENTS_MAX: usize = 32;
/// Programs whose language writes strings in double quotes too, with escapes.
const STRINGS_IN_DOUBLE_QUOTES: &[&str] = &["mysql", "mariadb", "mycli", "mongosh", "mongo", "clickhouse-client", "clickhouse", "bq"];

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
        action.detail.extend(options.value(&["-h"]).map(|word| ("server", word.text.clone())));
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
    let server = options.value(&["-h", "--host"]).map(|word| word.text.clone());
    if let Some(action) = walk.add(QUERY, verb, "database", target, certain) {
        action.detail.insert("program", call.program.to_owned());
        action.detail.extend(server.map(|server| ("server", server)));
    }
}

/// One action for each statement; without any, one `query`.
fn statements(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>, database: Option<&Word>, sql: &[&Word], files: &[&Word]) {
    let target = database.map(|word| net::without_credentials(&word.text));
    let known = database.is_none_or(|word| !word.uncertain);
    let server = options.value(&["-h", "--host"]).map(|word| word.text.clone());
    let fed = call.fed.filter(|_| sql.is_empty());
    let texts: Vec<&Word> = sql.iter().copied().chain(fed).take(8).collect();
    let told = |walk: &mut Walk, verb: &str, sql: Option<String>, certain: bool| {
        if let Some(action) = walk.add(QUERY, verb, "database", target.clone(), certain) {
            action.detail.insert("program", call.program.to_owned());
            action.detail.extend(server.clone().map(|server| ("server", server)));
            action.detail.extend(sql.map(|sql| ("sql", sql)));
        }
    };
    for text in &texts {
        let plain = without_literals(&text.text, STRINGS_IN_DOUBLE_QUOTES.contains(&call.program));
        for statement in plain.split(';').map(str::trim).filter(|statement| !statement.is_empty()).take(STATEMENTS_MAX) {
            let short: String = statement.chars().take(SQL_CHARS_MAX).collect();
            told(walk, verb_of(statement), Some(short), known && !text.uncertain);
        }
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
fn without_literals(sql: &str, double_quotes: bool) -> String {
    let mut out = String::new();
    let mut rest = sql.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\'' | '"' if c == '\'' || double_quotes => {
                skip_string(&mut rest, c, double_quotes);
                out.push('?');
            }
            '-' if rest.peek() == Some(&'-') => while rest.next_if(|c| *c != '\n').is_some() {},
            '/' if rest.peek() == Some(&'*') => {
                let mut last = ' ';
                while let Some(c) = rest.next().filter(|c| (last, *c) != ('*', '/')) {
                    last = c;
                }
            }
            // Text up to the next `$$` is a string; what follows is not worth telling.
            '$' if rest.peek() == Some(&'$') => {
                out.push('?');
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

/// Moves behind the end of a string; a doubled quote is a part of it, and so is one behind a backslash in some languages.
fn skip_string(rest: &mut std::iter::Peekable<std::str::Chars<'_>>, quote: char, escapes: bool) {
    while let Some(c) = rest.next() {
        if c == '\\' && escapes {
            rest.next();
        } else if c == quote && rest.next_if_eq(&quote).is_none() {
            return;
        }
    }
}
