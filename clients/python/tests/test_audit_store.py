"""Records on their way to the collector, and what becomes of them while it does not answer."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from sealtrail_client import AuditStore, FallbackFull, LocalTrail, after_invoke, before_invoke, log_audit_event, log_decision  # noqa: E402
from sealtrail_client import audit_store  # noqa: E402
from stub import Stub, sealed  # noqa: E402

BINARY = os.environ.get("SEALTRAIL", str(HERE.parents[2] / "target/debug/sealtrail"))


class Case(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="sealtrail-audit-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)
        self.stub = Stub()
        self.addCleanup(self.stub.stop)
        self.now = 1000.0
        patch = mock.patch.object(audit_store.time, "monotonic", lambda: self.now)
        patch.start()
        self.addCleanup(patch.stop)

    def store(self, **more: object) -> AuditStore:
        return AuditStore(self.stub.url, "stw_key", fallback=self.folder / "fallback", **more)  # type: ignore[arg-type]

    def refused(self) -> list:
        return [json.loads(line) for line in (self.folder / "fallback/refused.jsonl").read_text().splitlines()]


class DeliveryTest(Case):
    def test_a_record_is_sealed(self) -> None:
        """Protects the way of a record: to the collector's own path, with the write key, an id and a time, and back comes the receipt's answer."""
        result = self.store().write({"event_type": "data.file_read", "complianceTags": ["SOC2", "GDPR"]})
        request = self.stub.requests[0]
        self.assertEqual((request["path"], request["headers"]["Authorization"]), ("/v1/events", "Bearer stw_key"))
        self.assertEqual(request["headers"]["X-Compliance-Tags"], "SOC2,GDPR")
        self.assertEqual(result, {"status": "sealed", "audit_id": request["records"][0]["audit_id"]})
        self.assertIn("timestamp", request["records"][0])

    def test_the_names_of_the_environment(self) -> None:
        """Protects who configures by the environment: AUDIT_AGGREGATOR_URL and AUDIT_API_KEY are honoured."""
        environment = {"AUDIT_AGGREGATOR_URL": f"{self.stub.url}/audit/in", "AUDIT_API_KEY": "stw_other", "XDG_STATE_HOME": str(self.folder)}
        with mock.patch.dict(os.environ, environment):
            AuditStore().write({"event_type": "x"})
        self.assertEqual(self.stub.requests[0]["path"], "/audit/in")
        self.assertEqual(self.stub.requests[0]["headers"]["Authorization"], "Bearer stw_other")

    def test_a_refused_record_is_kept_with_the_reason(self) -> None:
        """Protects against dropping in silence: what the collector never takes stands in a file with the reason."""
        self.stub.answer = lambda records, _: (200, {}, {"results": [{"status": "rejected", "error": "no event"} for _ in records]})
        self.assertEqual(self.store().write({"audit_id": "a"})["status"], "rejected")
        self.assertEqual([(one["why"], one["record"]["audit_id"]) for one in self.refused()], [("no event", "a")])


class FallbackTest(Case):
    def test_an_outage_loses_nothing_and_keeps_the_order(self) -> None:
        """Protects records of an outage: kept on the disk, delivered in order and before anything newer, each sealed once."""
        port = self.stub.port
        self.stub.stop()
        store = self.store()
        results = [store.write({"audit_id": f"a{n}"})["status"] for n in range(3)]
        self.assertEqual(results, ["kept"] * 3)
        self.stub = Stub(port)
        self.now += 3600
        self.assertEqual(store.write({"audit_id": "a3"})["status"], "kept")
        self.assertEqual(self.stub.ids(), ["a0", "a1", "a2", "a3"])
        self.assertFalse(store.fallback)
        self.assertEqual(store.write({"audit_id": "a4"})["status"], "sealed")

    def test_another_process_delivers_what_one_left(self) -> None:
        """Protects what was kept when its process ended: the next one that uses the folder delivers it; what came twice is known."""
        store = self.store()
        store.fallback.append([{"audit_id": f"a{n}"} for n in range(250)])
        self.assertTrue(self.store().flush())
        self.assertEqual(self.stub.ids(), [f"a{n}" for n in range(250)])
        self.assertEqual([len(request["records"]) for request in self.stub.requests], [100, 100, 50])

    def test_a_crash_after_delivery_delivers_again(self) -> None:
        """Protects against a process that dies between delivering and forgetting: the records come again under the same ids."""
        store = self.store()
        store.fallback.append([{"audit_id": "a0"}, {"audit_id": "a1"}])
        with mock.patch.object(store.fallback, "forget_first", side_effect=KeyboardInterrupt), self.assertRaises(KeyboardInterrupt):
            store.flush()
        self.assertTrue(self.store().flush())
        self.assertEqual((len(self.stub.requests), self.stub.ids()), (2, ["a0", "a1"]))

    def test_a_torn_line_is_named(self) -> None:
        """Protects the records around a line that a crash cut off: they are delivered, and the half line is kept and named."""
        store = self.store()
        store.fallback.append([{"audit_id": "a0"}])
        segment = next((self.folder / "fallback").glob("pending-*"))
        with open(segment, "ab") as file:
            file.write(b'{"audit_id": "half')
        store.fallback.append([{"audit_id": "a1"}])
        with open(segment, "ab") as file:
            file.write(b'{"audit_id": "end')
        self.assertTrue(store.flush())
        self.assertEqual(self.stub.ids(), ["a0", "a1"])
        self.assertEqual([one["record"] for one in self.refused()], ['{"audit_id": "half', '{"audit_id": "end'])

    def test_a_full_folder_is_told(self) -> None:
        """Protects against a silent loss when nobody takes records for long: at the limit the caller is told, and what was kept stays."""
        self.stub.stop()
        store = self.store(fallback_bytes_max=200)
        with self.assertRaises(FallbackFull):
            for n in range(10):
                store.write({"audit_id": f"a{n}"})
        kept = store.fallback.bytes()
        self.assertTrue(0 < kept <= 200, kept)
        self.stub = Stub(self.stub.port)
        self.assertTrue(store.flush())
        self.assertEqual(self.stub.ids(), [f"a{n}" for n in range(len(self.stub.ids()))])

    def test_who_asks_for_patience_gets_it(self) -> None:
        """Protects a busy collector: after 429 with Retry-After nothing is sent until then, and everything comes after it."""
        self.stub.answer = lambda *_: (429, {"Retry-After": "30"}, {})
        store = self.store()
        store.write({"audit_id": "a0"})
        self.now += 29
        store.write({"audit_id": "a1"})
        self.assertEqual(len(self.stub.requests), 1)
        self.stub.answer = sealed
        self.now += 2
        store.write({"audit_id": "a2"})
        self.assertEqual(self.stub.ids(), ["a0", "a1", "a2"])

    def test_later_is_not_lost_and_a_bad_record_holds_up_nobody(self) -> None:
        """Protects the others beside one record that the collector cannot take: it alone is refused, also when the request as a whole was."""
        self.stub.answer = lambda records, _: (503, {}, {"results": [{"status": "later"} for _ in records]})
        store = self.store()
        self.assertEqual(store.write({"audit_id": "a0"})["status"], "kept")
        store.fallback.append([{"audit_id": "bad"}, {"audit_id": "a1"}])

        def strict(records: list, known: dict) -> tuple:
            return (413, {}, {"title": "too large"}) if any(record["audit_id"] == "bad" for record in records) else sealed(records, known)

        self.stub.answer = strict
        self.assertTrue(store.flush())
        self.assertEqual(self.stub.ids(), ["a0", "a1"])
        self.assertEqual([one["record"]["audit_id"] for one in self.refused()], ["bad"])

    def test_processes_share_a_folder(self) -> None:
        """Protects applications of several processes: what four of them keep at once is all there, whole."""
        program = (
            "import sys; sys.path.insert(0, sys.argv[1])\n"
            "from pathlib import Path; from sealtrail_client.fallback import Fallback\n"
            "queue = Fallback(Path(sys.argv[2]))\n"
            "for n in range(50): queue.append([{'audit_id': f'{sys.argv[3]}-{n}', 'filler': 'x' * 3000}])\n"
        )
        words = [sys.executable, "-c", program, str(HERE.parent / "src"), str(self.folder / "fallback")]
        running = [subprocess.Popen([*words, str(number)]) for number in range(4)]
        self.assertEqual([one.wait(60) for one in running], [0] * 4)
        self.assertTrue(self.store().flush())
        self.assertEqual(sorted(self.stub.ids()), sorted(f"{number}-{n}" for number in range(4) for n in range(50)))
        for number in range(4):
            own = [one for one in self.stub.ids() if one.startswith(f"{number}-")]
            self.assertEqual(own, [f"{number}-{n}" for n in range(50)])


class SkillTest(Case):
    def test_one_id_spans_an_invocation(self) -> None:
        """Protects the correlation of a skill: the end and the decision name the event of the begin."""

        class Context:
            skillName, input, confidence, alternatives = "api-builder", {"name": "x"}, 0.9, ["no"]

        context, store = Context(), self.store()
        begin = before_invoke(context, store)
        decision = log_decision("yes", ["tests pass"], context, store)
        end = after_invoke(context, output="done", store=store)
        logged = log_audit_event("alice", "file_read", "/data/x.csv", "success", compliance_tags=["SOC2"], store=store)
        known = self.stub.known
        self.assertEqual(context.auditId, begin)
        self.assertEqual([known[one].get("parent_audit_id") for one in (begin, decision, end)], [None, begin, begin])
        self.assertEqual((known[begin]["skill"], known[begin]["phase"], known[end]["outcome"]), ("api-builder", "intent", "success"))
        self.assertEqual(known[decision]["factors_considered"], ["tests pass"])
        self.assertEqual((known[logged]["userId"], known[logged]["action"]), ("alice", "file_read"))

    def test_the_trail_of_this_machine(self) -> None:
        """Protects who has no collector: records go into the trail of this machine, by the real program, each once."""
        home = str(self.folder / "home")
        subprocess.run([BINARY, "--home", home, "--quiet", "init", "--no-input", "--no-hooks"], check=True, capture_output=True)
        store = AuditStore(sink=LocalTrail(home, BINARY), fallback=self.folder / "fallback")
        record = {"audit_id": "a0", "event_type": "data.file_read", "timestamp": "2026-03-01T00:00:00Z", "user_id": "alice"}
        self.assertEqual([store.write(record)["status"] for _ in range(2)], ["sealed", "sealed"])
        found = subprocess.run([BINARY, "--home", home, "search", "audit_id=a0", "--output", "ndjson"], check=True, capture_output=True, text=True)
        self.assertEqual([json.loads(line)["user_id"] for line in found.stdout.splitlines()], ["alice"])


if __name__ == "__main__":
    unittest.main()
