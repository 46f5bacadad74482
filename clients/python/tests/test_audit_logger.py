"""The middleware: what is recorded of a call, whatever becomes of it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import sys
import tempfile
import types
import unittest
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List, Optional
from unittest import mock

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "src")]

from sealtrail_client import AsyncClaudeAuditLogger, AuditStore, ClaudeAuditLogger, prompt_hash, response_hash  # noqa: E402
from stub import Stub  # noqa: E402

MESSAGES = [{"role": "user", "content": "What is in the file?"}]
FIELDS = {
    "event_id", "timestamp", "user_id", "session_id", "application_id", "model", "prompt_hash", "data_classification", "status", "prompt_tokens",
    "completion_tokens", "response_hash", "latency_ms", "stop_reason",
}


def message(*content: Dict[str, Any]) -> SimpleNamespace:
    usage = SimpleNamespace(input_tokens=12, output_tokens=3)
    return SimpleNamespace(id="msg_1", _request_id="req_1", content=[SimpleNamespace(**block) for block in content], usage=usage, stop_reason="end_turn")


def events(*texts: str, ended: bool = True) -> List[SimpleNamespace]:
    found = [
        SimpleNamespace(type="message_start", message=SimpleNamespace(id="msg_1", usage=SimpleNamespace(input_tokens=12, output_tokens=1))),
        SimpleNamespace(type="content_block_start", index=0, content_block={"type": "text", "text": ""}),
        *[SimpleNamespace(type="content_block_delta", index=0, delta=SimpleNamespace(type="text_delta", text=text)) for text in texts],
    ]
    if ended:
        found.append(SimpleNamespace(type="message_delta", delta=SimpleNamespace(stop_reason="end_turn"), usage=SimpleNamespace(output_tokens=3)))
        found.append(SimpleNamespace(type="message_stop"))
    return found


class Client:
    """Stands for the SDK's client: answers once, and remembers the request."""

    def __init__(self, answer: Any) -> None:
        self.messages, self.answer, self.requests = self, answer, []  # type: ignore[var-annotated]

    def create(self, **request: Any) -> Any:
        self.requests.append(request)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer


class Store:
    def __init__(self, refuses: bool = False) -> None:
        self.records: List[Dict[str, Any]] = []
        self.refuses = refuses

    def write(self, record: Dict[str, Any]) -> None:
        if self.refuses:
            raise OSError("no space left")
        self.records.append(json.loads(json.dumps(record)))


def logger(answer: Any, **more: Any) -> "tuple[ClaudeAuditLogger, Client, Store]":
    client, store = Client(answer), Store()
    return ClaudeAuditLogger(client, store, "contract-review", **more), client, store


def ask(audited: Any, **more: Any) -> Any:
    return audited.create_message("user-17", "conv-204", MESSAGES, "claude-opus-4-6", system="Be brief.", max_tokens=100, **more)


class ArticleTest(unittest.TestCase):
    def test_the_articles_class_runs_unchanged(self) -> None:
        """Protects who has the article's class already: it runs as it is, with our store in it, and its record is sealed once."""
        module = types.ModuleType("anthropic")
        module.Anthropic = Client  # type: ignore[attr-defined]
        space: Dict[str, Any] = {"__name__": "article"}
        with mock.patch.dict(sys.modules, {"anthropic": module}):
            exec(compile((HERE / "article/claude_audit_logger.py").read_text(), "article", "exec"), space)  # noqa: S102
        stub = Stub()
        self.addCleanup(stub.stop)
        with tempfile.TemporaryDirectory() as folder:
            audited = space["ClaudeAuditLogger"](Client(message({"type": "text", "text": "A list."})), AuditStore(stub.url, "k", fallback=Path(folder)), "app")
            ask(audited)
        self.assertEqual([set(record) for record in stub.known.values()], [FIELDS])

    def test_ours_takes_its_place(self) -> None:
        """Protects the drop-in: same names and arguments, and a record with every field of the article's, plus what links it."""
        audited, client, store = logger(message({"type": "text", "text": "A list."}))
        response = ask(audited)
        self.assertIs(response, client.answer)
        self.assertEqual(client.requests, [{"model": "claude-opus-4-6", "messages": MESSAGES, "max_tokens": 100, "system": "Be brief."}])
        begun, ended = store.records
        self.assertTrue(FIELDS <= set(ended), FIELDS - set(ended))
        self.assertEqual((begun["status"], begun["phase"], ended["status"], ended["phase"]), ("initiated", "intent", "success", "outcome"))
        self.assertEqual((ended["parent_audit_id"], ended["request_id"]), (begun["event_id"], "req_1"))
        self.assertEqual((ended["prompt_tokens"], ended["completion_tokens"], ended["stop_reason"]), (12, 3, "end_turn"))
        self.assertNotIn("A list.", json.dumps(store.records))
        self.assertNotIn("What is in", json.dumps(store.records))


