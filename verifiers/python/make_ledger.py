#!/usr/bin/env python3
"""Makes a small valid Sealtrail ledger from a seed, with nothing but the Python standard library.

It was written from docs/format/ledger.md, not from Sealtrail's code: what it makes (fixtures/ledger/v1) is the golden file that the
real reader must accept. It shares the curve arithmetic and the base64 spelling with verify.py, nothing else.

    make_ledger.py OUT_DIR [--seed TEXT] [--no-hmac] [--plain]

OUT_DIR gets ledger/, keys/, proofs/ and expected.json. Same seed, same bytes (as long as zlib compresses the same way).
"""

import argparse
import hashlib
import hmac
import json
import os
import struct
import zlib
from datetime import datetime, timedelta, timezone

from verify import BASE, IDENTITY, L, b64, crc32c, point_add, point_compress, point_double

START = datetime(2026, 1, 14, 23, 49, 0, tzinfo=timezone.utc)
SEGMENT_END = datetime(2026, 1, 15, tzinfo=timezone.utc)
EVENTS = 608
PUBLISHED_EVERY = 100
UNPUBLISHED = 8
SLOTS = ["identity", "resource", "prompt", "input", "output", "content", "raw"]
HOLD = [[60, 63]]
ERASE = [[20, 24], [137, 137], [64, 70]]
ERASED_SLOTS = ["identity", "input", "output"]
PREALLOCATED = 4096


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Entropy:
    """Bytes that follow from the seed."""

    def __init__(self, seed):
        self.seed, self.count = seed.encode(), 0

    def bytes(self, length):
        out = b""
        while len(out) < length:
            out += sha256(b"make_ledger\n", self.seed, b"\n", struct.pack(">Q", self.count))
            self.count += 1
        return out[:length]

    def below(self, limit):
        return int.from_bytes(self.bytes(8), "big") % limit


class Key:
    """An Ed25519 key with a name (RFC 8032 signing)."""

    def __init__(self, name, seed):
        self.name, self.seed = name, seed
        digest = hashlib.sha512(seed).digest()
        clamped = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
        self.scalar, self.prefix = clamped, digest[32:]
        self.public = point_compress(multiply(clamped, BASE))
        self.id = sha256(name.encode(), b"\n\x01", self.public)[:4]

    def vkey(self):
        return f"{self.name}+{self.id.hex()}+{b64(bytes([1]) + self.public)}"

    def private_line(self):
        return f"SEALTRAIL+KEY+{self.name}+{self.id.hex()}+{b64(bytes([1]) + self.seed)}\n"

    def sign(self, message):
        r = int.from_bytes(hashlib.sha512(self.prefix + message).digest(), "little") % L
        big_r = point_compress(multiply(r, BASE))
        h = int.from_bytes(hashlib.sha512(big_r + self.public + message).digest(), "little") % L
        return big_r + ((r + h * self.scalar) % L).to_bytes(32, "little")

    def note(self, text):
        return f"{text}\n— {self.name} {b64(self.id + self.sign(text.encode()))}\n"


def multiply(scalar, point):
    result = IDENTITY
    for bit in bin(scalar)[2:]:
        result = point_double(result)
        if bit == "1":
            result = point_add(result, point)
    return result


def mth(leaves):
    """Merkle Tree Hash, as RFC 6962 section 2.1 defines it."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", mth(leaves[:k]), mth(leaves[k:]))


def path(m, leaves):
    """Merkle audit path, as RFC 6962 section 2.1.1 defines it."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return path(m, leaves[:k]) + [mth(leaves[k:])]
    return path(m - k, leaves[k:]) + [mth(leaves[:k])]


def frontier(leaves):
    out, at = [], 0
    for bit in range(len(leaves).bit_length() - 1, -1, -1):
        if len(leaves) >> bit & 1:
            out.append(mth(leaves[at:at + (1 << bit)]))
            at += 1 << bit
    return out


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def time_text(when, ns=0):
    return when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{when.microsecond * 1000 + ns:09}Z"


