//! Programs that talk to other machines: the method and the address, without credentials and without query values.

use super::options::{Options, part};
use super::walk::Walk;
use super::word::Word;
use super::wrap::Call;

const CALL: &str = "data.api_call";

/// Options of curl that take the next word.
pub(super) const CURL_VALUES: &str = "-X -d -F -o -u -H -A -e -b -c -T -K -x -m -w -E -Q -r -y -Y -z -C -D -U -t --request --data --data-raw --data-binary --data-urlencode --data-ascii --json --form --form-string --output --user --header --user-agent --referer --cookie --cookie-jar --upload-file --config --proxy --max-time --write-out --cert --key --cacert --capath --url --connect-timeout --retry --retry-delay --resolve --connect-to --range --dump-header --output-dir --proxy-user --oauth2-bearer --limit-rate --interface --max-filesize --unix-socket --aws-sigv4 --url-query --netrc-file --stderr --trace --trace-ascii --max-redirs --dns-servers --ciphers --tls-max";

/// `curl`: one call for each address; files that are sent are read, `-o` writes.
pub(super) fn curl(walk: &mut Walk, _: &Call<'_>, options: &Options<'_>) {
    let body = ["-d", "--data", "--data-raw", "--data-binary", "--data-urlencode", "--data-ascii", "--json"];
    let form = ["-F", "--form"];
    let upload = options.value(&["-T", "--upload-file"]);
    let sends = options.has(&body) || options.has(&form) || options.has(&["--form-string"]);
    let given = options.value(&["-X", "--request"]).map(|word| word.text.to_ascii_lowercase());
    let method = given.unwrap_or_else(|| {
        let method = match () {
            () if options.has(&["-I", "--head"]) => "head",
            () if upload.is_some() => "put",
            () if sends && !options.has(&["-G", "--get"]) => "post",
            () => "get",
        };
        method.to_owned()
    });
    let mut addresses = options.values(&["--url"]);
    addresses.extend(options.operands.iter().copied());
    for address in &addresses {
        call(walk, "curl", &method, address);
    }
    sent_files(walk, options, &body, &form);
    for file in [upload, options.value(&["-K", "--config"])].into_iter().flatten() {
        walk.file("data.file_read", "upload", file);
    }
    for file in options.values(&["-o", "--output", "-c", "--cookie-jar", "-D", "--dump-header"]) {
        walk.file("data.file_write", "download", file);
    }
    if options.has(&["-O", "--remote-name"]) {
        addresses.iter().for_each(|address| by_name(walk, address));
    }
}

/// `-d @file`, `-F name=@file`.
fn sent_files(walk: &mut Walk, options: &Options<'_>, body: &[&str], form: &[&str]) {
    for value in options.values(body) {
        let at =
            value.text.strip_prefix('@').or_else(|| value.text.split_once("=@").map(|(_, file)| file).filter(|_| value.text.len() < 300));
        if let Some(file) = at {
            walk.file("data.file_read", "upload", &part(value, file));
        }
    }
    for value in options.values(form) {
        let file = value.text.split_once('=').and_then(|(_, file)| file.strip_prefix(['@', '<']));
        if let Some(file) = file {
            let file = file.split(';').next().unwrap_or(file);
            walk.file("data.file_read", "upload", &part(value, file));
        }
    }
}

/// A download that takes its name from the address.
fn by_name(walk: &mut Walk, address: &Word) {
    if address.text.is_empty() {
        return;
    }
    let plain = without_credentials(&address.text);
    let path = plain.split_once("://").map_or(plain.as_str(), |(_, rest)| rest);
    let name = path.split('?').next().and_then(|path| path.split_once('/')).and_then(|(_, path)| path.rsplit('/').next());
    let name = name.filter(|name| !name.is_empty()).unwrap_or("index.html");
    walk.file("data.file_write", "download", &part(address, name));
}

/// `wget`: downloads under the name of the address, or under `-O`.
pub(super) fn wget(walk: &mut Walk, call_: &Call<'_>, options: &Options<'_>) {
    let posts = options.has(&["--post-data", "--post-file", "--body-data", "--body-file"]);
    let method = options.value(&["--method"]).map_or(if posts { "post" } else { "get" }.to_owned(), |word| word.text.to_ascii_lowercase());
    for address in &options.operands {
        call(walk, call_.program, &method, address);
    }
    for file in options.values(&["--post-file", "--body-file", "-i"]) {
        walk.file("data.file_read", "upload", file);
    }
    match options.value(&["-O", "--output-document"]) {
        Some(file) => super::files::each(walk, "data.file_write", "download", &[file]),
        None if options.has(&["--spider"]) => {}
        None => options.operands.iter().for_each(|address| by_name(walk, address)),
    }
}

