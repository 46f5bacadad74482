#!/usr/bin/env python3
"""Fills a small file system under a trail and shows that nothing acknowledged is lost and nothing missing is silent.

    check_full_disk.py --bin DIR

Each scenario gets its own tmpfs with little more than the trail's preallocated room, and a filler file takes the rest. Hooks
of 200 KB go on until one of them can be recorded nowhere, and then some more. Checked, with a daemon and with the spool alone:

  - `continue`: every hook exits 0; `block`: a PreToolUse that cannot be recorded exits 2 and says why, other hooks exit 0;
  - while the disk is full, the daemon still seals a record that says so, from its reserve;
  - once there is room: every acknowledged call is in the trail, every other one is counted in sealed gaps, the next hook is
    recorded, and the trail verifies.

The mounts live in a mount namespace of their own. Where neither root nor a user namespace can mount, it says so and exits 0.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

CALL = {"session_id": "11111111-2222-4333-8444-555555555555", "transcript_path": "/nowhere/t.jsonl", "cwd": "/nowhere",
        "hook_event_name": "PreToolUse", "tool_name": "Bash"}
SETTINGS = {
    "continue": "  fail_mode:\n    default: continue\n",
    "block": "  fail_mode:\n    default: continue\n    tool_invocation: block\n",
}
# 20 MiB: the ledger's 16 MiB of preallocated room, its reserve of 1 MiB, and a little for everything else.
SIZE = 20 * 1024 * 1024
PAYLOAD = "x" * 200_000
HOOKS_MAX = 300
AFTER_THE_FIRST_LOSS = 20
PATIENCE = 10


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def until(condition):
    """Waits until something holds; tells whether it came to be."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def fill(path):
    """Writes on until not one more byte fits."""
    with open(path, "ab", buffering=0) as handle:
        for size in (65536, 4096, 1):
            try:
                while handle.write(b"\0" * size):
                    pass
            except OSError:
                continue


class Trail:
    """A trail on the small file system, as its users see it."""

    def __init__(self, binaries, home):
        self.binaries, self.home, self.daemon = binaries, home, None

    def sealtrail(self, *words):
        return run([self.binaries / "sealtrail", "--home", self.home, *words])

    def hook(self, number, payload=PAYLOAD, **more):
        call = {**CALL, "tool_use_id": f"toolu_{number:06}", "tool_input": {"command": f"echo {payload}"}, **more}
        return run([self.binaries / "sealtrail-hook", "--home", self.home], input=json.dumps(call))

    def counted(self):
        """Returns how many losses the hooks have counted and nobody has sealed: 64 slots of 64 bytes, the count at byte 40."""
        table = (self.home / "spool/gaps").read_bytes()
        return sum(int.from_bytes(table[at + 40:at + 48], "big") for at in range(0, len(table), 64))

    def spooled(self):
        return sum(path.stat().st_size for path in (self.home / "spool").glob("*.spool"))

    def sealed_gap_in_plain_sight(self):
        """Looks for the record in the bytes of the ledger: nothing that writes is asked."""
        return any(b'"event_type":"ledger.gap"' in path.read_bytes() for path in (self.home / "ledger/wal").iterdir())

    def start(self):
        self.daemon = subprocess.Popen([str(self.binaries / "sealtrail"), "--home", str(self.home), "daemon"],
                                       stderr=subprocess.DEVNULL)
        if not until((self.home / "run/sealtrail.sock").exists):
            raise SystemExit("the daemon makes no socket")

    def stop(self):
        self.daemon.terminate()
        status = self.daemon.wait(PATIENCE)
        self.daemon = None
        return status

    def search(self, kind):
        found = self.sealtrail("search", "--event-type", kind, "--all", "-o", "ndjson")
        if found.returncode != 0:
            raise SystemExit(f"search exits {found.returncode}: {found.stderr}")
        return [json.loads(line) for line in found.stdout.splitlines()]


