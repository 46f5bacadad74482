#!/usr/bin/env python3
"""Fills the disk under a trail while a client works, and gives the room back: somebody else's data, and somebody else's events.

    fill_disk.py --disk DIR --out OUT --url URL --key KEY [--requests N | --seconds N]

Begins once OUT/fill exists. A file takes all room of the disk, events of another application what the ledger had laid by, until the collector takes not
even a small one; then OUT/filled is written. The room is given back when OUT/free exists, or N requests after that reached the scripted API, or
after N seconds; OUT/freed is written once the collector takes events again. OUT/noise.json tells which events it acknowledged.
"""
import argparse
import json
import pathlib
import random
import threading
import time
import urllib.error
import urllib.request

from check_full_disk import fill

SIZES = [200_000, 20_000, 1_000]
# Four refusals of a small event in more than a second: a full disk is looked at again that often, and the ledger has its reserve.
REFUSALS, PAUSE, PATIENCE = 4, 0.4, 60


class Filler(threading.Thread):
    """Takes all room of a disk, and whatever becomes free, until it is told to give it back."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.done = path, threading.Event()

    def run(self):
        while not self.done.wait(0.02):
            fill(self.path)

    def give_back(self):
        self.done.set()
        self.join()
        self.path.unlink()


class Noise:
    """Events of another application."""

    def __init__(self, options):
        self.options, self.sent, self.acknowledged = options, 0, []

    def post(self, size):
        """Hands one event in; tells whether it was acknowledged."""
        self.sent += 1
        ident = f"01a00000-0000-7000-8000-{self.sent:012}"
        details = "x" * size
        event = {"audit_id": ident, "event_type": "tool.invocation", "user_id": "noise", "details": details}
        headers = {"Authorization": f"Bearer {self.options.key}", "Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.options.url}/v1/events", json.dumps(event).encode(), headers)
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                sealed = answer.status == 200
        except urllib.error.HTTPError as refused:
            if refused.code not in (429, 503):
                raise
            sealed = False
        if sealed:
            self.acknowledged.append(ident)
        return sealed


def wait_for(what, ready, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("--disk", "--out"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    for name in ("--url", "--key"):
        parser.add_argument(name, required=True)
    parser.add_argument("--requests", type=int)
    parser.add_argument("--seconds", type=float)
    options = parser.parse_args()
    noise, filler, out = Noise(options), Filler(options.disk / "filler"), options.out
    wait_for("nobody asked for a full disk", (out / "fill").exists)
    filler.start()
    for size in SIZES:
        while noise.post(size):
            pass
    refused = 0
    while refused < REFUSALS:
        time.sleep(PAUSE)
        refused = 0 if noise.post(SIZES[-1]) else refused + 1
    (out / "filled").write_text("")
    served = lambda: len(list((out / "api").glob("[0-9]*.json")))
    begun, before = time.monotonic(), served()
    due = {
        "seconds": lambda: time.monotonic() - begun > options.seconds,
        "requests": lambda: served() >= before + options.requests,
        "asked": (out / "free").exists,
    }["seconds" if options.seconds else "requests" if options.requests else "asked"]
    while not due() and time.monotonic() - begun < PATIENCE:
        time.sleep(0.05)
    filler.give_back()
    wait_for("with room again, the collector takes nothing", lambda: noise.post(SIZES[-1]))
    (out / "noise.json").write_text(json.dumps({"sent": noise.sent, "acknowledged": noise.acknowledged, "full_seconds": time.monotonic() - begun}))
    (out / "freed").write_text("")
    print(f"{noise.sent} events sent, {len(noise.acknowledged)} acknowledged")


if __name__ == "__main__":
    main()
