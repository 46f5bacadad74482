//! The committed API document.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;

use crate::kit::start;

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

/// Path and methods of everything that the document names and this server answers; the MCP collector is the command line's.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let document = sealtrail_server::openapi();
    let methods = |item: &Value| item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
    let paths = document["paths"].as_object().unwrap().iter().map(|(path, item)| (path.clone(), methods(item)));
    paths.filter(|(path, _)| path != "/mcp").collect()
}

/// Every path that the sources give to a router.
fn routed(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            routed(&path, found);
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        found.extend(text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
    }
}

/// Protects whoever reads the document: it names every route that the server has, with the very methods that the server allows, and no other.
#[test]
fn the_document_names_every_route() {
    let documented = documented();
    let mut routes = BTreeSet::new();
    routed(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut routes);
    assert_eq!(routes, documented.keys().cloned().collect());
    let test = start(&[]);
    let (token, key) = (test.reader(), test.key("w", None));
    for (path, methods) in &documented {
        let asked = path.replace(['{', '}'], "");
        // Some doors ask for a key before they look at the method.
        let refused = [&token, &key].map(|secret| test.ask("PATCH", secret, &asked, "", &[]));
        let refused = refused.iter().find(|answer| answer.status == 405).unwrap_or_else(|| panic!("{path}: {refused:?}"));
        let allowed = refused.headers["allow"].split(',').map(str::to_owned).filter(|method| method != "HEAD").collect();
        assert_eq!(*methods, allowed, "{path}");
    }
}
