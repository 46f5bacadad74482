#!/usr/bin/env python3
"""Puts `sealtrail gateway` between unmodified clients and the scripted API, and names what the trail does not tell as the API served it.

    check_gateway.py --bin DIR --out DIR [--prefix DIR] [SCENARIO ...]

Scenarios: sdk-python, sdk-typescript (the unmodified SDKs, compared with a run without a gateway), the real client (client-hello, client-tour,
client-failures, client-bedrock, client-vertex), killed (the gateway dies by SIGKILL in the middle of a stream), client-gone, dead-upstream. The SDKs are installed by name and version.
Exit status 0 when every scenario holds, 1 otherwise.
"""
import argparse
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

import trail_checks

HERE = pathlib.Path(__file__).resolve().parent
MCP = ["--mcp-config", str(HERE / "settings/mcp-stdio.json")]
LAZY_OFF = ["--env", "ENABLE_TOOL_SEARCH=false"]
PYTHON_SDK, TYPESCRIPT_SDK = "anthropic==2.11.0", "@anthropic-ai/sdk@1.11.0"
KEYS = [b"sk-ant-sdk-python", b"sk-ant-sdk-typescript", b"sk-ant-fake"]
CLIENT = {
    "client-hello": {"script": "hello.json"},
    "client-tour": {"script": "tool-tour.json", "args": LAZY_OFF, "client": MCP},
    "client-failures": {"script": "failures.json"},
    "client-bedrock": {"script": "hello.json", "args": ["--env", "CLAUDE_CODE_USE_BEDROCK=1", "--env", "AWS_REGION=us-east-1", "--env", "CLAUDE_CODE_SKIP_BEDROCK_AUTH=1",
                                                        "--env", "ANTHROPIC_BEDROCK_BASE_URL=http://127.0.0.1:9000"]},
    "client-vertex": {"script": "hello.json", "args": ["--env", "CLAUDE_CODE_USE_VERTEX=1", "--env", "CLOUD_ML_REGION=us-east5", "--env", "CLAUDE_CODE_SKIP_VERTEX_AUTH=1",
                                                       "--env", "ANTHROPIC_VERTEX_PROJECT_ID=my-project", "--env", "ANTHROPIC_VERTEX_BASE_URL=http://127.0.0.1:9000/v1"]},
}
SCENARIOS = ["sdk-python", "sdk-typescript", *CLIENT, "killed", "client-gone", "dead-upstream"]


