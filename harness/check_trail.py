#!/usr/bin/env python3
"""Runs the real Claude Code client through scripted sessions with Sealtrail attached, and names every tool call of
which the trail has no outcome.

    check_trail.py --bin DIR --prefix DIR --out DIR [SCENARIO ...]

What is expected of the trail stands in trail_checks.py and in the scripts (`expect`). The trail must also verify, hold
no secret, and say how the session ended. Exit status 0 when every scenario holds, 1 otherwise.
"""
import argparse
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import permission_checks
import trail_checks

HERE = pathlib.Path(__file__).resolve().parent
MCP = ["--mcp-config", str(HERE / "settings/mcp-stdio.json")]
LAZY_OFF = ["--env", "ENABLE_TOOL_SEARCH=false"]
# Looks like a token of GitHub, and is none. The key is the one that every session of the harness gets.
SECRET = "ghp_" + "".join("a0Bz9Yk3Xq7"[n % 11] for n in range(36))
API_KEY = "sk-ant-fake"

SCENARIOS = {
    "hello": {"script": "hello.json"},
    "spooled": {"script": "hello.json", "daemon": False},
    "tour": {"script": "tool-tour.json", "args": LAZY_OFF, "client": MCP, "prompts": ["<task-notification>"]},
    "lifecycle": {
        "script": "lifecycle.json",
        "args": ["--project-from", str(HERE / "projects/lifecycle"), "--steps", str(HERE / "scripts/lifecycle.steps.jsonl"),
                 *LAZY_OFF, "--env", "CLAUDE_CODE_ENABLE_TODO_TOOLS=1"],
        "client": [*MCP, "--include-hook-events"],
        "types": ["session.started", "prompt.submitted", "prompt.expanded", "agent.subagent_spawned", "agent.config_update",
                  "session.compaction_started", "session.compaction_finished", "model.switched", "task.created",
                  "mcp.elicitation_requested", "mcp.elicitation_answered", "session.cwd_changed"],
    },
    "delegation": {"script": "delegation.json"},
    "parallel": {"script": "parallel.json", "args": LAZY_OFF, "client": MCP},
    "parallel-spooled": {"script": "parallel.json", "args": LAZY_OFF, "client": MCP, "daemon": False},
    "outputs": {"script": "outputs.json"},
    "rewritten": {"script": "rewritten.json", "settings": "other-party.json", "types": ["policy.rewritten"]},
    "failures": {"script": "failures.json"},
    "blocked": {"script": "hello.json", "daemon": False, "blocked": True},
    "killed": {"script": "killed.json", "kill": "tail -f /dev/null"},
    "killed-nested": {"script": "killed-nested.json", "kill": "tail -f /dev/null"},
    "killed-spooled": {"script": "killed-nested.json", "kill": "tail -f /dev/null", "daemon": False},
    "permissions": {"script": "permissions.json", "settings": "permissions-change.json", "permissions": True,
                    "types": ["auth.permission_snapshot", "auth.permission_granted", "auth.permission_revoked"]},
    "launched": {"script": "launched.json", "settings": "launched.json", "client": ["--allowedTools", "Bash(mytool *)"],
                 "asked": (permission_checks.LAUNCHED, permission_checks.COMMAND_LINE), "types": ["auth.permission_snapshot"]},
}


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def secrets_on_disk(home):
    """Yields the files of a trail that hold a secret in plain text; sealed segments are looked into."""
    for path in home.rglob("*"):
        if path.is_file():
            data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            if SECRET.encode() in data or API_KEY.encode() in data:
                yield f"a secret stands in {path.relative_to(home)}"


def problems_of_session(scenario, events):
    """Returns what is wrong with the trail beside its calls."""
    found = []
    if not scenario.get("daemon", True) and not any(event.get("late_ms") is not None for event in events):
        found.append("no event says that it was late")
    for kind in scenario.get("types", []):
        if not any(event.get("event_type") == kind for event in events):
            found.append(f"no {kind} in the trail")
    for text in scenario.get("prompts", []):
        if not any(text in (event.get("prompt") or "") for event in events):
            found.append(f"no prompt holds {text}")
    ends = [event.get("end_reason") for event in events if event.get("event_type") == "session.ended"]
    if ends != ["crashed" if scenario.get("kill") else "completed"]:
        found.append(f"the session ended as {ends}")
    return found


