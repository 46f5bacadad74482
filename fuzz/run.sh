#!/bin/sh
# Fuzzes every target for a while, from its seeds and what earlier runs found.
# usage: [SEED=N] run.sh SECONDS [TARGET...]
# Works with the stable toolchain and without cargo-fuzz: coverage comes from compiler flags that are stable, no sanitizer is used
# (there is no unsafe code to sanitize). Needs a C++ compiler for libFuzzer.
set -eu
cd "$(dirname "$0")"
seconds=${1:-10}
[ $# -gt 0 ] && shift
target=$(rustc -vV | sed -n 's/^host: //p')
flags="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
flags="$flags -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1"
# With --target the flags reach the code that is fuzzed, not build scripts.
CARGO_TARGET_DIR=${FUZZ_TARGET_DIR:-$PWD/target}
RUSTFLAGS="$flags"
export CARGO_TARGET_DIR RUSTFLAGS
cargo build --quiet --release --locked --target "$target" --bins
[ $# -gt 0 ] || set -- $(sed -n 's/^name = "\([a-z_0-9]*\)"$/\1/p' Cargo.toml | grep -v '^sealtrail')
for name in "$@"; do
  mkdir -p "corpus/$name/generated" "artifacts/$name"
  echo "== $name, $seconds s"
  log=$(mktemp)
  if ! "$CARGO_TARGET_DIR/$target/release/$name" -seed="${SEED:-0}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=65536 -verbosity=1 \
    -print_final_stats=1 -artifact_prefix="artifacts/$name/" "corpus/$name/generated" "corpus/$name" >"$log" 2>&1; then
    tail -n 60 "$log"
    echo "$name failed; the input is in fuzz/artifacts/$name"
    exit 1
  fi
  grep -E "number_of_executed_units|average_exec_per_sec|peak_rss" "$log" | sed 's/^/   /'
  grep -E "cov: " "$log" | tail -n 1 | sed 's/^/   /'
  rm -f "$log"
done