def run(command, **kwargs):
    return subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def wait_for(what, ready, seconds=60):
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds} s")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A process that is ended when the scenario is."""

    def __init__(self, command, log):
        self.process = subprocess.Popen([str(part) for part in command], stdout=subprocess.DEVNULL, stderr=open(log, "w", encoding="utf-8"))

    def end(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(60)


class Place:
    """One scenario's folder: a trail, a scripted API, a gateway between them."""

    def __init__(self, options, name):
        self.bin, self.out, self.name = options.bin, options.out / name, name
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir(parents=True)
        self.home, self.running, self.starts = self.out / "home", [], 0
        made = run([self.bin / "sealtrail", "--home", self.home, "init", "--no-input", "--no-hooks"])
        if made.returncode != 0:
            raise SystemExit(f"init exits {made.returncode}: {made.stderr}")

    def api(self, folder="api"):
        port = free_port()
        command = [sys.executable, HERE / "fake_anthropic.py", "--script", HERE / "scripts/gateway.json", "--port", port, "--record", self.out / folder]
        self.running.append(Process(command, self.out / f"{folder}.log"))
        wait_for("the scripted API", lambda: listens(port))
        return port

    def gateway(self, upstream, port=None):
        port, self.starts = port or free_port(), self.starts + 1
        command = [self.bin / "sealtrail", "--home", self.home, "gateway", "--listen", f"127.0.0.1:{port}", "--upstream", f"http://127.0.0.1:{upstream}"]
        self.running.append(Process(command, self.out / f"gateway-{self.starts}.log"))
        wait_for("the gateway", lambda: listens(port))
        return self.running[-1], port

    def end(self):
        for process in reversed(self.running):
            process.end()

    def events(self):
        searched = run([self.bin / "sealtrail", "--home", self.home, "search", "--all", "--output", "ndjson"])
        if searched.returncode != 0:
            raise SystemExit(f"search exits {searched.returncode}: {searched.stderr}")
        return [json.loads(line) for line in searched.stdout.splitlines()]

    def records(self, folder="api"):
        return [json.loads(path.read_text()) for path in sorted((self.out / folder).glob("[0-9]*.json"))]


def problems_of_record(records, events, home, sealtrail):
    """Returns what the trail lacks of what the API served: every request with its end, every call, every result."""
    found, seen = [], [event for event in events if event.get("witness") == "gateway"]
    asked = [event for event in seen if event["event_type"] in ("model.request", "gateway.request")]
    ended = {event["parent_audit_id"]: event for event in events if event["event_type"] in ("model.response", "gateway.response")}
    if len(asked) < len(records):
        found.append(f"the API got {len(records)} requests, the trail has {len(asked)}")
    found += [f"no end of {event['audit_id']}" for event in asked if event["audit_id"] not in ended]
    told_ids = {event.get("request_id") for event in ended.values()}
    for record in records:
        sent = record["response"].get("headers") or {}
        name = record["request"]["path"]
        if "request-id" in sent and sent["request-id"] not in told_ids:
            found.append(f"no end names the request {sent['request-id']} ({name})")
    for record in records:
        session = {key.lower(): value for key, value in record["request"]["headers"]}.get("x-claude-code-session-id")
        for call in trail_checks.sse_calls(record):
            of = [event for event in seen if event.get("tool_use_id") == call["id"] and event["event_type"] == "tool.requested"]
            if len([event for event in of if event.get("phase") == "intent"]) != 1:
                found.append(f"the call {call['id']} of {call['name']} was asked for {len(of)} times")
            elif of[0].get("tool_name") != call["name"] or of[0].get("session_id") != session:
                found.append(f"the call {call['id']} is told as {of[0].get('tool_name')} of {of[0].get('session_id')}")
        body = record["request"].get("body")
        for message in body.get("messages", []) if isinstance(body, dict) else []:
            for block in message["content"] if isinstance(message.get("content"), list) else []:
                if block.get("type") == "tool_result":
                    ends = [event for event in seen if event.get("tool_use_id") == block["tool_use_id"] and event.get("phase") == "outcome"]
                    if len(ends) != 1:
                        found.append(f"the result of {block['tool_use_id']} is told {len(ends)} times")
    for path in home.rglob("*"):
        if path.is_file() and any(key in path.read_bytes() for key in KEYS):
            found.append(f"a credential stands in {path.relative_to(home)}")
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    if verified.returncode != 0:
        found.append(f"verify-integrity exits {verified.returncode}: {verified.stdout[-300:]}")
    print(f"  {len(records)} requests served, {len(seen)} events of the gateway")
    return sorted(set(found))


def sdk(options, name):
    """The unmodified SDK says the same with and without a gateway, and the trail has all of it."""
    tools = options.out / name.replace("sdk-", "tools-")
    if name == "sdk-python":
        if not (tools / "bin/python").exists():
            run([sys.executable, "-m", "venv", tools], check=True)
            run([tools / "bin/pip", "install", "--quiet", PYTHON_SDK], check=True)
        command = [tools / "bin/python", HERE / "gateway_sdk.py"]
    else:
        if not (tools / "node_modules").exists():
            tools.mkdir(parents=True, exist_ok=True)
            run(["npm", "install", "--prefix", tools, "--no-audit", "--no-fund", "--ignore-scripts", TYPESCRIPT_SDK], check=True)
        command = ["node", HERE / "gateway_sdk.mjs", tools]
    place = Place(options, name)
    try:
        direct = run([*command, f"http://127.0.0.1:{place.api('direct')}"])
        api = place.api()
        _, port = place.gateway(api)
        through = run([*command, f"http://127.0.0.1:{port}"])
    finally:
        place.end()
    if direct.returncode != 0 or through.returncode != 0:
        return [f"the SDK exits {direct.returncode} alone and {through.returncode} through the gateway: {through.stderr[-800:] or direct.stderr[-800:]}"]
    direct, through = json.loads(direct.stdout), json.loads(through.stdout)
    found = [f"{what} differs: {direct['seen'][what]} alone, {told} through the gateway" for what, told in through["seen"].items() if told != direct["seen"][what]]
    events = place.events()
    told = {event.get("request_id") for event in events}
    found += [f"the SDK saw the request {ident}, the trail did not" for ident in through["request_ids"] if ident not in told]
    refused = [event for event in events if event.get("event_type") == "model.response" and event.get("outcome") == "error"]
    reasons = {event.get("reason") for event in refused}
    for reason in ("rate_limit_error", "overloaded_error", "invalid_request_error", "upstream_cut"):
        if reason not in reasons:
            found.append(f"no end tells {reason}: {sorted(map(str, reasons))}")
    return found + problems_of_record(place.records(), events, place.home, options.bin / "sealtrail")


def client(options, name):
    """The real client works through the gateway, and every call that the API served is in the trail as the gateway saw it."""
    scenario = CLIENT[name]
    place = Place(options, name)
    out = place.out / "run"
    gateway = f"exec '{options.bin}/sealtrail' --home '{place.home}' gateway --listen 127.0.0.1:9000 --upstream http://127.0.0.1:8801"
    played = run(["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--script", HERE / "scripts" / scenario["script"],
                  *scenario.get("args", []), "--with", gateway, "--wait", "http://127.0.0.1:9000/", "--base-url", "http://127.0.0.1:9000",
                  "--", "--allowedTools", "Bash", *scenario.get("client", [])])
    if played.returncode != 0:
        return [f"the run exits {played.returncode}: {played.stderr[-600:]}"]
    records = [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))]
    return problems_of_record(records, place.events(), place.home, options.bin / "sealtrail")


