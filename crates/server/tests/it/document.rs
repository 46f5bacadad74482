//! The committed API document.

use std::path::Path;

/// Protects clients that are made from the document: the committed one is the one that the code makes. `SEALTRAIL_WRITE=1` writes it.
#[test]
fn the_committed_document_is_the_code_s() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api/openapi.json");
    let made = format!("{}\n", serde_json::to_string_pretty(&sealtrail_server::openapi()).unwrap());
    if std::env::var_os("SEALTRAIL_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == made, "api/openapi.json is not what the code makes: SEALTRAIL_WRITE=1 cargo test -p sealtrail-server document");
}
