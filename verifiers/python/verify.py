#!/usr/bin/env python3
"""Verifies a Sealtrail ledger with nothing but the Python standard library.

One file on purpose, long as it is: it travels inside evidence packages and an auditor reads it top to bottom.
It shares no code with Sealtrail. What it checks follows docs/format/ledger.md and docs/format/proof.md.

    verify.py LEDGER_DIR [--vkey FILE] [--proof FILE] [--mac-key FILE]

--vkey     the log's verifier key, from a place other than the ledger; without it the key is the ledger's own word
--proof    a .tlog-proof file of one entry of this ledger
--mac-key  the base64 of K_0, to check the macs of a ledger that has them

Exit code 0: everything verified. 3: something did not. 64: wrong use.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import sys
import zlib

# ---------------------------------------------------------------------------------------------------------------------
# Ed25519 (RFC 8032), verification only. Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, x*y = T/Z.

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def point_add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def point_double(p):
    a, b, c = p[0] * p[0] % P, p[1] * p[1] % P, 2 * p[2] * p[2] % P
    h = a + b
    e = h - (p[0] + p[1]) ** 2 % P
    g = a - b
    f = c + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P != 0:
        x = x * SQRT_M1 % P
    if (x * x - x2) % P != 0:
        return None
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE_X = recover_x(BASE_Y, 0)
BASE = (BASE_X, BASE_Y, 1, BASE_X * BASE_Y % P)


def point_compress(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def point_decompress(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def two_scalars(a, p, b, q):
    """a*P + b*Q with one row of doublings."""
    both, result = point_add(p, q), IDENTITY
    for bit in range(max(a.bit_length(), b.bit_length()) - 1, -1, -1):
        result = point_double(result)
        pick = (a >> bit & 1) | (b >> bit & 1) << 1
        if pick:
            result = point_add(result, (None, p, q, both)[pick])
    return result


def ed25519_verify(public, message, signature):
    if len(public) != 32 or len(signature) != 64:
        return False
    point = point_decompress(public)
    s = int.from_bytes(signature[32:], "little")
    if point is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    negative = (P - point[0], point[1], point[2], P - point[3])
    return point_compress(two_scalars(s, BASE, h, negative)) == signature[:32]


# ---------------------------------------------------------------------------------------------------------------------
# Small parts.


class Failed(Exception):
    """What was checked is not as the format says."""


def require(condition, sentence):
    if not condition:
        raise Failed(sentence)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def unbase64(text, length=None, what="value"):
    """Strict: standard alphabet, padding, unused bits zero."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise Failed(f"{what} is not base64") from None
    raw = text if isinstance(text, bytes) else text.encode()
    require(base64.b64encode(data) == raw, f"{what} is not base64 in its canonical spelling")
    require(length is None or len(data) == length, f"{what} has {len(data)} bytes and must have {length}")
    return data


def b64(data):
    return base64.b64encode(data).decode()


def make_crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


CRC32C = make_crc32c_table()


def crc32c(data):
    crc, table = 0xFFFFFFFF, CRC32C
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def unique_members(pairs):
    names = [name for name, _ in pairs]
    require(len(names) == len(set(names)), "a JSON object has a member twice")
    return dict(pairs)


def parse_json(data, what):
    try:
        return json.loads(data, object_pairs_hook=unique_members)
    except ValueError:
        raise Failed(f"{what} is not JSON") from None


def parse_one_line(data, what):
    """A file that is one compact JSON object and a newline, in its one spelling."""
    value = parse_json(data, what)
    spelled = json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
    require(spelled == data, f"{what} is not spelled as the format says")
    return value


def gunzip(data, what):
    """Every member, and nothing after the last one. In pieces, because what follows a member is copied when it ends."""
    out, at = [], 0
    while at < len(data):
        member = zlib.decompressobj(31)
        while not member.eof and at < len(data):
            piece = data[at:at + 65536]
            try:
                out.append(member.decompress(piece))
            except zlib.error as error:
                raise Failed(f"{what} is not gzip: {error}") from None
            at += len(piece) - len(member.unused_data)
        require(member.eof, f"{what} ends inside a gzip member")
    return b"".join(out)


