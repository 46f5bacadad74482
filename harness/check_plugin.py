#!/usr/bin/env python3
"""Has the real Claude Code client load the plug-in and play a scripted session, and names whatever the client or the trail does not show of it.

    check_plugin.py --bin DIR --prefix DIR --out DIR

The plug-in's hooks are the only ones there are. Looked at: what the client lists (plug-in, skill, commands, MCP server), that the skill is invoked, that its script and the MCP tool
answer with ids that the trail knows (each permitted by nothing but a skill's own front matter, one of which names the server), that commands expand, and that the trail has every file of instructions by its hash, and the change of one of them. Exit status 0 when
all of this holds, 1 otherwise.
"""
import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
PLUGIN = HERE.parent / "plugin"
COMMANDS = ["audit-status", "audit-search", "audit-trace", "audit-verify"]
HOOKS = ["SessionStart", "InstructionsLoaded", "UserPromptSubmit", "UserPromptExpansion", "PreToolUse", "PostToolUse", "PostToolBatch", "MessageDisplay",
         "Stop", "SessionEnd"]
# Whether the client says that it loaded a file; it may load CLAUDE.md before the plug-in's hooks are ready.
FILES = {"CLAUDE.md": ("memory", None), ".claude/rules/text.md": ("rule", True), ".claude/agents/reviewer.md": ("agent", False),
         ".claude/skills/brief/SKILL.md": ("skill", False),
         ".claude/skills/api-builder/SKILL.md": ("skill", False), ".claude/commands/greet.md": ("command", False)}
NEW = b"# Project\n\nUse four spaces.\n"


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def play(options):
    """Plays the session; returns the folders of the run and of the trail, and what went wrong."""
    sealtrail, out, home = options.bin / "sealtrail", options.out / "plugin", options.out / "plugin-home"
    for folder in (out, home):
        shutil.rmtree(folder, ignore_errors=True)
    made = run([sealtrail, "--home", home, "init", "--no-input", "--no-hooks"])
    if made.returncode != 0:
        return out, home, [f"init exits {made.returncode}: {made.stderr}"]
    command = ["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", HERE / "settings/plugin.json",
               "--script", HERE / "scripts/plugin.json", "--steps", HERE / "scripts/plugin.steps.jsonl", "--project-from", HERE / "projects/plugin",
               "--env", "ENABLE_TOOL_SEARCH=false", "--env", f"SEALTRAIL_HOME={home}",
               "--with", f"exec '{sealtrail}' --home '{home}' daemon", "--", "--plugin-dir", PLUGIN]
    played = run(command, env={**os.environ, "HARNESS_PLUGIN": str(PLUGIN), "PATH": f"{options.bin}:{os.environ['PATH']}"})
    wrong = [] if played.returncode == 0 else [f"the run exits {played.returncode}: {played.stderr.strip()[-600:]}"]
    return out, home, wrong


def messages(out):
    return [json.loads(line) for line in (out / "stdout.jsonl").read_text().splitlines() if line.startswith("{")]


def problems_of_client(told):
    """Yields what the client does not list."""
    init = next((message for message in told if message.get("subtype") == "init"), {})
    if not any(plugin.get("name") == "sealtrail" for plugin in init.get("plugins", [])):
        yield "the client did not load the plug-in"
    if "sealtrail:audit-logger" not in init.get("skills", []):
        yield "the skill is not listed"
    for name in COMMANDS:
        if f"sealtrail:{name}" not in init.get("slash_commands", []):
            yield f"the command {name} is not listed"
    # The server may still be connecting when the first prompt is there.
    states = {server["status"] for message in told for server in message.get("mcp_servers", []) if server["name"] == "plugin:sealtrail:audit-collector"}
    if "connected" not in states:
        yield f"the MCP server is {sorted(states)}"


def results_of(told):
    """Returns the texts of all tool results."""
    texts = []
    for message in told:
        content = message.get("message", {}).get("content") if message.get("type") == "user" else None
        for block in content if isinstance(content, list) else []:
            if block.get("type") == "tool_result":
                inner = block.get("content")
                texts.append(inner if isinstance(inner, str) else " ".join(part.get("text", "") for part in inner or []))
    return texts


def problems_of_records(told, events):
    """Yields what the skill's script and the MCP tool did not leave in the trail."""
    texts = results_of(told)
    for where, path in (("script", "/data/by-script.csv"), ("tool", "/data/by-tool.csv")):
        found = [event for event in events if (event.get("resource") or {}).get("path") == path and event.get("event_type") == "data.file_read"
                 and event.get("hook_event_name") is None]
        if len(found) != 1:
            yield f"{len(found)} events were logged by the {where}"
            continue
        if found[0].get("user_id") != "alice" or not any(found[0]["audit_id"] in text for text in texts):
            yield f"the event of the {where} is {found[0]}, its answer one of {texts}"
    skills = [event for event in events if event.get("event_type") == "skill.invoked" and event.get("phase") == "outcome"]
    if [event.get("outcome") for event in skills] != ["success", "success"]:
        yield f"the skill's calls are {skills}"
    asked = [event for event in events if event.get("event_type") == "tool.requested" and event.get("tool_name") == "Skill"]
    if [event.get("tool_use_id") for event in asked] != [event.get("tool_use_id") for event in skills]:
        yield "the skill's requests and their outcomes have not the same ids"


