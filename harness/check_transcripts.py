#!/usr/bin/env python3
"""Runs the real Claude Code client through scripted sessions while Sealtrail follows its transcripts, and names what they do not tell as the
scripted API served it.

    check_transcripts.py --bin DIR [--prefix DIR] --out DIR [SCENARIO ...]

Every tool call that the API served must have one intent and one outcome of the witness `transcript`, beside those of the hooks; every answer one
`model.response` with the tokens that the API said, subagents included; `sealtrail usage` must say their sum; content addresses must fit. Then a
transcript is deleted and another one edited, and the trail must tell both. Exit status 0 when every scenario holds, 1 otherwise.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import check_trail
import trail_checks
from check_trail import HERE, LAZY_OFF, MCP, run

SCENARIOS = ["tour", "delegation", "parallel", "lifecycle"]
COUNTS = {"input_tokens": "input_tokens", "output_tokens": "output_tokens", "cache_read_tokens": "cache_read_input_tokens",
          "cache_creation_tokens": "cache_creation_input_tokens"}


def served_answers(records):
    """Returns (message id, agent, usage, side) of every answer that the API sent to its end; side: the client asked beside the conversation."""
    answers = []
    for record in records:
        headers = {name.lower(): value for name, value in record["request"]["headers"]}
        message, ended = None, False
        for event in record.get("response", {}).get("sse") or []:
            data = event.get("data", {})
            if data.get("type") == "message_start":
                message = {"id": data["message"]["id"], "usage": dict(data["message"]["usage"])}
            elif data.get("type") == "message_delta" and message:
                message["usage"].update(data.get("usage") or {})
            ended = ended or data.get("type") == "message_stop"
        if message and ended:
            side = "Respond with TEXT ONLY" in json.dumps(record["request"]["body"]["messages"][-1])
            answers.append((message["id"], headers.get("x-claude-code-agent-id"), message["usage"], side))
    return answers


def problems_of_calls(calls, events):
    """Names the calls of which hooks and transcript do not tell one outcome each."""
    found = []
    for ident, call in calls.items():
        own = [event for event in events if event.get("tool_use_id") == ident and event.get("witness") == "transcript"]
        phases = [event.get("phase") for event in own]
        if phases.count("intent") != 1 or phases.count("outcome") != 1:
            found.append(f"the transcript tells call {ident} ({call['name']}) as {phases}")
            continue
        intent = next(event for event in own if event["phase"] == "intent")
        # The client adds what its tools take by default.
        told = {name: intent["tool_input"].get(name) for name in call["input"]}
        if told != call["input"] and not intent.get("redactions"):
            found.append(f"the transcript's input of {ident} is {intent['tool_input']}, the API served {call['input']}")
        if (intent.get("agent_id"), intent.get("parent_agent_id")) != (call["agent"], call["parent"]):
            found.append(f"{ident} is told of agent {intent.get('agent_id')} of {intent.get('parent_agent_id')}, "
                         f"the API served {call['agent']} of {call['parent']}")
        hooks = [event for event in events if event.get("tool_use_id") == ident and event.get("phase") == "outcome"
                 and event.get("witness") in ("hook", "recorder")]
        outcome = next(event for event in own if event["phase"] == "outcome")
        if [event["outcome"] for event in hooks] != [outcome["outcome"]] and hooks and hooks[0].get("reason") != "no_outcome_hook":
            found.append(f"{ident} ended as {outcome['outcome']} by the transcript, as {[event['outcome'] for event in hooks]} by the hooks")
        # In a subagent's file the client leaves out what the Agent tool gave.
        known = {outcome["event_type"], "agent.subagent_finished"} if call["name"] == "Agent" and call["agent"] else {outcome["event_type"]}
        if hooks and hooks[0]["event_type"] not in known:
            found.append(f"{ident} is {outcome['event_type']} by the transcript, {hooks[0]['event_type']} by the hooks")
    return found


def problems_of_answers(answers, events, sealtrail, home):
    """Names the answers whose tokens are not told once and rightly, and sums that differ."""
    found, told, served = [], {}, [ident for ident, _, _, side in answers if not side]
    for event in events:
        if event.get("event_type") == "model.response" and event.get("witness") == "transcript":
            told.setdefault(event["message_id"], []).append(event)
    for ident, agent, usage, side in answers:
        if side:
            continue
        own = told.get(ident, [])
        # A script's steps have the same ids whenever they are played.
        if len(own) != served.count(ident):
            found.append(f"answer {ident} is told {len(own)} times")
            continue
        for ours, theirs in COUNTS.items():
            if (own[0].get(ours) or 0) != usage.get(theirs, 0):
                found.append(f"answer {ident}: {ours} is {own[0].get(ours)}, the API said {usage.get(theirs)}")
        if own[0].get("agent_id") != agent:
            found.append(f"answer {ident} is told of agent {own[0].get('agent_id')}, the API served {agent}")
    found += [f"answer {ident} was never served" for ident in told if ident not in served]
    listed = run([sealtrail, "--home", home, "usage", "--output", "json"])
    rows = [row for row in json.loads(listed.stdout or "[]") if row["agent_id"] == "(all)"]
    for ours, theirs in COUNTS.items():
        if sum(row[ours] for row in rows) != sum(usage.get(theirs, 0) for _, _, usage, _ in answers):
            found.append(f"usage says {[row[ours] for row in rows]} {ours}")
    if any(row["cost_source"] != "client" or not row["cost_usd"] for row in rows):
        found.append(f"usage does not say what the client says it cost: {rows}")
    return found


def problems_of_addresses(events):
    """Names the content addresses that do not fit what they are of."""
    kinds = ("transcript.api_request_blob", "transcript.api_request_shape")
    addressed = [event for event in events if event.get("event_type") in kinds]
    wrong = [event for event in addressed if not event["content_address"]["matches"]]
    found = [f"{event['event_type']} {event['content_address'].get('hash')} does not fit its content" for event in wrong]
    return found if addressed else ["no content address in the trail"]


def events_of(sealtrail, home):
    searched = run([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"])
    return [json.loads(line) for line in searched.stdout.splitlines()]


def wait_for(sealtrail, home, event_type, count):
    """Returns the events of a type once there are so many, or what there is after 30 seconds."""
    deadline = time.monotonic() + 30
    while True:
        found = [event for event in events_of(sealtrail, home) if event.get("event_type") == event_type]
        if len(found) >= count or time.monotonic() > deadline:
            return found


def problems_of_files(sealtrail, home, out):
    """Deletes one transcript and edits another under the eyes of the daemon; names what it does not tell."""
    transcripts = sorted((out / "config/projects").rglob("*.jsonl"), key=lambda path: len(path.parts))
    session, found = transcripts[0], []
    daemon = subprocess.Popen([str(sealtrail), "--home", str(home), "daemon"], stderr=subprocess.PIPE, text=True)
    try:
        first = daemon.stderr.readline()
        if not first.startswith("listening on"):
            return [f"the daemon says {first}"]
        text = session.read_bytes()
        session.write_bytes(text.replace(b'"user"', b'"USER"', 1))
        changed = wait_for(sealtrail, home, "transcript.changed", 1)
        if [event["resource"]["path"] for event in changed] != [str(session)]:
            found.append(f"an edited transcript is told as {changed}")
        session.unlink()
        gone = wait_for(sealtrail, home, "transcript.deleted", 1)
        if [(event["resource"]["path"], event["file"]["sealed_bytes"]) for event in gone] != [(str(session), len(text))]:
            found.append(f"a deleted transcript is told as {gone}")
    finally:
        daemon.terminate()
        daemon.wait(30)
    return found


def problems_of_import(sealtrail, home, out, events):
    """Imports what was followed already: nothing may be sealed again."""
    imported = run([sealtrail, "--home", home, "import", "transcripts", out / "config/projects", "--output", "json"])
    if imported.returncode != 0:
        return [f"import exits {imported.returncode}: {imported.stderr.strip()[-400:]}"]
    told = json.loads(imported.stdout)
    count = sum(event.get("witness") == "transcript" for event in events)
    return [] if (told["sealed"], told["known"]) == (0, count) else [f"the import says {told}, {count} events were known"]


def play(name, options):
    scenario = check_trail.SCENARIOS[name]
    sealtrail = options.bin / "sealtrail"
    out, home = options.out / f"transcripts-{name}", options.out / f"transcripts-{name}-home"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    settings = options.out / f"transcripts-{name}-settings.json"
    shutil.copy(HERE / "settings" / scenario.get("settings", "permissions.json"), settings)
    made = run([sealtrail, "--home", home, "init", "--no-input", "--settings", settings])
    if made.returncode != 0:
        return [f"init exits {made.returncode}: {made.stderr}"]
    (home / "audit.yaml").write_text("audit:\n  transcripts: {enabled: true, poll_ms: 100, folders: [/nowhere]}\n")
    played = run(["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings,
                  "--script", HERE / "scripts" / scenario["script"], *scenario.get("args", []), "--env", f"SEALTRAIL_HOME={home}",
                  "--with", f"exec '{sealtrail}' --home '{home}' daemon", "--", *scenario.get("client", [])],
                 env={**os.environ, "HARNESS_SECRET": check_trail.SECRET})
    if played.returncode != 0:
        return [f"the run exits {played.returncode}: {played.stderr.strip()[-600:]}"]
    events = events_of(sealtrail, home)
    records = [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))]
    calls = trail_checks.served_calls(records, json.loads((HERE / "scripts" / scenario["script"]).read_text()))
    answers = served_answers(records)
    found = [] if calls and answers else ["the scripted API served nothing"]
    found += problems_of_calls(calls, events) + problems_of_answers(answers, events, sealtrail, home) + problems_of_addresses(events)
    found += problems_of_import(sealtrail, home, out, events) + problems_of_files(sealtrail, home, out)
    found += list(check_trail.secrets_on_disk(home))
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        found.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]} {verified.stderr[-400:]}")
    told = sum(event.get("witness") == "transcript" for event in events)
    print(f"{name}: {len(calls)} tool calls and {len(answers)} answers served, {told} events of transcripts sealed")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX") or os.path.expanduser("~/.cache/claude-code"))
    parser.add_argument("--out", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("scenario", nargs="*", default=SCENARIOS)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in options.scenario or SCENARIOS:
        found = play(name, options)
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr)
        failed += bool(found)
    print(f"transcripts of the real client: {len(options.scenario) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