def split_lines(data, what):
    require(data == b"" or data.endswith(b"\n"), f"{what} does not end with a newline")
    return data.split(b"\n")[:-1]


# ---------------------------------------------------------------------------------------------------------------------
# RFC 6962 tree.

EMPTY_ROOT = sha256()


def leaf_hash(line):
    return sha256(b"\x00", line)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


def push_leaf(frontier, size, leaf):
    """Appends a leaf to the full subtrees (largest first) of a tree of `size` leaves."""
    while size & 1:
        leaf = node_hash(frontier.pop(), leaf)
        size >>= 1
    frontier.append(leaf)


def root_of(frontier):
    if not frontier:
        return EMPTY_ROOT
    root = frontier[-1]
    for left in reversed(frontier[:-1]):
        root = node_hash(left, root)
    return root


def root_of_inclusion(leaf, index, size, path):
    """RFC 9162 section 2.1.3.2."""
    require(index < size, f"entry {index} is not in a tree of {size}")
    at, last, root = index, size - 1, leaf
    for sibling in path:
        require(last > 0, "the proof has too many hashes")
        if at & 1 or at == last:
            root = node_hash(sibling, root)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        at, last = at >> 1, last >> 1
    require(last == 0, "the proof has too few hashes")
    return root


def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < 256 else "")


# ---------------------------------------------------------------------------------------------------------------------
# Notes and checkpoints.


class Vkey:
    """A C2SP verifier key of type Ed25519."""

    def __init__(self, text):
        parts = text.split("+", 2)
        require(len(parts) == 3 and parts[0] and not re.search(r"\s", parts[0]), f"{text!r} is not a verifier key")
        self.text, self.name = text, parts[0]
        data = unbase64(parts[2], 33, f"the verifier key {self.name}")
        require(data[0] == 1, f"the verifier key {self.name} is not Ed25519")
        self.public = data[1:]
        self.id = sha256(self.name.encode(), b"\n", data)[:4]
        require(self.id.hex() == parts[1], f"the verifier key {self.name} has a wrong key id")


def open_note(data, vkey, what):
    """Returns the text if `vkey` signed it. Signatures of other keys are ignored."""
    try:
        note = data.decode()
    except UnicodeDecodeError:
        raise Failed(f"{what} is not UTF-8") from None
    require(not any(c < " " and c != "\n" for c in note), f"{what} holds control characters")
    text, separator, signatures = note.rpartition("\n\n")
    require(separator and signatures.endswith("\n"), f"{what} is not a signed note")
    text += "\n"
    good = 0
    for line in signatures[:-1].split("\n"):
        match = re.fullmatch(r"— ([^\s+]+) (\S+)", line)
        require(match, f"{what} has a malformed signature line")
        blob = unbase64(match[2], what=f"a signature of {what}")
        require(len(blob) > 4, f"{what} has a short signature")
        if match[1] == vkey.name and blob[:4] == vkey.id:
            require(ed25519_verify(vkey.public, text.encode(), blob[4:]), f"the signature of {vkey.name} on {what} is wrong")
            good += 1
    require(good, f"{what} is not signed by {vkey.name}")
    return text


def open_checkpoint(data, vkey, what):
    """Returns (size, root)."""
    text = open_note(data, vkey, what)
    match = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,18})\n([^\n]+)\n", text)
    require(match, f"{what} is not a checkpoint of three lines")
    require(match[1] == vkey.name, f"{what} is of the log {match[1]}, not {vkey.name}")
    size, root = int(match[2]), unbase64(match[3], 32, f"the root of {what}")
    require(size > 0 or root == EMPTY_ROOT, f"{what} gives an empty tree a root")
    return size, root


# ---------------------------------------------------------------------------------------------------------------------
# Lines (section 2 of the format).

