"""The client against the real daemon."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Dict, List

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

from sealtrail_client import AuditTrailClient, AuditTrailError  # noqa: E402

BINARY = os.environ.get("SEALTRAIL", str(HERE.parents[2] / "target/debug/sealtrail"))


def ago(minutes: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")


def records() -> List[Dict[str, Any]]:
    logins = [
        {"event_type": "auth.user_login", "timestamp": ago(40 - n), "user_id": "user_12345", "status": status, "source_ip": "203.0.113.42", "audit_id": f"evt_login_{n}"}
        for n, status in enumerate(["success", "fail", "fail", "success"])
    ]
    reads = [
        {
            "event_type": "data.file_read", "timestamp": ago(minutes), "agent_id": "agent_1", "status": "success", "audit_id": f"evt_read_{n}",
            "resource": {"type": "file", "path": f"/data/customers_{n}.csv", "sensitivity_level": level},
        }
        for n, (level, minutes) in enumerate([("pii", 60), ("public", 50), ("pii", 2000), ("pii", 5000)])
    ]
    workflow = {
        "event_type": "workflow.execution", "timestamp": ago(20), "execution_id": "exec_xyz789abc123", "initiated_by": "user_1111", "audit_id": "evt_workflow",
        "workflow_steps": [{"step_name": "validate_application", "status": "success"}, {"step_name": "fraud_detection", "status": "failed"}],
    }
    return [*logins, *reads, workflow]


class ClientTest(unittest.TestCase):
    folder: tempfile.TemporaryDirectory[str]
    daemon: subprocess.Popen[str]
    url: str
    token: str
    client: AuditTrailClient

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory(prefix="sealtrail-client-")
        cls.addClassCleanup(cls.folder.cleanup)
        home = str(Path(cls.folder.name) / "home")

        def run(*words: str) -> str:
            return subprocess.run([BINARY, "--home", home, "--quiet", *words], check=True, capture_output=True, text=True).stdout.strip()

        run("init", "--no-input", "--no-hooks")
        file = Path(cls.folder.name) / "records.jsonl"
        file.write_text("".join(json.dumps(record) + "\n" for record in records()))
        run("import", "events", str(file))
        cls.daemon = subprocess.Popen([BINARY, "--home", home, "daemon", "--listen", "127.0.0.1:0"], stderr=subprocess.PIPE, text=True)
        cls.addClassCleanup(cls.stop)
        assert cls.daemon.stderr is not None
        for line in cls.daemon.stderr:
            found = re.search(r"http://[0-9.]+:[0-9]+", line)
            if found:
                cls.url = found.group()
                break
        cls.token = run("token", "create", "--name", "tests", "--scope", "read")
        cls.client = AuditTrailClient(cls.token, cls.url)

    @classmethod
    def stop(cls) -> None:
        cls.daemon.terminate()
        cls.daemon.wait(30)
        if cls.daemon.stderr is not None:
            cls.daemon.stderr.close()

    def ids(self, events: List[Dict[str, Any]]) -> List[str]:
        return [event["audit_id"] for event in events]

    def test_the_questions_of_the_article(self) -> None:
        """Protects the three questions of the article, in this language."""
        suspicious = self.client.query(
            event_type="auth.user_login", status_not_in=["success"], since=datetime.now(timezone.utc) - timedelta(hours=1), limit=1000
        )
        self.assertEqual(self.ids(suspicious), ["evt_login_2", "evt_login_1"])
        access = self.client.query(
            {"resource.sensitivity_level": "pii"}, event_type="data.file_read", since="48 hours ago", order_by="timestamp desc"
        )
        self.assertEqual(self.ids(access), ["evt_read_0", "evt_read_2"])
        chain = self.client.get_execution_chain("exec_xyz789abc123")
        self.assertEqual(chain["initiated_by"], "user_1111")
        self.assertEqual([step["name"] for step in chain["problems"]], ["fraud_detection"])
        self.assertEqual(chain["custody"]["leaves"][0]["audit_id"], "evt_workflow")

    def test_pages(self) -> None:
        """Protects paging: pages of two give what one page gives."""
        own = "event_type in (auth.user_login, data.*, workflow.*)"
        whole = self.client.query(query=own, limit=1000)
        self.assertEqual(len(whole), len(records()))
        pages = list(self.client.iterate(query=own, page=2))
        self.assertEqual(self.ids(pages), self.ids(whole))

    def test_one_event(self) -> None:
        """Protects the other doors: an event with its proof, its chain, a report, a sequence, a checkpoint."""
        self.assertEqual(self.client.get("evt_read_0", proof=True)["seal"]["schema"], "sealtrail.sealed/1")
        self.assertEqual(self.client.chain("evt_read_0")["event"]["audit_id"], "evt_read_0")
        report = self.client.search({"query": "event_type=auth.user_login | count by status"})
        self.assertEqual(sorted(report["table"]["rows"]), [["fail", 2], ["success", 2]])
        steps = "auth.user_login[status=fail] auth.user_login[status=success]"
        found = self.client.search({"sequence": {"steps": steps, "within_seconds": 300}})
        self.assertEqual([match["audit_ids"] for match in found["matches"]], [["evt_login_2", "evt_login_3"]])
        self.assertGreater(self.client.checkpoint()["size"], len(records()))

    def test_refusals(self) -> None:
        """Protects whoever asks: a refusal is an error that says what is wrong and where."""
        with self.assertRaises(AuditTrailError) as wrong:
            self.client.search({"query": "usr_id=x"})
        self.assertEqual((wrong.exception.status, wrong.exception.problem["position"]), (400, 0))
        with self.assertRaises(AuditTrailError) as nobody:
            AuditTrailClient("stk_wrong", self.url).query()
        self.assertEqual(nobody.exception.status, 401)
        with self.assertRaises(ValueError):
            self.client.query(since=datetime(2026, 3, 1))


if __name__ == "__main__":
    unittest.main()
