"""What can be asked about importing calendars."""

from collections import Counter

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation
from reminders import bodies, errors
from reminders.imports.imports import Imported, Imports
from reminders.imports.schemas import ImportCalendar, ImportedAnswer, ImportedBody
from reminders.imports.types import Draft, Line, State
from reminders.offers import both

_IMPORT = "/events/{event_id}/import"
_REFUSALS = (InvalidInput, errors.EventNotFound, errors.RoleTooLow, errors.EventCancelled)
_UPLOAD = ("text/calendar", "calendar")


def import_operations(imports: Imports) -> list[AnyOperation]:
    """Each for users, and beside it for servers."""

    async def preview(principal: Principal, asked: ImportCalendar) -> ImportedAnswer:
        found = await imports.preview(principal, asked.event_id, calendar=asked.calendar)
        return _answer(found)

    async def run(principal: Principal, asked: ImportCalendar) -> ImportedAnswer:
        return _answer(await imports.run(principal, asked.event_id, calendar=asked.calendar))

    return [
        *both(
            "events.preview_import",
            "POST",
            f"{_IMPORT}/preview",
            "What importing a calendar would do: what is added, and what is refused and why.",
            ImportCalendar,
            ImportedAnswer,
            preview,
            _REFUSALS,
            upload=_UPLOAD,
        ),
        *both(
            "events.import",
            "POST",
            _IMPORT,
            "Make a calendar's entries tasks of an event; doing so again brings them up to date.",
            ImportCalendar,
            ImportedAnswer,
            run,
            _REFUSALS,
            upload=_UPLOAD,
        ),
    ]


def _answer(imported: Imported) -> ImportedAnswer:
    counts = Counter(line.state for line in imported.lines)
    return ImportedAnswer(
        name=imported.name,
        entries=[_body(line) for line in imported.lines],
        added=counts[State.ADDED],
        updated=counts[State.UPDATED],
        unchanged=counts[State.UNCHANGED],
        refused=counts[State.REFUSED],
        left_out=imported.left_out,
    )


def _body(line: Line) -> ImportedBody:
    draft = line.entry if isinstance(line.entry, Draft) else None
    return ImportedBody(
        uid=line.entry.uid,
        title=line.entry.title,
        state=str(line.state),
        reason=line.reason,
        task_id=line.task_id,
        due=None if draft is None else bodies.due_body(draft.due),
        rule="" if draft is None else draft.rule,
        leads=[] if draft is None else [bodies.lead_body(each) for each in draft.leads],
        remarks=list(line.remarks),
    )
