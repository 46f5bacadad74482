"""Where audit records go: the collector, the trail of this machine, and a folder of this machine while neither takes them. Standard library only."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import time
import uuid
from datetime import datetime, timezone
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from threading import Lock
from typing import Any, Dict, List, Mapping, Optional, Protocol, Sequence
from urllib.parse import urlsplit

from .fallback import BYTES_MAX, Fallback, FallbackFull

log = logging.getLogger("sealtrail")

BATCH = 100
"""Records in one request."""

PAUSE_S_MAX = 60.0
"""The longest pause after failures in a row; they begin at half a second and double."""

REFUSALS = (400, 413, 415, 422)
"""What a collector answers to a request that it will never take."""

Record = Dict[str, Any]
Result = Dict[str, Any]
"""What became of a record: `{"status": "sealed" | "known" | "rejected" | "later" | "kept", "audit_id": …, "receipt": …, "error": …}`."""


class AuditUnavailable(Exception):
    """Nobody takes records now."""

    def __init__(self, why: str, retry_after_s: Optional[float] = None) -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s


class Sink(Protocol):
    """Takes records and says, one by one and in order, what became of them; raises `AuditUnavailable` when it can take none."""

    def send(self, records: Sequence[Record]) -> List[Result]: ...


class Collector:
    """`POST /v1/events` of a collector, with a write key."""

    def __init__(self, url: str, key: Optional[str], timeout: float = 5.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"no URL of a collector: {url!r}")
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._timeout = parts.hostname, parts.port, timeout
        path = parts.path if parts.path not in ("", "/") else "/v1/events"
        self._path = path + (f"?{parts.query}" if parts.query else "")
        self._key = key

    def send(self, records: Sequence[Record]) -> List[Result]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        tags = {",".join(str(tag) for tag in _list(record.get("complianceTags"))) for record in records}
        if len(tags) == 1 and any(tags):
            # The header is for all that is sent; where records differ, each has its own tags in itself.
            headers["X-Compliance-Tags"] = tags.pop().encode("ascii", "replace").decode().replace("\n", " ").replace("\r", " ")
        body = json.dumps(list(records), ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "surrogatepass")
        connection = self._connect(self._host, self._port, timeout=self._timeout)
        try:
            connection.request("POST", self._path, body, headers)
            response = connection.getresponse()
            status, answer, retry_after = response.status, response.read(), response.headers.get("Retry-After")
        except (OSError, HTTPException) as error:
            raise AuditUnavailable(f"the collector {self._host} does not answer: {error}") from error
        finally:
            connection.close()
        try:
            members = json.loads(answer)
        except ValueError:
            members = None
        results = members.get("results") if isinstance(members, dict) else None
        if isinstance(results, list) and len(results) == len(records):
            return [result if isinstance(result, dict) else {"status": "later"} for result in results]
        if 200 <= status < 300 and results is None and members is not None:
            # A collector of another make that says nothing about each record has taken them.
            return [{"status": "sealed", "audit_id": id_of(record)} for record in records]
        detail = answer[:200].decode("utf-8", "replace")
        if status in REFUSALS:
            # One of them is at fault: alone, each is taken or refused by itself, and none holds up the others for ever.
            if len(records) > 1:
                return [result for record in records for result in self.send([record])]
            return [{"status": "rejected", "audit_id": id_of(records[0]), "error": f"{status}: {detail}"}]
        # Also a wrong key: whoever runs the application can put it right, and the records wait until then.
        raise AuditUnavailable(f"the collector {self._host} answers {status}: {detail}", _seconds(retry_after))


class LocalTrail:
    """The trail of this machine, by the program `sealtrail`."""

    def __init__(self, home: Optional[str] = None, program: str = "sealtrail", timeout: float = 30.0) -> None:
        self._command = [program, *(["--home", home] if home else []), "--no-input", "--output", "json", "import", "events", "-"]
        self._timeout = timeout

    def send(self, records: Sequence[Record]) -> List[Result]:
        lines = json.dumps(list(records), ensure_ascii=False, default=str).encode("utf-8", "surrogatepass")
        try:
            done = subprocess.run(self._command, input=lines, capture_output=True, timeout=self._timeout, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise AuditUnavailable(f"cannot run {self._command[0]}: {error}") from error
        try:
            told = json.loads(done.stdout)
            refused = {one["line"]: str(one["error"]) for one in told["refused"]}
        except (ValueError, KeyError, TypeError) as error:
            raise AuditUnavailable(f"the trail did not take them: {done.stderr[-300:].decode('utf-8', 'replace').strip()}") from error
        if not all(isinstance(line, int) for line in refused):
            # The ledger refused some and does not say which: alone, each is taken or refused by itself.
            if len(records) > 1:
                return [result for record in records for result in self.send([record])]
            refused = {1: "; ".join(refused.values())}
        return [
            {"status": "rejected", "audit_id": id_of(record), "error": refused[n]}
            if n in refused
            else {"status": "sealed", "audit_id": id_of(record)}
            for n, record in enumerate(records, 1)
        ]


class AuditStore:
    """Takes audit records one by one; a record is sealed by the collector, or on the disk of this machine, when `write` returns.

    What cannot be delivered is kept in the folder `fallback`, and delivered in order before anything newer: by the next `write` after a pause, or by
    `flush`. With no `url`, the collector is named by `AUDIT_AGGREGATOR_URL` and the key by `AUDIT_API_KEY`; without either, records go into the trail
    of this machine.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        key: Optional[str] = None,
        *,
        sink: Optional[Sink] = None,
        fallback: Optional[os.PathLike[str]] = None,
        fallback_bytes_max: int = BYTES_MAX,
        timeout: float = 5.0,
    ) -> None:
        url = url or os.environ.get("AUDIT_AGGREGATOR_URL")
        name = url or "trail"
        if sink is not None:
            self._sink, name = sink, type(sink).__name__
        elif url:
            self._sink = Collector(url, key or os.environ.get("AUDIT_API_KEY"), timeout)
        else:
            self._sink = LocalTrail(os.environ.get("SEALTRAIL_HOME"))
        self.fallback = Fallback(Path(fallback) if fallback else _folder(name), fallback_bytes_max)
        self._lock = Lock()
        self._failures = 0
        self._not_before = 0.0

    def write(self, record: Mapping[str, Any]) -> Result:
        """Records; returns what became of it. Raises `FallbackFull` or `OSError` when it is recorded nowhere."""
        whole = with_id(record)
        own = id_of(whole)
        with self._lock:
            if self.fallback or time.monotonic() < self._not_before:
                # Nothing overtakes what waits.
                self.fallback.append([whole])
                if time.monotonic() >= self._not_before:
                    self._drain()
                return {"status": "kept", "audit_id": own}
            try:
                result = self._sink.send([whole])[0]
            except AuditUnavailable as error:
                self._pause(error)
                result = {"status": "later"}
            if result.get("status") in ("sealed", "known"):
                self._failures = 0
                return {"audit_id": own, **result}
            if result.get("status") == "rejected":
                self.fallback.refuse(whole, str(result.get("error", "rejected")))
                return {"audit_id": own, **result}
            self.fallback.append([whole])
            return {"status": "kept", "audit_id": own}

    def flush(self) -> bool:
        """Delivers what waits, now; True when nothing waits any more."""
        with self._lock:
            return self._drain()

    def _drain(self) -> bool:
        with self.fallback.draining() as mine:
            while mine:
                records = self.fallback.first(BATCH)
                if not records:
                    return True
                try:
                    results = self._sink.send(records)
                except AuditUnavailable as error:
                    self._pause(error)
                    return False
                if any(result.get("status") not in ("sealed", "known", "rejected") for result in results):
                    # Some must wait: all of them are sent again, so that none overtakes another.
                    self._pause(AuditUnavailable("the collector asks to send again later"))
                    return False
                for record, result in zip(records, results):
                    if result.get("status") == "rejected":
                        self.fallback.refuse(record, str(result.get("error", "rejected")))
                self.fallback.forget_first()
                self._failures, self._not_before = 0, 0.0
        return not self.fallback

    def _pause(self, error: AuditUnavailable) -> None:
        pause = min(PAUSE_S_MAX, 0.5 * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._not_before = time.monotonic() + min(PAUSE_S_MAX, max(pause, error.retry_after_s or 0.0))
        log.warning("audit records are kept on this machine: %s", error)


def with_id(record: Mapping[str, Any]) -> Record:
    """Returns the record with an id and a time: by its id, a record that is sent twice is sealed once."""
    whole = dict(record)
    if id_of(whole) is None:
        whole["audit_id"] = str(uuid.uuid4())
    whole.setdefault("timestamp", datetime.now(timezone.utc).isoformat())
    return whole


def id_of(record: Mapping[str, Any]) -> Optional[str]:
    """Returns the id of a record, under the names that it may have."""
    found = next((record[name] for name in ("audit_id", "event_id", "auditId", "eventId") if record.get(name)), None)
    return None if found is None else str(found)


def _folder(name: str) -> Path:
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local/state")
    # By its target: records for one collector must not go to another.
    return Path(state) / "sealtrail/fallback" / hashlib.sha256(name.encode()).hexdigest()[:16]


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()


def _seconds(text: Optional[str]) -> Optional[float]:
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None


__all__ = ["AuditStore", "AuditUnavailable", "Collector", "FallbackFull", "LocalTrail", "Sink", "id_of", "with_id"]
