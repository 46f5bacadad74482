#!/usr/bin/env python3
"""Waits until a program that the client's agent started runs, then kills the client with SIGKILL.

    kill_client.py COMMAND

COMMAND is the whole command line of that program ("tail -f /dev/null"); a shell that merely holds it in its own arguments
does not count. Only processes of this network namespace count, so a run never reaches outside itself. Gives up after 60 s.
"""
import os
import signal
import sys
import time

MINE = os.readlink("/proc/self/ns/net")


def processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(pid) != os.getpid() and os.readlink(f"/proc/{pid}/ns/net") == MINE:
                with open(f"/proc/{pid}/cmdline", "rb") as handle:
                    yield int(pid), handle.read().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            continue  # gone, or not ours to look at


def is_client(line):
    return "--output-format stream-json" in line and "/claude" in line.split(" ")[0]


def main(command):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = list(processes())
        running = [pid for pid, line in found if line.strip() == command]
        clients = [pid for pid, line in found if is_client(line)]
        if running and clients:
            for pid in clients + running:  # the client first: it must not see its child end
                os.kill(pid, signal.SIGKILL)
            print(f"killed the client {clients} in the middle of {command!r} {running}")
            return 0
        time.sleep(0.05)
    print(f"gave up: no client, or {command!r} never ran", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
