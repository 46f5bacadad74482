#!/usr/bin/env python3
"""Lets the outside verifiers judge ledgers that Sealtrail wrote: sealed segments of either compression, MACs, an erased
slot, a proof and a pinned key. Then damages a copy of each, and they must notice. A foreign log asks our witness at last.

    check_ours.py --bin DIR
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import check_witness

HERE = pathlib.Path(__file__).resolve().parent
# Two sealed segments of 256 events and a beginning of the third.
HOOKS = 600


def run(command, expect=0, **kwargs):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)
    if expect is not None and done.returncode != expect:
        raise SystemExit(f"{' '.join(map(str, command))} exits {done.returncode}, not {expect}: {done.stdout[-800:]}{done.stderr[-800:]}")
    return done


def make(binaries, home, compression):
    """Makes a trail out of hooks; returns the id of an event whose input is erased afterwards."""
    sealtrail = [binaries / "sealtrail", "--home", home]
    run([*sealtrail, "init", "--no-input", "--no-hooks", "--hmac"])
    (home / "audit.yaml").write_text(
        "audit:\n  integrity:\n    integrity_check: hmac-sha256\n"
        f"  ledger:\n    compression: {compression}\n    segment_events: 256\n")
    hooks = home.parent / "hooks.jsonl"
    with open(hooks, "w", encoding="utf-8") as out:
        for number in range(HOOKS):
            out.write(json.dumps({
                "session_id": f"session-{number // 100}", "cwd": "/p", "hook_event_name": "PreToolUse", "tool_name": "Bash",
                "tool_use_id": f"toolu_{number:06}", "tool_input": {"command": f"echo {number} {'x' * (number % 300)}"}}) + "\n")
    run([*sealtrail, "import", "hooks", hooks])
    audit_id = json.loads(run([*sealtrail, "get", "100", "-o", "json"]).stdout)["audit_id"]
    run([*sealtrail, "erase", audit_id, "--slot", "input", "--reason", "test", "--confirm", audit_id])
    return audit_id


def judge(ledger, expect, *more):
    run(["sh", HERE / "run.sh", ledger, *more], expect)


def damaged(ledger, name):
    """Makes a copy of the ledger in which one byte in the middle of one file is another."""
    copy = ledger.parent / "damaged"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(ledger, copy)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    return copy


def by_hand(ledger):
    """Runs the shell lines of the README that check one event without any program of ours."""
    readme = (HERE.parent / "README.md").read_text(encoding="utf-8")
    leaf, tile = [line.strip() for line in readme.splitlines() if line.startswith("    (printf") or line.startswith("    dd if=tile")]
    told = [run(["bash", "-c", line], cwd=ledger).stdout.split()[0] for line in (leaf, tile)]
    if told[0] != told[1]:
        raise SystemExit(f"the README's shell lines tell {told[0]} and {told[1]}")
    print("the README's shell lines find the same leaf in the segment and in the tile")


def check(binaries, folder, compression):
    home = folder / "trail"
    audit_id = make(binaries, home, compression)
    ledger, proof = home / "ledger", folder / "one.proof"
    sealed = sorted(path.name for path in (ledger / "seg").glob("*.json"))
    if len(sealed) < 2:
        raise SystemExit(f"{compression}: sealed segments {sealed}, expected two")
    proof.write_text(run([binaries / "sealtrail", "--home", home, "prove", audit_id, "-o", "proof"]).stdout)
    judge(ledger, 0, proof, ledger / "log.vkey")
    if compression == "gzip":
        by_hand(ledger)
    ending = ".jsonl.gz" if compression == "gzip" else ".jsonl"
    files = [f"seg/000000000000.{part}{ending}" for part in ("entries", "slots", "commits")] + [f"seg/{sealed[1]}"]
    for name in files:
        judge(damaged(ledger, name), 3)
    print(f"{compression}: {len(sealed)} sealed segments verified by both; {len(files)} damaged files noticed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("GOCACHE", f"{folder}/go")  # else each run builds Go's library again
        for compression in ("gzip", "none"):
            place = pathlib.Path(folder) / compression
            place.mkdir()
            check(options.bin, place, compression)
        check_witness.check(run, options.bin, pathlib.Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
