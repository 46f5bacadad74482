#!/usr/bin/env python3
"""Runs the real Claude Code client with every witness on (hooks, telemetry, transcripts, the gateway), once as it should be and then with holes made on
purpose, and compares what `sealtrail coverage` says with what the scripted API really served.

    check_coverage.py --bin DIR --out DIR [--prefix DIR] [SCENARIO ...]

Every call and every request that the API served must be an action of the certificate. What the certificate says that a witness did not see must be
what its events in the trail do not tell, and each hole must be named with its cause. Each certificate must verify from its bytes, and a changed one
must not. Exit status 0 when every scenario holds, 1 otherwise.
"""
import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import sys

import check_full_disk
import check_trail
import loss_checks
import trail_checks
from check_trail import HERE, LAZY_OFF, run

SERVE, GATEWAY, AROUND, API = 18787, 18788, 18789, 8801
WORKERS = 2
# Seconds until a recorder that was killed is started again.
AWAY = 1.5
# 28 MiB: the ledger's 16 MiB of room, its reserve of 1 MiB, the index, and room to go on once there is some again.
DISK_BYTES = 28 * 1024 * 1024
BASE = f"http://127.0.0.1:{GATEWAY}"

# What must be said of each session: the verdict, gaps as (witness, class, cause), findings. `more` allows others beside them, `may_lose` those of a
# witness: the exporter does not send again what it could not deliver while nobody listened.
SCENARIOS = {
    "whole": {"script": "hello.json", "verdict": "complete"},
    "whole-tour": {"script": "tool-tour.json", "args": LAZY_OFF, "mcp": True, "verdict": "complete"},
    "whole-delegation": {"script": "delegation.json", "verdict": "complete"},
    "whole-parallel": {"script": "parallel.json", "args": LAZY_OFF, "mcp": True, "verdict": "complete"},
    "whole-failures": {"script": "failures.json", "verdict": "complete"},
    "whole-lifecycle": {"script": "lifecycle.json", "args": check_trail.SCENARIOS["lifecycle"]["args"], "mcp": True, "client": ["--include-hook-events"],
                        "verdict": "complete"},
    "whole-rewritten": {"script": "rewritten.json", "settings": "other-party.json", "verdict": "complete"},
    "hooks-removed": {"script": "hooks-removed.json", "verdict": "gaps", "gaps": [("hook", "tool_call", "hook_removed")]},
    "telemetry-off": {"script": "hello.json", "otel": False, "require": "otel", "verdict": "gaps", "gaps": [("otel", "tool_call", "not_on")],
                      "more": True},
    "transcripts-gone": {"script": "delegation.json", "transcripts": "agents", "verdict": "gaps",
                         "gaps": [("transcript", kind, "subagent_transcript_gone") for kind in ("tool_call", "model_call", "subagent")]},
    "agents-around-gateway": {"script": "delegation.json", "around": "--agents", "verdict": "gaps",
                              "gaps": [("gateway", "model_call", "subagent_bypass"), ("gateway", "subagent", "subagent_bypass")], "more": True},
    "dark": {"script": "hello.json", "client": ["--setting-sources", "", "--allowedTools", "Bash"], "verdict": "findings", "findings": ["dark_session"]},
    "killed": {"script": "killed.json", "kill": "tail -f /dev/null", "verdict": "findings", "findings": ["intent_without_outcome"], "more": True},
    "disk-full": {"script": "disk-full.json", "settings": "record-all-hooks.json", "disk": [], "tailed": True, "gateway": "continue", "verdict": "gaps",
                  "more": True},
    "disk-full-refused": {"script": "disk-full-refused.json", "settings": "record-all-hooks.json", "disk": ["--requests", "3"], "tailed": True,
                          "gateway": "continue", "hooks": "block", "verdict": "gaps", "more": True},
    "disk-full-closed": {"script": "disk-full.json", "settings": "record-all-hooks.json", "disk": ["--seconds", "4"], "tailed": True, "gateway": "block",
                         "verdict": "gaps", "more": True},
    "recorder-killed": {"script": "recorder-killed.json", "around": "", "verdict": "gaps", "gaps": [("gateway", "model_call", "gateway_stopped")],
                        "more": True},
    "transcript-deleted": {"script": "transcript-deleted.json", "tailed": True, "verdict": "complete", "notes": ["transcript_deleted"]},
    "transcript-edited": {"script": "transcript-edited.json", "tailed": True, "verdict": "findings", "findings": ["transcript_changed"]},
    "denied-yet-executed": {"script": "denied-yet-executed.json", "verdict": "findings", "findings": ["denied_yet_executed"], "more": True},
    "recorder-restarted": {"script": "recorder-restarted.json", "restarted": True, "verdict": "complete", "may_lose": "otel"},
    "gateway-killed": {"script": "gateway-killed.json", "restarted": True, "verdict": "findings", "findings": ["intent_without_outcome"],
                       "may_lose": "otel"},
}


