"""What operators can ask of reminders."""

from datetime import datetime
from typing import Literal

from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors
from reminders.firing import FiringClass
from reminders.operating import Operating
from reminders.schemas import Ask, OneEvent, Reply

ClassName = Literal[
    "exact_elapsed",
    "exact_calendar",
    "policy_far",
    "policy_near",
    "policy_low",
    "nag",
    "payment",
    "payment_late",
    "event",
    "event_day",
    "guest",
    "digest",
]


class OneClass(Ask, frozen=True, kw_only=True):
    firing_class: ClassName


class PauseBody(Reply, frozen=True, kw_only=True):
    firing_class: str
    paused_at: datetime


class PausesAnswer(Reply, frozen=True, kw_only=True):
    pauses: list[PauseBody]


def operating_operations(operating: Operating) -> list[AnyOperation]:
    """For servers only."""

    async def listed(principal: Principal, _: Nothing) -> PausesAnswer:
        found = sorted((await operating.paused(principal)).items())
        return PausesAnswer(pauses=[PauseBody(firing_class=n, paused_at=at) for n, at in found])

    async def pause(principal: Principal, asked: OneClass) -> Nothing:
        await operating.pause(principal, FiringClass(asked.firing_class))
        return Nothing()

    async def resume(principal: Principal, asked: OneClass) -> Nothing:
        await operating.resume(principal, FiringClass(asked.firing_class))
        return Nothing()

    async def replan(principal: Principal, asked: OneEvent) -> Nothing:
        await operating.replan(principal, asked.event_id)
        return Nothing()

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
            refusals=(errors.EventNotFound,),
        ),
    ]