def ask(port, lane):
    """Asks for a stream; returns the answer once its head is there."""
    body = json.dumps({"model": "claude-test-1", "stream": True, "max_tokens": 64, "messages": [{"role": "user", "content": f"[lane:{lane}] go"}]})
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/v1/messages", body, {"content-type": "application/json", "x-claude-code-session-id": "raw-session"})
    return connection, connection.getresponse()


def read_some(answer):
    """Reads until the first call of a tool has passed."""
    read = b""
    while b"content_block_stop" not in read:
        read += answer.read1(4096)
    return read


def killed(options, name):
    """The gateway dies in the middle of a stream: the call is in the trail, and the next start says that nobody saw its end."""
    place = Place(options, name)
    try:
        api = place.api()
        process, port = place.gateway(api)
        _connection, answer = ask(port, "slow")
        read_some(answer)
        process.end(signal.SIGKILL)
        before = place.events()
        place.gateway(api, port)
        _connection, answer = ask(port, "plain")
        answer.read()
    finally:
        place.end()
    events = place.events()
    found = problems_of_record([], events, place.home, options.bin / "sealtrail")
    intents = [event["audit_id"] for event in before if event["event_type"] == "model.request"]
    ends = [event for event in events if event["event_type"] == "model.response" and event.get("parent_audit_id") in intents]
    if len(intents) != 1 or [(event["outcome"], event.get("reason")) for event in ends] != [("unknown", "gateway_lost")]:
        found.append(f"{len(intents)} calls before the kill, their ends {[(event['outcome'], event.get('reason')) for event in ends]}")
    return found


def client_gone(options, name):
    """The client leaves in the middle of a stream: the end says so, with what passed until then."""
    place = Place(options, name)
    try:
        _, port = place.gateway(place.api())
        connection, answer = ask(port, "slow")
        read = read_some(answer)
        answer.close()
        connection.close()
        wait_for("the end of the call", lambda: any(event["event_type"] == "model.response" for event in place.events()))
    finally:
        place.end()
    events = place.events()
    end = next(event for event in events if event["event_type"] == "model.response")
    found = problems_of_record([], events, place.home, options.bin / "sealtrail")
    if (end.get("outcome"), end.get("reason")) != ("unknown", "client_gone"):
        found.append(f"the end says {end.get('outcome')} and {end.get('reason')}")
    if end["passed"]["bytes"] < len(read) or end.get("input_tokens") != 120:
        found.append(f"the client read {len(read)} bytes, the end says {end['passed']} and {end.get('input_tokens')} tokens")
    if not any(event["event_type"] == "tool.requested" for event in events):
        found.append("the call that passed is not in the trail")
    return found


def dead_upstream(options, name):
    """Nobody is where the API should be: the client gets an error of the API's shape, and the trail says why."""
    place = Place(options, name)
    try:
        _, port = place.gateway(free_port())
        _connection, answer = ask(port, "plain")
        status, error = answer.status, json.loads(answer.read())
    finally:
        place.end()
    events = place.events()
    found = problems_of_record([], events, place.home, options.bin / "sealtrail")
    if status != 502 or error.get("type") != "error":
        found.append(f"the client got {status} and {error}")
    ends = [(event.get("status"), event.get("reason")) for event in events if event["event_type"] == "model.response"]
    if ends != [("502", "upstream_unreachable")]:
        found.append(f"the ends say {ends}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX") or os.path.expanduser("~/.cache/claude-code"))
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("scenario", nargs="*")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    play = {"sdk-python": sdk, "sdk-typescript": sdk, "killed": killed, "client-gone": client_gone, "dead-upstream": dead_upstream}
    passed = failed = 0
    for name in options.scenario or SCENARIOS:
        print(name, flush=True)
        found = play.get(name, client)(options, name)
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr)
        passed, failed = passed + (not found), failed + bool(found)
    print(f"gateway: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
