#!/usr/bin/env python3
"""Damages copies of the golden ledger in every way a file can be damaged; verify.py must notice each one.

    python3 -B verifiers/python/test_verify.py

The positions are random from a printed seed; SEED=n replays a run, ROUNDS=n makes it longer.
"""

import os
import random
import shutil
import tempfile
import unittest

import verify

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "..", "..", "fixtures", "ledger", "v1")
SEED = int(os.environ.get("SEED", "1"))
ROUNDS = int(os.environ.get("ROUNDS", "6"))


def files(folder):
    found = [os.path.join(root, name) for root, _, names in os.walk(folder) for name in names]
    return sorted(os.path.relpath(path, folder) for path in found)


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Damage(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.temp = tempfile.TemporaryDirectory()
        self.folder = os.path.join(self.temp.name, "ledger")
        shutil.copytree(os.path.join(GOLDEN, "ledger"), self.folder)
        self.vkey = verify.Vkey(read(os.path.join(GOLDEN, "ledger", "log.vkey")).decode().strip())
        self.mac_key = verify.unbase64(read(os.path.join(GOLDEN, "mac-key-0.b64")).strip(), 32)

    def tearDown(self):
        self.temp.cleanup()

    def outcome(self, vkey=None, mac_key=None, proof=None):
        """None if verified, else why not."""
        try:
            list(verify.verify(self.folder, vkey or self.vkey, proof, mac_key))
        except (verify.Failed, KeyError, TypeError, ValueError, AttributeError, IndexError) as failure:
            return str(failure)
        return None

    def put(self, name, data):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)

    def refused(self, name, data, how):
        """Puts `data` in place of a file, expects a refusal, puts the file back."""
        good = read(os.path.join(self.folder, name))
        self.put(name, data)
        self.assertIsNotNone(self.outcome(mac_key=self.mac_key), f"{name}: {how} was not noticed (seed {SEED})")
        self.put(name, good)

    def test_the_golden_ledger_verifies(self):
        for name in files(os.path.join(GOLDEN, "proofs")):
            proof = read(os.path.join(GOLDEN, "proofs", name))
            self.assertIsNone(self.outcome(mac_key=self.mac_key, proof=proof))

    def test_a_wrong_key_never_verifies(self):
        text = self.vkey.text.split("+", 2)
        raw = bytearray(verify.unbase64(text[2]))
        raw[7] ^= 1
        name_id = verify.sha256(text[0].encode(), b"\n", bytes(raw))[:4].hex()
        wrong = verify.Vkey(f"{text[0]}+{name_id}+{verify.b64(bytes(raw))}")
        self.assertIsNotNone(self.outcome(vkey=wrong))
        self.assertIsNotNone(self.outcome(mac_key=bytes(32)))

    def test_flipped_bits(self):
        for name in files(self.folder):
            data = read(os.path.join(self.folder, name))
            for _ in range(ROUNDS):
                at = self.random.randrange(len(data))
                bit = 1 << self.random.randrange(8)
                self.refused(name, data[:at] + bytes([data[at] ^ bit]) + data[at + 1:], f"bit {bit} of byte {at}")

    def test_cut_and_deleted_files(self):
        for name in files(self.folder):
            data = read(os.path.join(self.folder, name))
            cuts = [0, *(self.random.randrange(len(data)) for _ in range(2))]
            for end in cuts:
                # Preallocated zero bytes at the end of the wal say nothing.
                if name.startswith("wal/") and not data[end:].strip(b"\0"):
                    continue
                self.refused(name, data[:end], f"a cut at {end}")
            os.rename(os.path.join(self.folder, name), os.path.join(self.temp.name, "gone"))
            self.assertIsNotNone(self.outcome(), f"{name} is gone")
            os.rename(os.path.join(self.temp.name, "gone"), os.path.join(self.folder, name))

    def test_lines_of_the_wal(self):
        name = files(os.path.join(self.folder, "wal"))[0]
        lines = read(os.path.join(self.folder, "wal", name)).rstrip(b"\0").split(b"\n")[:-1]
        for _ in range(ROUNDS):
            at, other = self.random.sample(range(len(lines)), 2)
            swapped = list(lines)
            swapped[at], swapped[other] = swapped[other], swapped[at]
            deleted, doubled = lines[:at] + lines[at + 1:], lines[:at] + lines[at:at + 1] + lines[at:]
            for how, damaged in (("swap", swapped), ("deletion", deleted), ("doubling", doubled)):
                self.refused(f"wal/{name}", b"".join(line + b"\n" for line in damaged), f"{how} of line {at} ({other})")

    def test_damaged_proofs(self):
        proof = read(os.path.join(GOLDEN, "proofs", "300.tlog-proof"))
        for _ in range(4 * ROUNDS):
            at = self.random.randrange(len(proof))
            damaged = proof[:at] + bytes([proof[at] ^ 1 << self.random.randrange(8)]) + proof[at + 1:]
            self.assertIsNotNone(self.outcome(proof=damaged), f"byte {at}")


if __name__ == "__main__":
    print(f"seed {SEED}, {ROUNDS} rounds")
    unittest.main()