class Writer:
    def __init__(self, entropy, hmac_on):
        self.entropy, self.hmac_on = entropy, hmac_on
        self.log_id = entropy.bytes(16).hex()
        self.origin = f"localhost/sealtrail/{self.log_id}"
        self.log_key = Key(self.origin, entropy.bytes(32))
        self.epoch, self.epoch_key = 0, self.new_epoch_key(0)
        self.mac_key = self.mac_key_0 = entropy.bytes(32) if hmac_on else None
        self.now, self.mono, self.boot = START, 5_000_000_000, self.boot_id()
        self.leaves, self.lines, self.slots = [], [], []
        self.chain = sha256(b"sealtrail/chain/v1\n", self.origin.encode(), b"\n")
        self.batches, self.open = [], []
        self.checkpoints, self.marks = [], []

    def new_epoch_key(self, epoch):
        return Key(f"{self.origin}/epoch/{epoch}", self.entropy.bytes(32))

    def boot_id(self):
        h = self.entropy.bytes(16).hex()
        return f"{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}"

    def tick(self, seconds):
        self.now += timedelta(seconds=seconds)
        self.mono += int(seconds * 1e9)

    def event(self, event_type, members, slots):
        """Queues one event of the batch being built."""
        i = len(self.lines)
        unix_ms = int(self.now.timestamp() * 1000)
        uuid = bytearray(unix_ms.to_bytes(6, "big") + self.entropy.bytes(10))
        uuid[6], uuid[8] = uuid[6] & 15 | 0x70, uuid[8] & 63 | 0x80
        head = {"v": 1, "i": i, "audit_id": "audit_evt_" + uuid.hex(), "event_type": event_type}
        head |= {"timestamp": time_text(self.now), "recorded_at": time_text(self.now, 417), "schema_version": 1}
        commitments, lines = {}, []
        for name in SLOTS:
            if name in slots:
                salt, value = self.entropy.bytes(16), compact(slots[name])
                hashed = sha256(b"sealtrail/slot/v1\n", salt, value.encode())
                commitments[name] = {"c": b64(hashed), "n": len(value.encode())}
                lines.append((name, f'{{"i":{i},"slot":"{name}","salt":"{b64(salt)}","v":{value}}}'.encode()))
        line = compact(head | members | {"s": commitments}).encode()
        assert len(line) <= 8192 and line.count(b',"s":{') == 1 and b"\\" not in line
        self.lines.append(line)
        self.slots.append(lines)
        self.open.append(i)

    def ledger_event(self, event_type, says, slots=()):
        members = {"domain": "system", "severity": "info", "witness": "recorder", "grade": "observed"}
        members |= {"policy_result": "not_evaluated", "ledger": says}
        self.event(event_type, members, dict(slots))

    def commit(self, epoch_after=None):
        """Closes the batch; `epoch_after` is the key of the epoch that it announced."""
        first, self.open = self.open[0], []
        macs, data = [], b""
        for i in range(first, len(self.lines)):
            leaf = sha256(b"\x00", self.lines[i])
            self.leaves.append(leaf)
            self.chain = sha256(b"\x03", self.chain, leaf)
            data += self.lines[i] + b"\n" + b"".join(line + b"\n" for _, line in self.slots[i])
            if self.hmac_on:
                macs.append(hmac.digest(self.mac_key, b"sealtrail/mac/v1\n" + struct.pack(">Q", i) + self.chain, "sha256"))
        mac_line = f'{{"mac":"{b64(b"".join(macs))}"}}\n'.encode() if macs else b""
        data += mac_line
        body = compact({
            "size": len(self.leaves), "root": b64(mth(self.leaves)), "chain": b64(self.chain), "len": len(data),
            "crc": f"{crc32c(data):08x}", "t": time_text(self.now, 651), "mono": self.mono, "boot": self.boot,
            "epoch": self.epoch, "key": "epoch",
        })
        signature = self.epoch_key.sign(f"sealtrail/commit/v1\n{self.origin}\n{body}".encode())
        line = f'{{"commit":{body},"sig":"{b64(signature)}"}}'.encode()
        batch = {"first": first, "size": len(self.leaves), "t": self.now, "text_t": time_text(self.now, 651)}
        self.batches.append(batch | {"mac": mac_line, "line": line, "chain": self.chain, "epoch": self.epoch})
        if epoch_after:
            self.epoch, self.epoch_key = self.epoch + 1, epoch_after
            if self.hmac_on:
                self.mac_key = hmac.digest(self.mac_key, b"sealtrail/evolve/v1\n", "sha256")

    def next_epoch(self, why):
        key = self.new_epoch_key(self.epoch + 1)
        self.ledger_event("ledger.epoch", {"epoch": self.epoch + 1, "key": key.vkey(), "why": why})
        self.commit(epoch_after=key)

    def publish(self):
        text = f"{self.origin}\n{len(self.leaves)}\n{b64(mth(self.leaves))}\n"
        self.checkpoints.append((len(self.leaves), self.log_key.note(text)))


