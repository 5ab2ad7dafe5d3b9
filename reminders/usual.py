"""What is usually said about a task when nobody ruled otherwise: three layers. Pure.

The product says how early; a user may say it otherwise for each occasion; and a task asks for
it or not, for all or for one user. These rules are not stored: they follow from what is.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import lru_cache
from uuid import NAMESPACE_URL, UUID, uuid5

import msgspec

from kernel.ids import UserId
from reminders.due import due_on, is_compressed
from reminders.limits import RULES
from reminders.person import Occasion, Person, Usual, UsualLead
from reminders.types import (
    AtWall,
    CalendarLead,
    Choice,
    ElapsedLead,
    Event,
    FromEvent,
    Lead,
    Offset,
    Priority,
    Rule,
    Task,
)

CLOCK = time(9)
"""When policy speaks."""

MORNING = time(8)
EVENING = time(18)
"""When the day of an event begins, and what the day after is about is said."""

PRODUCT = {
    Occasion.KEY: (UsualLead(30), UsualLead(7), UsualLead(1)),
    Occasion.NORMAL: (UsualLead(7), UsualLead(0)),
    Occasion.LOW: (),
    Occasion.PAYMENT: (UsualLead(7), UsualLead(2), UsualLead(0)),
    Occasion.APPOINTMENT: (UsualLead(1, EVENING), UsualLead(minutes=120)),
    Occasion.OVERDUE: (),
    Occasion.EVENT_EVE: (UsualLead(1, EVENING),),
    Occasion.EVENT_DAY: (UsualLead(0, MORNING),),
    Occasion.VENDOR_CALL: (UsualLead(minutes=24 * 60), UsualLead(minutes=180)),
}
"""The first layer. What is overdue has days of its own."""

_AFTER = (1, 3, 7, 14, 21, 28)
_PAYMENT_AFTER = (1, 3)


@lru_cache(maxsize=1024)
def usual_id(name: str) -> UUID:
    """The id of a rule that follows from what is, and is not stored."""
    return UUID(bytes=_PREFIX + hashlib.blake2b(name.encode(), digest_size=8).digest())


_PREFIX = uuid5(NAMESPACE_URL, "zaffa:usual").bytes[:8]

FIRST_USUAL, LAST_USUAL = UUID(bytes=_PREFIX + bytes(8)), UUID(bytes=_PREFIX + b"\xff" * 8)
"""All rules that are not stored have ids from the one to the other."""

OPENS = usual_id("opens")
"""The rule that says that something can be done from today on."""

SNOOZED = usual_id("snoozed")
"""What stands behind a user's wish to be told again."""


def occasion_of(task: Task, event: Event) -> Occasion:
    """What kind of thing the task is, as far as being reminded goes."""
    if task.details.payment is not None:
        return Occasion.PAYMENT
    # Most have no time: that is seen without finding their day.
    timed = isinstance(task.due, AtWall | FromEvent) and task.due.at is not None
    if timed and task.details.priority is not Priority.LOW and due_on(task, event) is not None:
        return Occasion.APPOINTMENT
    return Occasion(task.details.priority)


def usual_rules(
    task: Task, event: Event, user_id: UserId, person: Person | None, *, ruled: int
) -> Sequence[Rule]:
    """The rules that hold for a user beside the `ruled` ones there are, the earliest first.

    Of more than a task may have in all, the earliest are left out.
    """
    if not is_usual(task, user_id):
        return ()
    choice = choice_of(task, user_id)
    occasion = occasion_of(task, event)
    leads = leads_of(occasion, person)
    leads = leads[max(0, len(leads) - max(0, RULES - ruled)) :]
    said = None if person is None else person.usual.get(Occasion.OVERDUE)
    nags = _nags(task, event) if choice.nag and (said is None or said.on) else ()
    after = _after(nags, clock_of(person))
    return [
        *(_rule(lead, task, event, user_id, since) for lead, since in leads),
        *(_rule(lead, task, event, user_id, None) for lead in after),
    ]


def usual_leads(people: Iterable[Person]) -> Iterator[Lead]:
    """Every lead that a rule for anybody of these may have, whatever the task."""
    own = [each for each in people if each.usual or each.clock is not None]
    for person in (None, *own):
        for occasion in Occasion:
            yield from (lead for lead, _ in leads_of(occasion, person))
    yield from _after(_AFTER, CLOCK)


def is_usual(task: Task, user_id: UserId) -> bool:
    """Whether the user is told of the task as usual."""
    usual = choice_of(task, user_id).usual
    return task.details.usual if usual is None else usual