SLOTS = ["identity", "resource", "prompt", "input", "output", "content", "raw"]
NUMBER = rb"(0|[1-9][0-9]*)"
ENVELOPE = re.compile(rb'\{"v":1,"i":' + NUMBER + rb',([^\\\n]+),"s":\{([^\\\n]*)\}\}')
COMMITMENT = re.compile(rb'"([a-z]+)":\{"c":"([^"]+)","n":' + NUMBER + rb"\}")
SLOT = re.compile(rb'\{"i":' + NUMBER + rb',"slot":"([a-z]+)","salt":"([^"]+)","v":(\{.*\})\}', re.DOTALL)
MAC = re.compile(rb'\{"mac":"([^"]+)"\}')
COMMIT = re.compile(
    rb'\{"commit":(\{"size":' + NUMBER + rb',"root":"([^"]+)","chain":"([^"]+)","len":' + NUMBER
    + rb',"crc":"([0-9a-f]{8})","t":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z)","mono":' + NUMBER
    + rb',"boot":"([!#-\[\]-~]{1,128})","epoch":' + NUMBER + rb',"key":"(epoch|log)"\}),"sig":"([^"]+)"\}'
)
SLOT_LABEL = b"sealtrail/slot/v1\n"
CHAIN_LABEL = b"sealtrail/chain/v1\n"
COMMIT_LABEL = b"sealtrail/commit/v1\n"
MAC_LABEL = b"sealtrail/mac/v1\n"
EVOLVE_LABEL = b"sealtrail/evolve/v1\n"
ENVELOPE_BYTES_MAX = 8192
BATCH_EVENTS_MAX = 4096
BATCH_BYTES_MAX = 8 * 1024 * 1024


def parse_envelope(line, seq):
    """Returns the commitments {slot: (hash, bytes)} of the envelope of entry `seq`."""
    what = f"the envelope of entry {seq}"
    require(len(line) <= ENVELOPE_BYTES_MAX, f"{what} has {len(line)} bytes, more than {ENVELOPE_BYTES_MAX}")
    match = ENVELOPE.fullmatch(line)
    require(match and line.count(b',"s":{') == 1, f"{what} is malformed")
    require(int(match[1]) == seq, f"entry {int(match[1])} stands where entry {seq} must be")
    found, rest = {}, match[3]
    while rest:
        part = COMMITMENT.match(rest)
        require(part, f"{what} has malformed commitments")
        found[part[1].decode()] = (unbase64(part[2], 32, f"a commitment of entry {seq}"), int(part[3]))
        rest = rest[part.end():]
        if rest:
            require(rest[:1] == b"," and len(rest) > 1, f"{what} has malformed commitments")
            rest = rest[1:]
    require(list(found) == [name for name in SLOTS if name in found], f"{what} has unknown or misplaced slots")
    require(match[3].count(b'"c":') == len(found), f"{what} has a slot twice")
    return found


def parse_slot(line, where):
    match = SLOT.fullmatch(line)
    require(match, f"{where} has a malformed slot line")
    return int(match[1]), match[2].decode(), unbase64(match[3], 16, f"a salt of entry {int(match[1])}"), match[4]


# ---------------------------------------------------------------------------------------------------------------------
# The ledger.