# What an agent does in the fixture. Persons and paths are invented; every string of an envelope is a plain token.
PEOPLE = ["ana@example.com", "ben@example.com", "chiara@example.com"]
FILES = ["src/main.rs", "README.md", "deploy/values.yaml", "notes/über \"quotes\" and \\ backslashes.txt"]
COMMANDS = ["cargo test", "git status", "ls -la", "grep -rn 'TODO' src"]


def tool_event(writer, n):
    """One of four shapes of events, with slots of several kinds and lengths."""
    e = writer.entropy
    session = f"8c6f2e1a-0000-4000-8000-{n // 100:012}"
    common = {"severity": "info", "outcome": "success", "witness": "hook", "grade": "observed", "policy_result": "not_evaluated"}
    ids = {"session_id": session, "tool_use_id": f"toolu_{n:06}"}
    identity = {"user_id": PEOPLE[e.below(3)], "source_ip": f"203.0.113.{e.below(256)}"}
    kind = n % 4
    if kind == 0:
        file = FILES[e.below(4)]
        members = {"domain": "data", "category": "tool_invocation"} | common | ids | {"hook_event_name": "PostToolUse", "tool_name": "Read"}
        members |= {"resource": {"type": "file", "size_bytes": e.below(90000)}, "operation": {"action": "read"}}
        slots = {"identity": identity, "resource": {"resource": {"path": f"/srv/app/{file}"}}}
        slots |= {"input": {"tool_input": {"file_path": f"/srv/app/{file}"}}, "output": {"tool_response": e.bytes(20 + e.below(200)).hex()}}
        writer.event("data.file_read", members, slots)
    elif kind == 1:
        members = {"domain": "workflow", "category": "tool_invocation"} | common | ids | {"hook_event_name": "PostToolUse", "tool_name": "Bash"}
        members |= {"duration_ms": e.below(5000), "redactions": 1}
        command = COMMANDS[e.below(4)]
        slots = {"identity": identity, "input": {"tool_input": {"command": command}}}
        slots |= {"output": {"tool_response": {"stdout": "line\n" * e.below(40), "stderr": "", "code": 0}}}
        writer.event("tool.command_executed", members, slots)
    elif kind == 2:
        members = {"domain": "workflow"} | common | {"session_id": session, "hook_event_name": "UserPromptSubmit"}
        writer.event("prompt.submitted", members, {"identity": identity, "prompt": {"prompt": f"Bitte prüfe Datei {n} 🙂"}})
    else:
        members = {"domain": "workflow", "category": "cost"} | common | {"session_id": session, "model": "claude-test-1"}
        members |= {"input_tokens": e.below(9000), "output_tokens": e.below(900), "cost_usd": round(e.below(1000) / 4096, 6)}
        writer.event("model.usage", members, {})


def write_events(writer):
    """The whole story: three epochs, a restart, a hold, an erasure, midnight in the middle."""
    first = {"origin": writer.origin, "log_id": writer.log_id, "vkey": writer.log_key.vkey()}
    writer.ledger_event("ledger.created", first | {"epoch": 0, "key": writer.epoch_key.vkey(), "hmac": writer.hmac_on})
    writer.commit()
    writer.publish()
    writer.ledger_event("ledger.start", {"recovered": 1, "quarantined_bytes": 0, "boot": writer.boot, "pid": 4242})
    writer.commit()
    epoch_began, story = writer.now, story_of(writer)
    while len(writer.lines) < EVENTS:
        writer.tick(0.25 + writer.entropy.below(132) / 4)
        size = min(1 + writer.entropy.below(13), EVENTS - len(writer.lines))
        if writer.now - epoch_began >= timedelta(minutes=10):
            writer.next_epoch("interval")
            epoch_began = writer.now
            continue
        at = len(writer.lines)
        if story and at >= story[0][0]:
            story.pop(0)[1]()
            continue
        if at < EVENTS - UNPUBLISHED < at + size:
            size = EVENTS - UNPUBLISHED - at
        for _ in range(size):
            tool_event(writer, len(writer.lines))
        writer.commit()
        published = writer.checkpoints[-1][0]
        if len(writer.leaves) >= published + PUBLISHED_EVERY or len(writer.leaves) == EVENTS - UNPUBLISHED:
            writer.publish()
    assert not story and writer.checkpoints[-1][0] == EVENTS - UNPUBLISHED


