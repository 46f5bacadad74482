"""What `sealtrail permission` must say of the calls of scripts/permissions.json: events in, sentences out."""
import json

CONFIG = "/config/settings.json"
# Command or file: ruling, rule, and whether its end is before the action (True), after it (False), or not there (None).
EXPECTED = {
    "mytool one": ("granted", "Bash(mytool *)", None),
    "src/one.txt": ("granted", "Edit(src/**)", False),
    "mytool forbidden": ("denied", "Bash(mytool forbidden)", None),
    "other/one.txt": ("asked", None, None),
    "other/two.txt": ("granted", "Edit(other/**)", None),
    "src/two.txt": ("asked", None, True),
    "mytool two": ("granted", "Bash(mytool *)", None),
}
# Of a session that was started with --allowedTools "Bash(mytool *)" and has no settings that permit anything.
COMMAND_LINE = "command line"
LAUNCHED = {
    "mytool one": ("granted", "Bash(mytool *)", None),
    "othertool one": ("asked", None, None),
}


def problems(events, ask, expected=EXPECTED, path=CONFIG):
    """Yields what is wrong; `ask` runs the command for an event, and the rules stand in a file whose path ends with `path`."""
    snapshots = {event["audit_id"]: event for event in events if event["event_type"] == "auth.permission_snapshot"}
    if "never in the trail" in json.dumps(events):
        yield "a value of `env` is in the trail"
    for name, (ruling, rule, before) in expected.items():
        calls = [event for event in events if event.get("phase") in ("intent", "outcome") and about(event).endswith(name)]
        if not calls:
            yield f"no event tells of {name}"
            continue
        said = ask(calls[-1]["audit_id"])
        if said.returncode != 0:
            yield f"permission exits {said.returncode} for {name}: {said.stderr.strip()[-300:]}"
            continue
        answer = json.loads(said.stdout)
        yield from wrong(name, answer, ruling, rule, before, snapshots, path)


def wrong(name, answer, ruling, rule, before, snapshots, path):
    if answer["ruling"] != ruling:
        yield f"{name} is {answer['ruling']}, not {ruling}: {answer}"
    for by in answer["rules"]:
        if by["rule"] != rule or not by["path"].endswith(path) or by["snapshot"] not in snapshots:
            yield f"{name}: by {by}, not by {rule}"
    if rule and not answer["rules"]:
        yield f"{name}: no rule is named: {answer}"
    lost = answer["became_unauthorised"]
    if (lost and lost["before_the_action"]) != before:
        yield f"{name}: its permission ended {lost}, expected {before}"
    if lost and (lost["event"] not in snapshots or snapshots[lost["event"]]["timestamp"] != lost["at"]):
        yield f"{name}: the end names no snapshot of the trail"
    if answer["findings"]:
        yield f"{name}: {answer['findings']}"


def about(event):
    given = event.get("tool_input") or {}
    return given.get("command") or given.get("file_path") or ""
