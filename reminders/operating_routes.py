"""What operators can ask of reminders."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors
from reminders.firing import FiringClass
from reminders.operating import Operating
from reminders.schemas import Ask, OneEvent, Reply


class OneClass(Ask, frozen=True, kw_only=True):
    firing_class: FiringClass


class PauseBody(Reply, frozen=True, kw_only=True):
    firing_class: str
    paused_at: datetime


class PausesAnswer(Reply, frozen=True, kw_only=True):
    pauses: list[PauseBody]


class PlansAnswer(Reply, frozen=True, kw_only=True):
    """How many plans wait to be made again, and for how long the first of them has."""

    waiting: int
    oldest_age_seconds: float


class ReplannedAnswer(Reply, frozen=True, kw_only=True):
    """Every event's plan is made again, so many."""

    plans: int


class SpreadBody(Ask, frozen=True, kw_only=True):
    """Over how long policy reminders of one moment spread."""

    seconds: int


class SpreadAnswer(Reply, frozen=True, kw_only=True):
    seconds: int


class AskForecast(Ask, frozen=True, kw_only=True):
    hours: Annotated[int, msgspec.Meta(ge=1, le=168)] = 24


class MinuteBody(Reply, frozen=True, kw_only=True):
    at: datetime
    firing_class: str
    firings: int


class ForecastAnswer(Reply, frozen=True, kw_only=True):
    """What is planned to go off, minute by minute; minutes without any are left out. `overdue`
    should have gone off already: it is late, or its class is `paused`."""

    minutes: list[MinuteBody]
    overdue: int
    paused: list[str]


class DeadBody(Reply, frozen=True, kw_only=True):
    event_id: UUID
    task_id: UUID
    user_id: str
    firing_class: str
    due_at: datetime
    decided_at: datetime
    reason: str


class DeadAnswer(Reply, frozen=True, kw_only=True):
    """The last firings that could not be judged or put into words, and why."""

    dead: list[DeadBody]


class RevivedAnswer(Reply, frozen=True, kw_only=True):
    """So many that died are planned once more, if it is not too late for them."""

    revived: int


def operating_operations(operating: Operating) -> list[AnyOperation]:
    """For servers only."""

    async def listed(principal: Principal, _: Nothing) -> PausesAnswer:
        found = sorted((await operating.paused(principal)).items())
        return PausesAnswer(pauses=[PauseBody(firing_class=n, paused_at=at) for n, at in found])

    async def pause(principal: Principal, asked: OneClass) -> Nothing:
        await operating.pause(principal, asked.firing_class)
        return Nothing()

    async def resume(principal: Principal, asked: OneClass) -> Nothing:
        await operating.resume(principal, asked.firing_class)
        return Nothing()

    async def replan(principal: Principal, asked: OneEvent) -> Nothing:
        await operating.replan(principal, asked.event_id)
        return Nothing()

    async def replan_all(principal: Principal, _: Nothing) -> ReplannedAnswer:
        return ReplannedAnswer(plans=await operating.replan_all(principal))

    async def spread(principal: Principal, _: Nothing) -> SpreadAnswer:
        return SpreadAnswer(seconds=int((await operating.spread(principal)).total_seconds()))

    async def put_spread(principal: Principal, asked: SpreadBody) -> ReplannedAnswer:
        return ReplannedAnswer(plans=await operating.put_spread(principal, asked.seconds))

    async def dead(principal: Principal, _: Nothing) -> DeadAnswer:
        found = await operating.dead(principal)
        return DeadAnswer(dead=msgspec.convert(found, list[DeadBody], from_attributes=True))

    async def revive(principal: Principal, asked: OneEvent) -> RevivedAnswer:
        return RevivedAnswer(revived=await operating.revive(principal, asked.event_id))

    async def plans(principal: Principal, _: Nothing) -> PlansAnswer:
        found = await operating.backlog(principal)
        return PlansAnswer(waiting=found.marks, oldest_age_seconds=found.oldest_age)

    async def forecast(principal: Principal, asked: AskForecast) -> ForecastAnswer:
        found, paused = await operating.forecast(principal, hours=asked.hours)
        return ForecastAnswer(
            minutes=[
                MinuteBody(at=each.at, firing_class=each.firing_class, firings=each.firings)
                for each in found.minutes
            ],
            overdue=found.overdue,
            paused=sorted(paused),
        )

    one = "/admin/v1/reminder-pauses/{firing_class}"
    return [
        Operation(
            name="reminders.pauses",
            method="GET",
            path="/admin/v1/reminder-pauses",
            summary="List the classes of reminders that wait.",
            takes=Nothing,
            gives=PausesAnswer,
            run=listed,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.pause",
            method="PUT",
            path=one,
            summary="Let no reminder of a class go off until it is resumed.",
            takes=OneClass,
            gives=Nothing,
            run=pause,
            scope=Scope.REMINDERS,
            by_page=True,
        ),
        Operation(
            name="reminders.resume",
            method="DELETE",
            path=one,
            summary="Let the reminders of a class go off again.",
            takes=OneClass,
            gives=Nothing,
            run=resume,
            scope=Scope.REMINDERS,
            by_page=True,
        ),
        Operation(
            name="reminders.replan",
            method="POST",
            path="/admin/v1/events/{event_id}/replan",
            summary="Have the reminders of an event planned again; none comes twice.",
            takes=OneEvent,
            gives=Nothing,
            run=replan,
            scope=Scope.REMINDERS,
            by_page=True,
            refusals=(errors.EventNotFound,),
        ),
        Operation(
            name="reminders.replan_all",
            method="POST",
            path="/admin/v1/reminder-plans",
            summary="Have the reminders of every event planned again; none comes twice.",
            takes=Nothing,
            gives=ReplannedAnswer,
            run=replan_all,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.plans",
            method="GET",
            path="/admin/v1/reminder-plans",
            summary="How many plans wait to be made again.",
            takes=Nothing,
            gives=PlansAnswer,
            run=plans,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.spread",
            method="GET",
            path="/admin/v1/reminder-spread",
            summary="Over how long policy reminders of one moment spread.",
            takes=Nothing,
            gives=SpreadAnswer,
            run=spread,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.put_spread",
            method="PUT",
            path="/admin/v1/reminder-spread",
            summary="Spread them over longer, from 4 minutes up to an hour.",
            takes=SpreadBody,
            gives=ReplannedAnswer,
            run=put_spread,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.dead",
            method="GET",
            path="/admin/v1/dead-reminders",
            summary="Reminders that could not be told, and why.",
            takes=Nothing,
            gives=DeadAnswer,
            run=dead,
            scope=Scope.REMINDERS,
        ),
        Operation(
            name="reminders.revive",
            method="POST",
            path="/admin/v1/events/{event_id}/dead-reminders/retry",
            summary="Plan an event's dead reminders once more; what is too late stays gone.",
            takes=OneEvent,
            gives=RevivedAnswer,
            run=revive,
            scope=Scope.REMINDERS,
            by_page=True,
            refusals=(errors.EventNotFound,),
        ),
        Operation(
            name="reminders.forecast",
            method="GET",
            path="/admin/v1/reminder-forecast",
            summary="What goes off in the coming hours, by minute and class.",
            takes=AskForecast,
            gives=ForecastAnswer,
            run=forecast,
            scope=Scope.REMINDERS,
        ),
    ]