def story_of(writer):
    """What happens from which entry on, besides the agent's work."""
    def alone(event_type, says, slots=()):
        return lambda: (writer.ledger_event(event_type, says, slots), writer.commit())

    def restart():
        writer.ledger_event("ledger.stop", {"why": "signal"})
        writer.commit()
        writer.tick(30)
        writer.boot, writer.mono = writer.boot_id(), 7_000_000_000
        says = {"recovered": len(writer.leaves), "quarantined_bytes": 0, "boot": writer.boot, "pid": 911}
        writer.ledger_event("ledger.start", says)
        writer.commit()

    def erase():
        says = {"ranges": ERASE, "slots": ERASED_SLOTS, "reason": "data-subject-request", "legal_basis": "gdpr-17"}
        writer.erase_seq = len(writer.lines)
        writer.ledger_event("ledger.erase", says, {"identity": {"requested_by": "dpo@example.com"}})
        writer.commit()

    return [
        (150, restart),
        (480, alone("ledger.hold", {"hold": "case-7", "ranges": HOLD, "slots": ["output", "prompt"]})),
        (490, alone("ledger.gap", {"witness": "hook", "lost": 3, "by": {"tool": 3}, "since": time_text(START),
                                   "until": time_text(START, 5), "cause": "spool-full"})),
        (500, erase),
        (501, lambda: erased(writer)),
        (560, alone("ledger.release", {"hold": "case-7"})),
    ]


def segment_size(writer):
    """The tree size at which the first segment closed: the first batch of the new day starts the next."""
    return next(batch["first"] for batch in writer.batches if batch["t"] >= SEGMENT_END)


def segment_slots(writer, erased_too):
    lines, count = [], segment_size(writer)
    for i in range(count):
        gone = not erased_too and any(a <= i <= b for a, b in ERASE)
        lines.append([line for name, line in writer.slots[i] if not (gone and name in ERASED_SLOTS)])
    return lines


def erased(writer):
    """Appends what the rewriting of the slot file did."""
    before = slots_file(writer, segment_slots(writer, True))
    after = slots_file(writer, segment_slots(writer, False))
    removed = sum(len(b"\n".join(a)) - len(b"\n".join(b)) for a, b in
                  zip(segment_slots(writer, True), segment_slots(writer, False)))
    says = {"erase": writer.erase_seq, "segments": [{"first": 0, "old": sha256(before).hex(), "new": sha256(after).hex()}]}
    writer.ledger_event("ledger.erased", says | {"bytes_removed": removed})
    writer.commit()


# Files.


def gzip_member(data):
    """One gzip member with no name and time 0, so that the bytes say nothing of the machine."""
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    packed = deflate.compress(data) + deflate.flush()
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + packed + struct.pack("<II", zlib.crc32(data), len(data))


def members(writer, chunks):
    """Joins the chunks, each a gzip member of its own; empty ones leave nothing."""
    return b"".join(gzip_member(chunk) if writer.gzip else chunk for chunk in chunks if chunk)


def slots_file(writer, slots):
    chunks = (b"".join(line + b"\n" for lines in slots[at:at + 256] for line in lines) for at in range(0, len(slots), 256))
    return members(writer, chunks)


def save(folder, name, data, mode=0o644):
    target = os.path.join(folder, name)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with open(target, "wb") as file:
        file.write(data.encode() if isinstance(data, str) else data)
    os.chmod(target, mode)


def save_segment(writer, folder):
    size = segment_size(writer)
    batches = [batch for batch in writer.batches if batch["size"] <= size]
    entries = [line + b"\n" for line in writer.lines[:size]]
    commits = [line for batch in batches for line in (batch["mac"], batch["line"] + b"\n") if line]
    slots = segment_slots(writer, False)
    files = {
        "entries": members(writer, (b"".join(entries[at:at + 256]) for at in range(0, size, 256))),
        "slots": slots_file(writer, slots),
        "commits": members(writer, (b"".join(commits[at:at + 1024]) for at in range(0, len(commits), 1024))),
    }
    plain = {"entries": sum(map(len, entries)), "slots": sum(len(line) + 1 for lines in slots for line in lines)}
    plain["commits"] = sum(map(len, commits))
    for name, data in files.items():
        save(folder, f"ledger/seg/{0:012}.{name}.jsonl" + (".gz" if writer.gzip else ""), data)
    manifest = {
        "first": 0, "size": size, "first_t": batches[0]["text_t"], "last_t": batches[-1]["text_t"],
        "chain": b64(batches[-1]["chain"]), "frontier": [b64(hash) for hash in frontier(writer.leaves[:size])],
        "commit": batches[-1]["line"].decode(), "compression": "gzip" if writer.gzip else "none",
        "files": {name: {"bytes": len(data), "sha256": sha256(data).hex()} for name, data in files.items()}, "plain": plain,
    }
    save(folder, f"ledger/seg/{0:012}.json", compact(manifest) + "\n")