class Ledger:
    """Recomputes everything, batch by batch."""

    def __init__(self, folder, vkey, log, mac_key, wanted_sizes):
        self.folder, self.vkey, self.origin = folder, vkey, vkey.name
        self.hmac_on, self.mac_key, self.log = log["hmac"], mac_key, log
        self.leaves, self.frontier = [], []
        self.chain = sha256(CHAIN_LABEL, self.origin.encode(), b"\n")
        self.epoch, self.keys = 0, {}
        self.wanted = set(wanted_sizes)
        self.roots = {0: EMPTY_ROOT}
        self.commits = self.slots_present = self.macs = 0
        self.last_commit = None
        self.first_t = None
        self.at_commit = {}
        self.missing, self.present = [], []
        self.erases, self.erased, self.holds, self.releases = [], set(), [], {}

    def batch(self, events, mac_line, commit_line):
        """Checks one batch: `events` is a list of (envelope line, [slot lines])."""
        first = len(self.leaves)
        require(0 < len(events) <= BATCH_EVENTS_MAX, f"the batch at entry {first} has {len(events)} events")
        macs, announced, whole = [], None, True
        size = 0
        for line, slots in events:
            seq = len(self.leaves)
            commitments = parse_envelope(line, seq)
            whole &= self.slots(seq, commitments, slots)
            leaf = leaf_hash(line)
            push_leaf(self.frontier, seq, leaf)
            self.leaves.append(leaf)
            self.chain = sha256(b"\x03", self.chain, leaf)
            if seq + 1 in self.wanted:
                self.roots[seq + 1] = root_of(self.frontier)
            if self.mac_key:
                macs.append(hmac.digest(self.mac_key, MAC_LABEL + seq.to_bytes(8, "big") + self.chain, "sha256"))
            if b'"event_type":"ledger.' in line:
                new = self.ledger_event(seq, parse_json(line, f"the envelope of entry {seq}"))
                require(new is None or announced is None, f"the batch at entry {first} announces two epochs")
                announced = new or announced
            size += len(line) + 1 + sum(len(slot) + 1 for slot in slots)
        require(len(events) == 1 or not whole or size <= BATCH_BYTES_MAX, f"the batch at entry {first} has {size} bytes")
        self.mac(first, len(events), mac_line, macs)
        data = None
        if whole:
            data = b"".join(b"".join(part + b"\n" for part in (line, *slots)) for line, slots in events)
            data += mac_line + b"\n" if mac_line else b""
        self.commit(commit_line, data, announced)

    def slots(self, seq, commitments, lines):
        """Checks the slot lines of one entry; tells whether all are there."""
        found = []
        for line in lines:
            owner, name, salt, value = parse_slot(line, f"entry {seq}")
            require(owner == seq and name in commitments, f"a slot {name} of entry {owner} stands at entry {seq}, which has none")
            wanted, length = commitments[name]
            require(len(value) == length, f"slot {name} of entry {seq} has {len(value)} bytes and must have {length}")
            require(sha256(SLOT_LABEL, salt, value) == wanted, f"slot {name} of entry {seq} is not what was committed to")
            found.append(name)
            self.present.append((seq, name))
        require(found == [name for name in commitments if name in found], f"the slots of entry {seq} are out of order or twice")
        self.slots_present += len(found)
        self.missing += [(seq, name) for name in commitments if name not in found]
        return len(found) == len(commitments)

    def mac(self, first, count, line, macs):
        if not self.hmac_on:
            require(line is None, f"the batch at entry {first} has macs in a ledger without")
            return
        match = MAC.fullmatch(line or b"")
        require(match, f"the batch at entry {first} has no mac line")
        data = unbase64(match[1], 32 * count, f"the macs of the batch at entry {first}")
        if self.mac_key:
            for at, mac in enumerate(macs):
                require(data[32 * at:32 * at + 32] == mac, f"the mac of entry {first + at} is wrong")
            self.macs += count

    def commit(self, line, data, announced):
        match = COMMIT.fullmatch(line)
        size = len(self.leaves)
        what = f"the commit of size {size}"
        require(match, f"{what} is malformed")
        require(int(match[2]) == size, f"a commit says size {int(match[2])} where there are {size} entries")
        require(unbase64(match[3], 32, what) == root_of(self.frontier), f"{what} has another root")
        require(unbase64(match[4], 32, what) == self.chain, f"{what} has another chain value")
        if data is not None:
            require(int(match[5]) == len(data), f"{what} says {int(match[5])} bytes and the batch has {len(data)}")
            require(match[6] == b"%08x" % crc32c(data), f"{what} has another CRC")
        require(int(match[10]) == self.epoch, f"{what} says epoch {int(match[10])} and lies in epoch {self.epoch}")
        if match[11] == b"log":
            require(announced and announced[2], f"{what} is signed by the log key without a break of epochs")
            key = self.vkey
        else:
            key = self.keys.get(self.epoch)
            require(key, f"{what} is signed by epoch {self.epoch}, which nobody announced")
        message = COMMIT_LABEL + self.origin.encode() + b"\n" + match[1]
        signature = unbase64(match[12], 64, f"the signature of {what}")
        require(ed25519_verify(key.public, message, signature), f"the signature of {what} is not of {key.name}")
        self.commits += 1
        self.last_commit = line
        self.first_t = self.first_t or match[7].decode()
        self.last_t = match[7].decode()
        self.at_commit[size] = (self.chain, list(self.frontier), self.epoch)
        self.roots.setdefault(size, root_of(self.frontier))
        if announced:
            self.epoch = announced[0]
            self.keys[self.epoch] = announced[1]
            if self.mac_key:
                self.mac_key = hmac.digest(self.mac_key, EVOLVE_LABEL, "sha256")

    def ledger_event(self, seq, envelope):
        """Takes up what the ledger says of itself; returns (epoch, key, break) of an announced epoch."""
        kind, says = envelope["event_type"], envelope.get("ledger", {})
        require(isinstance(says, dict), f"entry {seq} says nothing as {kind}")
        require((kind == "ledger.created") == (seq == 0), f"entry {seq} is {kind}; ledger.created is entry 0 and only that")
        try:
            if kind == "ledger.created":
                require(says["origin"] == self.origin and says["vkey"] == self.vkey.text, "entry 0 names another log")
                same = says["hmac"] == self.hmac_on and says["epoch"] == 0 and says["log_id"] == self.log["log_id"]
                require(same and envelope["timestamp"] == self.log["created"], "entry 0 differs from log.json")
                self.keys[0] = self.epoch_key(0, says["key"])
            elif kind == "ledger.epoch":
                require(says["epoch"] == self.epoch + 1, f"entry {seq} announces epoch {says['epoch']} after {self.epoch}")
                return says["epoch"], self.epoch_key(says["epoch"], says["key"]), says.get("break") is True
            elif kind == "ledger.erase":
                self.erases.append((seq, says["ranges"], set(says["slots"])))
            elif kind == "ledger.erased":
                self.erased.add(says["erase"])
            elif kind == "ledger.hold":
                self.holds.append((seq, says["hold"], says["ranges"], set(says.get("slots", SLOTS))))
            elif kind == "ledger.release":
                self.releases.setdefault(says["hold"], []).append(seq)
        except (KeyError, TypeError) as error:
            raise Failed(f"entry {seq} ({kind}) lacks the member {error}") from None
        return None

    def epoch_key(self, epoch, text):
        key = Vkey(text)
        require(key.name == f"{self.origin}/epoch/{epoch}", f"the key of epoch {epoch} is called {key.name}")
        return key

    def check_missing(self):
        """Rule 3: a slot is missing only where a later erase covers it and no hold did at that point."""
        for seq, name in self.missing:
            covering = [at for at, ranges, slots in self.erases if at > seq and name in slots and in_ranges(seq, ranges)]
            require(covering, f"slot {name} of entry {seq} is missing and no erasure is recorded")
            lawful = [at for at in covering if not self.held(seq, name, at)]
            require(lawful, f"slot {name} of entry {seq} was erased while it was on hold")
        for seq, name in self.present:
            for at, ranges, slots in self.erases:
                still = at in self.erased and at > seq and name in slots and in_ranges(seq, ranges)
                require(not still, f"slot {name} of entry {seq} is still there although entry {at} says it is erased")

    def held(self, seq, name, at):
        for held_at, hold, ranges, slots in self.holds:
            released = any(held_at < release < at for release in self.releases.get(hold, []))
            if held_at < at and not released and name in slots and in_ranges(seq, ranges):
                return True
        return False


