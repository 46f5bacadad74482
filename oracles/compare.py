"""Compares what each scanner found in the corpus; prints the tables; exits 1 when ours falls behind.

    compare.py OUT GITLEAKS_VERSION KINGFISHER_VERSION
"""
import collections
import json
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
# So many bytes in a row of a secret are too many to be left.
LEFT_MAX = 10


def is_left(secret, text):
    """Whether a part of the secret that matters is still in the text."""
    for line in secret.split("\n"):
        if len(line) <= LEFT_MAX:
            if len(line) >= 4 and line in text:
                return True
        elif any(line[at:at + LEFT_MAX] in text for at in range(len(line) - LEFT_MAX + 1)):
            return True
    return False


def is_mostly_left(secret, text):
    """Whether most of a secret is still in the text; an oracle's pattern may take more than the secret, such as its name."""
    width = min(LEFT_MAX, len(secret))
    windows = [secret[at:at + width] for at in range(len(secret) - width + 1)]
    return sum(window in text for window in windows) * 2 > len(windows)


def strings(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from strings(item)


def ours(path):
    """Returns, by file, everything that redaction left, and the number of findings."""
    left, counts = {}, {}
    for line in path.read_text().splitlines():
        answer = json.loads(line)
        name = "/".join(answer["file"].split("/")[-2:])
        left[name] = [answer["text"]] + (["\n".join(strings(answer["value"]))] if "value" in answer else [])
        counts[name] = len(answer["found"])
    return left, counts


def gitleaks(path):
    found = collections.defaultdict(list)
    for finding in json.loads(path.read_text()):
        found["/".join(finding["File"].split("/")[-2:])].append(finding["Secret"])
    return found


def kingfisher(path):
    found = collections.defaultdict(list)
    for finding in json.loads(path.read_text())["findings"]:
        finding = finding["finding"]
        found["/".join(finding["path"].split("/")[-2:])].append(finding["snippet"])
    return found


def overlaps(secret, findings):
    """Whether one of the findings is about the secret."""
    pieces = [line for line in secret.split("\n") if line]
    width = min(8, len(pieces[0]))
    for finding in findings:
        if any(piece[at:at + width] in finding for piece in pieces for at in range(max(1, len(piece) - width + 1))):
            return True
    return False


def judge(rows, out):
    left, _ = ours(out / "found/ours.jsonl")
    others = {"gitleaks": gitleaks(out / "found/gitleaks.json"), "kingfisher": kingfisher(out / "found/kingfisher.json")}
    for row in rows:
        name = "planted/" + row["file"]
        remains = is_mostly_left if row["part"] == "pattern" else is_left
        row["ours"] = not any(remains(row["secret"], text) for text in left[name])
        for tool, found in others.items():
            # A finding inside base64 names the decoded secret, so there any finding counts.
            row[tool] = bool(found[name]) if row["part"] == "base64" else overlaps(row["secret"], found[name])


TOOLS = ["ours", "gitleaks", "kingfisher"]


def table(title, rows, key):
    print(f"\n{title}\n")
    print(f"| {'':30} | planted | " + " | ".join(f"{tool:>10}" for tool in TOOLS) + " |")
    print("| --- | ---: | ---: | ---: | ---: |")
    groups = collections.defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    groups["all"] = rows
    for name, group in groups.items():
        shares = [sum(row[tool] for row in group) / len(group) for tool in TOOLS]
        print(f"| {name:30} | {len(group):7} | " + " | ".join(f"{share:10.1%}" for share in shares) + " |")


def clean_table(out):
    _, counts = ours(out / "found/ours.jsonl")
    others = [gitleaks(out / "found/gitleaks.json"), kingfisher(out / "found/kingfisher.json")]
    print("\nfindings in clean text (each is a false alarm)\n")
    print("| text | words | ours | gitleaks | kingfisher |\n| --- | ---: | ---: | ---: | ---: |")
    total = [0, 0, 0, 0]
    for path in sorted((out / "corpus/text/clean").iterdir()):
        name = f"clean/{path.name}"
        row = [len(path.read_text().split()), counts[name], len(others[0][name]), len(others[1][name])]
        total = [a + b for a, b in zip(total, row)]
        print(f"| {path.name} | " + " | ".join(map(str, row)) + " |")
    print("| all | " + " | ".join(map(str, total)) + " |")
    return total


def main():
    out = pathlib.Path(sys.argv[1])
    floors = tomllib.loads((HERE / "floors.toml").read_text())
    allowed = tomllib.loads((HERE / "allowed.toml").read_text()).get("allowed", [])
    rows = json.loads((out / "corpus/planted.json").read_text())
    judge(rows, out)
    planted = [row for row in rows if row["part"] != "pattern"]
    print(f"sealtrail rules, gitleaks {sys.argv[2]}, kingfisher {sys.argv[3]}: share of planted secrets found")
    table("by kind", planted, lambda row: row["kind"])
    table("by place", planted, lambda row: row["context"].split(" in ")[-1] if " in " in row["context"] else row["context"])
    # Of the texts made from an oracle's patterns, those count that one of the oracles does find.
    seen = [row for row in rows if row["part"] == "pattern" and (row["gitleaks"] or row["kingfisher"])]
    table("texts made from the oracle's own patterns and found by an oracle", seen, lambda row: row["part"])
    words, alarms = clean_table(out)[:2]

    failures = []
    recall = sum(row["ours"] for row in planted) / len(planted)
    if recall < floors["recall"]:
        failures.append(f"recall {recall:.4f} is under the floor {floors['recall']}")
    precision = 1 - alarms / words
    if precision < floors["clean_words"]:
        failures.append(f"{precision:.6f} of the clean words are kept, the floor is {floors['clean_words']}")
    used = set()
    for row in rows:
        if row["ours"] or not (row["gitleaks"] or row["kingfisher"]):
            continue
        why = next((n for n, a in enumerate(allowed) if row["kind"] in a["kinds"] and a.get("context", row["context"]) == row["context"]), None)
        if why is None:
            failures.append(f"missed {row['kind']} ({row['context']}, planted/{row['file']}), which an oracle finds")
        else:
            used.add(why)
    failures += [f"allowed.toml: {allowed[n]['kinds']} is not needed any more" for n in range(len(allowed)) if n not in used]
    print(f"\nrecall {recall:.4f} of {len(planted)}, clean words kept {precision:.6f} of {words}")
    for failure in failures[:200]:
        print(f"FAIL: {failure}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
