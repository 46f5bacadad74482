#!/usr/bin/env python3
"""Measures time and memory of `sealtrail coverage` over many actions, each told by transcripts and by telemetry.

    bench_coverage.py --bin DIR --out DIR [--actions N] [--calls N] [--keep]

Sessions of as many tool calls as `--calls` says, with a model call before each, are written as the client writes its transcripts, imported, and told
once more over OTLP; of every thousandth call telemetry tells no result: those are the gaps that the report must find, and count. Then the report is
made over all of them (`--since`), with an export, and over one session. Times are of the whole command, memory is the highest resident set.
"""
import argparse
import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import urllib.request
import uuid

PORT = 18790
# A report looks at sessions, not at dates: all of them lie in the week before this.
END = datetime.datetime(2026, 11, 20, tzinfo=datetime.timezone.utc)
HOLE_EVERY = 1_000
RECORDS_A_POST = 1_500


def at(session, step):
    return END - datetime.timedelta(days=6) + datetime.timedelta(minutes=7 * session, seconds=step)


def stamp(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ids(session, call):
    """Returns the ids of one call and of the model call before it."""
    number = session * 1_000_000 + call
    return f"toolu_{number:020}", f"req_{number:020}", f"msg_{number:020}"


def name_of(session):
    return str(uuid.UUID(int=0x4000_8000_0000_0000_0000 + session))


def transcript(session, calls):
    """Yields the lines of one transcript."""
    sid, prompt = name_of(session), str(uuid.UUID(int=(1 << 80) + session))
    base = {"isSidechain": False, "userType": "external", "cwd": "/home/dev/project", "sessionId": sid, "version": "2.1.329", "gitBranch": "main"}
    ident = lambda n: str(uuid.UUID(int=(session << 64) + n))
    yield {**base, "type": "user", "promptId": prompt, "message": {"role": "user", "content": "go"}, "uuid": ident(0), "timestamp": stamp(at(session, 0)),
           "promptSource": "sdk"}
    usage = {"input_tokens": 120, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1000, "output_tokens": 42}
    for call in range(calls):
        tool, request, message = ids(session, call)
        block = {"type": "tool_use", "id": tool, "name": "Bash", "input": {"command": f"echo {call}", "description": "Work"}}
        yield {**base, "type": "assistant", "requestId": request, "uuid": ident(2 * call + 1), "timestamp": stamp(at(session, 2 * call + 1)),
               "message": {"id": message, "type": "message", "role": "assistant", "model": "claude-opus-5-5", "content": [block],
                           "stop_reason": "tool_use", "usage": usage}}
        yield {**base, "type": "user", "promptId": prompt, "uuid": ident(2 * call + 2), "timestamp": stamp(at(session, 2 * call + 2)),
               "message": {"role": "user", "content": [{"tool_use_id": tool, "type": "tool_result", "content": str(call), "is_error": False}]},
               "toolUseResult": {"stdout": str(call), "stderr": "", "interrupted": False}}


def telemetry(session, calls):
    """Yields the log records that the client's exporter makes of the same session."""
    prompt = str(uuid.UUID(int=(1 << 80) + session))
    yield record(session, 0, 0, "user_prompt", {"prompt.id": prompt, "prompt": "go"})
    sequence = 1
    for call in range(calls):
        tool, request, _ = ids(session, call)
        said = [("api_request", {"request_id": request, "model": "claude-opus-5-5", "input_tokens": 120, "output_tokens": 42, "duration_ms": 100,
                                 "cost_usd": 0.001}),
                ("tool_decision", {"tool_use_id": tool, "tool_name": "Bash", "decision": "accept", "source": "config"})]
        if (session * calls + call) % HOLE_EVERY:
            said.append(("tool_result", {"tool_use_id": tool, "tool_name": "Bash", "success": "true", "duration_ms": "40"}))
        for name, more in said:
            yield record(session, 2 * call + 1, sequence, name, {"prompt.id": prompt, **more})
            sequence += 1


def record(session, step, sequence, name, more):
    moment = at(session, step)
    told = {"session.id": name_of(session), "event.name": name, "event.timestamp": stamp(moment), "event.sequence": sequence, **more}
    return {"timeUnixNano": str(int(moment.timestamp() * 1_000) * 1_000_000 + sequence), "body": {"stringValue": f"claude_code.{name}"},
            "attributes": [{"key": key, "value": typed(value)} for key, value in told.items()]}


def typed(value):
    kind = {str: "stringValue", int: "intValue", float: "doubleValue"}[type(value)]
    return {kind: value}


def run(command):
    """Runs a command; returns its output, seconds, CPU seconds, and its highest resident set in MB."""
    begun = time.monotonic()
    child = subprocess.Popen([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    text = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in (0, 3):
        raise SystemExit(f"{command[1:]} exits {child.returncode}: {text[-500:]}")
    return text, time.monotonic() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def post(key, records):
    body = {"resourceLogs": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "claude-code"}}]},
                              "scopeLogs": [{"scope": {"name": "com.anthropic.claude_code.events", "version": "2.1.329"}, "logRecords": records}]}]}
    asked = urllib.request.Request(f"http://127.0.0.1:{PORT}/v1/logs", json.dumps(body).encode(),
                                   {"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as answer:
        told = json.loads(answer.read() or b"{}")
    if told.get("partialSuccess", {}).get("rejectedLogRecords"):
        raise SystemExit(f"the collector says {told}")


def fill(options, home, sessions):
    """Makes the trail; returns how many results telemetry left out."""
    sealtrail, projects = options.bin / "sealtrail", options.out / "projects/p"
    for folder in (home, projects):
        shutil.rmtree(folder, ignore_errors=True)
    projects.mkdir(parents=True)
    for session in range(sessions):
        with open(projects / f"{name_of(session)}.jsonl", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in transcript(session, options.calls))
    run([sealtrail, "--home", home, "--quiet", "init", "--no-input", "--no-hooks"])
    key = run([sealtrail, "--home", home, "--quiet", "token", "create", "--name", "bench", "--scope", "write"])[0].strip().splitlines()[-1].strip()
    print(f"imported in {run([sealtrail, '--home', home, 'import', 'transcripts', projects])[1]:.0f} s", flush=True)
    shutil.rmtree(projects)
    server = subprocess.Popen([str(sealtrail), "--home", str(home), "serve", "--listen", f"127.0.0.1:{PORT}"], stderr=subprocess.PIPE, text=True)
    try:
        while "events are taken" not in (line := server.stderr.readline()):
            if not line:
                raise SystemExit("the collector does not start")
        begun, waiting = time.monotonic(), []
        for session in range(sessions):
            for record in telemetry(session, options.calls):
                waiting.append(record)
                if len(waiting) == RECORDS_A_POST:
                    post(key, waiting)
                    waiting = []
        if waiting:
            post(key, waiting)
        print(f"handed in over OTLP in {time.monotonic() - begun:.0f} s", flush=True)
    finally:
        server.terminate()
        server.wait(600)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--actions", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=500)
    parser.add_argument("--keep", action="store_true", help="use the trail that is there")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sessions = max(1, options.actions // (2 * options.calls + 2))
    home = options.out / "home"
    if not (options.keep and home.exists()):
        fill(options, home, sessions)
    sealtrail = [options.bin / "sealtrail", "--home", home]
    file = options.out / "certificate.json"
    print(f"the first search, which brings the index up to date: {run([*sealtrail, 'search', '--limit', '1', '-o', 'id'])[1]:.1f} s")
    for what, words in (("a range", ["--since", "2026-11-01"]), ("a range, exported", ["--since", "2026-11-01", "--export", file]),
                        ("one session", ["--session", name_of(sessions // 2)])):
        text, seconds, cpu, megabytes = run([*sealtrail, "coverage", *words, "-o", "json"])
        told = json.loads(text)
        counts = {row["class"]: row["actions"] for row in told["matrix"]}
        missing = sum(gap["count"] for gap in told["gaps"]["items"] if (gap["witness"], gap["class"]) == ("otel", "tool_call"))
        print(f"{what}: {sum(counts.values())} actions ({counts}), {missing} gaps, verdict {told['verdict']}, {len(text)} bytes; "
              f"{seconds:.1f} s, {cpu:.1f} s CPU, {megabytes:.0f} MB", flush=True)
        holes = len(range(0, sessions * options.calls, HOLE_EVERY))
        if what != "one session" and missing != holes:
            print(f"  {holes} results were left out", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
