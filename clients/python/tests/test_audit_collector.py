"""The middleware and the real collector, also while it is gone."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from sealtrail_client import AuditStore, ClaudeAuditLogger, log_audit_event  # noqa: E402

BINARY = os.environ.get("SEALTRAIL", str(HERE.parents[2] / "target/debug/sealtrail"))


class Messages:
    """Stands for the SDK's `client.messages`."""

    def create(self, **_: Any) -> Any:
        usage = SimpleNamespace(input_tokens=12, output_tokens=3)
        content = [SimpleNamespace(type="text", text="A list.")]
        return SimpleNamespace(id="msg_1", _request_id="req_1", content=content, usage=usage, stop_reason="end_turn")


class CollectorTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="sealtrail-collector-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.run_("init", "--no-input", "--no-hooks")
        self.key = self.run_("token", "create", "--name", "app", "--scope", "write")

    def run_(self, *words: str) -> str:
        command = [BINARY, "--home", str(self.folder / "home"), "--quiet", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def serve(self, listen: str) -> str:
        command = [BINARY, "--home", str(self.folder / "home"), "serve", "--listen", listen]
        self.server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        assert self.server.stderr is not None
        for line in self.server.stderr:
            found = re.search(r"http://[0-9.]+:[0-9]+", line)
            if found:
                return found.group()
        raise AssertionError("the collector did not start")

    def stop(self) -> None:
        self.server.terminate()
        self.server.wait(30)
        if self.server.stderr is not None:
            self.server.stderr.close()

    def events(self) -> List[Dict[str, Any]]:
        found = self.run_("search", "application_id=app or event_type=data.file_read", "--oldest-first", "--output", "ndjson")
        return [json.loads(line) for line in found.splitlines()]

    def test_calls_before_during_and_after_an_outage(self) -> None:
        """Protects the record of model calls against a collector that goes away: each call is in the trail once, in order, with the fields of its record."""
        url = self.serve("127.0.0.1:0")
        store = AuditStore(url, self.key, fallback=self.folder / "fallback")
        audited = ClaudeAuditLogger(SimpleNamespace(messages=Messages()), store, "app")

        def call(number: int) -> None:
            audited.create_message(f"user-{number}", "conv-204", [{"role": "user", "content": str(number)}], "claude-opus-4-6", max_tokens=10)

        call(0)
        self.assertFalse(store.fallback)
        self.stop()
        call(1)
        call(2)
        self.assertTrue(store.fallback)
        self.serve(url.removeprefix("http://"))
        self.assertTrue(store.flush())
        # What is sent a second time is known by its id.
        result = store.write({"audit_id": "evt_twice", "event_type": "data.file_read", "user_id": "alice"})
        again = store.write({"audit_id": "evt_twice", "event_type": "data.file_read", "user_id": "alice"})
        self.assertEqual((result["status"], again["status"]), ("sealed", "known"))
        self.assertEqual(set(result["receipt"]), {"seq", "leaf_hash", "tree_size"})
        logged = log_audit_event("alice", "file_read", "/data/x.csv", "success", compliance_tags=["SOC2"], store=store)
        self.stop()
        events = self.events()
        told = [(event["event_type"], event["user_id"], event["phase"]) for event in events if event["event_type"].startswith("model.")]
        self.assertEqual(told, [(kind, f"user-{n}", phase) for n in range(3) for kind, phase in (("model.request", "intent"), ("model.response", "outcome"))])
        first, second = events[0], events[1]
        self.assertEqual((second["parent_audit_id"], second["request_id"], second["input_tokens"]), (first["audit_id"], "req_1", 12))
        self.assertEqual((second["prompt_hash"], second["outcome"], second["witness"]), (first["prompt_hash"], "success", "api"))
        own = next(event for event in events if event["audit_id"] == logged)
        self.assertEqual((own["compliance_tags"], own["resource"]["path"]), (["SOC2"], "/data/x.csv"))
        self.run_("verify-integrity")


if __name__ == "__main__":
    unittest.main()