/// `http [METHOD] address item…`.
pub(super) fn httpie(walk: &mut Walk, call_: &Call<'_>, options: &Options<'_>) {
    let is_method = |word: &&Word| !word.text.is_empty() && word.text.bytes().all(|b| b.is_ascii_uppercase());
    let given = options.operands.first().copied().filter(|word| is_method(word));
    let items = options.operands.get(usize::from(given.is_some())..).unwrap_or_default();
    let Some((address, items)) = items.split_first() else { return walk.quiet(call_.program) };
    let sends = items.iter().any(|item| !item.text.contains("==") && (item.text.contains('=') || item.text.contains('@')));
    let method = given.map_or(if sends { "post" } else { "get" }.to_owned(), |word| word.text.to_ascii_lowercase());
    call(walk, call_.program, &method, address);
    for file in options.values(&["-o", "--output"]) {
        walk.file("data.file_write", "download", file);
    }
}

/// Programs that open an address.
pub(super) fn fetch(walk: &mut Walk, call_: &Call<'_>, options: &Options<'_>) {
    for operand in &options.operands {
        if operand.text.contains("://") {
            call(walk, call_.program, "get", operand);
        } else {
            walk.file("data.file_read", "open", operand);
        }
    }
}

/// `ssh [user@]host command`.
pub(super) fn ssh(walk: &mut Walk, call: &Call<'_>, _: &Options<'_>) {
    // The command after the host has options of its own: they are not ours.
    let values = "-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w";
    let mut at = 0;
    while let Some(word) = call.words.get(at).filter(|word| word.text.starts_with('-')) {
        at += 1 + usize::from(values.split(' ').any(|name| name == word.text));
    }
    let Some(host) = call.words.get(at) else { return walk.quiet(call.program) };
    let port = Options::parse(&call.words[..at], values).value(&["-p"]).map(|word| word.text.clone());
    let name = host.text.strip_prefix("ssh://").unwrap_or(&host.text);
    let name = name.rsplit('@').next().unwrap_or(name);
    let address = port.map_or_else(|| format!("ssh://{name}"), |port| format!("ssh://{name}:{port}"));
    // The far shell reads the words again, as one script.
    let remote: Vec<&str> = call.words[at + 1..].iter().map(|word| word.text.as_str()).collect();
    let script = if remote.is_empty() { call.fed.map(|text| text.text.clone()) } else { Some(remote.join(" ")) };
    let verb = if script.is_some() { "execute" } else { "connect" };
    far_end(walk, call, verb, address, host);
    if let Some(script) = script {
        walk.within("host", name.to_owned(), |walk| walk.subshell(&script));
    }
}

/// `scp`, `rsync`: the far end is called, the near end is read or written; two near ends are a copy.
pub(super) fn transfer(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let Some((to, sources)) = options.operands.split_last().filter(|(_, sources)| !sources.is_empty()) else {
        return walk.quiet(call.program);
    };
    for source in sources {
        match (far(&source.text), far(&to.text)) {
            (Some(address), _) => {
                far_end(walk, call, "download", address, source);
            }
            (None, _) => {
                walk.file("data.file_read", if far(&to.text).is_some() { "upload" } else { "copy" }, source);
            }
        }
    }
    match far(&to.text) {
        Some(address) => far_end(walk, call, "upload", address, to),
        None => super::files::each(
            walk,
            "data.file_write",
            if sources.iter().any(|word| far(&word.text).is_some()) { "download" } else { "copy" },
            &[to],
        ),
    }
}

fn far_end(walk: &mut Walk, call: &Call<'_>, verb: &str, address: String, word: &Word) {
    if let Some(action) = walk.add(CALL, verb, "url", Some(address), !word.uncertain) {
        action.detail.insert("program", call.program.to_owned());
    }
}

/// `[user@]host:path` as an address.
fn far(text: &str) -> Option<String> {
    if text.contains("://") {
        return Some(without_credentials(text));
    }
    let (host, path) = text.split_once(':')?;
    if host.contains('/') || host.is_empty() {
        return None;
    }
    let host = host.rsplit('@').next().unwrap_or(host);
    Some(format!("ssh://{host}/{}", path.trim_start_matches('/')))
}

