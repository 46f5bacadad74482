//! The layer table of the workspace, compared with what `cargo metadata` says.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Layer of each crate; a dependency must lie in a lower layer. `None`: development only, may use anything and is used by nothing shipped.
const LAYERS: &[(&str, Option<u8>)] = &[
    ("sealtrail-event", Some(0)),
    ("sealtrail-intake", Some(0)),
    ("sealtrail-tlog", Some(0)),
    ("sealtrail-client", Some(1)),
    ("sealtrail-disk", Some(1)),
    ("sealtrail-query", Some(1)),
    ("sealtrail-spool", Some(1)),
    ("sealtrail-ledger", Some(2)),
    ("sealtrail-index", Some(3)),
    ("sealtrail-capture", Some(4)),
    ("sealtrail-config", Some(4)),
    ("sealtrail-trace", Some(4)),
    ("sealtrail-engine", Some(5)),
    ("sealtrail-gateway", Some(6)),
    ("sealtrail-mcp", Some(6)),
    ("sealtrail-server", Some(6)),
    ("sealtrail-cli", Some(7)),
    ("sealtrail-hook", Some(7)),
    ("sealtrail-testkit", None),
    ("xtask", None),
];

/// Crates that must stay pure: what they must not depend on, directly.
const PURE: &[&str] = &["sealtrail-event", "sealtrail-intake", "sealtrail-tlog", "sealtrail-query", "sealtrail-capture", "sealtrail-trace"];
const IMPURE: &[&str] = &["getrandom", "rand", "rustix", "tokio", "signal-hook", "tempfile", "walkdir"];

/// Returns a sentence for every dependency that points the wrong way and every crate without a layer.
pub(crate) fn problems(root: &Path) -> Vec<String> {
    let output =
        Command::new(env!("CARGO")).args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(root).output();
    let Ok(output) = output else { return vec!["cannot run cargo metadata".to_owned()] };
    let Ok(metadata) = serde_json::from_slice::<Value>(&output.stdout) else {
        return vec!["cargo metadata printed no JSON".to_owned()];
    };
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        check(package, &mut problems);
    }
    problems
}

fn check(package: &Value, problems: &mut Vec<String>) {
    let name = package["name"].as_str().unwrap_or_default();
    let Some(layer) = layer_of(name) else {
        problems.push(format!("{name} has no layer: add it to the table in xtask/src/layers.rs and to docs/ARCHITECTURE.md"));
        return;
    };
    for dependency in package["dependencies"].as_array().into_iter().flatten() {
        if dependency["kind"].as_str() == Some("dev") {
            continue;
        }
        let on = dependency["name"].as_str().unwrap_or_default();
        if PURE.contains(&name) && IMPURE.contains(&on) {
            problems.push(format!("{name} must stay without I/O, clock and randomness, but depends on {on}"));
        }
        match (layer, layer_of(on)) {
            (Some(own), Some(Some(other))) if other >= own => {
                problems.push(format!("{name} (layer {own}) must not depend on {on} (layer {other})"));
            }
            (Some(own), Some(None)) => {
                problems.push(format!("{name} (layer {own}) must not depend on {on}, which is for development only"))
            }
            _ => {}
        }
    }
}

fn layer_of(name: &str) -> Option<Option<u8>> {
    LAYERS.iter().find(|(known, _)| *known == name).map(|(_, layer)| *layer)
}
