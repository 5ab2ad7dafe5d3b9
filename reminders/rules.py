"""From rules to firings. Pure: the same inputs always give the same firings.

`plan` is the only source of firings: nothing else makes, moves or cancels one. Whatever
changes, the plan is made again and compared with what is waiting.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from kernel.ids import UserId
from reminders.due import due_of, due_on
from reminders.firing import Firing
from reminders.lateness import lead_days
from reminders.quiet import Hush, hush_of
from reminders.series import dues_of
from reminders.telling import Told, firing_of, firings_of, nominal_of, snoozed
from reminders.types import Event, Inputs, Member, Role, Rule, Task
from reminders.usual import opening_rule, usual_rules


def plan(inputs: Inputs, *, until: datetime, since: datetime | None = None) -> list[Firing]:
    """Every firing of the event that is due before `until`, however long ago; in due order.

    Of what comes again only the occurrences from about `since` on matter.
    """
    event = inputs.event
    if event.cancelled_at is not None:
        return []
    members = {member.user_id: member for member in inputs.members}
    hushes = {
        user_id: hush_of(
            inputs.people.get(user_id), event_zone=event.zone, ramadans=inputs.ramadans
        )
        for user_id in members
    }
    firings: list[Firing] = []
    for task in inputs.tasks:
        if task.done_at is not None or task.deleted_at is not None:
            continue
        ruled = [*inputs.rules, *usual_rules(task, event)]
        first = date.min if since is None else since.date() - _OVERLAP
        dues = dues_of(task, event, first=first, last=_last_day(until, ruled))
        for user_id, rules in _rules_by_user(task, ruled, members).items():
            hush = hushes[user_id]
            told = Told(user_id, hush.zone, _possible_from(event, task, members[user_id]), hush)
            for due in dues:
                firings += firings_of(event, task, due, told, rules)
        firings += snoozed(event, task, hushes)
        firings += _opening(event, task, hushes, members)
    return sorted(
        (firing for firing in firings if firing.due_at < until),
        key=lambda firing: (firing.due_at, firing.dedupe_key),
    )


_OVERLAP = timedelta(days=40)
"""Occurrences so long past are still planned, in case that their firings still wait."""


def _last_day(until: datetime, rules: Sequence[Rule]) -> date:
    """The last day that may be due and be spoken of before `until`."""
    farthest = max([0, *(lead_days(rule.lead) for rule in rules)])
    last = until.date()
    return last + min(timedelta(days=farthest + 2), date.max - last)


def _opening(
    event: Event, task: Task, hushes: Mapping[UserId, Hush], members: dict[UserId, Member]
) -> list[Firing]:
    """ "You can do this now": once, on the day from which a task may be done."""
    rule, opens = opening_rule(task, event), due_of(task.details.opens, event)
    if rule is None or opens is None:
        return []
    firings: list[Firing] = []
    for user_id in recipients(task, rule, members):
        possible_from = _possible_from(event, task, members[user_id])
        told = Told(user_id, hushes[user_id].zone, possible_from, hushes[user_id])
        nominal = nominal_of(rule, opens, event, told.zone)
        assert nominal is not None, "the rule has a time of day"
        if nominal.at >= possible_from:
            # Said late it still helps, as long as the task is not due itself.
            useful = due_on(task, event) or opens
            firings.append(firing_of(event, task, opens, told, rule, nominal, useful=useful))
    return firings


def recipients(task: Task, rule: Rule, members: dict[UserId, Member]) -> Iterator[UserId]:
    """Whom the rule tells about the task: members only."""
    if rule.task_id not in (None, task.id):
        return
    named = rule.user_id
    if named is None and task.assignee_id in members:
        named = task.assignee_id
    if named is not None:
        if named in members:
            yield named
        return
    for member in members.values():
        if member.role is Role.OWNER:
            yield member.user_id


def _rules_by_user(
    task: Task, rules: Sequence[Rule], members: dict[UserId, Member]
) -> dict[UserId, list[Rule]]:
    by_user: dict[UserId, list[Rule]] = defaultdict(list)
    for rule in rules:
        for user_id in recipients(task, rule, members):
            by_user[user_id].append(rule)
    return by_user


def _possible_from(event: Event, task: Task, member: Member) -> datetime:
    """The first moment at which this user could have been reminded of this due at all."""
    return max(event.planned_from, task.planned_from, member.joined_at)