def problems_of_hooks(events):
    """Yields the hooks that did not arrive, or arrived twice."""
    names = {event.get("hook_event_name") for event in events}
    for name in HOOKS:
        if name not in names:
            yield f"no {name} arrived"
    if sum(event.get("event_type") == "session.started" for event in events) != 1:
        yield "the session did not start once"
    for event in events:
        if event.get("reason") == "repeated":
            yield f"a hook arrived twice: {event.get('event_type')} {event.get('tool_use_id')}"


def problems_of_commands(out, events):
    """Yields the commands that did not become prompts."""
    sent = "\n".join(path.read_text() for path in sorted((out / "api").glob("[0-9]*.json")))
    if "The state of the audit trail" not in sent or not re.search(r"assurance|verified|checkpoint", sent):
        yield "/sealtrail:audit-status did not become a prompt with the state of the trail"
    if "!`sealtrail" in sent:
        yield "a command line in a command was not run"
    if "Find in the audit trail: event_type=session.started" not in sent:
        yield "/sealtrail:audit-search did not take its argument"
    expanded = {(event.get("prompt_expansion") or event).get("command_name") for event in events if event.get("event_type") == "prompt.expanded"}
    for name in ("sealtrail:audit-status", "sealtrail:audit-search"):
        if name not in expanded:
            yield f"the trail has no expansion of {name}, but of {expanded}"


def problems_of_instructions(sealtrail, home, out, events):
    """Yields what the trail does not tell of the files of instructions."""
    told = {}
    for event in events:
        if event.get("event_type") in ("instructions.loaded", "instructions.changed"):
            told.setdefault(event["resource"]["path"], []).append(event)
    for name, (kind, loaded) in FILES.items():
        path = str(out / "project" / name)
        text = (HERE / "projects/plugin" / name).read_bytes()
        own = told.get(path, [])
        first = own[0] if own else {}
        expected = hashlib.sha256(text).hexdigest()
        if (first.get("result") or {}).get("audit_hash") != f"sha256:{expected}" or first["resource"].get("type") != kind:
            yield f"{name} was told as {first}"
        elif first["instructions"].get("text") != text.decode() or (loaded is not None and any(event["instructions"]["loaded"] for event in own) != loaded):
            yield f"{name} has another text, or its loading is not told: {own}"
    changed = [event for event in told.get(str(out / "project/CLAUDE.md"), []) if event["event_type"] == "instructions.changed"]
    if [event["result"]["audit_hash"] for event in changed] != [f"sha256:{hashlib.sha256(NEW).hexdigest()}"]:
        yield f"the change of CLAUDE.md was told as {changed}"
    elif changed[0].get("instructions_delta") != {"added": "Use four spaces.", "removed": "Use two spaces."}:
        yield f"the difference of CLAUDE.md is {changed[0].get('instructions_delta')}"
    listed = run([sealtrail, "--home", home, "provenance", "--session", "last", "--output", "json"])
    rows = json.loads(listed.stdout or "[]") if listed.returncode == 0 else []
    memory = [row for row in rows if row["what"] == str(out / "project/CLAUDE.md")]
    if len(memory) < 2 or memory[0]["until"] != memory[1]["timestamp"] or "settings" not in {row["kind"] for row in rows}:
        yield f"provenance --session exits {listed.returncode} and lists {memory}: {listed.stderr[-300:]}"
    shown = run([sealtrail, "--home", home, "provenance", "diff", out / "project/CLAUDE.md"])
    if "-Use two spaces.\n+Use four spaces.\n" not in shown.stdout:
        yield f"provenance diff shows {shown.stdout} {shown.stderr[-300:]}"


def problems_of(options):
    out, home, found = play(options)
    if found:
        return found
    sealtrail = options.bin / "sealtrail"
    searched = run([sealtrail, "--home", home, "search", "--all", "--oldest-first", "--output", "ndjson"])
    if searched.returncode != 0:
        return [f"search failed with {searched.returncode}: {searched.stderr.strip()[-400:]}"]
    events, told = [json.loads(line) for line in searched.stdout.splitlines()], messages(out)
    found += problems_of_client(told)
    found += problems_of_hooks(events)
    found += problems_of_records(told, events)
    found += problems_of_commands(out, events)
    found += problems_of_instructions(sealtrail, home, out, events)
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        found.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]} {verified.stderr[-400:]}")
    print(f"plug-in: {len(events)} events sealed")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--prefix", default=os.path.expanduser("~/.cache/claude-code"))
    parser.add_argument("--out", type=lambda p: pathlib.Path(p).resolve(), required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    found = problems_of(options)
    for sentence in found:
        print(f"  {sentence}", file=sys.stderr)
    print(f"plug-in of the real client: {'failed' if found else 'passed'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
