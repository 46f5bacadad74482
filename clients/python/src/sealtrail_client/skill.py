"""The life cycle of a skill, and decisions of an agent, as audit events; one id spans an invocation."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import Any, Mapping, Optional, Sequence

from .audit_store import AuditStore

_store: Optional[AuditStore] = None


def _own() -> AuditStore:
    global _store
    if _store is None:
        _store = AuditStore()
    return _store


def log_audit_event(
    user_id: str, action: str, resource: str, outcome: str, *, metadata: Optional[Mapping[str, Any]] = None,
    compliance_tags: Sequence[str] = (), session_id: Optional[str] = None, store: Optional[AuditStore] = None, **more: Any,
) -> str:
    """Records an `AuditEvent` (`action` is `file_read`, `file_write`, `tool_execution` or `api_call`) and returns its id."""
    session = session_id or session_of_environment()
    return _write(store, {
        "timestamp": datetime.now(timezone.utc).isoformat(), "userId": user_id, **({"sessionId": session} if session else {}), "action": action,
        "resource": resource, "outcome": outcome, "metadata": dict(metadata or {}), "complianceTags": list(compliance_tags), **more,
    })


def before_invoke(context: Any, store: Optional[AuditStore] = None) -> str:
    """Records that a skill begins, before it begins, and leaves the id in `context.auditId`. Raises when that is recorded nowhere."""
    context.auditStarted = time.time()
    begun = _write(store, {
        "event_type": "skill.invoked", "phase": "intent", "outcome": "pending", "skill": context.skillName,
        "started": int(context.auditStarted * 1000), "input": getattr(context, "input", None), **_session(),
    })
    context.auditId = begun
    return begun


def after_invoke(context: Any, output: Any = None, error: Optional[BaseException] = None, store: Optional[AuditStore] = None) -> str:
    """Records how the skill ended; the event names `context.auditId` as the one it follows from."""
    return _write(store, {
        "event_type": "skill.invoked", "phase": "outcome", "parent_audit_id": context.auditId, "skill": context.skillName,
        "outcome": "success" if error is None else "error", "duration_ms": max(0, int((time.time() - context.auditStarted) * 1000)),
        **({} if output is None else {"output": output}), **({} if error is None else {"error": str(error)}), **_session(),
    })


def log_decision(decision: Any, factors: Sequence[Any], context: Any, store: Optional[AuditStore] = None) -> str:
    """Records a decision, what it rests on, and what else could have been decided."""
    parent = getattr(context, "auditId", None)
    return _write(store, {
        "type": "ai_decision", "decision": decision, "factors_considered": list(factors), "confidence": getattr(context, "confidence", None),
        "alternative_options": getattr(context, "alternatives", None), "timestamp": datetime.now(timezone.utc).isoformat(),
        **({"parent_audit_id": parent} if parent else {}), **_session(),
    })


def session_of_environment() -> Optional[str]:
    """Returns the session of Claude Code that this process runs in."""
    return os.environ.get("CLAUDE_CODE_SESSION_ID") or os.environ.get("CLAUDE_SESSION_ID")


def _session() -> Mapping[str, str]:
    session = session_of_environment()
    return {"session_id": session} if session else {}


def _write(store: Optional[AuditStore], record: Mapping[str, Any]) -> str:
    result = (store or _own()).write(record)
    if result.get("status") == "rejected":
        raise ValueError(f"the recorder refused the event: {result.get('error')}")
    return str(result["audit_id"])
