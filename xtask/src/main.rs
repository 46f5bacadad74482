//! Development tasks: the layer table, the tidy rules, the feature list and the benchmarks. It is not shipped and knows
//! the product only from outside (`cargo metadata`, source text, built binaries) or through the crates' public API.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a task runner talks to its caller")]

mod bench;
mod features;
mod layers;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask check | layers | tidy | features | bench NAME";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let root = root();
    let problems = match words.first().map(String::as_str) {
        Some("check") => [layers::problems(&root), tidy::problems(&root), features::problems(&root)].concat(),
        Some("layers") => layers::problems(&root),
        Some("tidy") => tidy::problems(&root),
        Some("features") => features::problems(&root),
        Some("bench") => bench::start(&root, &words[1..]).err().into_iter().collect(),
        Some("measure") => bench::measure(&root, &words[1..]).err().into_iter().collect(),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    for problem in &problems {
        println!("{problem}");
    }
    ExitCode::from(u8::from(!problems.is_empty()))
}

/// Returns the folder of the workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the direction of dependencies: the table in `layers` against `cargo metadata`.
    #[test]
    fn dependencies_point_down() {
        assert_eq!(layers::problems(&root()), Vec::<String>::new());
    }

    /// Protects the house rules that a compiler does not check.
    #[test]
    fn the_tree_is_tidy() {
        assert_eq!(tidy::problems(&root()), Vec::<String>::new());
    }

    /// Protects `docs/features.csv` from claiming a proof that does not exist.
    #[test]
    fn every_feature_names_a_proof_that_exists() {
        assert_eq!(features::problems(&root()), Vec::<String>::new());
    }
}
