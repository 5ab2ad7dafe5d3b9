"""What can be asked about digests."""

from datetime import date, datetime
from uuid import UUID

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation, Nothing
from reminders.digests.digest import Part
from reminders.digests.preview import DigestPreview, Preview
from reminders.limits import checked_user
from reminders.offers import both
from reminders.schemas import Ask, Reply, User


class DigestOf(Ask, frozen=True, kw_only=True):
    user_id: User


class DigestLineBody(Reply, frozen=True, kw_only=True):
    """A task, and why it is there: due `today`, `folded`, `overdue` or `ahead`."""

    part: str
    event_id: UUID
    task_id: UUID
    title: str
    due_on: date | None


class DigestAnswer(Reply, frozen=True, kw_only=True):
    """The next digest from what is true now; `due_at` null for who gets none."""

    due_at: datetime | None
    on: date | None
    weekly: bool
    today: int
    folded: int
    overdue: int
    ahead: int
    lines: list[DigestLineBody]


def digest_operations(preview: DigestPreview) -> list[AnyOperation]:
    """A user's own, and for servers anybody's."""

    async def get(principal: Principal, asked: Nothing | DigestOf) -> DigestAnswer:
        user = checked_user(asked.user_id) if isinstance(asked, DigestOf) else None
        return _answer(await preview.of(principal, user_id=user))

    return both(
        "digest.get",
        "GET",
        "/digest",
        "What a user's next digest says, and when it comes.",
        Nothing,
        DigestAnswer,
        get,
        (InvalidInput,),
        takes_for=DigestOf,
    )


def _answer(found: Preview) -> DigestAnswer:
    digest = found.digest
    count = {part: 0 if digest is None else digest.count(part) for part in Part}
    return DigestAnswer(
        due_at=found.due_at,
        on=None if digest is None else digest.on,
        weekly=digest is not None and digest.weekly,
        today=count[Part.TODAY],
        folded=count[Part.FOLDED],
        overdue=count[Part.OVERDUE],
        ahead=count[Part.AHEAD],
        lines=[
            DigestLineBody(
                part=str(line.part),
                event_id=line.event.id,
                task_id=line.task.id,
                title=line.task.title,
                due_on=None if line.due is None else line.due.day,
            )
            for line in (() if digest is None else digest.lines)
        ],
    )
