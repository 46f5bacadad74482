"""What went wrong, as the server tells it (RFC 9457)."""

from __future__ import annotations

from typing import Any, Mapping


class AuditTrailError(Exception):
    """A question that was not answered."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        detail, hint = str(problem.get("detail", "")), problem.get("hint")
        super().__init__(f"{detail} ({hint})" if hint else detail)
        self.problem = dict(problem)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.problem.get("status", 0))
