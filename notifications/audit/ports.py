"""What the audit trail needs from the outside."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notifications.audit.types import AuditQuery, AuditRecord, Deed


class Audit(Protocol):
    """A trail that only grows. What is recorded stays until it is pruned by age.

    A store whose method is told of a deed records it in its own transaction, through
    `notifications.adapters.sql_audit.write_audit`: both are kept, or neither. `record` is
    for a deed that changes nothing else here.
    """

    async def record(self, deeds: Sequence[Deed], *, now: datetime) -> None: ...

    async def page(
        self, query: AuditQuery, *, before: UUID | None, limit: int
    ) -> Sequence[AuditRecord]:
        """Records that agree with `query`, newest first, from the one before `before` on."""
        ...

    async def prune(self, *, before: datetime, limit: int) -> int:
        """Delete records made before then, the oldest first; how many."""
        ...
