"""Middleware around the Anthropic SDK: nothing reaches the model without a record, nothing leaves it without one. Standard library only.

The class and its method have the names, arguments and record fields of the well-known pattern, with two corrections: the prompt's hash is over the whole
request (the pattern's own expression leaves the messages out wherever there is a system prompt), and a response without text does not fail.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import time
import uuid
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timezone
from typing import Any, AsyncIterator, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

Record = Dict[str, Any]


def canonical(value: Any) -> bytes:
    """Returns a value as JSON with sorted keys and no spaces, in UTF-8; models of the SDK count as what they send."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain).encode("utf-8", "surrogatepass")


def prompt_hash(request: Mapping[str, Any]) -> str:
    """Returns the SHA-256 of a whole request to the model: everything that is sent but `stream`, which only says how the answer comes."""
    return hashlib.sha256(canonical({name: value for name, value in request.items() if name != "stream" and not _is_absent(value)})).hexdigest()


def response_hash(content: Any) -> str:
    """Returns the SHA-256 of all content blocks of a response."""
    return hashlib.sha256(canonical(content)).hexdigest()


class _Recorder:
    """What both loggers do before and after a call."""

    def __init__(
        self,
        client: Any,
        audit_store: Any,
        application_id: str,
        *,
        classify: Optional[Callable[[str], str]] = None,
        raw: bool = False,
        intent: bool = True,
    ) -> None:
        """`audit_store` is whatever has a `write(record)`. With `raw`, prompts and responses go into the record themselves. With `intent`, a record is
        written before the request leaves; a call that cannot be recorded is not made."""
        self.client = client
        self.audit_store = audit_store
        self.application_id = application_id
        self._classify, self._raw, self._intent = classify, raw, intent

    def _classify_data(self, text: str) -> str:
        # The place for a classifier: pass `classify`, or override this.
        return self._classify(text) if self._classify else "INTERNAL"

    def _begin(self, user_id: str, session_id: str, request: Dict[str, Any]) -> Tuple[Record, float]:
        text = canonical({"system": request.get("system"), "messages": request.get("messages")}).decode("utf-8", "replace")
        record: Record = {
            "event_id": str(uuid.uuid4()),
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "user_id": user_id,
            "session_id": session_id,
            "application_id": self.application_id,
            "model": request["model"],
            "prompt_hash": prompt_hash(request),
            "data_classification": self._classify_data(text),
            "status": "initiated",
            "event_type": "model.request",
            "phase": "intent",
        }
        if self._raw:
            record["prompt_raw"] = json.loads(canonical({name: value for name, value in request.items() if not _is_absent(value)}))
        if self._intent:
            self.audit_store.write(dict(record))
            # The outcome is a record of its own, which names the first.
            record["parent_audit_id"], record["event_id"] = record["event_id"], str(uuid.uuid4())
            record.pop("prompt_raw", None)
        record.update(event_type="model.response", phase="outcome")
        return record, time.monotonic()

    def _succeeded(self, record: Record, started: float, response: Any) -> None:
        content = _plain_value(getattr(response, "content", None))
        usage = getattr(response, "usage", None)
        record.update(
            prompt_tokens=getattr(usage, "input_tokens", None),
            completion_tokens=getattr(usage, "output_tokens", None),
            response_hash=response_hash(content),
            latency_ms=_ms_since(started),
            status="success",
            stop_reason=getattr(response, "stop_reason", None),
        )
        for name, source, member in (
            ("cache_read_input_tokens", usage, "cache_read_input_tokens"),
            ("cache_creation_input_tokens", usage, "cache_creation_input_tokens"),
            ("request_id", response, "_request_id"),
            ("message_id", response, "id"),
        ):
            value = getattr(source, member, None)
            if isinstance(value, (str, int)):
                record[name] = value
        if self._raw:
            record["response_raw"] = content
        self.audit_store.write({name: value for name, value in record.items() if value is not None})

    def _failed(self, record: Record, started: float, error: BaseException) -> None:
        record.update(status="error", error_type=type(error).__name__, latency_ms=_ms_since(started))
        request_id = getattr(error, "request_id", None)
        if isinstance(request_id, str):
            record["request_id"] = request_id
        self.audit_store.write(record)

    def _streams(self, record: Record, stream: Any) -> None:
        """Notes the request's id, which a stream's events do not tell."""
        headers = getattr(getattr(stream, "response", None), "headers", None)
        found = headers.get("request-id") if headers is not None and hasattr(headers, "get") else None
        if isinstance(found, str):
            record["request_id"] = found

    def _cut_off(self, record: Record, started: float, message: Any) -> None:
        """A stream that the application left before its end: what came until then is what the model told."""
        record.update(status="cancelled", latency_ms=_ms_since(started))
        content = _plain_value(getattr(message, "content", None))
        if content:
            record["response_hash"] = response_hash(content)
            record["response_partial"] = True
            if self._raw:
                record["response_raw"] = content
        self.audit_store.write(record)


