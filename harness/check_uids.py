#!/usr/bin/env python3
"""Shows with real user ids what an agent's account can do to a trail that another account owns. Needs root.

    check_uids.py --bin DIR

The daemon runs as one uid, hooks as another. Appending must work; reading, listing, changing and deleting must not.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

DAEMON, AGENT = 61001, 61002
EVENT = {"session_id": "11111111-2222-4333-8444-555555555555", "transcript_path": "/nowhere/t.jsonl", "cwd": "/nowhere",
         "hook_event_name": "UserPromptSubmit", "prompt": "hello from the agent"}


def as_uid(uid, command, **kwargs):
    return subprocess.run(["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *map(str, command)],
                          text=True, capture_output=True, **kwargs)


def attempts(home):
    """Returns (name, shell text) of everything that the agent's account must not be able to do."""
    ledger = home / "ledger"
    return [
        ("list the ledger", f"ls {ledger}"),
        ("list the keys", f"ls {home}/keys"),
        ("read a segment", f"cat {ledger}/wal/* {ledger}/log.json"),
        ("read the log key", f"cat {home}/keys/log.key"),
        ("change the ledger", f"echo x >> {ledger}/log.json"),
        ("delete the ledger", f"rm -rf {ledger} && test ! -e {ledger}"),
        ("move the ledger away", f"mv {ledger} {home}/gone"),
        ("delete the socket", f"rm -f {home}/run/sealtrail.sock && test ! -e {home}/run/sealtrail.sock"),
        ("rewrite the fail mode", f"echo default=continue > {home}/run/hook.conf"),
        ("read the configuration", f"cat {home}/audit.yaml"),
    ]


def wait_for(path):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists():
            return
        time.sleep(0.02)
    raise SystemExit(f"not there after 20 s: {path}")


def check(binaries, base):
    home, failed = base / "trail", []
    for name in ("sealtrail", "sealtrail-hook"):
        shutil.copy(binaries / name, base / name)
    made = as_uid(DAEMON, [base / "sealtrail", "--home", home, "init", "--no-input", "--no-hooks", "--system"])
    if made.returncode != 0:
        raise SystemExit(f"init exits {made.returncode}: {made.stderr}")
    daemon = subprocess.Popen(["setpriv", f"--reuid={DAEMON}", f"--regid={DAEMON}", "--clear-groups",
                               str(base / "sealtrail"), "--home", str(home), "daemon"], stderr=subprocess.DEVNULL)
    wait_for(home / "run/sealtrail.sock")
    hooked = as_uid(AGENT, [base / "sealtrail-hook", "--home", home], input=json.dumps(EVENT))
    if hooked.returncode != 0 or hooked.stdout:
        failed.append(f"the hook exits {hooked.returncode}: {hooked.stdout}{hooked.stderr}")
    for name, text in attempts(home):
        if as_uid(AGENT, ["sh", "-c", text]).returncode == 0:
            failed.append(f"the agent's account can {name}")
    daemon.terminate()
    daemon.wait(20)
    spooled = as_uid(AGENT, [base / "sealtrail-hook", "--home", home], input=json.dumps(EVENT))
    if spooled.returncode != 0:
        failed.append(f"the hook exits {spooled.returncode} with no daemon: {spooled.stderr}")
    if as_uid(AGENT, ["sh", "-c", f"grep -r 'hello from the agent' {home}"]).returncode == 0:
        failed.append("the agent's account can read the spool in plain text")
    found = as_uid(DAEMON, [base / "sealtrail", "--home", home, "search", "--event-type", "prompt.submitted", "--all", "-o", "ndjson"])
    events = [json.loads(line) for line in found.stdout.splitlines()]
    if len(events) != 2 or any(str(AGENT) not in json.dumps(event) for event in events):
        failed.append(f"expected two prompts by uid {AGENT}, found {len(events)}: {found.stdout[:500]} {found.stderr[:500]}")
    verified = as_uid(DAEMON, [base / "sealtrail", "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        failed.append(f"verify-integrity exits {verified.returncode}: {verified.stdout}{verified.stderr}")
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    options = parser.parse_args()
    if os.getuid() != 0:
        raise SystemExit("check_uids.py needs root: it plays two accounts")
    with tempfile.TemporaryDirectory() as folder:
        base = pathlib.Path(folder)
        os.chown(base, DAEMON, DAEMON)
        base.chmod(0o755)
        failed = check(options.bin, base)
    for sentence in failed:
        print(f"  {sentence}", file=sys.stderr)
    print(f"real uids: {int(not failed)} passed, {int(bool(failed))} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
