//! Paths as text: made absolute and plain without asking any file system.

/// Returns `path` absolute, without `.`, `..` and doubled slashes; a relative one is taken from `cwd`.
///
/// Links are not followed, so the result names what was asked for, which may not be the file that was reached.
pub(crate) fn absolute(path: &str, cwd: Option<&str>) -> String {
    let joined = match cwd {
        Some(cwd) if !path.starts_with('/') => format!("{cwd}/{path}"),
        _ => path.to_owned(),
    };
    if !joined.starts_with('/') {
        return joined;
    }
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
    format!("/{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects searches by path: one file has one name, however the tool was told to find it.
    #[test]
    fn one_file_has_one_name() {
        let cwd = Some("/home/dev/project");
        for path in ["notes.txt", "./notes.txt", "sub/../notes.txt", "/home/dev/project//notes.txt", "/home/dev/project/./notes.txt"] {
            assert_eq!(absolute(path, cwd), "/home/dev/project/notes.txt");
        }
        assert_eq!(absolute("../../../../x", cwd), "/x");
        assert_eq!(absolute("x", None), "x");
    }
}
