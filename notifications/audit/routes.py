"""What can be asked of the audit trail."""

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import AnyOperation, Operation
from notifications.audit import schemas
from notifications.audit.trail import Trail
from notifications.audit.types import AuditQuery, AuditRecord


def operations(trail: Trail) -> list[AnyOperation]:
    """What operators may ask."""

    async def read(principal: Principal, body: schemas.ReadAudit) -> schemas.AuditPage:
        query = AuditQuery(
            actor=body.actor,
            action=body.action,
            subject=body.subject,
            user_id=UserId(body.user_id) if body.user_id else None,
        )
        page = await trail.page(principal, query, cursor=body.cursor, limit=body.limit)
        return schemas.AuditPage([_body(each) for each in page.items], page.cursor)

    return [
        Operation(
            name="audit.read",
            method="GET",
            path="/admin/v1/audit",
            summary="Read who did what, newest first.",
            takes=schemas.ReadAudit,
            gives=schemas.AuditPage,
            run=read,
            scope=Scope.OPERATE,
            refusals=(InvalidInput, Denied),
        )
    ]


def _body(record: AuditRecord) -> schemas.AuditBody:
    deed = record.deed
    return schemas.AuditBody(
        id=record.id,
        at=record.at,
        actor=deed.actor,
        action=deed.action,
        subject=deed.subject,
        user_id=deed.user_id,
        details=dict(deed.details),
    )
