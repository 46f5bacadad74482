"""Writes the corpus: planted secrets (one a file), and clean text. The same bytes at each run; no secret is stored in the repository.

    corpus.py OUT REPO [PATTERNS.json]

OUT/text/planted/<n>.<ext> holds one secret each, OUT/planted.json says what each holds. OUT/text/clean/<name> holds none.
PATTERNS.json is a list of {"id", "pattern"}: regular expressions of an oracle, from which further secrets are made (part "pattern").
"""
import base64
import json
import pathlib
import random
import re
import string
import sys
import tomllib
import zlib

import clean
import patterns

HERE = pathlib.Path(__file__).parent
W = string.ascii_letters + string.digits
ALPHABETS = {
    "d": string.digits, "h": "0123456789abcdef", "H": "0123456789ABCDEF", "l": string.ascii_lowercase, "u": string.ascii_uppercase,
    "n": string.ascii_lowercase + string.digits, "N": string.ascii_uppercase + string.digits, "w": W, "b": W + "+/", "v": W + "-_",
    "2": string.ascii_uppercase + "234567", "x": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
}
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def base62(number, width):
    out = ""
    while number:
        number, rest = divmod(number, 62)
        out = BASE62[rest] + out
    return out.rjust(width, "0")


def fill(form, rng):
    """Makes one secret of a form."""
    out = ""
    while form:
        if not re.match(r"<\w+:", form):
            out, form = out + form[0], form[1:]
            continue
        depth = end = 0
        for end, symbol in enumerate(form):
            depth += bool(re.match(r"<\w+:", form[end:])) - (symbol == ">")
            if depth == 0:
                break
        kind, _, argument = form[1:end].partition(":")
        form = form[end + 1:]
        if kind in ALPHABETS:
            # The first and last symbol are letters or digits, and a token of some length has a digit: real ones nearly always have.
            symbols = [rng.choice(ALPHABETS[kind]) for _ in range(int(argument))]
            if kind in "bv":
                symbols[0], symbols[-1] = rng.choice(W), rng.choice(W)
            if len(symbols) >= 12 and kind in "nNwbv" and not any(s.isdigit() for s in symbols):
                symbols[len(symbols) // 2] = rng.choice(string.digits)
            out += "".join(symbols)
        elif kind == "crc62":
            out += base62(zlib.crc32(out.removeprefix(argument).encode()), 6)
        elif kind == "crc16":
            out += f"{zlib.crc32(out.encode()):08X}"
        elif kind == "base64":
            out += base64.b64encode(fill(argument, rng).encode()).decode()
        else:
            raise SystemExit(f"kinds.toml has the unknown alphabet {kind}")
    return out


def snippets(kinds, contexts, rng):
    """Yields (kind, context, text, secret)."""
    for kind in kinds:
        if "text" in kind:
            for _ in range(2):
                text = kind["text"].replace("{{", "\0").replace("}}", "\1")
                before, secret, after = re.fullmatch(r"(.*?)\{(.*?)\}(.*)", text, re.S).groups()
                secret = fill(secret, rng)
                text = before + secret + fill(after, rng)
                yield kind["id"], "own", text.replace("\0", "{").replace("\1", "}"), secret
            continue
        for context in contexts:
            if context.get("by") == "shape" and kind.get("by") == "name":
                continue
            secret, name = fill(kind["form"], rng), kind["name"]
            text = context["text"].replace("{secret}", secret).replace("{name}", name)
            text = text.replace("{lower}", name.lower()).replace("{flag}", name.lower().replace("_", "-"))
            yield kind["id"], context["id"], text, secret


HOOK = {"session_id": "5d2c1c0e-3f5b-4a55-9a0b-0f3a6f1f7c11", "transcript_path": "/home/dev/.claude/projects/p/s.jsonl", "cwd": "/home/dev/p",
        "permission_mode": "default", "tool_use_id": "toolu_01"}


def in_output(text):
    return HOOK | {"hook_event_name": "PostToolUse", "tool_name": "Bash", "tool_input": {"command": "make show"},
                   "tool_response": {"stdout": text, "stderr": "", "interrupted": False}}


def in_write(text):
    return HOOK | {"hook_event_name": "PreToolUse", "tool_name": "Write", "tool_input": {"file_path": "/home/dev/p/x", "content": text}}


def in_prompt(text):
    return HOOK | {"hook_event_name": "UserPromptSubmit", "prompt": "please use this:\n" + text}


def in_patch(text):
    lines = ["+" + line for line in text.splitlines()]
    return HOOK | {"hook_event_name": "PostToolUse", "tool_name": "Edit", "tool_input": {"file_path": "/home/dev/p/x"},
                   "tool_response": {"structuredPatch": [{"oldStart": 1, "oldLines": 0, "newStart": 1, "newLines": len(lines), "lines": lines}]}}


def in_json_text(text):
    return HOOK | {"hook_event_name": "PostToolUse", "tool_name": "mcp__files__read", "tool_input": {"path": "x"},
                   "tool_response": [{"type": "text", "text": json.dumps({"ok": True, "body": json.dumps({"content": text})})}]}


def in_batch(text):
    call = {"tool_name": "Read", "tool_use_id": "toolu_02", "tool_input": {"file_path": "/p/x"}, "tool_response": text}
    return HOOK | {"hook_event_name": "PostToolBatch", "tool_calls": [call]}


WRAPS = {"output": in_output, "write": in_write, "prompt": in_prompt, "patch": in_patch, "json-text": in_json_text, "batch": in_batch}


def main():
    out, repo = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    rng = random.Random("sealtrail oracles 1")
    kinds = tomllib.loads((HERE / "kinds.toml").read_text())["kind"]
    contexts = tomllib.loads((HERE / "contexts.toml").read_text())["context"]
    rows = []
    (out / "text/planted").mkdir(parents=True)

    def plant(part, kind, context, text, secret, extension):
        name = f"{len(rows):05}.{extension}"
        (out / "text/planted" / name).write_text(text)
        rows.append({"file": name, "part": part, "kind": kind, "context": context, "secret": secret})

    wraps = list(WRAPS.items())
    for number, (kind, context, text, secret) in enumerate(snippets(kinds, contexts, rng)):
        plant("format", kind, context, text, secret, "txt")
        wrap, make = wraps[number % len(wraps)]
        plant("format", kind, f"{context} in hook {wrap}", json.dumps(make(text), ensure_ascii=number % 2 == 0), secret, "json")
        if number % 5 == 0:
            encoded = base64.b64encode(text.encode()).decode()
            plant("base64", kind, f"{context} in base64", f"$ base64 -w0 x\n{encoded}\n", encoded, "txt")
            encoded = base64.encodebytes(text.encode()).decode().rstrip()
            plant("base64", kind, f"{context} in broken base64", f"$ base64 x\n{encoded}\n", encoded, "txt")
    if len(sys.argv) > 3:
        for rule in json.loads(pathlib.Path(sys.argv[3]).read_text()):
            for text, secret in patterns.samples(rule["pattern"], random.Random(rule["id"])):
                plant("pattern", rule["id"], "as the oracle's pattern", text, secret, "txt")
    (out / "planted.json").write_text(json.dumps(rows))
    clean.write(out / "text/clean", repo, rng)
    print(f"{len(rows)} planted secrets of {len({row['kind'] for row in rows})} kinds", file=sys.stderr)


if __name__ == "__main__":
    main()
