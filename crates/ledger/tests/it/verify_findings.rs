//! The page that explains the findings, against the code that makes them.

use std::collections::BTreeMap;
use std::path::Path;

use sealtrail_ledger::report::KINDS;

fn crate_dir() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the severities of each kind as the page lists them.
fn page() -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(crate_dir().join("../../docs/format/findings.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.strip_prefix("| `")?.split(" | ").collect();
        assert_eq!(cells.len(), 4, "a row has a kind, a severity, what was found and what it means: {line}");
        let severities = cells[1].split(", ").map(str::to_owned).collect();
        Some((cells[0].trim_end_matches('`').to_owned(), severities))
    };
    let rows: Vec<_> = text.lines().filter_map(row).collect();
    let kinds = rows.iter().cloned().collect::<BTreeMap<_, _>>();
    assert_eq!(rows.len(), kinds.len(), "no kind is explained twice");
    kinds
}

/// Returns the code of the verification, without white space.
fn code() -> String {
    let files = std::fs::read_dir(crate_dir().join("src/verify")).unwrap();
    let text: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    text.split_whitespace().collect()
}

/// Protects scripts and readers: the page, the list in the code and the findings that are made name the same kinds.
#[test]
fn every_kind_of_finding_is_explained() {
    let (page, code) = (page(), code());
    assert_eq!(page.keys().collect::<Vec<_>>(), KINDS.iter().collect::<Vec<_>>());
    for kind in KINDS {
        assert!(code.contains(&format!("\"{kind}\"")), "nothing makes a finding {kind}");
    }
    for (call, severity) in [("fail(\"", "fail"), ("warn(\"", "warn"), ("note(\"", "note"), ("Severity::Warn,\"", "warn")] {
        for (at, _) in code.match_indices(call) {
            let kind = code[at + call.len()..].split('"').next().unwrap();
            let listed = page.get(kind).unwrap_or_else(|| panic!("{kind} is not on the page"));
            assert!(listed.iter().any(|word| word == severity), "{kind} can be a {severity}");
        }
    }
}