class ClaudeAuditLogger(_Recorder):
    """Wraps `anthropic.Anthropic`."""

    def create_message(self, user_id: str, session_id: str, messages: List[Any], model: str, system: Any = None, **kwargs: Any) -> Any:
        """Calls the model and records it. With `stream=True` it returns the events, and records when they end."""
        request = _request(messages, model, system, kwargs)
        record, started = self._begin(user_id, session_id, request)
        try:
            response = self.client.messages.create(**request)
        except BaseException as error:
            self._failed(record, started, error)
            raise
        if request.get("stream"):
            self._streams(record, response)
            return self._events(record, started, response)
        self._succeeded(record, started, response)
        return response

    @contextmanager
    def stream_message(self, user_id: str, session_id: str, messages: List[Any], model: str, system: Any = None, **kwargs: Any) -> Iterator[Any]:
        """Gives the SDK's own stream (`client.messages.stream`), and records when it is left."""
        request = _request(messages, model, system, kwargs)
        record, started = self._begin(user_id, session_id, request)
        stream = None
        try:
            with self.client.messages.stream(**request) as stream:
                self._streams(record, stream)
                yield stream
                ended = _ended(stream)
        except BaseException as error:
            self._failed(record, started, error)
            raise
        if ended:
            self._succeeded(record, started, stream.get_final_message())
        else:
            self._cut_off(record, started, getattr(stream, "current_message_snapshot", None))

    def _events(self, record: Record, started: float, stream: Any) -> Iterator[Any]:
        message = _Message()
        try:
            for event in stream:
                message.take(event)
                yield event
        except GeneratorExit:
            self._cut_off(record, started, message)
            raise
        except BaseException as error:
            self._failed(record, started, error)
            raise
        else:
            self._succeeded(record, started, message) if message.ended else self._cut_off(record, started, message)
        finally:
            close = getattr(stream, "close", None)
            if close:
                close()


class AsyncClaudeAuditLogger(_Recorder):
    """Wraps `anthropic.AsyncAnthropic`. The store is written to by a thread, so that the event loop does not wait for a disk."""

    async def create_message(self, user_id: str, session_id: str, messages: List[Any], model: str, system: Any = None, **kwargs: Any) -> Any:
        """Calls the model and records it. With `stream=True` it returns the events, and records when they end."""
        request = _request(messages, model, system, kwargs)
        record, started = await self._begin_elsewhere(user_id, session_id, request)
        try:
            response = await self.client.messages.create(**request)
        except BaseException as error:
            await _elsewhere(self._failed, record, started, error)
            raise
        if request.get("stream"):
            self._streams(record, response)
            return self._events(record, started, response)
        await _elsewhere(self._succeeded, record, started, response)
        return response

    @asynccontextmanager
    async def stream_message(self, user_id: str, session_id: str, messages: List[Any], model: str, system: Any = None, **kwargs: Any) -> AsyncIterator[Any]:
        """Gives the SDK's own stream (`client.messages.stream`), and records when it is left."""
        request = _request(messages, model, system, kwargs)
        record, started = await self._begin_elsewhere(user_id, session_id, request)
        stream = None
        try:
            async with self.client.messages.stream(**request) as stream:
                self._streams(record, stream)
                yield stream
                ended = _ended(stream)
        except BaseException as error:
            await _elsewhere(self._failed, record, started, error)
            raise
        if ended:
            await _elsewhere(self._succeeded, record, started, await stream.get_final_message())
        else:
            await _elsewhere(self._cut_off, record, started, getattr(stream, "current_message_snapshot", None))

    async def _begin_elsewhere(self, user_id: str, session_id: str, request: Dict[str, Any]) -> Tuple[Record, float]:
        begun = asyncio.ensure_future(_elsewhere(self._begin, user_id, session_id, request))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError as error:
            # The thread goes on and writes its record; without an outcome that would look like a call which was made.
            record, started = await begun
            await _elsewhere(self._failed, record, started, error)
            raise

    async def _events(self, record: Record, started: float, stream: Any) -> AsyncIterator[Any]:
        message = _Message()
        try:
            async for event in stream:
                message.take(event)
                yield event
        except GeneratorExit:
            # A generator that is thrown away may not wait: this one write is done here.
            self._cut_off(record, started, message)
            raise
        except BaseException as error:
            await _elsewhere(self._failed, record, started, error)
            raise
        else:
            await _elsewhere(self._succeeded if message.ended else self._cut_off, record, started, message)


