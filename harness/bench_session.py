#!/usr/bin/env python3
"""Measures what hooks add to a session of twenty tool calls of the real client.

    bench_session.py --bin DIR [--prefix DIR] [--rounds N] [--json FILE]

In each round the same scripted session is played once with every recorder, in turn, so that a slow moment of the machine
hits all alike; what a recorder adds is its time less that of the session without hooks of the same round. All recorders
hook the same events, in the same form. `per call` is the time from the first to the last request to the API, divided by
the calls; `session` is the life of the client's process. Medians, and the smallest and largest in brackets.

On a machine with other work, start it under `chrt -r 20`: then that work does not stand in its way. The result says so.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
CALLS = 20
PYTHON = ROOT / "xtask/peers/record.py"
MODES = {
    "none": "no hooks",
    "true": "hooks that do nothing (/bin/true)",
    "daemon": "sealtrail-hook, sealed by the daemon",
    "spool": "sealtrail-hook, no daemon, sealed spool",
    "python": "python3: parse, append, fdatasync",
}


def run(command, **kwargs):
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, **kwargs)
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} exits {done.returncode}: {done.stdout[-500:]}{done.stderr[-500:]}")
    return done.stdout


def settings_of(mode, folder, binaries):
    """Writes the settings of one session; those of the other recorders differ from ours in the command alone."""
    settings = folder / "settings.json"
    shutil.copy(HERE / "settings/permissions.json", settings)
    if mode == "none":
        return settings
    run([binaries / "sealtrail", "--home", folder / "trail", "init", "--no-input", "--settings", settings])
    command = {"true": ["/bin/true"], "python": ["/usr/bin/python3", str(PYTHON), str(folder / "recorded.jsonl")]}.get(mode)
    if command:
        content = json.loads(settings.read_text())
        for groups in content["hooks"].values():
            for hook in (hook for group in groups for hook in group["hooks"]):
                if "args" in hook:
                    hook["command"], hook["args"] = command[0], command[1:]
                else:
                    hook["command"] = " ".join(command)
        settings.write_text(json.dumps(content))
    return settings


def start_daemon(home, binaries):
    daemon = subprocess.Popen([str(binaries / "sealtrail"), "--home", str(home), "daemon"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not (home / "run/sealtrail.sock").exists():
        if time.monotonic() > deadline:
            raise SystemExit("the daemon makes no socket")
        time.sleep(0.02)
    return daemon


def python_events(folder):
    return [json.loads(line)["event"] for line in (folder / "recorded.jsonl").read_text().splitlines()]


def recorded(mode, folder, binaries):
    """Returns how many of the calls the recorder has: a recorder that records nothing is fast."""
    if mode in ("none", "true"):
        return CALLS
    if mode == "python":
        return sum(event["hook_event_name"] == "PostToolUse" for event in python_events(folder))
    found = run([binaries / "sealtrail", "--home", folder / "trail", "search", "--all", "-o", "ndjson"])
    return sum(json.loads(line).get("phase") == "outcome" for line in found.splitlines())


def session(mode, folder, options):
    """Plays one session; returns milliseconds per call and of the whole session."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings, home, daemon = settings_of(mode, folder, options.bin), folder / "trail", None
    if mode == "daemon":
        daemon = start_daemon(home, options.bin)
    try:
        run(["bash", HERE / "run-claude-code.sh", "--prefix", options.prefix, "--script", HERE / "scripts/twenty.json",
             "--out", folder / "out", "--settings", settings, "--env", f"SEALTRAIL_HOME={home}"])
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait(30)
    requests = [json.loads(line)["at"] for line in (folder / "out/api/index.jsonl").read_text().splitlines()]
    if len(requests) != CALLS + 1 or recorded(mode, folder, options.bin) != CALLS:
        raise SystemExit(f"{mode}: {len(requests)} requests and {recorded(mode, folder, options.bin)} recorded calls, not {CALLS}")
    started, ended = map(float, (folder / "out/times").read_text().split())
    return (max(requests) - min(requests)) * 1000 / CALLS, (ended - started) * 1000


def machine(folder):
    def field(path, name):
        lines = [line for line in pathlib.Path(path).read_text().splitlines() if line.startswith(name)]
        return lines[0].split(":", 1)[1].strip() if lines else "unknown"
    return {
        "cpu": field("/proc/cpuinfo", "model name"), "cores": os.cpu_count(), "memory": field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(), "file_system": run(["stat", "-f", "-c", "%T", folder]).strip(),
        "load_before": os.getloadavg()[0], "python": platform.python_version(),
        "scheduling": "real time" if os.sched_getscheduler(0) in (os.SCHED_RR, os.SCHED_FIFO) else "usual",
    }


def spread(values, digits):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}..{max(values):.{digits}f})"


def added(samples, mode, which, beside="none"):
    return [ours[which] - none[which] for ours, none in zip(samples[mode], samples[beside])]


def ratio(samples, mode, which, beside="none"):
    """Returns how many times more python3 adds."""
    theirs, ours = (statistics.median(added(samples, name, which, beside)) for name in ("python", mode))
    return f"{theirs / ours:.1f}x" if ours > 0 else "ours costs nothing measurable"


def report(samples, rounds, hooks, about):
    print(f"{CALLS} Bash calls of the real client, {hooks} hooks a session, {rounds} rounds in turn, milliseconds; "
          f"{about['scheduling']} scheduling, load {about['load_before']:.1f} before")
    print(f"{'':<42}{'per call':>24}{'added per call':>24}{'session':>24}{'added per session':>26}")
    for mode, name in MODES.items():
        calls, whole = zip(*samples[mode])
        print(f"{name:<42}{spread(calls, 1):>24}{spread(added(samples, mode, 0), 1):>24}"
              f"{spread(whole, 0):>24}{spread(added(samples, mode, 1), 0):>26}")
    for mode in ("daemon", "spool"):
        print(f"python3 beside {MODES[mode]}: adds {ratio(samples, mode, 0)} per call, {ratio(samples, mode, 1)} per session; "
              f"above hooks that do nothing {ratio(samples, mode, 0, 'true')} and {ratio(samples, mode, 1, 'true')}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bin", type=lambda p: pathlib.Path(p).resolve(), required=True)
    parser.add_argument("--prefix", default=os.environ.get("CLAUDE_CODE_PREFIX", os.path.expanduser("~/.cache/claude-code")))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, default=None, help="default: bench/results/DATE-session.json")
    options = parser.parse_args()
    folder = ROOT / "target/bench-session"
    folder.mkdir(parents=True, exist_ok=True)
    about = machine(folder)
    session("none", folder / "warm-up", options)
    samples = {mode: [] for mode in MODES}
    for number in range(options.rounds):
        for mode in MODES:
            samples[mode].append(session(mode, folder / mode, options))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr)
    hooks = len(python_events(folder / "python"))
    report(samples, options.rounds, hooks, about)
    file = options.json or ROOT / "bench/results" / time.strftime("%Y-%m-%d-session.json", time.gmtime())
    fields = ("ms_per_call", "ms_per_session")
    raw = {mode: [dict(zip(fields, sample)) for sample in samples[mode]] for mode in MODES}
    client = (pathlib.Path(options.prefix) / ".claude-code-version").read_text().strip()
    file.write_text(json.dumps({"machine": about, "client": client, "calls": CALLS, "hooks": hooks, "samples": raw}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