def prepare(sealtrail, home, settings, scenario):
    """Makes a trail with a gateway, and returns the key with which telemetry is handed in."""
    shutil.rmtree(home, ignore_errors=True)
    shutil.copy(HERE / "settings" / scenario.get("settings", "permissions.json"), settings)
    for command in (["init", "--no-input", "--settings", settings], ["--quiet", "token", "create", "--name", "otel", "--scope", "write"]):
        made = run([sealtrail, "--home", home, *command])
        if made.returncode != 0:
            sys.exit(f"{command[0]} exits {made.returncode}: {made.stderr}")
    (home / "audit.yaml").write_text(
        f"audit:\n  gateway: {{listen: '127.0.0.1:{GATEWAY}', upstream: 'http://127.0.0.1:{API}', fail_mode: {scenario.get('gateway', 'block')}}}\n"
        f"  fail_mode: {{default: continue, tool_invocation: {scenario.get('hooks', 'continue')}}}\n"
        + ("  transcripts: {enabled: true, poll_ms: 100, folders: [/nowhere]}\n" if scenario.get("tailed") else ""))
    return made.stdout.strip().splitlines()[-1].strip()


def proxied(sealtrail, home, file):
    """Puts the MCP proxy in front of the server that the scripts call."""
    config = json.loads((HERE / "settings/mcp-stdio.json").read_text())
    for name, server in config["mcpServers"].items():
        words = ["--home", str(home), "mcp", "proxy", "--name", name, "--", server["command"], *server["args"]]
        server.update(command=str(sealtrail), args=words)
    file.write_text(json.dumps(config))
    return ["--mcp-config", str(file)]


def session(scenario, options, out, home, settings, key):
    """Plays the session; returns what went wrong."""
    sealtrail = options.bin / "sealtrail"
    serve = f"echo $$ > $HARNESS_OUT/recorder.pid; exec '{sealtrail}' --home '{home}' serve --listen 127.0.0.1:{SERVE}"
    if scenario.get("restarted"):
        # As a service manager would: started again after a while, and ended when the run ends.
        serve = f"trap 'kill $child; wait $child; exit' TERM; while :; do bash -c \"{serve.replace('$', chr(92) + '$')}\" & child=$!; wait $child; sleep {AWAY}; done"
    command = ["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--out", out, "--settings", settings, "--script",
               HERE / "scripts" / scenario["script"], *scenario.get("args", []), "--env", f"SEALTRAIL_HOME={home}", "--with", serve,
               "--wait", f"http://127.0.0.1:{SERVE}/healthz", "--wait", f"{BASE}/"]
    if scenario.get("otel", True):
        command += ["--otel", "protobuf", "--otel-endpoint", f"http://127.0.0.1:{SERVE}", "--env", f"OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer {key}"]
    if "around" in scenario:
        command += ["--with", f"exec python3 '{HERE}/around_gateway.py' --port {AROUND} --gateway {GATEWAY} --api {API} {scenario['around']}",
                    "--wait", f"http://127.0.0.1:{AROUND}/", "--base-url", f"http://127.0.0.1:{AROUND}"]
    else:
        command += ["--base-url", BASE]
    if scenario.get("kill"):
        command += ["--expect-rc", "137", "--with", f"exec python3 '{HERE}/kill_client.py' '{scenario['kill']}'"]
    if "disk" in scenario:
        command += ["--with", f"exec python3 '{HERE}/fill_disk.py' --disk '{home.parent}' --out '{out}' --url http://127.0.0.1:{SERVE} --key {key} "
                              + " ".join(scenario["disk"])]
    servers = proxied(sealtrail, home, settings.with_suffix(".mcp.json")) if scenario.get("mcp") else []
    played = run([*command, "--", *servers, *scenario.get("client", [])], env={**os.environ, "HARNESS_SECRET": check_trail.SECRET})
    return [] if played.returncode == 0 else [f"the run exits {played.returncode}: {played.stderr.strip()[-600:]}"]


def served(out, script):
    """Returns what the API served: the calls, and the ids of the answers that came to their end."""
    records = [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))]
    calls = trail_checks.served_calls(records, json.loads((HERE / "scripts" / script).read_text()))
    ended = lambda record: any(event.get("event") == "message_stop" for event in record["response"].get("sse") or [])
    headers = lambda record: {name.lower(): value for name, value in (record["response"].get("headers") or {}).items()}
    answers = {headers(record)["request-id"] for record in records if ended(record) and "request-id" in headers(record)}
    return calls, answers


def events_of(sealtrail, home):
    searched = run([sealtrail, "--home", home, "search", "--all", "--output", "ndjson"])
    return [json.loads(line) for line in searched.stdout.splitlines()]