class RecordTest(unittest.TestCase):
    def test_the_hash_is_over_the_whole_request(self) -> None:
        """Protects the comparison of prompts: messages, system prompt, tools and limits count; the way of answering does not."""
        request = {"model": "m", "system": "s", "messages": MESSAGES, "max_tokens": 1}
        text = b'{"max_tokens":1,"messages":[{"content":"What is in the file?","role":"user"}],"model":"m","system":"s"}'
        self.assertEqual(prompt_hash(request), hashlib.sha256(text).hexdigest())
        self.assertEqual(prompt_hash({**request, "stream": True}), prompt_hash(request))
        for name, value in (("messages", [{"role": "user", "content": "Else?"}]), ("system", ""), ("tools", [{"name": "t"}]), ("max_tokens", 2)):
            self.assertNotEqual(prompt_hash({**request, name: value}), prompt_hash(request), name)

    def test_a_response_without_text(self) -> None:
        """Protects calls that end in a tool call: the article's expression fails on them, and they are recorded here."""
        block = {"type": "tool_use", "id": "toolu_1", "name": "t", "input": {"a": 1}}
        audited, _, store = logger(message(block))
        ask(audited)
        self.assertEqual(store.records[-1]["response_hash"], response_hash([block]))

    def test_an_error_is_recorded_and_raised(self) -> None:
        """Protects failed calls: the error reaches the application as it is, and the record says what it was."""
        audited, _, store = logger(ConnectionError("gone"))
        with self.assertRaises(ConnectionError):
            ask(audited)
        self.assertEqual([(record["status"], record.get("error_type")) for record in store.records], [("initiated", None), ("error", "ConnectionError")])

    def test_what_cannot_be_recorded_is_not_done(self) -> None:
        """Protects "nothing reaches the model without a record": when the store takes nothing, no request leaves."""
        client = Client(message())
        with self.assertRaises(OSError):
            ask(ClaudeAuditLogger(client, Store(refuses=True), "app"))
        self.assertEqual(client.requests, [])

    def test_raw_only_when_asked(self) -> None:
        """Protects the content: it goes into the records only where that was asked for."""
        audited, _, store = logger(message({"type": "text", "text": "A list."}), raw=True, classify=lambda text: "RESTRICTED" if "file" in text else "PUBLIC")
        ask(audited)
        begun, ended = store.records
        self.assertEqual(begun["prompt_raw"]["messages"], MESSAGES)
        self.assertEqual((ended["response_raw"], ended["data_classification"]), ([{"type": "text", "text": "A list."}], "RESTRICTED"))
        self.assertNotIn("prompt_raw", ended)


class StreamTest(unittest.TestCase):
    def test_a_stream_is_recorded_when_it_ends(self) -> None:
        """Protects streams: every event is passed on, and the record has the hash that the same answer has without a stream."""
        audited, _, store = logger(iter(events("A ", "list.")))
        self.assertEqual(len(list(ask(audited, stream=True))), 6)
        ended = store.records[-1]
        self.assertEqual((ended["status"], ended["completion_tokens"]), ("success", 3))
        self.assertEqual(ended["response_hash"], response_hash([{"type": "text", "text": "A list."}]))

    def test_a_stream_that_breaks_off(self) -> None:
        """Protects the record of half an answer: a stream that was left, that ended early or that failed has its own status."""
        audited, _, store = logger(iter(events("A ", "list.")))
        stream = ask(audited, stream=True)
        for _ in range(3):
            next(stream)
        stream.close()
        self.assertEqual((store.records[-1]["status"], store.records[-1]["response_partial"]), ("cancelled", True))
        audited, _, store = logger(iter(events("A ", ended=False)))
        list(ask(audited, stream=True))
        self.assertEqual(store.records[-1]["status"], "cancelled")

        def failing() -> Any:
            yield events("A ")[0]
            raise TimeoutError

        audited, _, store = logger(failing())
        with self.assertRaises(TimeoutError):
            list(ask(audited, stream=True))
        self.assertEqual((store.records[-1]["status"], store.records[-1]["error_type"]), ("error", "TimeoutError"))

    def test_async(self) -> None:
        """Protects asynchronous applications: the same records, with and without a stream, and for a cancelled call."""

        class Async(Client):
            async def create(self, **request: Any) -> Any:
                if request.get("stream"):
                    return self.stream()
                await asyncio.sleep(request.get("wait", 0))
                return Client.create(self, **request)

            async def stream(self) -> Any:
                for event in events("A ", "list."):
                    yield event

        store = Store()
        audited = AsyncClaudeAuditLogger(Async(message({"type": "text", "text": "A list."})), store, "app")

        async def run() -> None:
            await ask(audited)
            self.assertEqual(len([event async for event in await ask(audited, stream=True)]), 6)
            task: Optional[asyncio.Task[Any]] = asyncio.create_task(ask(audited, wait=3600))
            while len(store.records) < 5:
                await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(run())
        self.assertEqual([record["status"] for record in store.records], ["initiated", "success", "initiated", "success", "initiated", "error"])
        self.assertEqual(store.records[1]["response_hash"], store.records[3]["response_hash"])
        self.assertEqual(store.records[5]["error_type"], "CancelledError")


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    unittest.main()