def in_ranges(seq, ranges):
    return any(first <= seq <= last for first, last in ranges)


# ---------------------------------------------------------------------------------------------------------------------
# Files.


def read(folder, *path):
    try:
        with open(os.path.join(folder, *path), "rb") as file:
            return file.read()
    except OSError as error:
        raise Failed(f"cannot read {'/'.join(path) or folder}: {error.strerror}") from None


def names(folder, sub, suffix):
    """Sorted [(first index, file name)] of a folder."""
    try:
        found = os.listdir(os.path.join(folder, sub))
    except FileNotFoundError:
        return []
    matches = [re.fullmatch(r"([0-9]{12})" + re.escape(suffix), name) for name in found]
    return sorted((int(match[1]), match[0]) for match in matches if match)


def segment(ledger, first, name):
    """Checks one sealed segment against its manifest."""
    manifest = parse_one_line(read(ledger.folder, "seg", name), f"seg/{name}")
    require(first == len(ledger.leaves) == manifest["first"], f"seg/{name} does not begin at entry {len(ledger.leaves)}")
    gz = manifest["compression"] == "gzip"
    if not gz:
        before, crc = read(ledger.folder, "seg", name)[:-2].rsplit(b',"crc":', 1) if "crc" in manifest else (b"", b"")
        require(crc == b'"%08x"' % crc32c(before), f"seg/{name} has another CRC")
    lines = {}
    for part in ("entries", "slots", "commits"):
        path = f"{first:012}.{part}.jsonl" + (".gz" if gz else "")
        data = read(ledger.folder, "seg", path)
        stated = manifest["files"][part]
        require(len(data) == stated["bytes"], f"seg/{path} has {len(data)} bytes, its manifest says {stated['bytes']}")
        require(sha256(data).hex() == stated["sha256"], f"seg/{path} differs from its manifest")
        data = gunzip(data, f"seg/{path}") if gz else data
        require(len(data) == manifest["plain"][part], f"seg/{path} holds {len(data)} bytes, its manifest says {manifest['plain'][part]}")
        lines[part] = split_lines(data, f"seg/{path}")
    require(len(lines["entries"]) == manifest["size"] - first, f"seg/{first:012} has {len(lines['entries'])} entries")
    ledger.first_t = None
    segment_batches(ledger, first, lines)
    require(ledger.first_t == manifest["first_t"] and ledger.last_t == manifest["last_t"], f"seg/{name} has other times")
    require(unbase64(manifest["chain"], 32, f"seg/{name}") == ledger.chain, f"seg/{name} has another chain value")
    require([b64(hash) for hash in ledger.frontier] == manifest["frontier"], f"seg/{name} has another frontier")
    require(manifest["commit"].encode() == ledger.last_commit, f"seg/{name} has another last commit")


