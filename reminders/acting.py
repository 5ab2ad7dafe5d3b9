"""Acting on a reminder from the notification itself: no login, only what came with the push."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

from kernel.clock import Clock
from kernel.errors import Refusal
from kernel.identity import Principal
from kernel.metrics import Metrics
from kernel.workers import Pulse
from reminders.action import (
    TOGETHER,
    Acted,
    ActionGrant,
    ActionKind,
    ActionOutcome,
    ActionSigner,
)
from reminders.authority import Act, require, task_on
from reminders.choosing import with_choice
from reminders.errors import (
    ActedAlready,
    ActionTokenExpired,
    ActionTokenInvalid,
    EventCancelled,
    EventNotFound,
    IdTaken,
    RoleTooLow,
    SnoozedTooOften,
    TaskNotFound,
)
from reminders.identity import collapse_key, shared_key
from reminders.outside import Standing
from reminders.ports import CalendarStore, Change, OtherSnoozes, TakeBack
from reminders.series import completed_until, is_over
from reminders.snoozing import Later, instant_of_choice, with_snooze
from reminders.tasks import replanned
from reminders.types import Sheet, Task
from reminders.usual import choice_of

log = logging.getLogger(__name__)

_LATER: Mapping[ActionKind, Later] = {
    ActionKind.SNOOZE_20_MINUTES: Later.MINUTES,
    ActionKind.SNOOZE_1_HOUR: Later.HOUR,
    ActionKind.SNOOZE_THIS_EVENING: Later.EVENING,
    ActionKind.SNOOZE_TOMORROW: Later.TOMORROW,
}

_FIRST = (ActionOutcome.APPLIED, ActionOutcome.ALREADY_DONE, ActionOutcome.LATE)
"""Of what became of several, what is said of all."""

_NOT_THIS_ONE = (EventNotFound, RoleTooLow, EventCancelled, TaskNotFound, SnoozedTooOften)

BELATED = timedelta(days=1)
"""A snooze that reaches us later than this after its own end is of no use to anybody."""


@dataclass(frozen=True, slots=True)
class Tap:
    """A button that was tapped: the token came with the push, the id is the device's own.

    `at` is when it was tapped; a device that was offline tells later. `device_id` is where.
    """

    firing: str
    token: str
    kind: ActionKind
    action_id: UUID
    at: datetime | None = None
    device_id: UUID | None = None


class Acting:
    """What a signed token opens. Every change beats `planning`, so that the plan follows."""

    def __init__(
        self,
        *,
        store: CalendarStore,
        signer: ActionSigner,
        standing: Standing,
        clock: Clock,
        metrics: Metrics,
        planning: Pulse,
    ) -> None:
        self._store = store
        self._signer = signer
        self._standing = standing
        self._clock = clock
        self._planning = planning
        self._taken = metrics.counter(
            "reminders_actions_total",
            "Actions on reminders by what they came to.",
            ["action", "outcome"],
        )
        self._refused = metrics.counter(
            "reminders_action_tokens_refused_total", "Tokens of actions that prove nothing."
        )

    async def act(self, tap: Tap) -> Acted:
        """Do what was tapped, once: the same id again gives the first answer.

        The person must still be allowed what they ask for. On what was told in one it is done
        for each, and the answer is about the first that changed. Raises `ActionTokenInvalid`,
        `ActionTokenExpired`, and what stands against a user or a token.
        """
        now = self._clock.now()
        grant = self._granted(tap, now)
        if grant.task_id != TOGETHER:
            return await self._act(tap, grant, now)
        acted: list[Acted] = []
        refused: Refusal = TaskNotFound("What was told together is too long ago.")
        for each in await self._store.told_together(grant.user_id, grant.firing):
            one = replace(
                grant,
                firing=each.firing,
                event_id=each.event_id,
                task_id=each.task_id,
                day=each.day,
            )
            own = replace(tap, action_id=uuid5(tap.action_id, each.firing.hex()))
            try:
                acted.append(await self._act(own, one, now, together=grant.firing))
            except _NOT_THIS_ONE as refusal:
                # One that is gone, or no business of theirs any more, keeps nobody from the rest.
                refused = refusal
        if not acted:
            raise refused
        return min(acted, key=lambda each: _FIRST.index(each.outcome))

    async def _act(
        self, tap: Tap, grant: ActionGrant, now: datetime, *, together: bytes | None = None
    ) -> Acted:
        earlier = await self._store.acted(grant.user_id, tap.action_id)
        if earlier is not None:
            return _same(earlier, tap, grant)
        zone, counted = "", None
        if tap.kind in _LATER:
            person = await self._store.person(grant.user_id)
            zone = "" if person is None else person.zone_now
            counted = OtherSnoozes(grant.user_id)
        taken: list[Acted] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            changes, acted = _decided(sheet, tap, grant, zone=zone, now=now)
            taken.append(acted)
            shared = TakeBack(
                user_id=grant.user_id, device_id=tap.device_id, over=False, together=together
            )
            return [*changes, *([] if together is None else [shared]), acted]

        try:
            await self._store.change(
                grant.event_id, decide, now=now, task_id=grant.task_id, counted=counted
            )
        except ActedAlready:
            earlier = await self._store.acted(grant.user_id, tap.action_id)
            assert earlier is not None, "actions are kept longer than this takes"
            return _same(earlier, tap, grant)
        acted = taken[-1]
        self._planning.beat()
        self._taken.labels(acted.kind, acted.outcome).inc()
        log.info(
            "reminder acted on",
            extra={"task_id": acted.task_id, "action": acted.kind, "outcome": acted.outcome},
        )
        return acted

    def _granted(self, tap: Tap, now: datetime) -> ActionGrant:
        grant = self._signer.grant(tap.token)
        if grant is None or _known_as(grant) != tap.firing:
            self._refused.inc()
            raise ActionTokenInvalid("This token is none of ours, or of another reminder.")
        if now >= grant.expires_at:
            self._refused.inc()
            raise ActionTokenExpired("The reminder is too old to be acted on like this.")
        self._standing.check(grant.user_id, issued_at=grant.issued_at)
        return grant


def _known_as(grant: ActionGrant) -> str:
    """How the device knows what the grant is about."""
    known_as = shared_key if grant.task_id == TOGETHER else collapse_key
    return known_as(grant.firing)


def _decided(
    sheet: Sheet, tap: Tap, grant: ActionGrant, *, zone: str, now: datetime
) -> tuple[Sequence[Change], Acted]:
    """What changes, and what is said of it. Pure; refuses what the person may not do."""
    opening = tap.kind is ActionKind.OPEN
    person = Principal(user_id=grant.user_id)
    require(person, sheet, Act.SEE if opening else Act.WORK)
    task = task_on(person, sheet)
    at = _believed(tap.at, grant, now)
    acted = Acted(
        user_id=grant.user_id,
        action_id=tap.action_id,
        kind=tap.kind,
        firing=grant.firing,
        event_id=grant.event_id,
        task_id=grant.task_id,
        outcome=ActionOutcome.APPLIED,
        asked_at=at,
        acted_at=now,
    )
    mine = TakeBack(task.id, user_id=grant.user_id, device_id=tap.device_id, over=False)
    if is_over(task, grant.day):
        return [mine], replace(acted, outcome=ActionOutcome.ALREADY_DONE)
    if opening:
        return [mine], acted
    if tap.kind is ActionKind.DONE:
        reopened_at = task.details.reopened_at
        if reopened_at is not None and at < reopened_at:
            return [], replace(acted, outcome=ActionOutcome.LATE)
        done = completed_until(task, sheet.event, grant.day, at)
        return [replanned(done, now), TakeBack(task.id, device_id=tap.device_id)], acted
    if tap.kind is ActionKind.STOP_REMINDING:
        quiet = replace(choice_of(task, grant.user_id), nag=False)
        return [with_choice(task, quiet), mine], acted
    until = instant_of_choice(_LATER[tap.kind], at, zone or sheet.event.zone)
    if until + BELATED <= now or _said_since(task, grant, at):
        return [], replace(acted, outcome=ActionOutcome.LATE)
    until = max(until, now)
    snoozed = with_snooze(
        task,
        grant.user_id,
        action_id=tap.action_id,
        at=until,
        asked_at=at,
        others=sheet.others,
    )
    return [snoozed, mine], replace(acted, until=until)


def _believed(at: datetime | None, grant: ActionGrant, now: datetime) -> datetime:
    """When it was tapped: after it was sent, and not later than now."""
    return now if at is None or not grant.issued_at <= at <= now else at


def _said_since(task: Task, grant: ActionGrant, at: datetime) -> bool:
    """Whether the user asked for something else after they tapped this."""
    return any(
        each.user_id == grant.user_id and each.asked_at is not None and each.asked_at > at
        for each in task.details.snoozes
    )


def _same(earlier: Acted, tap: Tap, grant: ActionGrant) -> Acted:
    if (earlier.kind, earlier.firing) != (tap.kind, grant.firing):
        raise IdTaken("This id is that of another action.", id=str(tap.action_id))
    return earlier