def problems_of(scenario, out, home, sealtrail):
    """Returns the list of sentences that say what the trail lacks."""
    searched = run([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"])
    if searched.returncode != 0:
        return [f"search failed with {searched.returncode}: {searched.stderr.strip()[-400:]}"]
    events = [json.loads(line) for line in searched.stdout.splitlines()]
    records = [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))]
    calls = trail_checks.served_calls(records, json.loads((HERE / "scripts" / scenario["script"]).read_text()))
    found = [] if calls else ["the scripted API served no tool call"]
    if scenario.get("blocked"):
        found += trail_checks.problems_of_blocked(calls, events)
    else:
        found += trail_checks.problems_of_calls(calls, events, SECRET)
        found += trail_checks.blind_spots(calls, events, SECRET)
        found += trail_checks.problems_of_agents(calls, events, all_ended=not scenario.get("kill"))
        found += problems_of_session(scenario, events)
    if scenario.get("permissions") or scenario.get("asked"):
        found += permission_checks.problems(events, lambda event: run([sealtrail, "--home", home, "permission", event, "--output", "json"]),
                                            *scenario.get("asked", ()))
    found += secrets_on_disk(home)
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        found.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]} {verified.stderr[-400:]}")
    print(f"{scenario['name']}: {len(calls)} tool calls served, {len(events)} events sealed")
    return found


def block(sealtrail, home):
    """Lets nothing be recorded: no daemon, and a folder where the spool's file would be. Returns that folder."""
    (home / "audit.yaml").write_text("audit:\n  fail_mode:\n    default: continue\n    tool_invocation: block\n")
    daemon = subprocess.Popen([str(sealtrail), "--home", str(home), "daemon"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (home / "run/sealtrail.sock").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    daemon.terminate()  # it has told the hooks their settings
    daemon.wait(30)
    obstacle = home / f"spool/{os.getuid()}.spool"
    obstacle.mkdir()
    return obstacle


def play(name, options):
    scenario = {**SCENARIOS[name], "name": name}
    sealtrail = options.bin / "sealtrail"
    out, home = options.out / name, options.out / f"{name}-home"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    settings = options.out / f"{name}-settings.json"
    shutil.copy(HERE / "settings" / scenario.get("settings", "permissions.json"), settings)
    made = run([sealtrail, "--home", home, "init", "--no-input", "--settings", settings])
    if made.returncode != 0:
        return [f"init exits {made.returncode}: {made.stderr}"]
    obstacle = block(sealtrail, home) if scenario.get("blocked") else None
    command = ["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings,
               "--script", HERE / "scripts" / scenario["script"], *scenario.get("args", []), "--env", f"SEALTRAIL_HOME={home}"]
    if scenario.get("daemon", True):
        command += ["--with", f"exec '{sealtrail}' --home '{home}' daemon"]
    if scenario.get("kill"):
        command += ["--expect-rc", "137", "--with", f"exec python3 '{HERE}/kill_client.py' '{scenario['kill']}'"]
    played = run([*command, "--", *scenario.get("client", [])], env={**os.environ, "HARNESS_SECRET": SECRET})
    if obstacle:
        obstacle.rmdir()
    if played.returncode != 0:
        return [f"the run exits {played.returncode}: {played.stderr.strip()[-600:]}"]
    return problems_of(scenario, out, home, sealtrail)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--prefix", default=os.path.expanduser("~/.cache/claude-code"))
    parser.add_argument("--out", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("scenario", nargs="*", default=list(SCENARIOS))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    passed = failed = 0
    for name in options.scenario or SCENARIOS:
        found = play(name, options)
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr)
        passed, failed = passed + (not found), failed + bool(found)
    print(f"real client: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
