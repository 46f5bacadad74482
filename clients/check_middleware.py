#!/usr/bin/env python3
"""Runs the audit middleware around the real Anthropic SDK (`anthropic` on PyPI), which talks to the scripted API of the harness: every form of call is
recorded, and the hashes are those of what the API saw and answered. Then the records of the real SDK's calls go into a real trail."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "clients/python/src"))
BINARY = os.environ.get("SEALTRAIL", str(ROOT / "target/debug/sealtrail"))

import anthropic  # noqa: E402

from sealtrail_client import AsyncClaudeAuditLogger, AuditStore, ClaudeAuditLogger, LocalTrail, prompt_hash, response_hash  # noqa: E402

SCRIPT = {
    "lanes": {"main": [{"content": [{"type": "text", "text": "Höchstens zwei."}, {"type": "tool_use", "name": "look", "input": {"a": [1, 2.5]}}]}],
              "bad": [{"content": [], "fail": [{"status": 400, "body": {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}}]}]},
}
COMMON: Dict[str, Any] = {"model": "claude-opus-4-6", "system": "Be brief.", "max_tokens": 64}
MESSAGES = [{"role": "user", "content": "[lane:main] Wie viele?"}]
WHO = ("user-17", "conv-204")


class Both:
    """Keeps what the trail is given."""

    def __init__(self, store: AuditStore) -> None:
        self.store, self.records = store, []  # type: ignore[var-annotated]

    def write(self, record: Dict[str, Any]) -> None:
        result = self.store.write(record)
        assert result["status"] == "sealed", result
        self.records.append(record)


def sync_calls(url: str, store: Both) -> None:
    audited = ClaudeAuditLogger(anthropic.Anthropic(api_key="none", base_url=url, max_retries=0), store, "check")
    assert audited.create_message(*WHO, messages=MESSAGES, **COMMON).stop_reason == "tool_use"
    assert [event.type for event in audited.create_message(*WHO, messages=MESSAGES, stream=True, **COMMON)][-1] == "message_stop"
    with audited.stream_message(*WHO, messages=MESSAGES, **COMMON) as stream:
        assert "".join(stream.text_stream) == "Höchstens zwei."
    try:
        audited.create_message(*WHO, messages=[{"role": "user", "content": "[lane:bad] x"}], **COMMON)
    except anthropic.BadRequestError:
        pass
    else:
        raise AssertionError("the SDK's error did not arrive")


async def async_calls(url: str, store: Both) -> None:
    audited = AsyncClaudeAuditLogger(anthropic.AsyncAnthropic(api_key="none", base_url=url, max_retries=0), store, "check")
    await audited.create_message(*WHO, messages=MESSAGES, **COMMON)
    assert [event.type async for event in await audited.create_message(*WHO, messages=MESSAGES, stream=True, **COMMON)]
    async with audited.stream_message(*WHO, messages=MESSAGES, **COMMON) as stream:
        await stream.get_final_message()


def check(records: List[Dict[str, Any]], served: List[Dict[str, Any]]) -> None:
    outcomes = [record for record in records if record["phase"] == "outcome"]
    assert len(records) == 2 * len(served) and len(outcomes) == len(served) == 7, (len(records), len(served))
    for record, exchange in zip(outcomes, served):
        assert record["prompt_hash"] == prompt_hash(exchange["request"]["body"]), record
        assert record["request_id"] == exchange["response"]["headers"]["request-id"], record
    good = [record for record in outcomes if record["status"] == "success"]
    whole = served[0]["response"]["body"]
    for record in good:
        assert record["response_hash"] == response_hash(whole["content"]), record
        assert (record["prompt_tokens"], record["completion_tokens"]) == (120, 42), record
    bad = [record for record in outcomes if record["status"] == "error"]
    assert len(good) == 6 and [record["error_type"] for record in bad] == ["BadRequestError"], outcomes


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        home = str(out / "home")
        subprocess.run([BINARY, "--home", home, "--quiet", "init", "--no-input", "--no-hooks"], check=True, capture_output=True)
        (out / "script.json").write_text(json.dumps(SCRIPT))
        words = ["--script", str(out / "script.json"), "--port", "8803", "--record", str(out / "api"), "--ready-file", str(out / "ready")]
        api = subprocess.Popen([sys.executable, str(ROOT / "harness/fake_anthropic.py"), *words])
        try:
            deadline = time.monotonic() + 30
            while not (out / "ready").exists():
                assert api.poll() is None and time.monotonic() < deadline, "the scripted API did not start"
                time.sleep(0.02)
            store = Both(AuditStore(sink=LocalTrail(home, BINARY), fallback=out / "fallback"))
            sync_calls("http://127.0.0.1:8803", store)
            asyncio.run(async_calls("http://127.0.0.1:8803", store))
        finally:
            api.terminate()
            api.wait(30)
        check(store.records, [json.loads(path.read_text()) for path in sorted((out / "api").glob("[0-9]*.json"))])
        found = subprocess.run([BINARY, "--home", home, "search", "event_type=model.*", "--all", "--output", "ndjson"], check=True, capture_output=True, text=True)
        sealed = [json.loads(line) for line in found.stdout.splitlines()]
        assert len(sealed) == 14, len(sealed)
        assert {event["application_id"] for event in sealed} == {"check"}, sealed[0]
    print("7 calls of the real SDK: each recorded before and after, every hash right")


if __name__ == "__main__":
    main()
