#!/usr/bin/env python3
"""Sends OpenTelemetry to the real server, with the SDKs for Python and JavaScript and with the real client's own exporter, in every encoding.

    check_otel.py --bin DIR --out DIR [--prefix DIR] [python js client]

SDKs: everything that was sent is in the trail, once, with its attributes. The client: what its telemetry tells of each call that the scripted API
served agrees with what its hooks tell, and no number of its sequence is missing. The trail must verify. Needs pip and npm on the first run; nothing
but the loopback interface afterwards. Exit status 0 when everything holds, 1 otherwise.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import check_trail
import trail_checks

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE = 60
PORT = 18787
SDKS = [("python", "protobuf"), ("python", "grpc"), ("js", "json"), ("js", "protobuf"), ("js", "grpc")]
CLIENT = [("json", "tool-tour.json"), ("protobuf", "parallel.json"), ("grpc", "delegation.json")]


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def checked(command, **kwargs):
    done = run(command, **kwargs)
    if done.returncode != 0:
        sys.exit(f"{command[0]} exits {done.returncode}: {done.stderr.strip()[-800:]}")
    return done.stdout


def install(out):
    """Installs the SDKs by name and version, once; returns how to run each sender."""
    python, node = out / "python", out / "js"
    if not (python / "installed").exists():
        checked([sys.executable, "-m", "venv", python])
        checked([python / "bin/pip", "install", "--quiet", "--requirement", HERE / "otel/requirements.txt"])
        (python / "installed").touch()
    if not (node / "installed").exists():
        node.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "otel/package.json", node)
        checked(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=node)
        (node / "installed").touch()
    return {"python": ([python / "bin/python", HERE / "otel/send.py"], None), "js": (["node", HERE / "otel/send.mjs"], node)}


def trail(sealtrail, home, settings=None):
    """Makes a trail; returns a write key for it."""
    shutil.rmtree(home, ignore_errors=True)
    hooks = ["--settings", settings] if settings else ["--no-hooks"]
    checked([sealtrail, "--home", home, "init", "--no-input", *hooks])
    made = checked([sealtrail, "--home", home, "--quiet", "token", "create", "--name", "otel", "--scope", "write"])
    return made.strip().splitlines()[-1].strip()


def events_of(sealtrail, home):
    found = checked([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"])
    return [json.loads(line) for line in found.splitlines()]


def serve(sealtrail, home, log, port=0):
    """Starts the server, on a free port if none is given; returns it with its address."""
    with open(log, "w") as handle:
        server = subprocess.Popen([str(sealtrail), "--home", str(home), "serve", "--listen", f"127.0.0.1:{port}"], stderr=handle)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text())
        if found:
            return server, found.group()
        time.sleep(0.05)
    sys.exit(f"the server does not start: {log.read_text()}")


def problems_of_run(events, sdk, name):
    """Returns what the trail lacks of what one sender sent."""
    mine = [event for event in events if event.get("otel", {}).get("resource", {}).get("attributes", {}).get("run") == name]
    of = lambda kind: [event for event in mine if event["event_type"] == kind]
    found = []
    logs = sorted(of("otel.check.log"), key=lambda event: event["attributes"]["number"])
    want = [{"number": n, "half": n / 2, "even": n % 2 == 0, "list": ["a", "b"], "text": f"text {n}"} for n in range(20)]
    if [event["attributes"] for event in logs] != want:
        found.append(f"{len(logs)} log records of 20, or other attributes")
    if any(event["otel"]["body"] != f"log {n}" or event["severity"] != "warning" for n, event in enumerate(logs)):
        found.append("a body or a severity differs")
    spans = sorted(of("otel.check.span"), key=lambda event: event["attributes"]["number"])
    if [event["attributes"]["number"] for event in spans] != list(range(5)) or {event.get("model") for event in spans} != {"m-1"}:
        found.append(f"{len(spans)} spans of 5, or other attributes")
    if [event.get("outcome") for event in spans] != ["success"] * 4 + ["error"]:
        found.append("a status of a span differs")
    if any(event["otel"]["events"][0]["attributes"] != {"at": n} for n, event in enumerate(spans)):
        found.append("an event of a span differs")
    values = {event["metric"]["name"]: event for event in of("otel.metric")}
    counter, histogram = values.get("check.counter"), values.get("check.histogram")
    if not counter or counter["metric"]["value"] != 7 or counter["attributes"] != {"kind": "a"}:
        found.append("the counter differs")
    if not histogram or (histogram["otel"]["count"], histogram["otel"]["sum"]) != (1, 3.5):
        found.append("the histogram differs")
    if {event.get("application_id") for event in mine} != {f"sdk-{sdk}"}:
        found.append("an event does not name its service")
    if len(mine) != 27:
        found.append(f"{len(mine)} events, where 27 records were sent")
    return found


def check_sdks(options, wanted):
    sealtrail, home, log = options.bin / "sealtrail", options.out / "sdk-home", options.out / "sdk.log"
    senders = install(options.out)
    key = trail(sealtrail, home)
    server, url = serve(sealtrail, home, log)
    found, runs = [], []
    try:
        for sdk, protocol in SDKS:
            for packed in (False, True) if sdk in wanted else ():
                name = f"{sdk}-{protocol}{'-gzip' if packed else ''}"
                command, folder = senders[sdk]
                sent = run([*command, "--url", url, "--key", key, "--protocol", protocol, "--run", name, *(["--gzip"] if packed else [])], cwd=folder)
                if sent.returncode != 0:
                    found.append(f"{name}: the sender says {sent.stderr.strip()[-400:]}")
                runs.append((sdk, name))
    finally:
        server.terminate()
        server.wait(PATIENCE)
    if "python" in wanted:
        # The server is away when the exporters begin: they try again, and everything comes once.
        command, folder = senders["python"]
        for protocol in ("protobuf", "grpc"):
            name = f"python-{protocol}-away"
            sender = subprocess.Popen([str(part) for part in command] + ["--url", f"http://127.0.0.1:{PORT}", "--key", key, "--protocol", protocol,
                                      "--run", name], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            sender.stderr.readline()  # the first complaint
            server, _ = serve(sealtrail, home, log, PORT)
            sender.communicate(timeout=PATIENCE)
            server.terminate()
            server.wait(PATIENCE)
            runs.append(("python", name))
    events = events_of(sealtrail, home)
    for sdk, name in runs:
        problems = problems_of_run(events, sdk, name)
        print(f"{name}: {'holds' if not problems else 'does not hold'}")
        found += [f"{name}: {sentence}" for sentence in problems]
    return found + problems_of_trail(sealtrail, home)


def problems_of_trail(sealtrail, home):
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    return [] if verified.returncode == 0 else [f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]}"]


def problems_of_calls(calls, events):
    """Returns where telemetry and hooks tell a call differently."""
    found = []
    for ident, call in calls.items():
        mentions = trail_checks.about(ident, events)
        hooks = [event for event in mentions if event["witness"] == "hook" and event.get("phase") == "outcome"]
        ends = [event for event in mentions if event["witness"] == "otel" and event.get("phase") == "outcome"]
        verdicts = [event for event in mentions if event["witness"] == "otel" and event.get("phase") == "verdict"]
        name = f"{call['name']} {ident}"
        if not hooks:
            found.append(f"{name}: hooks tell no end")
            continue
        hook = hooks[0]
        # Telemetry tells no end of a call that never ran.
        ran = hook.get("grade") == "observed" and hook.get("outcome") != "denied"
        if len(ends) != (1 if ran else 0) and not (hook.get("grade") == "derived" and len(ends) <= 1):
            found.append(f"{name}: {len(ends)} ends in telemetry, hooks say {hook.get('outcome')}")
        for end in ends:
            for field in ("event_type", "tool_name", "session_id", "agent_id"):
                if ran and end.get(field) != hook.get(field):
                    found.append(f"{name}: {field} is {end.get(field)} in telemetry and {hook.get(field)} in hooks")
            if ran and end.get("outcome") != hook.get("outcome"):
                found.append(f"{name}: {end.get('outcome')} in telemetry, {hook.get('outcome')} in hooks")
            if end.get("parent_agent_id") != call["parent"]:
                found.append(f"{name}: telemetry names the parent {end.get('parent_agent_id')}, the API was asked by one of {call['parent']}")
        if hook.get("outcome") == "denied" and [event["policy_result"] for event in verdicts] != ["denied"]:
            found.append(f"{name}: denied, and telemetry tells {[event['policy_result'] for event in verdicts]}")
    told = {event["tool_use_id"] for event in events if event["witness"] == "otel" and event.get("tool_use_id")}
    return found + [f"{ident}: in telemetry, but the API never served it" for ident in sorted(told - set(calls))]


def blind_spots(calls, events):
    """Proves the check itself: with what telemetry tells of one call taken out of the trail, that call must be named."""
    for ident in calls:
        rest = [event for event in events if event["witness"] != "otel" or event.get("tool_use_id") != ident]
        told = any(event.get("phase") for event in events if event["witness"] == "otel" and event.get("tool_use_id") == ident)
        if told and not any(ident in sentence for sentence in problems_of_calls(calls, rest)):
            yield f"{ident}: this check would not notice if telemetry lacked it"


def problems_of_requests(records, events):
    """Returns which calls of the model telemetry does not tell."""
    served = {value for record in records if record["response"].get("status") == 200 and record["request"]["path"].startswith("/v1/messages")
              for name, value in record["response"].get("headers", {}).items() if name.lower() == "request-id"}
    told = [event.get("request_id") for event in events if event["event_type"] == "model.response" and event["witness"] == "otel"]
    found = [f"{ident}: served, and telemetry does not tell it" for ident in sorted(served - set(told))]
    found += [f"{ident}: told {told.count(ident)} times" for ident in sorted(set(told)) if told.count(ident) > 1]
    return found + [f"{ident}: in telemetry, but the API never served it" for ident in sorted(set(told) - served)]


def problems_of_sequence(events):
    numbers = sorted(event["attributes"]["event.sequence"] for event in events
                     if event["witness"] == "otel" and "event.sequence" in event.get("attributes", {}))
    found = [] if numbers == list(range(len(numbers))) and numbers else [f"the numbers of the client are {numbers[:3]} to {numbers[-3:]}, {len(numbers)} in all"]
    return found + [f"a gap is told: {event['gap']}" for event in events if event["event_type"] == "system.witness_gap"]


def check_client(options):
    found = []
    for encoding, script in CLIENT:
        sealtrail, out, home = options.bin / "sealtrail", options.out / f"client-{encoding}", options.out / f"client-{encoding}-home"
        shutil.rmtree(out, ignore_errors=True)
        settings = options.out / f"client-{encoding}-settings.json"
        shutil.copy(HERE / "settings/permissions.json", settings)
        key = trail(sealtrail, home, settings)
        url = f"http://127.0.0.1:{PORT}"
        played = run(["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings,
                      "--script", HERE / "scripts" / script, *check_trail.LAZY_OFF, "--env", f"SEALTRAIL_HOME={home}",
                      "--with", f"exec '{sealtrail}' --home '{home}' serve --listen 127.0.0.1:{PORT}", "--wait", f"{url}/healthz",
                      "--otel", encoding, "--otel-endpoint", url, "--env", f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer {key}",
                      "--", *check_trail.MCP], env={**os.environ, "HARNESS_SECRET": check_trail.SECRET})
        if played.returncode != 0:
            found.append(f"{encoding}: the run exits {played.returncode}: {played.stderr.strip()[-600:]}")
            continue
        events = events_of(sealtrail, home)
        records = [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))]
        calls = trail_checks.served_calls(records, json.loads((HERE / "scripts" / script).read_text()))
        problems = problems_of_calls(calls, events) + problems_of_requests(records, events) + problems_of_sequence(events)
        problems += blind_spots(calls, events)
        kinds = {event["otel"]["signal"] for event in events if event["witness"] == "otel" and "otel" in event}
        problems += [] if kinds == {"log", "span", "metric"} else [f"only {sorted(kinds)} came"]
        problems += check_trail.secrets_on_disk(home)
        problems += problems_of_trail(sealtrail, home)
        told = sum(event["witness"] == "otel" for event in events)
        print(f"client, {encoding}: {len(calls)} calls, {told} events of telemetry, {'holds' if not problems else 'does not hold'}")
        found += [f"client, {encoding}: {sentence}" for sentence in problems]
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX", os.path.expanduser("~/.cache/claude-code")))
    parser.add_argument("sender", nargs="*", help="python, js, client; all when none is named")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wanted = options.sender or ["python", "js", "client"]
    if unknown := set(wanted) - {"python", "js", "client"}:
        parser.error(f"no such sender: {', '.join(sorted(unknown))}")
    found = check_sdks(options, wanted) if {"python", "js"} & set(wanted) else []
    found += check_client(options) if "client" in wanted else []
    for sentence in found:
        print(f"  {sentence}", file=sys.stderr)
    print("telemetry: everything holds" if not found else f"telemetry: {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