def segment_batches(ledger, first, lines):
    slots = {}
    order = -1
    for line in lines["slots"]:
        seq = parse_slot(line, f"seg/{first:012}.slots")[0]
        require(seq >= order, f"the slots of entry {seq} in seg/{first:012}.slots are out of order")
        order = seq
        slots.setdefault(seq, []).append(line)
    entries, mac, done = lines["entries"], None, 0
    for line in lines["commits"]:
        if line.startswith(b'{"mac"'):
            require(mac is None, f"seg/{first:012}.commits has two mac lines in a row")
            mac = line
            continue
        match = COMMIT.fullmatch(line)
        require(match, f"seg/{first:012}.commits has a malformed commit line")
        end = int(match[2]) - first
        require(done < end <= len(entries), f"a commit in seg/{first:012}.commits says size {int(match[2])}")
        ledger.batch([(entries[at], slots.pop(first + at, [])) for at in range(done, end)], mac, line)
        mac, done = None, end
    require(done == len(entries) and mac is None, f"the last entries of seg/{first:012} are in no commit")
    require(not slots, f"seg/{first:012}.slots has slots of entries that are not there")


def wal(ledger, first, name, offsets):
    """Checks the batches of the active segment."""
    require(first == len(ledger.leaves), f"wal/{name} does not begin at entry {len(ledger.leaves)}")
    data = read(ledger.folder, "wal", name)
    end = len(data.rstrip(b"\0"))
    at, events, mac = 0, [], None
    while at < end:
        newline = data.find(b"\n", at, end)
        require(newline >= 0, f"wal/{name} ends inside a line, {end - at} bytes after the last whole one")
        line, at = data[at:newline], newline + 1
        if line.startswith(b'{"v":'):
            require(mac is None, f"wal/{name} has an event after its mac line")
            events.append((line, []))
        elif line.startswith(b'{"i":'):
            require(events and mac is None, f"wal/{name} has a slot without an event")
            events[-1][1].append(line)
        elif line.startswith(b'{"mac"'):
            require(mac is None, f"wal/{name} has two mac lines in a row")
            mac = line
        else:
            ledger.batch(events, mac, line)
            events, mac = [], None
            offsets[len(ledger.leaves)] = (name, at)
    require(not events and mac is None, f"wal/{name} ends with {len(events)} events that no commit covers")


