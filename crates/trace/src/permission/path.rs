//! Paths in rules: which files a pattern of the client means.

/// What a pattern says of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Covers {
    Yes,
    No,
    /// What would have to be known.
    Unsure(&'static str),
}

/// The folders that patterns begin in.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Roots<'a> {
    /// The session's project folder.
    pub(crate) folder: Option<&'a str>,
    /// The working folder of the action.
    pub(crate) cwd: Option<&'a str>,
    /// The person's home folder.
    pub(crate) home: Option<&'a str>,
    /// The folder that `/…` begins in: it depends on whose file the rule is in.
    pub(crate) anchor: Option<&'a str>,
}

/// Tells whether `pattern` means the absolute, plain `path`; `strict` is for rules that forbid or ask.
pub(crate) fn covers(pattern: &str, path: &str, roots: Roots<'_>, strict: bool) -> Covers {
    if pattern.is_empty() || pattern.starts_with('!') {
        return Covers::No;
    }
    if let Some(rest) = pattern.strip_prefix("//") {
        return yes(matches_under("/", rest, true, path));
    }
    if let Some(rest) = pattern.strip_prefix("~/") {
        return roots.home.map_or(Covers::Unsure("the person's home folder"), |home| yes(matches_under(home, rest, true, path)));
    }
    if let Some(rest) = pattern.strip_prefix('/') {
        return roots
            .anchor
            .map_or(Covers::Unsure("the folder that the rule begins in"), |root| yes(matches_under(root, rest, true, path)));
    }
    let anchored = pattern.starts_with("./");
    let rest = pattern.strip_prefix("./").unwrap_or(pattern);
    // One folder and everything in it: a rule against it holds at any depth.
    let one_folder = rest.strip_suffix("/**").is_some_and(|name| !name.contains('/') && !name.contains('*'));
    let rest = if strict && one_folder && !anchored { rest.trim_end_matches("/**") } else { rest };
    let under = |root: &str| matches_under(root, rest, anchored, path);
    match (roots.folder, roots.cwd.filter(|cwd| Some(*cwd) != roots.folder)) {
        (None, None) => Covers::Unsure("the folder of the project"),
        (Some(root), None) | (None, Some(root)) => yes(under(root)),
        (Some(folder), Some(cwd)) if under(folder) == under(cwd) => yes(under(folder)),
        (Some(_), Some(_)) => Covers::Unsure("whether the rule begins in the project's folder or in the working folder"),
    }
}

fn yes(found: bool) -> Covers {
    if found { Covers::Yes } else { Covers::No }
}

/// Tells whether `path` lies in `folder` or is it.
pub(crate) fn is_inside(path: &str, folder: &str) -> bool {
    relative(path, folder).is_some()
}

fn relative<'a>(path: &'a str, root: &str) -> Option<&'a str> {
    let root = root.trim_end_matches('/');
    let rest = path.strip_prefix(root)?;
    if rest.is_empty() { Some("") } else { rest.strip_prefix('/') }
}

/// The rules of gitignore: a pattern without a slash holds at any depth, a folder that matches brings everything in it.
fn matches_under(root: &str, pattern: &str, anchored: bool, path: &str) -> bool {
    let Some(relative) = relative(path, root) else { return false };
    let folder_only = pattern.ends_with('/');
    let pattern = pattern.trim_end_matches('/');
    if pattern.is_empty() || relative.is_empty() {
        return false;
    }
    let floating = !anchored && !pattern.contains('/');
    let parts: Vec<&str> = relative.split('/').collect();
    let pattern: Vec<&str> = pattern.split('/').collect();
    // The last part is the file itself; a pattern for folders must match one before it.
    let ends = if folder_only { 1..parts.len() } else { 1..parts.len() + 1 };
    ends.clone().any(|end| if floating { segment(pattern[0], parts[end - 1]) } else { segments(&pattern, &parts[..end], 0) })
}

/// 32 `**` in one pattern: each may be tried at every depth.
const DEPTH_MAX: usize = 32;

fn segments(pattern: &[&str], parts: &[&str], depth: usize) -> bool {
    match pattern.split_first() {
        None => parts.is_empty(),
        Some((&"**", rest)) if depth < DEPTH_MAX => {
            if rest.is_empty() {
                return !parts.is_empty();
            }
            (0..=parts.len()).any(|skip| segments(rest, &parts[skip..], depth + 1))
        }
        Some((first, rest)) => parts.split_first().is_some_and(|(part, others)| segment(first, part) && segments(rest, others, depth)),
    }
}

/// Matches one name: `*`, `?` and `[…]`.
pub(crate) fn segment(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                back = Some((p, n));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(&pattern[p..], name[n]).map(|length| p + length),
            Some('\\') if pattern.get(p + 1) == Some(&name[n]) => Some(p + 2),
            Some(found) if *found == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, back) {
            (Some(next), _) => (p, n) = (next, n + 1),
            (None, Some((star, from))) => {
                back = Some((star, from + 1));
                (p, n) = (star + 1, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

/// Matches `[…]` at the beginning of a pattern; returns its length when `found` is in it.
fn class(pattern: &[char], found: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let (negated, inner) = match pattern[1] {
        '!' | '^' => (true, &pattern[2..end]),
        _ => (false, &pattern[1..end]),
    };
    let mut hit = false;
    let mut at = 0;
    while at < inner.len() {
        if at + 2 < inner.len() && inner[at + 1] == '-' {
            hit |= (inner[at]..=inner[at + 2]).contains(&found);
            at += 3;
        } else {
            hit |= inner[at] == found;
            at += 1;
        }
    }
    (hit != negated).then_some(end + 1)
}

/// Returns `path` absolute and plain, from `cwd`; nothing for a relative one without a folder.
pub(crate) fn absolute(path: &str, cwd: Option<&str>, home: Option<&str>) -> Option<String> {
    let joined = match path.strip_prefix("~/").or_else(|| (path == "~").then_some("")) {
        Some(rest) => format!("{}/{rest}", home?),
        None if path.starts_with('/') => path.to_owned(),
        None => format!("{}/{path}", cwd?),
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in joined.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}