/// `nc host port`, `telnet host port`, `openssl s_client -connect host:port`.
pub(super) fn connect(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    if call.program == "openssl" {
        return match options.value(&["-connect"]) {
            Some(address) => far_end(walk, call, "connect", format!("tcp://{}", address.text), address),
            None => openssl(walk, options),
        };
    }
    let listens = options.has(&["-l", "--listen"]);
    let Some(host) = options.operands.first() else {
        let verb = if listens { "listen" } else { "connect" };
        walk.add(CALL, verb, "url", options.value(&["-p"]).map(|port| format!("tcp://localhost:{}", port.text)), listens);
        return;
    };
    let name = host.text.rsplit('@').next().unwrap_or(&host.text);
    let port = options.operands.get(1).filter(|port| port.text.bytes().all(|b| b.is_ascii_digit()));
    let address = match (call.program, port) {
        ("socat", _) => host.text.clone(),
        ("sftp" | "ftp" | "lftp", _) => format!("{}://{name}", call.program.trim_start_matches('l')),
        (_, Some(port)) => format!("tcp://{name}:{}", port.text),
        _ => format!("tcp://{name}"),
    };
    far_end(walk, call, if listens { "listen" } else { "connect" }, address, host);
}

fn openssl(walk: &mut Walk, options: &Options<'_>) {
    if let Some(action) = walk.add("tool.command", "execute", "command", Some("openssl".to_owned()), true) {
        action.detail.extend(options.operands.first().map(|word| ("subcommand", word.text.clone())));
    }
    for file in options.values(&["-in"]) {
        walk.file("data.file_read", "read", file);
    }
    for file in options.values(&["-out"]) {
        walk.file("data.file_write", "write", file);
    }
}

/// `mail -s subject address < file`.
pub(super) fn mail(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let to = options.operands.first().copied().or(options.value(&["--to"]));
    let target = to.map(|word| format!("mailto:{}", word.text));
    if let Some(action) = walk.add(CALL, "send", "url", target, to.is_some_and(|word| !word.uncertain)) {
        action.detail.insert("program", call.program.to_owned());
    }
    for file in options.values(&["-a", "-A"]) {
        walk.file("data.file_read", "upload", file);
    }
}

/// `ping`, `dig`, `nmap`: the name is what matters.
pub(super) fn lookup(walk: &mut Walk, call: &Call<'_>, options: &Options<'_>) {
    let name = options
        .operands
        .iter()
        .copied()
        .find(|word| !word.text.starts_with(['@', '+']) && (word.text.contains('.') || options.operands.len() == 1));
    let Some(name) = name else { return walk.quiet(call.program) };
    let verb = if matches!(call.program, "nmap") { "scan" } else { "lookup" };
    far_end(walk, call, verb, name.text.clone(), name);
}

fn call(walk: &mut Walk, program: &str, method: &str, address: &Word) {
    if let Some(action) = walk.add(CALL, method, "url", Some(without_credentials(&address.text)), !address.uncertain) {
        action.detail.insert("program", program.to_owned());
    }
}

/// The address without user, password, query values and fragment; other text stays as it is.
pub(super) fn without_credentials(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    if scheme.is_empty() && !looks_like_address(text) {
        return text.to_owned();
    }
    let rest = rest.split('#').next().unwrap_or(rest);
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (host, path) = rest.split_once('/').map_or((rest, None), |(host, path)| (host, Some(path)));
    let host = host.rsplit('@').next().unwrap_or(host);
    let mut out = if scheme.is_empty() { host.to_owned() } else { format!("{scheme}://{host}") };
    if let Some(path) = path {
        out.push('/');
        out.push_str(path);
    }
    if let Some(query) = query {
        let names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap_or(pair)).collect();
        out.push('?');
        out.push_str(&names.join("&"));
    }
    out
}

/// `host/path`, `localhost:8080`, `user@host:path` without a scheme.
fn looks_like_address(text: &str) -> bool {
    let host = text.split(['/', '?', ':']).next().unwrap_or(text);
    !text.starts_with(['/', '.', '~', '$', '-'])
        && (host.contains('.') || host == "localhost")
        && (text.contains('?') || text.contains('@'))
}
