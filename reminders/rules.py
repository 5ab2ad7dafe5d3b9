"""From rules to firings. Pure: the same inputs always give the same firings.

`plan` is the only source of firings: nothing else makes, moves or cancels one. Whatever
changes, the plan is made again and compared with what is waiting.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta

from kernel.ids import UserId
from reminders.due import due_of, due_on, hung_since
from reminders.event_news import news_of
from reminders.firing import Firing
from reminders.lateness import class_of
from reminders.quiet import Hush, hush_of
from reminders.series import dues_of
from reminders.sight import sees
from reminders.telling import (
    Told,
    Window,
    firing_of,
    firings_of,
    is_near_snooze,
    nominal_of,
    snoozed,
)
from reminders.types import Inputs, Member, Role, Rule, Task
from reminders.usual import opening_rule, unpaid_rule, usual_leads, usual_rules


def plan(inputs: Inputs, *, until: datetime, since: datetime | None = None) -> list[Firing]:
    """Every firing of the event that is due before `until`, however long ago; in due order.

    Of what was due long before `since`, and before what waits, no more is said: it is left out.
    """
    event = inputs.event
    if event.cancelled_at is not None:
        return []
    members = {member.user_id: member for member in inputs.members}
    hushes = {
        user_id: hush_of(
            inputs.people.get(user_id),
            event_zone=event.zone,
            ramadans=inputs.ramadans,
            at_work=member.role is Role.VENDOR,
        )
        for user_id, member in members.items()
    }
    firings: list[Firing] = []
    window = Window(_first_day(inputs, since), until.date())
    leads = [*(rule.lead for rule in inputs.rules), *usual_leads(inputs.people.values())]
    widest = window.widened(leads)
    for task in inputs.tasks:
        if task.done_at is not None or task.deleted_at is not None:
            continue
        said: list[Firing] = []
        dues = dues_of(task, event, first=window.first, last=widest.last)
        # Most of a long plan is spoken of much later, or was long ago: that is seen at once.
        if any(due.day in widest for due in dues):
            ruled = rules_by_user(inputs, task, members)
            own = window.widened([rule.lead for rules in ruled.values() for rule in rules])
            dues = [due for due in dues if due.day in own]
            hung = hung_since(task, event)
            for user_id, rules in ruled.items():
                hush, member = hushes[user_id], members[user_id]
                # What has a due of its own stays as it was when the event moves.
                possible_from = max(task.planned_from, member.joined_at, *hung)
                told = Told(user_id, hush.zone, possible_from, hush, inputs.spread)
                for due in dues:
                    said += firings_of(event, task, due, told, rules, within=window)
        if task.details.snoozes:
            said = [
                each
                for each in said
                if not is_near_snooze(each.firing_class, each.due_at, task, each.user_id)
            ]
            seeing = {key: each for key, each in hushes.items() if sees(members[key], task)}
            said += snoozed(event, task, seeing)
        firings += said
        firings += _opening(inputs, task, hushes, members)
    firings += news_of(inputs)
    return sorted(
        (firing for firing in firings if firing.due_at < until),
        key=lambda firing: (firing.due_at, firing.dedupe_key),
    )


_OVERLAP = timedelta(days=7)
"""So much earlier than it goes off something may have been meant to, or be due: quiet days, a
clock that was changed."""


def _first_day(inputs: Inputs, since: datetime | None) -> date:
    """The first day that matters: nothing of the days before waits, or is to be told."""
    if since is None:
        return date.min
    return min(since, inputs.waiting_since or since).date() - _OVERLAP


def _opening(
    inputs: Inputs, task: Task, hushes: Mapping[UserId, Hush], members: dict[UserId, Member]
) -> list[Firing]:
    """ "You can do this now": once, on the day from which a task may be done."""
    event = inputs.event
    opens = due_of(task.details.opens, event)
    if opens is None:
        return []
    firings: list[Firing] = []
    for user_id in concerned(task, members):
        rule = opening_rule(task, event, user_id, inputs.people.get(user_id))
        if rule is None:
            continue
        possible_from = max(task.planned_from, members[user_id].joined_at, *hung_since(task, event))
        hush = hushes[user_id]
        told = Told(user_id, hush.zone, possible_from, hush, inputs.spread)
        nominal = nominal_of(rule, opens, event, told.zone)
        assert nominal is not None, "the rule has a time of day"
        if nominal.at >= possible_from:
            # Said late it still helps, as long as the task is not due itself.
            useful = due_on(task, event) or opens
            kind = class_of(rule, task)
            firings.append(firing_of(event, task, opens, told, rule, nominal, kind, useful=useful))
    return firings


def recipients(task: Task, rule: Rule, members: dict[UserId, Member]) -> Iterator[UserId]:
    """Whom the rule tells about the task: members who see it."""
    if rule.task_id not in (None, task.id):
        return
    if rule.user_id is None:
        yield from concerned(task, members)
    elif sees(members.get(rule.user_id), task):
        yield rule.user_id


def concerned(task: Task, members: Mapping[UserId, Member]) -> Iterator[UserId]:
    """Whom the task is for: its assignee, without one the owners."""
    if task.assignee_id is not None and task.assignee_id in members:
        yield task.assignee_id
        return
    for member in members.values():
        if member.role is Role.OWNER:
            yield member.user_id


def rules_by_user(
    inputs: Inputs, task: Task, members: dict[UserId, Member]
) -> dict[UserId, list[Rule]]:
    """The rules that tell each user about the task: those there are, and what is usual.

    What is usual is for those whom the task is for, and for who chose it for themselves.
    """
    by_user: dict[UserId, list[Rule]] = defaultdict(list)
    for rule in inputs.rules:
        for user_id in recipients(task, rule, members):
            by_user[user_id].append(rule)
    chose = [each.user_id for each in task.details.choices if each.usual]
    seeing = (each for each in chose if sees(members.get(each), task))
    usual = {*concerned(task, members), *seeing}
    for user_id in sorted(usual):
        rules, person = by_user[user_id], inputs.people.get(user_id)
        rules += usual_rules(task, inputs.event, user_id, person, ruled=len(rules))
    payment = task.details.payment
    vendor = None if payment is None else payment.vendor_id
    if vendor is not None and vendor in members and vendor not in usual and task.details.usual:
        unpaid = unpaid_rule(task, inputs.event, inputs.people.get(vendor))
        by_user[vendor] += [] if unpaid is None else [unpaid]
    return by_user
