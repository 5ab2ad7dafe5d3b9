"""What operators look at: as JSON, and as a page with buttons to a browser."""

import msgspec

from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from reminders.firing_bodies import explanation_answer, firings_answer
from reminders.operating_routes import DeadBody, MinuteBody, PauseBody, PlansAnswer
from reminders.overview import schemas
from reminders.overview.overview import Asked, Found, Overview, Seen, peak_of
from reminders.overview.page import overview_page
from reminders.overview.script import SCRIPT
from reminders.times import ZONE_DATA_VERSION
from reminders.types import Event, Task


def operations(overview: Overview) -> list[AnyOperation]:
    """For servers only."""

    async def see(principal: Principal, asked: schemas.AskOverview) -> schemas.OverviewAnswer:
        about = Asked(asked.event_id, asked.task_id, asked.user_id)
        seen = await overview.see(principal)
        found = None if about == Asked() else await overview.search(principal, about)
        return _answer(seen, found)

    return [
        Operation(
            name="reminders.overview",
            method="GET",
            path="/admin/v1/reminders",
            summary="How reminders stand: what is coming, late, paused and dead; also as a page.",
            takes=schemas.AskOverview,
            gives=schemas.OverviewAnswer,
            run=see,
            scope=Scope.REMINDERS,
            page=overview_page,
            script=SCRIPT,
        )
    ]


def _answer(seen: Seen, found: Found | None) -> schemas.OverviewAnswer:
    peak = peak_of(seen.forecast.minutes)
    return schemas.OverviewAnswer(
        at=seen.at,
        minutes=msgspec.convert(seen.forecast.minutes, list[MinuteBody], from_attributes=True),
        peak=None if peak is None else schemas.PeakBody(at=peak[0], firings=peak[1]),
        late=msgspec.convert(seen.forecast.late, list[schemas.LateBody], from_attributes=True),
        oldest_due_age_seconds=seen.oldest_due_age.total_seconds(),
        catching_up=seen.catching_up,
        pauses=[PauseBody(firing_class=n, paused_at=at) for n, at in sorted(seen.paused.items())],
        plans=PlansAnswer(waiting=seen.plans.marks, oldest_age_seconds=seen.plans.oldest_age),
        spread_seconds=int(seen.spread.total_seconds()),
        dead=msgspec.convert(seen.dead, list[DeadBody], from_attributes=True),
        zone_data=ZONE_DATA_VERSION,
        zones=[
            schemas.ZoneBody(
                zone=each.state.zone,
                utc_offset_seconds=int(each.offset.total_seconds()),
                changes_at=each.changes_at,
                zone_data=each.state.version,
            )
            for each in seen.zones
        ],
        ramadans=msgspec.convert(seen.ramadans, list[schemas.RamadanBody], from_attributes=True),
        found=None if found is None else _found(found),
    )


def _found(found: Found) -> schemas.FoundBody:
    sheet = found.sheet
    tasks = found.tasks if sheet is None or sheet.task is None else [sheet.task]
    return schemas.FoundBody(
        event=None if sheet is None else _titled(sheet.event),
        members=[
            schemas.InEventBody(user_id=each.user_id, role=str(each.role))
            for each in (() if sheet is None else sheet.members)
        ],
        tasks=[_titled(each) for each in tasks],
        task_id=found.asked.task_id,
        user_id=found.asked.user_id,
        coming=None if found.coming is None else firings_answer(found.coming),
        explanation=None if found.explained is None else explanation_answer(found.explained),
        refused=found.refused,
    )


def _titled(one: Event | Task) -> schemas.TitledBody:
    return schemas.TitledBody(id=one.id, title=one.title)