def save_wal(writer, folder):
    first, data, offsets = segment_size(writer), b"", {}
    for batch in writer.batches:
        if batch["first"] >= first:
            for i in range(batch["first"], batch["size"]):
                data += writer.lines[i] + b"\n" + b"".join(line + b"\n" for _, line in writer.slots[i])
            data += batch["mac"] + batch["line"] + b"\n"
            offsets[batch["size"]] = len(data)
    name = f"{first:012}.wal"
    save(folder, f"ledger/wal/{name}", data + bytes(-len(data) % PREALLOCATED + PREALLOCATED))
    size = writer.checkpoints[-1][0]
    batch = next(batch for batch in writer.batches if batch["size"] == size)
    mark = {
        "size": size, "root": b64(mth(writer.leaves[:size])), "chain": b64(batch["chain"]),
        "frontier": [b64(hash) for hash in frontier(writer.leaves[:size])], "wal": name, "offset": offsets[size], "epoch": batch["epoch"],
    }
    save(folder, "ledger/highwater", compact(mark) + "\n")


def save_tiles(writer, folder):
    size, level = writer.checkpoints[-1][0], 0
    while size >> 8 * level:
        count, span = size >> 8 * level, 1 << 8 * level
        hashes = [mth(writer.leaves[at * span:(at + 1) * span]) for at in range(count)]
        for index in range(0, (count + 255) // 256):
            tile = hashes[256 * index:256 * index + 256]
            suffix = f".p/{len(tile)}" if len(tile) < 256 else ""
            save(folder, f"ledger/tile/{level}/{index:03}{suffix}", b"".join(tile))
        level += 1


def save_rest(writer, folder):
    created = time_text(START)
    log = {"format": "sealtrail-ledger/1", "origin": writer.origin, "log_id": writer.log_id, "created": created}
    save(folder, "ledger/log.json", compact(log | {"vkey": writer.log_key.vkey(), "hmac": writer.hmac_on}) + "\n")
    save(folder, "ledger/log.vkey", writer.log_key.vkey() + "\n")
    save(folder, "ledger/checkpoint", writer.checkpoints[-1][1])
    save(folder, "ledger/checkpoints.notes", "\n".join(note for _, note in writer.checkpoints))
    save(folder, "keys/log.key", writer.log_key.private_line(), 0o600)
    save(folder, "keys/epoch.key", writer.epoch_key.private_line(), 0o600)
    if writer.hmac_on:
        save(folder, "keys/mac.key", f"SEALTRAIL+MAC+{writer.epoch}+{b64(writer.mac_key)}\n", 0o600)
        save(folder, "mac-key-0.b64", b64(writer.mac_key_0) + "\n")
    size, note = writer.checkpoints[-1]
    for seq in (0, 22, 300, size - 1):
        hashes = "".join(b64(hash) + "\n" for hash in path(seq, writer.leaves[:size]))
        save(folder, f"proofs/{seq}.tlog-proof", f"c2sp.org/tlog-proof@v1\nindex {seq}\n{hashes}\n{note}")
    missing = [[i, name] for i in range(segment_size(writer)) if any(a <= i <= b for a, b in ERASE)
               for name, _ in writer.slots[i] if name in ERASED_SLOTS]
    expected = {
        "origin": writer.origin, "vkey": writer.log_key.vkey(), "hmac": writer.hmac_on, "entries": len(writer.leaves),
        "root": b64(mth(writer.leaves)), "chain": b64(writer.chain), "commits": len(writer.batches), "epochs": writer.epoch + 1,
        "segment_size": segment_size(writer), "checkpoint_size": size, "checkpoints": [size for size, _ in writer.checkpoints],
        "erase_seq": writer.erase_seq, "erased_slots": missing, "held": HOLD,
    }
    save(folder, "expected.json", json.dumps(expected, indent=1, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description="makes a small valid Sealtrail ledger")
    parser.add_argument("out")
    parser.add_argument("--seed", default="sealtrail ledger v1")
    parser.add_argument("--no-hmac", action="store_true")
    parser.add_argument("--plain", action="store_true", help="no compression")
    options = parser.parse_args()
    writer = Writer(Entropy(options.seed), not options.no_hmac)
    writer.gzip = not options.plain
    write_events(writer)
    assert writer.epoch == 2, f"{writer.epoch + 1} epochs, not 3: change the seed"
    for part in (save_segment, save_wal, save_tiles, save_rest):
        part(writer, options.out)


if __name__ == "__main__":
    main()
