#!/usr/bin/env python3
"""Fills a small tmpfs under a trail and shows that nothing acknowledged is lost and nothing missing is silent. Needs root.

    check_full_disk.py --bin DIR

With fail mode `continue` the hook must exit 0 and the loss must be sealed as a gap once there is room; with `block` the hook
must stop the tool call (exit 2) with a reason.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

SIZE = "64m"
CALL = {"session_id": "11111111-2222-4333-8444-555555555555", "transcript_path": "/nowhere/t.jsonl", "cwd": "/nowhere",
        "hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "echo hi"}}


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def fill(path):
    with open(path, "wb") as handle:
        block = b"\0" * 65536
        try:
            while True:
                handle.write(block)
                handle.flush()
        except OSError:
            pass


def hook(binaries, home, number):
    return run([binaries / "sealtrail-hook", "--home", home], input=json.dumps({**CALL, "tool_use_id": f"toolu_{number:06}"}))


def search(binaries, home, *flags):
    found = run([binaries / "sealtrail", "--home", home, "search", *flags, "--all", "-o", "ndjson"])
    return [json.loads(line) for line in found.stdout.splitlines()]


def scenario(binaries, home, mode):
    failed = []
    made = run([binaries / "sealtrail", "--home", home, "init", "--no-input", "--no-hooks"])
    if made.returncode != 0:
        return [f"init exits {made.returncode}: {made.stderr}"]
    config = home / "audit.yaml"
    config.write_text(f"audit:\n  enabled: true\n  fail_mode:\n    default: {mode}\n")
    daemon = subprocess.Popen([str(binaries / "sealtrail"), "--home", str(home), "daemon"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (home / "run/sealtrail.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    kept = [n for n in range(5) if hook(binaries, home, n).returncode == 0]
    filler = home / "filler"
    fill(filler)
    answers = []
    for number in range(100, 400):
        answer = hook(binaries, home, number)
        answers.append(answer)
        if mode == "block" and answer.returncode == 2:
            break
    codes = {answer.returncode for answer in answers}
    if mode == "continue" and codes != {0}:
        failed.append(f"continue: hooks exit {sorted(codes)}, expected 0")
    if mode == "block" and (2 not in codes or not answers[-1].stderr.strip()):
        failed.append(f"block: hooks exit {sorted(codes)}, expected a 2 with a reason")
    filler.unlink()
    daemon.terminate()
    daemon.wait(30)
    seen = {event.get("tool_use_id") for event in search(binaries, home, "--event-type", "tool.requested")}
    missing = [n for n in kept if f"toolu_{n:06}" not in seen]
    if missing:
        failed.append(f"{mode}: acknowledged calls are missing: {missing}")
    lost = [n for n in range(100, 100 + len(answers)) if f"toolu_{n:06}" not in seen]
    gaps = search(binaries, home, "--event-type", "ledger.gap")
    told = sum((event.get("ledger") or {}).get("lost") or 0 for event in gaps)
    if len(lost) > told:
        failed.append(f"{mode}: {len(lost)} calls are missing, the trail admits {told}")
    verified = run([binaries / "sealtrail", "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        failed.append(f"{mode}: verify-integrity exits {verified.returncode}: {verified.stdout[-500:]}{verified.stderr[-500:]}")
    print(f"full disk, {mode}: {len(answers)} hooks on a full disk, {len(lost)} events lost, {told} admitted")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    options = parser.parse_args()
    if os.getuid() != 0:
        raise SystemExit("check_full_disk.py needs root: it mounts a tmpfs")
    failed = []
    for mode in ("continue", "block"):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
            try:
                failed += scenario(options.bin, pathlib.Path(folder) / "trail", mode)
            finally:
                subprocess.run(["umount", "-l", folder], check=False)
    for sentence in failed:
        print(f"  {sentence}", file=sys.stderr)
    print(f"full disk: {2 - min(2, len(failed))} passed, {min(2, len(failed))} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