def left_out(
    task: Task, event: Event, user_id: UserId, person: Person | None, *, ruled: int
) -> Sequence[tuple[Rule, str]]:
    """What the product would say of a task that asks for it, but does not say to the user."""
    if not task.details.usual:
        return ()
    plain = replace(task, details=replace(task.details, choices=()))
    holds = {rule.id for rule in usual_rules(task, event, user_id, person, ruled=ruled)}
    said = None if person is None else person.usual.get(occasion_of(task, event))
    if not is_usual(task, user_id):
        reason = "the user chose not to be told of this task as usual"
    elif said is not None and not said.on:
        reason = "the user turned it off for such tasks"
    elif said is not None and said.leads is not None:
        reason = "the user has chosen other reminders of such tasks"
    else:
        reason = "the user chose so, or there are rules enough for one task"
    usual = usual_rules(plain, event, user_id, None, ruled=0)
    return [(rule, reason) for rule in usual if rule.id not in holds]


def choice_of(task: Task, user_id: UserId) -> Choice:
    """What a user chose for the task; without a word, what all others get."""
    found = (each for each in task.details.choices if each.user_id == user_id)
    return next(found, Choice(user_id))


def clock_of(person: Person | None) -> time:
    """When policy speaks to a user."""
    return CLOCK if person is None or person.clock is None else person.clock


def leads_of(occasion: Occasion, person: Person | None) -> Sequence[tuple[Lead, datetime | None]]:
    """The leads that hold for an occasion, and since when if they are the user's own."""
    said = None if person is None else person.usual.get(occasion)
    clock = clock_of(person)
    if said is None or (said.on and said.leads is None):
        return _product_leads(occasion, clock)
    if not said.on or said.leads is None:
        return ()
    product = PRODUCT[occasion]
    return [(lead_of(each, clock), _since(each, said, product)) for each in said.leads]


@lru_cache(maxsize=1024)
def _product_leads(occasion: Occasion, clock: time) -> Sequence[tuple[Lead, datetime | None]]:
    return tuple((lead_of(each, clock), None) for each in PRODUCT[occasion])


@lru_cache(maxsize=1024)
def _after(days: tuple[int, ...], clock: time) -> Sequence[Lead]:
    return tuple(CalendarLead(Offset(days=-each), clock) for each in days)


def _since(lead: UsualLead, said: Usual, product: Sequence[UsualLead]) -> datetime | None:
    """From when on a lead holds: always, where it is no other than the product's."""
    known = {(each.days, each.minutes) for each in product}
    return None if (lead.days, lead.minutes) in known else said.since


def lead_of(lead: UsualLead, clock: time) -> Lead:
    """A usual lead, at the user's clock where it names no time of its own."""
    if lead.minutes is not None:
        return ElapsedLead(timedelta(minutes=lead.minutes))
    return CalendarLead(Offset(days=lead.days or 0), lead.at or clock)


def _nags(task: Task, event: Event) -> tuple[int, ...]:
    """Days after the due on which an open task is spoken of, then no more.

    Never what a late start pressed together, what is not important, or what comes again.
    """
    details = task.details
    if not details.nag or details.priority is Priority.LOW or details.recurs is not None:
        return ()
    if is_compressed(task, event):
        return ()
    return _AFTER if details.payment is None else _PAYMENT_AFTER


UNPAID = usual_id("unpaid")
"""The rule that tells a vendor that nobody said they were paid."""


def unpaid_rule(task: Task, event: Event, person: Person | None) -> Rule | None:
    """The rule that speaks to the vendor on the day after a payment was due."""
    payment = task.details.payment
    if payment is None or payment.vendor_id is None or not _nags(task, event):
        return None
    lead = CalendarLead(Offset(days=-1), clock_of(person))
    return msgspec.structs.replace(_rule(lead, task, event, payment.vendor_id, None), id=UNPAID)


def opening_rule(task: Task, event: Event, user_id: UserId, person: Person | None) -> Rule | None:
    """The rule that speaks on the day from which the task may be done."""
    if not is_usual(task, user_id) or task.details.opens is None:
        return None
    lead = CalendarLead(Offset(), clock_of(person))
    return msgspec.structs.replace(_rule(lead, task, event, user_id, None), id=OPENS)


def _rule(lead: Lead, task: Task, event: Event, user_id: UserId, since: datetime | None) -> Rule:
    planned_from = task.planned_from if since is None else max(since, task.planned_from)
    return Rule(
        id=id_of(lead),
        event_id=event.id,
        task_id=task.id,
        user_id=user_id,
        lead=lead,
        exact=False,
        created_at=task.created_at,
        planned_from=planned_from,
    )


@lru_cache(maxsize=1024)
def id_of(lead: Lead) -> UUID:
    """How long before is the identity of a usual rule; the time of day is not."""
    match lead:
        case CalendarLead(before):
            return usual_id(f"{before.days} days")
        case ElapsedLead(before):
            return usual_id(f"{int(before.total_seconds()) // 60} minutes")
