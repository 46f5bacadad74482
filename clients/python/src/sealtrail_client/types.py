"""What the API gives; `api/openapi.json` of the server is the reference."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, TypedDict

Event = Dict[str, Any]
"""One event. Members as in the event schema; which are there depends on the event and on the token."""


class Column(TypedDict):
    name: str
    kind: str


class Table(TypedDict):
    columns: List[Column]
    rows: List[List[Any]]
    truncated: Optional[Dict[str, int]]
    missing: int


class Match(TypedDict):
    audit_ids: List[str]
    events: List[Event]


class SearchAnswer(TypedDict, total=False):
    """Events, the table of a report, or the matches of a sequence."""

    events: List[Event]
    next_cursor: Optional[str]
    table: Table
    matches: List[Match]
    cut: bool


class Link(TypedDict):
    depth: int
    kind: str
    id: str
    about: str
    outcome: str
    audit_id: Optional[str]


class Chain(TypedDict):
    """What led to an event, the event, and what it led to."""

    audit_id: str
    above: List[Link]
    event: Link
    below: List[Link]
    missing: List[str]


class Authority(TypedDict):
    who: str
    how: str
    timestamp: str
    audit_id: str


class Step(TypedDict):
    timestamp: str
    execution_id: str
    name: str
    actor: str
    summary: str
    outcome: str
    duration_ms: Optional[int]
    decision: Any
    audit_id: str


class Touch(TypedDict):
    resource: str
    operation: str
    sensitivity_level: str
    outcome: str
    timestamp: str
    audit_id: str


class Leaf(TypedDict):
    audit_id: str
    seq: int
    leaf_hash: str


class Custody(TypedDict):
    origin: str
    vkey: str
    checkpoint: Optional[str]
    leaves: List[Leaf]


class ExecutionChain(TypedDict):
    """Everything that one run did: each step, who authorised it, what data it touched, and what proves it."""

    execution_id: str
    initiated_by: str
    authorized_by: List[Authority]
    steps: List[Step]
    data_touched: List[Touch]
    children: List[str]
    parents: List[str]
    sessions: List[str]
    problems: List[Step]
    missing: List[str]
    events: List[Event]
    custody: Custody


class Session(TypedDict):
    session_id: str
    user_id: str
    started: str
    state: str
    end_reason: str
    events: int
    calls: int
    unknown: int
    agents: List[Dict[str, Any]]
    timeline: List[Dict[str, Any]]


class Checkpoint(TypedDict):
    origin: str
    size: int
    root: str
    vkey: str
    note: str
