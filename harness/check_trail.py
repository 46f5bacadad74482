#!/usr/bin/env python3
"""Runs the real Claude Code client through scripted sessions with Sealtrail attached, and names every tool call of
which the trail has no outcome.

    check_trail.py --bin DIR --prefix DIR --out DIR [SCENARIO ...]

The expectation comes from the other side: the scripted API records which tool_use blocks it served. Each of them
must have an outcome in the trail, the outcome must agree with the tool_result that the client sent back, and the
trail must verify. Exit status 0 when every scenario holds, 1 otherwise.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
MCP = ["--mcp-config", str(HERE / "settings/mcp-stdio.json")]
LAZY_OFF = ["--env", "ENABLE_TOOL_SEARCH=false"]

SCENARIOS = {
    "hello": {"args": ["--script", "hello.json"], "daemon": True},
    "spooled": {"args": ["--script", "hello.json"], "daemon": False, "late": True},
    "tour": {"args": ["--script", "tool-tour.json", *LAZY_OFF], "client": MCP, "daemon": True},
    "lifecycle": {
        "args": ["--script", "lifecycle.json", "--project-from", str(HERE / "projects/lifecycle"),
                 "--steps", str(HERE / "scripts/lifecycle.steps.jsonl"), *LAZY_OFF,
                 "--env", "CLAUDE_CODE_ENABLE_TODO_TOOLS=1"],
        "client": [*MCP, "--include-hook-events"], "daemon": True,
        "types": ["session.started", "prompt.submitted", "agent.subagent_spawned", "agent.config_update"],
    },
    "failures": {"args": ["--script", "failures.json"], "daemon": True},
    "killed": {"args": ["--script", "killed.json", "--expect-rc", "137"], "daemon": True, "kill": "tail -f /dev/null",
               "unknown": 1},
}


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def served_calls(out):
    """Returns {tool_use_id: name} of every call that the API served, and {tool_use_id: is_error} of the results it saw."""
    calls, results = {}, {}
    for path in sorted((out / "api").glob("[0-9]*.json")):
        record = json.loads(path.read_text())
        for event in record.get("response", {}).get("sse") or []:
            block = event.get("data", {}).get("content_block") or {}
            if event.get("event") == "content_block_start" and block.get("type") == "tool_use":
                calls[block["id"]] = block["name"]
        body = record.get("request", {}).get("body") or {}
        for message in body.get("messages", []) if isinstance(body, dict) else []:
            for block in message.get("content", []) if isinstance(message.get("content"), list) else []:
                if isinstance(block, dict) and block.get("type") == "tool_result":
                    results[block["tool_use_id"]] = bool(block.get("is_error"))
    return calls, results


def problems_of(scenario, out, home, sealtrail):
    """Returns the list of sentences that say what the trail lacks."""
    searched = run([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"])
    if searched.returncode != 0:
        return [f"search failed with {searched.returncode}: {searched.stderr.strip()[-400:]}"]
    events = [json.loads(line) for line in searched.stdout.splitlines()]
    calls, results = served_calls(out)
    found = []
    if not calls:
        found.append("the scripted API served no tool call")
    unknown = 0
    for call, name in calls.items():
        about = [event for event in events if event.get("tool_use_id") == call]
        ends = [event for event in about if event.get("phase") == "outcome" and event.get("grade") != "derived"]
        ends = ends or [event for event in about if event.get("phase") == "outcome"]
        if not ends:
            found.append(f"{name} {call}: no outcome in the trail ({len(about)} events mention it)")
            continue
        outcome = ends[0].get("outcome")
        unknown += outcome == "unknown"
        if call in results and results[call] != (outcome not in ("success", "unknown")):
            found.append(f"{name} {call}: trail says {outcome}, the client told the model is_error={results[call]}")
    if unknown != scenario.get("unknown", 0):
        found.append(f"{unknown} calls with outcome unknown, expected {scenario.get('unknown', 0)}")
    if scenario.get("late") and not any(event.get("late_ms") is not None for event in events):
        found.append("no event says that it was late")
    for kind in scenario.get("types", []):
        if not any(event.get("event_type") == kind for event in events):
            found.append(f"no {kind} in the trail")
    if not any(event.get("event_type") == "session.ended" for event in events):
        found.append("no session.ended in the trail")
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        found.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]} {verified.stderr[-400:]}")
    if scenario["name"] == "tour" and "sk-ant-fake" in searched.stdout:
        found.append("the API key stands in the trail")
    print(f"{scenario['name']}: {len(calls)} tool calls served, {len(events)} events sealed")
    return found


def play(name, options):
    scenario = {**SCENARIOS[name], "name": name}
    sealtrail = options.bin / "sealtrail"
    out, home = options.out / name, options.out / f"{name}-home"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    settings = options.out / f"{name}-settings.json"
    shutil.copy(HERE / "settings/permissions.json", settings)
    made = run([sealtrail, "--home", home, "init", "--no-input", "--settings", settings])
    if made.returncode != 0:
        return [f"init exits {made.returncode}: {made.stderr}"]
    args = list(scenario["args"])
    args[1] = str(HERE / "scripts" / args[1])
    command = ["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings,
               *args, "--env", f"SEALTRAIL_HOME={home}"]
    if scenario["daemon"]:
        command += ["--with", f"exec '{sealtrail}' --home '{home}' daemon"]
    if scenario.get("kill"):
        command += ["--with", f"exec python3 '{HERE}/kill_client.py' '{scenario['kill']}'"]
    played = run([*command, "--", *scenario.get("client", [])])
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
    for name in options.scenario:
        found = play(name, options)
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr)
        passed, failed = passed + (not found), failed + bool(found)
    print(f"real client: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
