#!/usr/bin/env python3
"""Runs the real client with HTTP hooks to the collector, and names every tool call of which the trail has no outcome.

    check_http_hooks.py --bin DIR --out DIR [--prefix DIR] [SCENARIO ...]

The settings are those that `sealtrail init` writes, with an HTTP hook in the place of the command hook wherever the client posts one: not for
SessionStart and Setup. What is expected of the trail is what check_trail.py expects; besides, every event of such a hook names the key and the person
of the client's settings. Exit status 0 when everything holds, 1 otherwise.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys

import check_trail

HERE = pathlib.Path(__file__).resolve().parent
PORT = 18788
PERSON = "ann"
# The client posts none for these two.
NOT_POSTED = ("SessionStart", "Setup")
SCENARIOS = ("hello", "tour", "parallel", "failures")


def post_hooks(settings, url, key):
    """Puts an HTTP hook in the place of each command hook of ours; returns how many there are."""
    written = json.loads(settings.read_text())
    headers = {"Authorization": f"Bearer {key}", "Sealtrail-User": PERSON, "Sealtrail-Client": "claude-code_2-1-329_harness"}
    count = 0
    for event, groups in written["hooks"].items():
        for group in groups if event not in NOT_POSTED else ():
            for at, hook in enumerate(group["hooks"]):
                if "sealtrail-hook" in hook.get("command", ""):
                    group["hooks"][at] = {"type": "http", "url": f"{url}/v1/hooks/claude-code", "headers": headers, "timeout": 10}
                    count += 1
    settings.write_text(json.dumps(written))
    return count


def problems_of_senders(events):
    """Returns events of HTTP hooks that do not tell who handed them in."""
    posted = [event for event in events if event.get("collector", {}).get("key")]
    found = [] if posted else ["no hook came over HTTP"]
    wrong = [event["audit_id"] for event in posted if event.get("user_id") != PERSON or event["collector"]["key"] != "client" or "uid" in event]
    found += [f"{ident}: does not tell who handed it in" for ident in wrong]
    named = {event.get("hook_event_name") for event in events if event["witness"] == "hook" and event not in posted}
    return found + [f"{name}: came through a command hook" for name in sorted(filter(None, named)) if name not in NOT_POSTED]


def play(name, options):
    scenario = {**check_trail.SCENARIOS[name], "name": name}
    sealtrail, out, home = options.bin / "sealtrail", options.out / name, options.out / f"{name}-home"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    settings, url = options.out / f"{name}-settings.json", f"http://127.0.0.1:{PORT}"
    shutil.copy(HERE / "settings" / scenario.get("settings", "permissions.json"), settings)
    for words in (["init", "--no-input", "--settings", settings], ["--quiet", "token", "create", "--name", "client", "--scope", "write"]):
        done = check_trail.run([sealtrail, "--home", home, *words])
        if done.returncode != 0:
            return [f"{words[0]} exits {done.returncode}: {done.stderr}"]
    if not post_hooks(settings, url, done.stdout.strip()):
        return ["init wrote no hooks"]
    command = ["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings,
               "--script", HERE / "scripts" / scenario["script"], *scenario.get("args", []), "--env", f"SEALTRAIL_HOME={home}",
               "--with", f"exec '{sealtrail}' --home '{home}' serve --listen 127.0.0.1:{PORT}", "--wait", f"{url}/healthz"]
    played = check_trail.run([*command, "--", *scenario.get("client", [])], env={**os.environ, "HARNESS_SECRET": check_trail.SECRET})
    if played.returncode != 0:
        return [f"the run exits {played.returncode}: {played.stderr.strip()[-600:]}"]
    # The client's description of a subagent lies on its own machine: over HTTP the parent is told by earlier hooks alone.
    found = [sentence for sentence in check_trail.problems_of(scenario, out, home, sealtrail) if " by earlier_event, " not in sentence]
    events = [json.loads(line) for line in
              check_trail.run([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"]).stdout.splitlines()]
    return found + problems_of_senders(events)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX", os.path.expanduser("~/.cache/claude-code")))
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.scenario or SCENARIOS:
        found = play(name, options)
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr)
        failed += bool(found)
    print("HTTP hooks: everything holds" if not failed else f"HTTP hooks: {failed} scenarios failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