def play(trail, mode, with_daemon):
    """Runs one scenario and returns the sentences that say what went wrong."""
    made = trail.sealtrail("init", "--no-input", "--no-hooks")
    if made.returncode != 0:
        return [f"init exits {made.returncode}: {made.stderr}"]
    (trail.home / "audit.yaml").write_text("audit:\n  enabled: true\n" + SETTINGS[mode])
    trail.start()  # also without a daemon later: its start tells the hooks the new settings
    if not with_daemon:
        trail.stop()
    kept = [n for n in range(5) if trail.hook(n, "small").returncode == 0]
    filler = trail.home.parent / "filler"
    fill(filler)
    # Room for a few deliveries, so that the disk fills in the middle of somebody's work and not before it.
    os.truncate(filler, max(0, filler.stat().st_size - 1_500_000))
    failed, sent, full_since = [], list(kept), None
    for number in range(100, 100 + HOOKS_MAX):
        before = trail.counted()
        answer = trail.hook(number)
        sent.append(number)
        if answer.returncode == 2 and mode == "block":
            if not ("cannot be recorded" in answer.stderr and "free disk space" in answer.stderr):
                failed.append(f"hook {number} denies without a clear reason: {answer.stderr[:200]!r}")
        elif answer.returncode != 0:
            failed.append(f"hook {number} exits {answer.returncode}: {answer.stderr[:200]}")
        elif mode == "block":
            kept.append(number)  # here an exit of 0 is a promise; with `continue` only the sums can be checked
        if full_since is None and (answer.returncode == 2 or trail.counted() > before):
            full_since = number
        if full_since and number == full_since + AFTER_THE_FIRST_LOSS:
            break
    if full_since is None:
        failed.append(f"{HOOKS_MAX} hooks of {len(PAYLOAD)} bytes did not fill the disk")
    after = trail.hook(900, hook_event_name="PostToolUse", tool_response={"stdout": PAYLOAD})
    sent.append(900)
    if after.returncode != 0:
        failed.append(f"a PostToolUse exits {after.returncode}: there is nothing left to deny")
    if with_daemon and not trail.sealed_gap_in_plain_sight():
        failed.append("the full disk is not told in the ledger while it is full: the reserve did not work")
    return failed + room_again(trail, filler, kept, sent, with_daemon)


def room_again(trail, filler, kept, sent, with_daemon):
    """Frees the room and checks that every hook that was sent is in the trail or admitted as lost."""
    failed = []
    filler.unlink()
    if with_daemon and not until(lambda: trail.spooled() == 0 and trail.counted() == 0):
        waits = trail.sealtrail("status").stdout
        failed.append(f"after {PATIENCE} s with room again, the daemon has not sealed spool and losses: {waits}")
    if trail.hook(1000, "small").returncode != 0:
        failed.append("with room again, the next hook fails")
    kept.append(1000)
    sent.append(1000)
    if with_daemon and trail.stop() != 0:
        failed.append("the daemon did not stop cleanly")
    seen = {event.get("tool_use_id") for event in trail.search("tool.requested") + trail.search("tool.command")}
    missing = [n for n in kept if f"toolu_{n:06}" not in seen]
    if missing:
        failed.append(f"acknowledged calls are missing: {missing}")
    lost = [n for n in sent if f"toolu_{n:06}" not in seen]
    told = sum((event.get("ledger") or {}).get("lost") or 0 for event in trail.search("ledger.gap"))
    if told != len(lost) or not lost:
        failed.append(f"{len(lost)} of {len(sent)} hooks are not in the trail, it admits {told}")
    verified = trail.sealtrail("verify-integrity")
    if verified.returncode != 0:
        failed.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-500:]}{verified.stderr[-500:]}")
    print(f"  {len(sent)} hooks, {len(sent) - len(lost)} in the trail, {told} admitted as lost")
    return failed


def scenario(binaries, mode, with_daemon):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
        trail = Trail(binaries, pathlib.Path(folder) / "trail")
        try:
            return play(trail, mode, with_daemon)
        finally:
            if trail.daemon:
                trail.daemon.kill()
                trail.daemon.wait()
            subprocess.run(["umount", "-l", folder], check=False)


def enter_mount_namespace(program=__file__):
    """Starts this program again where it may mount; returns only when it cannot."""
    spaces = ["--mount"] if os.getuid() == 0 else ["--user", "--map-root-user", "--mount"]
    with tempfile.TemporaryDirectory() as folder:
        probe = ["unshare", *spaces, "mount", "-t", "tmpfs", "tmpfs", folder]
        if run(probe).returncode != 0:
            return
    os.execvp("unshare", ["unshare", *spaces, sys.executable, os.path.abspath(program), "--inside", *sys.argv[1:]])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.inside:
        enter_mount_namespace()
        print("full disk: SKIPPED, nobody here may mount a tmpfs (run it as root)")
        return 0
    passed = failed = 0
    for with_daemon in (True, False):
        for mode in SETTINGS:
            name = f"full disk, {'daemon' if with_daemon else 'spool only'}, {mode}"
            print(name)
            found = scenario(options.bin, mode, with_daemon)
            for sentence in found:
                print(f"  {name}: {sentence}", file=sys.stderr)
            passed, failed = passed + (not found), failed + bool(found)
    print(f"full disk: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
