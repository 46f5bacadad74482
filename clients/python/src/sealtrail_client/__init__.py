"""Writes to a Sealtrail audit trail, and reads it over its query API."""

from .audit_logger import AsyncClaudeAuditLogger, ClaudeAuditLogger, prompt_hash, response_hash
from .audit_store import AuditStore, AuditUnavailable, Collector, LocalTrail
from .client import AuditTrailClient
from .error import AuditTrailError
from .fallback import FallbackFull
from .skill import after_invoke, before_invoke, log_audit_event, log_decision
from .types import Chain, Checkpoint, Event, ExecutionChain, SearchAnswer, Session

__all__ = [
    "AsyncClaudeAuditLogger", "AuditStore", "AuditTrailClient", "AuditTrailError", "AuditUnavailable", "Chain", "Checkpoint", "ClaudeAuditLogger",
    "Collector", "Event", "ExecutionChain", "FallbackFull", "LocalTrail", "SearchAnswer", "Session", "after_invoke", "before_invoke",
    "log_audit_event", "log_decision", "prompt_hash", "response_hash",
]