def tiles(ledger, size):
    """Checks every tile of the published tree against the recomputed leaves. Returns how many."""
    level, row, count = 0, ledger.leaves[:size], 0
    while row:
        parents = []
        for index in range(0, (len(row) + 255) // 256):
            hashes = row[256 * index:256 * index + 256]
            path = tile_path(level, index, len(hashes))
            require(read(ledger.folder, *path.split("/")) == b"".join(hashes), f"{path} differs from the entries")
            count += 1
            if len(hashes) == 256:
                frontier = []
                for at, hash in enumerate(hashes):
                    push_leaf(frontier, at, hash)
                parents.append(frontier[0])
        level, row = level + 1, parents
    return count


def highwater(ledger, offsets):
    mark = parse_one_line(read(ledger.folder, "highwater"), "highwater")
    size = mark["size"]
    require(size <= len(ledger.leaves), f"highwater says {size} entries, only {len(ledger.leaves)} are there: entries are lost")
    require(size in ledger.at_commit, f"highwater says {size} entries, where no commit is")
    chain, frontier, epoch = ledger.at_commit[size]
    same = mark["root"] == b64(root_of(frontier)) and mark["chain"] == b64(chain)
    require(same and mark["frontier"] == [b64(hash) for hash in frontier], "highwater is of another tree")
    require(mark["epoch"] == epoch, f"highwater says epoch {mark['epoch']}, its commit is of epoch {epoch}")
    if size in offsets:
        require(offsets[size] == (mark["wal"], mark["offset"]), "highwater points to another place in the wal")


def split_notes(data):
    """checkpoints.notes: notes with one empty line between; a note has one empty line of its own."""
    parts = data.decode(errors="replace").split("\n\n")
    require(len(parts) % 2 == 0, "checkpoints.notes is not a sequence of notes")
    notes = [parts[at] + "\n\n" + parts[at + 1] for at in range(0, len(parts), 2)]
    return [(note if note.endswith("\n") else note + "\n").encode() for note in notes]


def parse_proof(data):
    """Returns (index, path, checkpoint note) of a .tlog-proof file."""
    pattern = rb"c2sp\.org/tlog-proof@v1\n(?:extra ([^\n]+)\n)?index " + NUMBER + rb"\n((?:[^\n]+\n)*)\n(.+)"
    match = re.fullmatch(pattern, data, re.DOTALL)
    require(match, "the proof is not a c2sp.org/tlog-proof@v1 file")
    if match[1]:
        unbase64(match[1], what="the extra line of the proof")
    path = [unbase64(line, 32, "a hash of the proof") for line in match[3].split(b"\n")[:-1]]
    return int(match[2]), path, match[4]


# ---------------------------------------------------------------------------------------------------------------------
# The whole.


def load_log(folder, pinned):
    """Returns (vkey, members of log.json)."""
    log = parse_one_line(read(folder, "log.json"), "log.json")
    require(list(log) == ["format", "origin", "log_id", "created", "vkey", "hmac"], "log.json has other members")
    require(log["format"] == "sealtrail-ledger/1", f"log.json says format {log['format']}")
    vkey = Vkey(log["vkey"])
    require(vkey.name == log["origin"], "log.json has a key of another name than its origin")
    require(read(folder, "log.vkey") == (vkey.text + "\n").encode(), "log.vkey differs from log.json")
    require(pinned is None or pinned.text == vkey.text, f"the ledger's key is not the one given with --vkey ({vkey.name})")
    return vkey, log


def verify(folder, pinned, proof_data, mac_key):
    """Yields sentences; raises Failed."""
    vkey, log = load_log(folder, pinned)
    yield f"The log is {vkey.name}." + ("" if pinned else " Its key is its own word: give --vkey to pin it.")
    size, root = open_checkpoint(read(folder, "checkpoint"), vkey, "checkpoint")
    yield f"The checkpoint of {size} entries is signed by the log key."
    notes = [open_checkpoint(note, vkey, f"checkpoint {n} in checkpoints.notes")
             for n, note in enumerate(split_notes(read(folder, "checkpoints.notes")), 1)]
    require(notes and notes[-1] == (size, root), "the last of checkpoints.notes is not the checkpoint")
    wanted = {size, *(noted for noted, _ in notes)}
    if proof_data is not None:
        index, path, note = parse_proof(proof_data)
        proof_size, proof_root = open_checkpoint(note, vkey, "the checkpoint of the proof")
        wanted.add(proof_size)

    ledger, offsets = Ledger(folder, vkey, log, mac_key, wanted), {}
    segments = names(folder, "seg", ".json")
    for first, name in segments:
        segment(ledger, first, name)
    sealed = {first for first, _ in segments}
    for first, name in names(folder, "wal", ".wal"):
        # A crash between the last step of sealing and the removal of the wal leaves both; the segment is the truth.
        if first not in sealed:
            wal(ledger, first, name, offsets)
    total = len(ledger.leaves)
    require(total > 0, "the ledger has no entries")
    yield f"{total} entries in {ledger.commits} commits: leaf hashes, chain, roots and epoch signatures are right, up to epoch {ledger.epoch}."
    if log["hmac"]:
        yield f"{ledger.macs} macs are right." if mac_key else "The macs were not checked: give --mac-key."
    ledger.check_missing()
    yield f"{ledger.slots_present} slots are what was committed to; {len(ledger.missing)} are lawfully erased."
    for noted, noted_root in notes:
        require(noted <= total, f"a checkpoint says {noted} entries, only {total} are there: entries are lost")
        require(ledger.roots.get(noted) == noted_root, f"the checkpoint of {noted} entries is of another tree")
    require(all(a[0] <= b[0] for a, b in zip(notes, notes[1:])), "checkpoints.notes is not in order")
    yield f"{len(notes)} published checkpoints are of this tree, each the beginning of the next."
    yield f"{tiles(ledger, size)} tiles hold the hashes of the entries."
    highwater(ledger, offsets)
    if proof_data is not None:
        require(index < total, f"the proof is of entry {index}, the ledger has {total}")
        require(root_of_inclusion(ledger.leaves[index], index, proof_size, path) == proof_root, "the proof leads to another root")
        require(ledger.roots.get(proof_size) == proof_root, "the proof is of another tree")
        yield f"The proof file shows that entry {index} is in the log of {proof_size} entries."


def main(arguments):
    parser = argparse.ArgumentParser(prog="verify.py", description="verifies a Sealtrail ledger")
    parser.add_argument("ledger")
    parser.add_argument("--vkey")
    parser.add_argument("--proof")
    parser.add_argument("--mac-key")
    try:
        options = parser.parse_args(arguments)
    except SystemExit as exit:
        return 64 if exit.code else 0
    try:
        pinned = Vkey(read(options.vkey).decode().rstrip("\n")) if options.vkey else None
        proof = read(options.proof) if options.proof else None
        mac_key = unbase64(read(options.mac_key).strip(), 32, "the mac key") if options.mac_key else None
        for sentence in verify(options.ledger, pinned, proof, mac_key):
            print(sentence)
    except Failed as failure:
        print(f"NOT VERIFIED: {failure}.")
        return 3
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RecursionError) as error:
        print(f"NOT VERIFIED: a file is malformed ({type(error).__name__}: {error}).")
        return 3
    print("VERIFIED.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