def missing_items(certificate, witness, kind):
    return {item["key"] for gap in certificate["gaps"]["items"] if (gap["witness"], gap["class"]) == (witness, kind)
            for item in gap["items"] if not item["lacks"]}


def problems_of_truth(certificate, calls, answers, events):
    """Compares the certificate with the API: every action is there, and what a witness missed is what its events do not tell."""
    found, matrix = [], {row["class"]: row for row in certificate["matrix"]}
    if matrix["tool_call"]["actions"] != len(calls):
        found.append(f"{matrix['tool_call']['actions']} tool calls in the certificate, the API served {len(calls)}")
    if matrix["model_call"]["actions"] < len(answers):
        found.append(f"{matrix['model_call']['actions']} model calls in the certificate, the API served {len(answers)}")
    if any(row["witness"] == "mcp" and row["sessions"] for row in certificate["witnesses"]):
        wanted = {ident for ident, call in calls.items() if call["name"].startswith("mcp__")}
        seen = next(cell for cell in matrix["tool_call"]["witnesses"] if cell["witness"] == "mcp")["seen"]
        if seen != len(wanted):
            found.append(f"the MCP proxy saw {seen} calls, the API served {sorted(wanted)}")
    for witness, on in [(row["witness"], row["sessions"]) for row in certificate["witnesses"]]:
        if not on or witness in ("mcp", "api"):
            continue
        told = {event.get("tool_use_id") for event in events if event.get("witness") == witness}
        lacking = {ident for ident in calls if ident not in told}
        row = next(cell for cell in matrix["tool_call"]["witnesses"] if cell["witness"] == witness)
        if missing_items(certificate, witness, "tool_call") - lacking or row["missing"] + row["absent"] + row["pending"] != len(lacking):
            found.append(f"{witness}: the trail lacks {sorted(lacking)}, the certificate names {missing_items(certificate, witness, 'tool_call')}")
        if witness == "hook":
            continue
        answered = {event.get("request_id") for event in events if event.get("witness") == witness and event["event_type"] == "model.response"}
        named = missing_items(certificate, witness, "model_call")
        if not named <= answers - answered:
            found.append(f"{witness}: the certificate misses {sorted(named)}, the trail lacks {sorted(answers - answered)}")
        # An answer that was cut off has no id in the trail: the request is named instead.
        cut = [finding for finding in certificate["findings"]["items"] if (finding["kind"], finding["class"]) == ("intent_without_outcome", "model_call")]
        if witness == "gateway" and len(named) + len(cut) != len(answers - answered):
            found.append(f"gateway: the trail lacks {sorted(answers - answered)}, the certificate names {sorted(named)} and {len(cut)} cut off")
    return found


def problems_of_words(scenario, certificate, code):
    """Compares verdict, gaps and findings with what the scenario must bring."""
    found = []
    all_gaps = [(gap["witness"], gap["class"], gap["cause"]) for gap in certificate["gaps"]["items"]]
    gaps = [gap for gap in all_gaps if gap[0] != scenario.get("may_lose")]
    wanted = "gaps" if scenario["verdict"] == "complete" and all_gaps and not gaps else scenario["verdict"]
    if certificate["verdict"] != wanted:
        found.append(f"the verdict is {certificate['verdict']}, not {wanted}")
    if code != (0 if wanted == "complete" else 3):
        found.append(f"coverage exits {code}")
    findings = [finding["kind"] for finding in certificate["findings"]["items"]]
    found += [f"no gap {gap}: {gaps}" for gap in scenario.get("gaps", []) if gap not in gaps]
    found += [f"no finding {kind}: {findings}" for kind in scenario.get("findings", []) if kind not in findings]
    notes = [note["kind"] for note in certificate["notes"]["items"]]
    found += [f"no note {kind}: {notes}" for kind in scenario.get("notes", []) if kind not in notes]
    if not scenario.get("more"):
        found += [f"a gap that nobody made: {gap}" for gap in gaps if gap not in scenario.get("gaps", [])]
        found += [f"a finding that nobody made: {finding['kind']} {finding['detail']}" for finding in certificate["findings"]["items"]
                  if finding["kind"] not in scenario.get("findings", [])]
    return found


def problems_of_bundle(sealtrail, file):
    """The exported certificate verifies from its bytes, also by a program that shares no code with ours; with one word changed it does not."""
    other = [sys.executable, "-B", HERE.parent / "verifiers/python/verify_certificate.py"]
    bundle = json.loads(file.read_text())
    checks = ([sealtrail, "coverage", "verify"], other)
    verified = [run([*check, file]) for check in checks]
    found = [f"the certificate does not verify: {check.stderr}" for check in verified if check.returncode != 0]
    changed = file.with_suffix(".changed")
    changed.write_text(json.dumps({**bundle, "certificate": bundle["certificate"].replace('"verdict":"', '"verdict":"not ', 1)}))
    if any(run([*check, changed]).returncode != 3 for check in checks):
        found.append("a changed certificate verifies")
    return found