class _Message:
    """A message put together from the events of a stream, as far as the record needs it."""

    def __init__(self) -> None:
        self.content: List[Dict[str, Any]] = []
        self.usage = _Usage()
        self.id: Optional[str] = None
        self.stop_reason: Optional[str] = None
        self.ended = False
        self._json: Dict[int, str] = {}

    def take(self, event: Any) -> None:
        kind = getattr(event, "type", None)
        if kind == "message_start":
            self.id = getattr(event.message, "id", None)
            self.usage.take(getattr(event.message, "usage", None))
        elif kind == "content_block_start":
            self.content.append(_plain_value(event.content_block))
        elif kind == "content_block_delta" and self.content:
            self._delta(event.index, event.delta)
        elif kind == "content_block_stop" and event.index in self._json:
            text = self._json.pop(event.index)
            self.content[event.index]["input"] = json.loads(text) if text else {}
        elif kind == "message_delta":
            self.stop_reason = getattr(event.delta, "stop_reason", None)
            self.usage.take(getattr(event, "usage", None))
        elif kind == "message_stop":
            self.ended = True

    def _delta(self, index: int, delta: Any) -> None:
        block, kind = self.content[index], getattr(delta, "type", None)
        if kind == "text_delta":
            block["text"] = block.get("text", "") + delta.text
        elif kind == "thinking_delta":
            block["thinking"] = block.get("thinking", "") + delta.thinking
        elif kind == "signature_delta":
            block["signature"] = delta.signature
        elif kind == "input_json_delta":
            self._json[index] = self._json.get(index, "") + delta.partial_json
        elif kind == "citations_delta":
            block["citations"] = [*(block.get("citations") or []), _plain_value(delta.citation)]


class _Usage:
    """Tokens, as the last event told them."""

    def take(self, usage: Any) -> None:
        for name in ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"):
            value = getattr(usage, name, None)
            if value is not None:
                setattr(self, name, value)


def _request(messages: List[Any], model: str, system: Any, kwargs: Mapping[str, Any]) -> Dict[str, Any]:
    request: Dict[str, Any] = {"model": model, "messages": messages, **kwargs}
    if system:
        request["system"] = system
    return request


def _ended(stream: Any) -> bool:
    snapshot = getattr(stream, "current_message_snapshot", None)
    return getattr(snapshot, "stop_reason", None) is not None


def _ms_since(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _is_absent(value: Any) -> bool:
    """Tells the SDK's mark of an argument that was not given."""
    return type(value).__name__ in ("NotGiven", "Omit")


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_unset=True)
    if isinstance(value, os.PathLike) or not hasattr(value, "__dict__"):
        return str(value)
    return vars(value)


def _plain_value(value: Any) -> Any:
    return None if value is None else json.loads(canonical(value))


async def _elsewhere(work: Callable[..., Any], *arguments: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, lambda: work(*arguments))
