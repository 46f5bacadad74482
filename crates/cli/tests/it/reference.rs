//! `docs/cli.md` is what the program says of itself.

/// Protects the reference page: it is generated, committed and compared. To renew it, run the test with `SEALTRAIL_WRITE=1`.
#[test]
fn the_reference_page_is_current() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    let wanted = sealtrail_cli::reference();
    if std::env::var_os("SEALTRAIL_WRITE").is_some() {
        std::fs::write(&page, &wanted).unwrap();
    }
    assert!(
        std::fs::read_to_string(&page).unwrap_or_default() == wanted,
        "docs/cli.md is old: SEALTRAIL_WRITE=1 cargo test -p sealtrail-cli reference"
    );
}
