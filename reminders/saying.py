"""What users are told of firings that went off. Pure.

Several at once become one notice: three or more about one event in one minute are one push;
what comes late after an outage is told in one, however many it is: "while you were away".
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kernel.notices import Notice, Urgency
from reminders.action import LIFETIME as ACTIONABLE
from reminders.action import TOGETHER, ActionGrant, ActionSigner
from reminders.alarm import alarm_of
from reminders.firing import (
    ABOUT_EVENT,
    OVERDUE,
    PAYMENTS,
    DueFiring,
    Firing,
    FiringClass,
    Outcome,
)
from reminders.handover import meaning_of
from reminders.identity import collapse_key, notice_key, shared_key, shared_notice_key
from reminders.placing import POLITE
from reminders.types import Task
from reminders.usual import UNPAID
from reminders.wording import amount_text, isolated, joined, when_text

TEMPLATE, TO_VENDORS = "task.reminder", "payment.unpaid"
SEVERAL, MISSED = "task.reminders", "task.missed"
CATEGORY = "reminders"

LIFETIME = timedelta(hours=24)
"""A reminder that could not be delivered for so long is not delivered at all."""

MANY = 3
"""So many reminders of one event in one minute are one notice."""

LINES = 5
"""Tasks that are named; the rest is a number."""

WITH_OTHERS = "told with others"
"""The reason of what went off without a notice of its own."""


@dataclass(frozen=True, slots=True)
class Said:
    """What went off, on time or to be told with others, and the notice that says it alone."""

    due: DueFiring
    outcome: Outcome
    notice: Notice


@dataclass(frozen=True, slots=True)
class Push:
    """One notice, and all that it says."""

    notice: Notice
    says: Sequence[Said]

    @property
    def is_shared(self) -> bool:
        """Whether its notice is not the one that says one of them alone."""
        return self.notice is not self.says[0].notice


def said_together(
    said: Sequence[Said], *, now: datetime, default_locale: str, signer: ActionSigner
) -> Sequence[Push]:
    """The notices that say all of it."""
    pushes: list[Push] = []
    groups: dict[tuple[object, ...], list[Said]] = defaultdict(list)
    for each in said:
        firing = each.due.firing
        if firing.firing_class in ABOUT_EVENT:
            pushes.append(Push(each.notice, [each]))
        elif each.outcome is Outcome.FOLDED:
            groups[(firing.user_id,)].append(each)
        else:
            minute = firing.due_at.replace(second=0, microsecond=0)
            groups[(firing.user_id, firing.event_id, minute)].append(each)
    for key, group in groups.items():
        folded = len(key) == 1
        if folded or len(group) >= MANY:
            dues = [each.due for each in group]
            notice = _one_for_all(
                dues, folded=folded, now=now, default_locale=default_locale, signer=signer
            )
            pushes.append(Push(notice, group))
        else:
            pushes += (Push(each.notice, [each]) for each in group)
    return pushes


def said_alone(
    due: DueFiring, *, now: datetime, default_locale: str, signer: ActionSigner
) -> Notice:
    """The notice that says what one firing is about."""
    firing, event, task = due.firing, due.event, _task(due)
    key = collapse_key(firing.dedupe_key)
    variables = words_of(due, now=now, default_locale=default_locale)
    if firing.firing_class in OVERDUE:
        variables["overdue"] = "1"
    payment = task.details.payment
    to_vendor = firing.rule_id == UNPAID and payment is not None
    if payment is not None and to_vendor:
        locale = default_locale if due.person is None else due.person.locale
        variables["amount"] = amount_text(payment, locale)
        variables["when"] = _when(due, locale, now)
    return Notice(
        user_ids=(firing.user_id,),
        template=TO_VENDORS if to_vendor else TEMPLATE,
        category=CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=notice_key(firing.dedupe_key),
        expires_at=min(firing.useful_until, now + LIFETIME),
        variables=variables,
        collapse_key=key,
        alarms=() if to_vendor else (alarm_of(due),),
        exact=_is_timed(firing, now),
        thread=f"event:{event.id}",
        link=f"/events/{event.id}/tasks/{task.id}",
        data=data_of(firing, signer, now=now),
    )


def _is_timed(firing: Firing, now: datetime) -> bool:
    """Whether it comes at the time that somebody chose, and so may disturb them.

    What was to come on a day at a time, and is late, is at none that anybody chose.
    """
    if firing.firing_class is FiringClass.EXACT_CALENDAR:
        return now - firing.due_at <= firing.grace
    return firing.firing_class not in POLITE


def words_of(due: DueFiring, *, now: datetime, default_locale: str) -> dict[str, str | int | float]:
    """What fills the text about one firing."""
    person = due.person
    return {
        "task": _task(due).title,
        "event": due.event.title,
        "when": _owed(due, default_locale if person is None else person.locale, now),
    }


def data_of(firing: Firing, signer: ActionSigner, *, now: datetime) -> dict[str, str]:
    """What an app is told of a firing, and what lets its user act on it without a login."""
    data = {
        "event_id": str(firing.event_id),
        "task_id": str(firing.task_id),
        "firing": collapse_key(firing.dedupe_key),
    }
    if token := signer.token(_grant(firing, now)):
        data["action_token"] = token
    return data


def _grant(firing: Firing, now: datetime) -> ActionGrant:
    return ActionGrant(
        firing=firing.dedupe_key,
        user_id=firing.user_id,
        event_id=firing.event_id,
        task_id=firing.task_id,
        day=firing.nominal_day,
        issued_at=now,
        expires_at=max(now, firing.due_at) + ACTIONABLE,
    )


def _one_for_all(
    dues: Sequence[DueFiring],
    *,
    folded: bool,
    now: datetime,
    default_locale: str,
    signer: ActionSigner,
) -> Notice:
    first = dues[0]
    # Not the first one's own: when that is seen to, the others still are not.
    key = shared_key(first.firing.dedupe_key)
    data = {"event_id": str(first.event.id), "firing": key, "count": str(len(dues))}
    if token := signer.token(replace(_grant(first.firing, now), task_id=TOGETHER)):
        data["action_token"] = token
    return Notice(
        user_ids=(first.firing.user_id,),
        template=MISSED if folded else SEVERAL,
        category=CATEGORY,
        urgency=Urgency.TRANSACTIONAL,
        dedupe_key=shared_notice_key(first.firing.dedupe_key),
        expires_at=min(max(_wanted_until(due.firing, now) for due in dues), now + LIFETIME),
        variables={
            "event": first.event.title,
            "lines": _lines(dues, now=now, default_locale=default_locale),
        },
        collapse_key=key,
        alarms=tuple(alarm_of(due) for due in dues),
        # What comes late is at no time that anybody chose.
        exact=not folded and any(_is_timed(due.firing, now) for due in dues),
        thread=f"event:{first.event.id}",
        link=f"/events/{first.event.id}",
        data=data,
    )


def _wanted_until(firing: Firing, now: datetime) -> datetime:
    """What somebody is owed is told however late it is."""
    return now + LIFETIME if firing.firing_class in PAYMENTS else firing.useful_until


def _lines(dues: Sequence[DueFiring], *, now: datetime, default_locale: str) -> str:
    person = dues[0].person
    locale = default_locale if person is None else person.locale
    lines = [f"{isolated(_task(due).title)} · {_owed(due, locale, now)}" for due in dues[:LINES]]
    if len(dues) > LINES:
        lines.append(f"+{len(dues) - LINES}")
    return "\n".join(lines)


def _owed(due: DueFiring, locale: str, now: datetime) -> str:
    """When it is due, and before that, of a payment, how much."""
    payment, when = _task(due).details.payment, _when(due, locale, now)
    return when if payment is None else joined(amount_text(payment, locale), when)


def _when(due: DueFiring, locale: str, now: datetime) -> str:
    person = due.person
    return when_text(
        meaning_of(due.firing, due.event, _task(due)),
        locale=locale,
        viewer_zone=due.event.zone if person is None else person.zone_now,
        now=now,
        hijri=person is not None and person.hijri,
    )


def _task(due: DueFiring) -> Task:
    assert due.task is not None, "what goes off has a task"
    return due.task
