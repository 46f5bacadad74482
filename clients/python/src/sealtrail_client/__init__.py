"""Reads a Sealtrail audit trail over its query API."""

from .client import AuditTrailClient
from .error import AuditTrailError
from .types import Chain, Checkpoint, Event, ExecutionChain, SearchAnswer, Session

__all__ = ["AuditTrailClient", "AuditTrailError", "Chain", "Checkpoint", "Event", "ExecutionChain", "SearchAnswer", "Session"]
