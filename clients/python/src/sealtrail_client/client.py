"""The client. Standard library only."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Union, cast
from urllib.parse import quote, urlsplit

from .error import AuditTrailError
from .types import Chain, Checkpoint, Event, ExecutionChain, SearchAnswer, Session

Scalar = Union[str, int, float, bool]
Values = Union[Scalar, Sequence[Scalar], Mapping[str, Sequence[Scalar]]]
Time = Union[str, datetime]

PAGE = 1000
"""As many events as one page has when nobody says."""


class AuditTrailClient:
    """Reads an audit trail. Every answer is recorded in the trail before it is given."""

    def __init__(self, token: str, url: str = "http://127.0.0.1:8787", timeout: float = 60.0) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise ValueError(f"no URL of a query API: {url!r}")
        self._connection = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._base = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token, self._timeout = token, timeout

    def query(
        self,
        where: Optional[Mapping[str, Values]] = None,
        *,
        query: Optional[str] = None,
        since: Optional[Time] = None,
        until: Optional[Time] = None,
        limit: int = 100,
        order_by: Optional[str] = None,
        fields: Sequence[str] = (),
        **conditions: Values,
    ) -> List[Event]:
        """Returns the events that match, up to `limit` of them.

        A condition is a field and what it must be: `event_type="auth.user_login"`, `user_id=["a", "b"]`; `status_not_in=["success"]` is what it
        must not be. Fields with a dot go into `where`.
        """
        found: List[Event] = []
        every = self.iterate(where, query=query, since=since, until=until, page=min(limit, PAGE), order_by=order_by, fields=fields, **conditions)
        for event in every:
            found.append(event)
            if len(found) >= limit:
                break
        return found

    def iterate(
        self,
        where: Optional[Mapping[str, Values]] = None,
        *,
        query: Optional[str] = None,
        since: Optional[Time] = None,
        until: Optional[Time] = None,
        page: int = PAGE,
        order_by: Optional[str] = None,
        fields: Sequence[str] = (),
        **conditions: Values,
    ) -> Iterator[Event]:
        """Gives every event that matches, page by page."""
        request: Dict[str, Any] = {"where": _where(where or {}, conditions), "limit": page, "fields": list(fields)}
        given = {"query": query, "since": since, "until": until, "order_by": order_by}
        request.update({name: value for name, value in given.items() if value is not None})
        while True:
            answer = self.search(request)
            yield from answer.get("events", [])
            cursor = answer.get("next_cursor")
            if cursor is None:
                return
            request["cursor"] = cursor

    def search(self, request: Mapping[str, Any]) -> SearchAnswer:
        """Searches: events, a report (`{"query": "| count by user_id"}`), or a sequence. Members as in `POST /v1/search`."""
        body = {name: _text(value) for name, value in request.items()}
        return cast(SearchAnswer, self._ask("/v1/search", body))

    def get(self, audit_id: str, proof: bool = False) -> Event:
        """Returns one event; with `proof`, it carries the seal that proves it anywhere."""
        return cast(Event, self._ask(f"/v1/events/{quote(audit_id, safe='')}?proof={'true' if proof else 'false'}"))

    def chain(self, audit_id: str) -> Chain:
        """Returns who led to an event, and what it led to."""
        return cast(Chain, self._ask(f"/v1/events/{quote(audit_id, safe='')}/chain"))

    def get_execution_chain(self, execution_id: str) -> ExecutionChain:
        """Returns everything that one run did: each step, who authorised it, what data it touched, and what proves it."""
        return cast(ExecutionChain, self._ask(f"/v1/executions/{quote(execution_id, safe='')}/chain"))

    def session(self, session_id: str) -> Session:
        """Returns what was done in a session, in order."""
        return cast(Session, self._ask(f"/v1/sessions/{quote(session_id, safe='')}"))

    def checkpoint(self) -> Checkpoint:
        """Returns the newest published checkpoint."""
        return cast(Checkpoint, self._ask("/v1/checkpoint"))

    def _ask(self, path: str, body: Optional[Mapping[str, Any]] = None) -> Any:
        connection = self._connection(self._host, self._port, timeout=self._timeout)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            if body is None:
                connection.request("GET", self._base + path, headers=headers)
            else:
                headers["Content-Type"] = "application/json"
                connection.request("POST", self._base + path, json.dumps(body), headers)
            return _answer(connection.getresponse())
        finally:
            connection.close()


def _answer(response: HTTPResponse) -> Any:
    text = response.read()
    if 200 <= response.status < 300:
        return json.loads(text)
    try:
        problem = json.loads(text)
    except ValueError:
        # Whatever stands between may answer in its own words.
        problem = {"type": "about:blank", "status": response.status, "detail": text[:200].decode("utf-8", "replace")}
    raise AuditTrailError(problem)


def _where(where: Mapping[str, Values], conditions: Mapping[str, Values]) -> Dict[str, Any]:
    found: Dict[str, Any] = dict(where)
    for name, value in conditions.items():
        if name.endswith("_not_in"):
            own = found.setdefault(name[: -len("_not_in")], {})
            if not isinstance(own, dict):
                own = {"in": own if isinstance(own, (list, tuple)) else [own]}
                found[name[: -len("_not_in")]] = own
            own["not_in"] = list(cast(Sequence[Scalar], value))
        elif isinstance(found.get(name), dict):
            found[name]["in"] = list(value) if isinstance(value, (list, tuple)) else [value]
        else:
            found[name] = value
    return found


def _text(value: Any) -> Any:
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError("a time needs its zone: datetime.now(timezone.utc)")
    return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
