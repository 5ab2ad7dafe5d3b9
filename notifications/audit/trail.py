"""Reading the audit trail."""

from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.paging import Page, cursor_of, id_in
from notifications.audit.ports import Audit
from notifications.audit.types import AuditQuery, AuditRecord

PAGE = 200
"""Records in one page, at most."""


class Trail:
    """What operators may ask of the audit trail. Nobody may change it."""

    def __init__(self, *, audit: Audit) -> None:
        self._audit = audit

    async def page(
        self, principal: Principal, query: AuditQuery, *, cursor: str | None, limit: int
    ) -> Page[AuditRecord]:
        """Records that agree with `query`, newest first."""
        principal.require(Scope.OPERATE)
        if not 1 <= limit <= PAGE:
            raise InvalidInput("limit", f"must be 1 to {PAGE}")
        before = None if cursor is None else id_in(cursor)
        found = await self._audit.page(query, before=before, limit=limit + 1)
        more = len(found) > limit
        return Page(found[:limit], cursor_of(str(found[limit - 1].id)) if more else None)
