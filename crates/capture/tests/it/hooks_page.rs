//! The page `docs/format/hooks.md` tells the truth.

use std::path::PathBuf;

use sealtrail_capture::HOOKS;

/// Protects readers of the page: its table is the table of the code. `SEALTRAIL_BLESS=1` writes it.
#[test]
fn the_table_of_the_page_is_the_table_of_the_code() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/format/hooks.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once("<!-- table -->\n").unwrap();
    let (found, tail) = rest.split_once("<!-- end of table -->").unwrap();
    let mut table =
        "| hook | event | category | severity | phase | members of its own |\n| --- | --- | --- | --- | --- | --- |\n".to_owned();
    for row in HOOKS {
        let category = row.category.map_or("–", |category| category.as_str());
        let phase = row.phase.map_or("–", |phase| phase.as_str());
        let fields: Vec<String> = row.fields.iter().map(|field| format!("`{field}`")).collect();
        let fields = if fields.is_empty() { "–".to_owned() } else { fields.join(" ") };
        table += &format!("| {} | `{}` | {category} | {} | {phase} | {fields} |\n", row.hook, row.event_type, row.severity);
    }
    if std::env::var_os("SEALTRAIL_BLESS").is_some() {
        std::fs::write(&path, format!("{head}<!-- table -->\n{table}<!-- end of table -->{tail}")).unwrap();
        return;
    }
    assert_eq!(found, table);
}
