#!/bin/sh
# Verifies a ledger with both outside verifiers: Go's sumdb packages and Python's standard library.
# usage: run.sh LEDGER_DIR [PROOF_FILE [VKEY_FILE]]
# Needs python3, and Debian's golang-go and golang-golang-x-mod-dev; a missing Go is an error, not a pass.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] && [ $# -le 3 ] || { echo "usage: run.sh LEDGER_DIR [PROOF_FILE [VKEY_FILE]]" >&2; exit 64; }
ledger=$1
proof=${2:-}
vkey=${3:-}
failed=0

echo "== Python, standard library only"
python3 -B "$here/python/verify.py" "$ledger" ${proof:+--proof "$proof"} ${vkey:+--vkey "$vkey"} || failed=$?

echo "== Go, golang.org/x/mod/sumdb"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
GO111MODULE=off GOPATH=/usr/share/gocode GOFLAGS= GOCACHE="${GOCACHE:-$work/cache}" go build -o "$work/verify" "$here/go/main.go"
"$work/verify" ${proof:+-proof "$proof"} ${vkey:+-vkey "$vkey"} "$ledger" || failed=$?
exit "$failed"
