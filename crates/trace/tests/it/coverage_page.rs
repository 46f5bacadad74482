//! `docs/coverage.md` prints the tables of the code.

use std::fs;
use std::path::PathBuf;

use sealtrail_trace::coverage::{Cause, Class, Kind, NOT_PROVEN, Phases, SIGHTS, Witness, sight};

fn sights() -> String {
    let mut table = String::from("| class | witness | must | by | never |\n| --- | --- | --- | --- | --- |\n");
    for row in SIGHTS {
        let must = row.must.words().join(" ");
        let (must, by) = if row.sees { (if must.is_empty() { "–" } else { &must }, row.by) } else { ("never", "–") };
        let blind = if row.blind.is_empty() { "–" } else { row.blind };
        table.push_str(&format!("| {} | {} | {must} | {by} | {blind} |\n", row.class.word(), row.witness.word()));
    }
    table
}

fn causes() -> String {
    let rows = Cause::ALL.iter().map(|cause| format!("| `{}` | {} |\n", cause.word(), cause.about()));
    format!("| cause | what it means |\n| --- | --- |\n{}", rows.collect::<String>())
}

fn kinds() -> String {
    let row = |kind: &Kind| format!("| `{}` | {} | {} |\n", kind.word(), if kind.is_finding() { "finding" } else { "note" }, kind.about());
    format!("| kind | | what it means |\n| --- | --- | --- |\n{}", Kind::ALL.iter().map(row).collect::<String>())
}

/// Protects the reader of the page: its tables are those of the code. To renew them, run the test with `SEALTRAIL_BLESS=1`.
#[test]
fn the_page_says_what_the_code_does() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/coverage.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut wanted = page.clone();
    for (name, table) in [("table", sights()), ("causes", causes()), ("findings", kinds())] {
        let (head, rest) = wanted.split_once(&format!("<!-- {name} -->\n")).unwrap();
        let (_, tail) = rest.split_once(&format!("<!-- end of {name} -->")).unwrap();
        wanted = format!("{head}<!-- {name} -->\n{table}<!-- end of {name} -->{tail}");
    }
    if std::env::var_os("SEALTRAIL_BLESS").is_some() {
        fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/coverage.md is old: SEALTRAIL_BLESS=1 cargo test -p sealtrail-trace page");
}

/// Protects the lookup in the table: it holds every class and witness once, in order, and a row that sees nothing asks for nothing.
#[test]
fn the_table_holds_every_pair() {
    for class in Class::ALL {
        for witness in Witness::ALL {
            let row = sight(*class, *witness);
            assert_eq!((row.class, row.witness), (*class, *witness));
            assert!(row.sees || (row.must == Phases::NONE && row.by.is_empty()), "{class:?} {witness:?}");
        }
    }
    assert_eq!(SIGHTS.len(), Class::ALL.len() * Witness::ALL.len());
    assert!(!NOT_PROVEN.is_empty());
}