def problems_of_trail(sealtrail, home, scenario, imported):
    """The trail verifies; and where transcripts were followed, the import found nothing new."""
    verified = run([sealtrail, "--home", home, "verify-integrity"])
    found = [] if verified.returncode == 0 else [f"verify-integrity exits {verified.returncode}: {verified.stdout[-400:]} {verified.stderr[-400:]}"]
    if scenario.get("tailed") and json.loads(imported.stdout)["sealed"]:
        found.append(f"the import finds what was not followed: {imported.stdout.strip()}")
    return found


@contextlib.contextmanager
def home_of(name, options):
    """Yields the folder for a trail; where the scenario fills the disk, on a small file system of its own."""
    if "disk" not in SCENARIOS[name]:
        yield options.out / f"{name}-home"
        return
    disk = options.out / f"{name}-disk"
    disk.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", disk], check=True)
    try:
        yield disk / "home"
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def play(name, options):
    with home_of(name, options) as home:
        return play_in(home, name, options)


def play_in(home, name, options):
    scenario, sealtrail = SCENARIOS[name], options.bin / "sealtrail"
    out, settings = options.out / name, options.out / f"{name}-settings.json"
    shutil.rmtree(out, ignore_errors=True)
    found = session(scenario, options, out, home, settings, prepare(sealtrail, home, settings, scenario))
    if found:
        return found
    if scenario.get("mcp") and not any(event.get("witness") == "mcp" for event in events_of(sealtrail, home)):
        found.append("nothing came through the MCP proxy")
    if scenario.get("transcripts") == "agents":
        for path in (out / "config/projects").rglob("agent-*.jsonl"):
            path.unlink()
    imported = run([sealtrail, "--home", home, "import", "transcripts", out / "config/projects", "--output", "json"])
    if imported.returncode not in (0, 4):
        return [f"import exits {imported.returncode}: {imported.stderr.strip()[-400:]}"]
    file = options.out / f"{name}.certificate.json"
    required = ["--require", scenario["require"]] if "require" in scenario else []
    judged = run([sealtrail, "--home", home, "coverage", "--session", "last", *required, "--export", file, "--output", "json"])
    if judged.returncode not in (0, 3):
        return [f"coverage exits {judged.returncode}: {judged.stderr.strip()[-400:]}"]
    certificate = json.loads(judged.stdout)
    events = events_of(sealtrail, home)
    calls, answers = served(out, scenario["script"])
    found += problems_of_truth(certificate, calls, answers, events) + problems_of_words(scenario, certificate, judged.returncode)
    found += problems_of_bundle(sealtrail, file)
    if "disk" in scenario:
        hooks = [json.loads(line) for line in (out / "hooks.jsonl").read_text().splitlines()]
        acknowledged = json.loads((out / "noise.json").read_text())["acknowledged"]
        losses = lambda told: loss_checks.problems_of_losses(scenario, certificate, calls, answers, told, hooks, acknowledged)
        found += losses(events)
        if not losses([event for event in events if event["event_type"] != "ledger.gap"]):
            found.append("this check would not notice if the trail admitted no loss")
    found += problems_of_trail(sealtrail, home, scenario, imported)
    gaps = ", ".join(sorted({f"{gap['witness']} {gap['cause']}" for gap in certificate["gaps"]["items"]})) or "none"
    print(f"{name}: {len(calls)} calls and {len(answers)} answers served; verdict {certificate['verdict']}; gaps {gaps}", flush=True)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX") or os.path.expanduser("~/.cache/claude-code"))
    parser.add_argument("--out", type=lambda path: pathlib.Path(path).resolve(), required=True)
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("scenario", nargs="*")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    names, passed, failed = options.scenario or list(SCENARIOS), 0, 0
    if not options.inside and any("disk" in SCENARIOS[name] for name in names):
        check_full_disk.enter_mount_namespace(__file__)
        print("full disk: SKIPPED, nobody here may mount a tmpfs (run it as root)")
        names = [name for name in names if "disk" not in SCENARIOS[name]]
    # The first one alone: it may have to install the client. Each has a network of its own, and mostly waits.
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        results = [*map(lambda name: play(name, options), names[:1]), *pool.map(lambda name: play(name, options), names[1:])]
    for name, found in zip(names, results):
        for sentence in found:
            print(f"  {name}: {sentence}", file=sys.stderr, flush=True)
        passed, failed = passed + (not found), failed + bool(found)
    print(f"coverage: {passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
