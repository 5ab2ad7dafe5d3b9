"""What can be asked about an event's parts, its checklist, and moving it."""

from datetime import date

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation
from reminders import bodies, errors, part_schemas, schemas
from reminders.checklist import checklist, checklist_types
from reminders.days import Anchor
from reminders.moving import Moving, Preview
from reminders.offers import both
from reminders.parts import Parts
from reminders.types import Due

_EVENT = "/events/{event_id}"
_SEEING = (errors.EventNotFound, errors.RoleTooLow)
_CHANGING = (InvalidInput, *_SEEING, errors.EventCancelled)


def part_operations(parts: Parts, moving: Moving) -> list[AnyOperation]:
    """Each for users, and beside it for servers."""
    asking = _Asking(parts, moving)
    anchor = f"{_EVENT}/anchors/{{code}}"
    details = schemas.EventDetailsAnswer
    return [
        *both(
            "events.put_anchor",
            "PUT",
            anchor,
            "Say when a part of an event is.",
            part_schemas.PutAnchor,
            details,
            asking.put_anchor,
            (*_CHANGING, errors.EventFull, errors.AnchorNotFound),
        ),
        *both(
            "events.preview_anchor",
            "POST",
            f"{anchor}/preview",
            "What putting a part of an event there would do to its tasks and other parts.",
            part_schemas.PutAnchor,
            part_schemas.PreviewAnswer,
            asking.preview_anchor,
            (InvalidInput, *_SEEING, errors.EventFull, errors.AnchorNotFound),
        ),
        *both(
            "events.drop_anchor",
            "DELETE",
            anchor,
            "Take a part of an event away.",
            part_schemas.OneAnchor,
            details,
            asking.drop_anchor,
            (*_CHANGING, errors.AnchorNotFound),
        ),
        *both(
            "checklists.list",
            "GET",
            "/checklists",
            "List the types of events that there is a checklist for.",
            part_schemas.ListChecklists,
            part_schemas.ChecklistsAnswer,
            asking.checklists,
            (),
        ),
        *both(
            "events.begin_checklist",
            "POST",
            f"{_EVENT}/checklist",
            "Give an event the tasks that events of a type need, in the days that are left.",
            part_schemas.BeginChecklist,
            part_schemas.BegunAnswer,
            asking.begin,
            (*_CHANGING, errors.EventFull),
        ),
        *both(
            "events.move",
            "POST",
            f"{_EVENT}/move",
            "Say when an event is instead; what is due relative to it moves along.",
            schemas.MoveEvent,
            details,
            asking.move,
            _CHANGING,
        ),
        *both(
            "events.preview_move",
            "POST",
            f"{_EVENT}/move/preview",
            "What moving an event would do to its tasks.",
            schemas.MoveEvent,
            part_schemas.PreviewAnswer,
            asking.preview,
            (InvalidInput, *_SEEING),
        ),
        *both(
            "events.undo_move",
            "POST",
            f"{_EVENT}/move/undo",
            "Put an event back where it was, within ten minutes of moving it.",
            schemas.OneEvent,
            details,
            asking.undo,
            (*_CHANGING, errors.NotMoved),
        ),
    ]


class _Asking:
    """From what is asked to the use cases, and back."""

    def __init__(self, parts: Parts, moving: Moving) -> None:
        self._parts = parts
        self._moving = moving

    async def put_anchor(
        self, principal: Principal, asked: part_schemas.PutAnchor
    ) -> schemas.EventDetailsAnswer:
        sheet = await self._parts.put(
            principal,
            asked.event_id,
            code=asked.code,
            day=asked.day,
            days=asked.days,
            at=bodies.clock_of(asked.at),
            zone=asked.zone,
            of=asked.of,
        )
        return bodies.event_details(sheet)

    async def preview_anchor(
        self, principal: Principal, asked: part_schemas.PutAnchor
    ) -> part_schemas.PreviewAnswer:
        at = bodies.clock_of(asked.at)
        anchor = Anchor(asked.code, asked.day, asked.days, at, asked.zone, asked.of)
        return _preview_answer(await self._moving.preview_part(principal, asked.event_id, anchor))

    async def drop_anchor(
        self, principal: Principal, asked: part_schemas.OneAnchor
    ) -> schemas.EventDetailsAnswer:
        sheet = await self._parts.drop(principal, asked.event_id, code=asked.code)
        return bodies.event_details(sheet)

    async def checklists(
        self, _principal: Principal, _asked: part_schemas.ListChecklists
    ) -> part_schemas.ChecklistsAnswer:
        return part_schemas.ChecklistsAnswer(
            checklists=[
                part_schemas.ChecklistBody(
                    type=each.type, title=each.title, tasks=len(each.tasks), days=each.span
                )
                for each in map(checklist, checklist_types())
            ]
        )

    async def begin(
        self, principal: Principal, asked: part_schemas.BeginChecklist
    ) -> part_schemas.BegunAnswer:
        begun = await self._parts.begin(
            principal, asked.event_id, type_name=asked.type, locale=asked.locale
        )
        return part_schemas.BegunAnswer(
            anchors=begun.anchors, tasks=begun.tasks, start_here=list(begun.start_here)
        )

    async def move(
        self, principal: Principal, asked: schemas.MoveEvent
    ) -> schemas.EventDetailsAnswer:
        sheet = await self._moving.move(
            principal,
            asked.event_id,
            day=asked.day,
            at=bodies.clock_of(asked.at),
            zone=asked.zone,
        )
        return bodies.event_details(sheet)

    async def preview(
        self, principal: Principal, asked: schemas.MoveEvent
    ) -> part_schemas.PreviewAnswer:
        found = await self._moving.preview(
            principal,
            asked.event_id,
            day=asked.day,
            at=bodies.clock_of(asked.at),
            zone=asked.zone,
        )
        return _preview_answer(found)

    async def undo(
        self, principal: Principal, asked: schemas.OneEvent
    ) -> schemas.EventDetailsAnswer:
        return bodies.event_details(await self._moving.undo(principal, asked.event_id))


def _preview_answer(found: Preview) -> part_schemas.PreviewAnswer:
    return part_schemas.PreviewAnswer(
        parts=[
            part_schemas.PartShiftBody(
                code=each.code, before=_day(each.before), after=_day(each.after)
            )
            for each in found.parts
        ],
        shifts=[
            part_schemas.ShiftBody(
                task_id=each.task.id,
                title=each.task.title,
                before=_day(each.before),
                after=_day(each.after),
                late=each.late,
            )
            for each in found.shifts
        ],
        moved=len(found.shifts),
        late=sum(each.late for each in found.shifts),
        pinned=found.pinned,
    )


def _day(due: Due | None) -> date | None:
    return None if due is None else due.day
