"""Rules: who is told of a task, and how long before; put them and drop them."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders import limits
from reminders.authority import Act, check_sees, member_on, require, require_for, task_on
from reminders.due import due_of
from reminders.errors import (
    RuleFixed,
    RuleNotFound,
    TooManyRules,
)
from reminders.ports import CalendarStore, Change, Decide, DropRule
from reminders.sight import is_hidden
from reminders.times import checked_zone
from reminders.types import CalendarLead, ElapsedLead, Event, Lead, Rule, Sheet, Task, ZonePolicy


class RuleBook:
    """Every change beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def put(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        rule_id: UUID,
        task_id: UUID | None,
        user_id: UserId | None,
        lead: Lead,
        exact: bool,
        zone_policy: ZonePolicy = ZonePolicy.RECIPIENT,
        zone: str | None = None,
    ) -> Rule:
        """Say when somebody is told of a task, or of all the event's tasks that they see.

        Putting again changes the time of day and whose clock it is on. What a rule is about,
        whom it tells and how long before are its identity and stay.
        """
        limits.checked_lead(lead)
        if (zone_policy is ZonePolicy.FIXED) != (zone is not None):
            raise InvalidInput("zone", "belongs to the zone policy 'fixed', and only to it")
        if zone is not None:
            checked_zone(zone)
        now = self._clock.now()
        rule = Rule(
            id=rule_id,
            event_id=event_id,
            task_id=task_id,
            user_id=user_id,
            lead=lead,
            exact=exact,
            created_at=now,
            planned_from=now,
            zone_policy=zone_policy,
            zone=zone,
        )
        put: list[Rule] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require_for(principal, sheet, user_id)
            if user_id is not None:
                member_on(sheet, user_id)
            if task_id is not None:
                task = task_on(principal, sheet)
                _check_lead(lead, task, sheet.event)
                if user_id is not None:
                    check_sees(sheet, task, user_id)
            earlier = next((each for each in sheet.rules if each.id == rule_id), None)
            if earlier is None:
                if limits.is_crowded([*sheet.rules, rule]):
                    raise TooManyRules(
                        "A user may be reminded of one task by so many rules.", limit=limits.RULES
                    )
                put.append(rule)
            else:
                if _identity(earlier) != _identity(rule):
                    raise RuleFixed("Make another rule for that, and delete this one.")
                put.append(msgspec.structs.replace(rule, created_at=earlier.created_at))
                if msgspec.structs.replace(put[0], planned_from=earlier.planned_from) == earlier:
                    put[0] = earlier
                    return []
            return [put[0], _touched(sheet)]

        await self._change(event_id, task_id, decide)
        return put[0]

    async def drop(
        self, principal: Principal, event_id: UUID, *, rule_id: UUID, task_id: UUID | None
    ) -> None:
        """End a rule: for its user and for owners."""

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.SEE)
            found = next(
                (each for each in sheet.rules if (each.id, each.task_id) == (rule_id, task_id)),
                None,
            )
            task, user = sheet.task, principal.user_id
            hidden = task is not None and is_hidden(sheet, task, user)
            if found is None or (hidden and found.user_id != user):
                raise RuleNotFound("There is no such rule.")
            require_for(principal, sheet, found.user_id)
            return [DropRule(rule_id), _touched(sheet)]

        await self._change(event_id, task_id, decide)

    async def _change(self, event_id: UUID, task_id: UUID | None, decide: Decide) -> None:
        now = self._clock.now()
        await self._store.change(event_id, decide, now=now, task_id=task_id)
        self._planning.beat()


def _touched(sheet: Sheet) -> Task | Event:
    """What a rule is about, marked so that whatever was planned from it before is stale."""
    if sheet.task is not None:
        return replace(sheet.task, sched_version=sheet.task.sched_version + 1)
    return replace(sheet.event, sched_version=sheet.event.sched_version + 1)


def _check_lead(lead: Lead, task: Task, event: Event) -> None:
    due = due_of(task.due, event)
    if isinstance(lead, ElapsedLead) and due is not None and due.at is None:
        raise InvalidInput("lead", "needs a due with a time; this one is all day")


def _identity(rule: Rule) -> tuple[object, ...]:
    lead = rule.lead.before if isinstance(rule.lead, CalendarLead) else rule.lead
    return (rule.task_id, rule.user_id, lead, rule.exact)
