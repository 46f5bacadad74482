#!/bin/sh
# Asks the real server everything that api/openapi.json allows, and much that it does not, and hands in as much (schemathesis).
# Needs: a built `sealtrail` (SEALTRAIL names it), `schemathesis` on the path or in $SCHEMATHESIS. SEED repeats a run, EXAMPLES asks more.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
binary=${SEALTRAIL:-$root/target/debug/sealtrail}
tool=${SCHEMATHESIS:-schemathesis}
home=$(mktemp -d)
daemon=
stop() {
    [ -z "$daemon" ] || { kill "$daemon" 2>/dev/null && wait "$daemon" || true; }
    rm -rf "$home"
}
trap stop EXIT INT TERM
"$binary" --home "$home/trail" --quiet init --no-input --no-hooks
# Its rate would refuse what this asks; the rate has its own test.
printf 'audit:\n  api:\n    requests_per_second: 10000\n  collector:\n    requests_per_second: 10000\n' > "$home/trail/audit.yaml"
for record in "$root"/fixtures/seeds/trail-*.json; do
    "$binary" --home "$home/trail" --quiet import events "$record"
done
: > "$home/log"
"$binary" --home "$home/trail" serve --listen 127.0.0.1:0 2> "$home/log" &
daemon=$!
url=
for _ in $(seq 300); do
    url=$(sed -n 's,.*\(http://127.0.0.1:[0-9]*\)/v1.*,\1,p' "$home/log")
    [ -z "$url" ] || break
    kill -0 "$daemon" || { cat "$home/log"; exit 1; }
    sleep 0.1
done
token=$("$binary" --home "$home/trail" --quiet token create --name schemathesis --scope read)
key=$("$binary" --home "$home/trail" --quiet token create --name schemathesis-w --scope write)
# A body over the limit is refused before its schema is looked at.
cat > "$home/checks.toml" <<'CHECKS'
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
CHECKS
ask() {
    # Whether a text is a query, a time or a cursor is no matter of its schema: 400 is a right answer to any.
    "$tool" "$@" --url "$url" --header "Authorization: Bearer ${secret:-$token}" --max-examples "${EXAMPLES:-60}" --workers 1 \
        --checks all --exclude-checks positive_data_acceptance --request-timeout 60 --no-color ${SEED:+--seed $SEED}
}
# Left out: grpc, whose frames and trailers the tool does not speak (otlp asks the same in JSON), and mcp, which answers only within a session.
without="--exclude-tag collector --exclude-tag otlp --exclude-tag fleet --exclude-tag grpc --exclude-tag mcp"
ask --config-file "$home/checks.toml" run "$root/api/openapi.json" $without
# What is handed in, with a key for it, which is also a machine's of the fleet: every form of body is an answer, never a defect.
"$binary" --home "$home/machine" --quiet init --no-input --no-hooks
"$binary" --home "$home/trail" --quiet fleet add machine --vkey "$(cat "$home/machine/ledger/log.vkey")" --key schemathesis-w
secret=$key
ask --config-file "$home/checks.toml" run "$root/api/openapi.json" --include-tag collector --include-tag otlp --include-tag fleet
secret=
# Once more with names that exist, so that those answers are compared with the document, too.
cp "$home/checks.toml" "$home/names.toml"
cat >> "$home/names.toml" <<'NAMES'
[parameters]
"path.audit_id" = "audit_evt_3f7e2a9c8d1b"
"path.execution_id" = "exec_xyz789abc123"
"path.session_id" = "sess_abc123def456"
NAMES
ask --config-file "$home/names.toml" run "$root/api/openapi.json" --include-path-regex '/\{' --phases examples,fuzzing
"$binary" --home "$home/trail" --quiet verify-integrity
