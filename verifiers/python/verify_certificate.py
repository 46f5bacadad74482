#!/usr/bin/env python3
"""Verifies an exported completeness certificate with nothing but the Python standard library; verify.py must lie beside it.

    verify_certificate.py FILE [--vkey FILE]

It shares no code with Sealtrail and follows docs/format/certificate.md. Exit code 0: verified. 3: not. 64: wrong use.
"""
import argparse
import hashlib
import json
import sys

from verify import Failed, Vkey, leaf_hash, node_hash, open_checkpoint, parse_json, parse_proof, require, root_of_inclusion, unbase64


def verify_consistency(old, old_root, new, new_root, path):
    """RFC 9162 section 2.1.4.2."""
    require(0 < old <= new, f"a log of {old} entries is not the beginning of one of {new}")
    if old == new:
        require(not path and old_root == new_root, "two checkpoints of one size differ")
        return
    path = list(path) if old & (old - 1) else [old_root, *path]
    require(path, "the consistency proof has too few hashes")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for sibling in path[1:]:
        require(last > 0, "the consistency proof has too many hashes")
        if at & 1 or at == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        at, last = at >> 1, last >> 1
    require(last == 0, "the consistency proof has too few hashes")
    require(first == old_root and second == new_root, "the consistency proof leads to other roots")


def verify(bundle, pinned):
    """Yields sentences; raises Failed."""
    require(bundle.get("schema") == "sealtrail.coverage.bundle/1", "this is no bundle of a certificate")
    seal, written = bundle["seal"], bundle["certificate"].encode()
    vkey = Vkey(seal["vkey"])
    require(pinned is None or pinned.strip() == seal["vkey"], "the key is not the one that was given")
    index, path, note = parse_proof(seal["proof"].encode())
    size, root = open_checkpoint(note, vkey, "the checkpoint of the seal")
    envelope = seal["envelope"].encode()
    require(root_of_inclusion(leaf_hash(envelope), index, size, path) == root, "the event is not under the signed root")
    event = parse_json(envelope, "the envelope")
    require(event["event_type"] == "evidence.certificate_issued" and event["witness"] == "recorder", "the event issues no certificate")
    require(event["result"]["audit_hash"] == hashlib.sha256(written).hexdigest(), "the certificate is not the one that was sealed")
    certificate = parse_json(written, "the certificate")
    spelled = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    require(spelled == written, "the certificate is not in its one spelling")
    require(certificate["origin"] == vkey.name, "the certificate speaks about another log")
    old, old_root = open_checkpoint(certificate["checkpoint"].encode(), vkey, "the checkpoint of the certificate")
    require(certificate["tree_size"] == old and old <= index, "the certificate is older than what it speaks about")
    verify_consistency(old, old_root, size, root, [unbase64(text.encode(), 32, "a hash of the consistency proof") for text in bundle["consistency"]])
    yield f"Event {index} of {vkey.name} seals this certificate; its log of {old} entries is the beginning of that of {size}."
    yield f"The verdict is {certificate['verdict']}, over {certificate['sessions']} sessions."


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--vkey")
    options = parser.parse_args()
    try:
        with open(options.file, encoding="utf-8") as handle:
            bundle = json.load(handle)
        pinned = open(options.vkey, encoding="utf-8").read() if options.vkey else None
        for sentence in verify(bundle, pinned):
            print(sentence)
    except (Failed, KeyError, TypeError, AttributeError, ValueError) as problem:
        print(f"NOT verified: {problem}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
