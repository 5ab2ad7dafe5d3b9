"""What is told of an event itself: its eve and its day, a vendor's call, a move, answers. Pure.

Such a firing is about no task: the event's own id stands in the task's place, and for a guest
the invitation's.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from kernel.ids import UserId
from reminders.days import MAIN, Deadline, Moved, Place
from reminders.due import anchor_of, day_over, earlier, instant_of
from reminders.firing import Firing, FiringClass
from reminders.guest import ASKED
from reminders.identity import ONCE, dedupe_key
from reminders.lateness import grace_of
from reminders.person import Occasion, Person
from reminders.placing import Nominal, place
from reminders.quiet import Hush, hush_of
from reminders.times import resolve, wall_of
from reminders.types import (
    CalendarLead,
    Due,
    ElapsedLead,
    Event,
    Inputs,
    Lead,
    Member,
    Offset,
    Role,
)
from reminders.usual import clock_of, id_of, leads_of, usual_id

EVE, DAY, MOVED = usual_id("eve"), usual_id("day"), usual_id("moved")
CALL = usual_id("call")

BEFORE_ANSWERS = timedelta(days=7)
"""So long before answers are due the owners are told how they stand."""

GUESTS_DAYS = (7, 2)
"""So many days before they are due, guests who have not answered are asked."""

MOVED_FOR = timedelta(days=2)
"""So long a move is news."""


@dataclass(frozen=True, slots=True)
class News:
    """What would be told one user of the event, before it is placed."""

    rule_id: UUID
    subject_id: UUID
    firing_class: FiringClass
    about: Due
    nominal: Nominal
    useful_until: datetime
    possible_from: datetime
    occurrence: str = ONCE


def news_of(inputs: Inputs) -> list[Firing]:
    """Every firing about the event itself."""
    event = inputs.event
    firings: list[Firing] = []
    for member in inputs.members:
        hush = _hush(inputs, member.user_id)
        person = inputs.people.get(member.user_id)
        for news in _to_member(event, member, person, hush):
            firings += _placed(event, member.user_id, hush, news)
    for guest in inputs.guests:
        hush = _hush(inputs, guest.user_id)
        deadline = deadline_of(event, guest.part)
        if deadline is None:
            continue
        left = max(0, ASKED - guest.told)
        for days in GUESTS_DAYS[len(GUESTS_DAYS) - left :]:
            news = News(
                rule_id=usual_id(f"guest {guest.part} {days}"),
                subject_id=guest.id,
                firing_class=FiringClass.GUEST,
                about=deadline,
                nominal=_nominal(
                    CalendarLead(Offset(days=days), clock_of(None)), deadline, hush.zone
                ),
                useful_until=day_over(deadline, hush.zone),
                possible_from=max(guest.invited_at, event.planned_from),
            )
            firings += _placed(event, guest.user_id, hush, news)
    return firings


def spoken_as(event: Event, rule_id: UUID) -> str:
    """What a firing about the event itself is, in words for whoever asks why."""
    names = {EVE: "on the eve", DAY: "on the day", CALL: "before the call", MOVED: "after a move"}
    for each in days_told(event):
        if each.parts:
            parts = ", ".join(each.parts)
            names |= {each.eve: f"on the eve: {parts}", each.today: f"on the day: {parts}"}
    part = parts_answered(event).get(rule_id)
    return names.get(rule_id) or (f"how the answers stand: {part}" if part else "to a guest")


@dataclass(frozen=True, slots=True)
class DayTold:
    """A day of the event that is told of on its eve, and when it has come: by which rules.

    `parts` are those that are then, the first first; without any it is the event's own day, and
    whatever else is then goes with it.
    """

    day: date
    start: Due
    """When the first of it begins."""
    eve: UUID
    today: UUID
    parts: Sequence[str] = ()


def days_told(event: Event) -> Sequence[DayTold]:
    """The event's own day and those of its parts, each once."""
    told: list[DayTold] = []
    own = anchor_of(event, MAIN)
    if own is not None:
        told.append(DayTold(own.day, own, EVE, DAY))
    by_day: dict[date, list[tuple[time, str, Due]]] = {}
    for anchor in event.anchors:
        part = anchor_of(event, anchor.code)
        if part is not None and part.day != event.day:
            by_day.setdefault(part.day, []).append((part.at or time.max, anchor.code, part))
    for day, parts in sorted(by_day.items()):
        parts.sort(key=lambda each: each[:2])
        _, first, start = parts[0]
        codes = [code for _, code, _ in parts]
        eve, today = usual_id(f"eve {first}"), usual_id(f"day {first}")
        told.append(DayTold(day, start, eve, today, codes))
    return told


def deadline_of(event: Event, part: str) -> Due | None:
    """By when the guests of a part answer; None if nobody said so, or the part has no day."""
    found = next((each for each in event.deadlines if each.part == part), None)
    return None if found is None else _day_of(event, found)


def parts_answered(event: Event) -> Mapping[UUID, str]:
    """The parts whose guests answer, by the rule that tells their owners how they stand."""
    return {usual_id(f"answers {each.part}"): each.part for each in event.deadlines}


def is_elsewhere(event: Event, moved: Moved) -> bool:
    """Whether the event is not where everybody believes it to be."""
    return moved.known is not None and moved.known != Place(event.day, event.at, event.zone)


def _to_member(event: Event, member: Member, person: Person | None, hush: Hush) -> Iterator[News]:
    if member.role is Role.GUEST:
        return
    since = max(event.planned_from, member.joined_at)
    if event.usual:
        for told in days_told(event):
            # A vendor of one part has nothing to do with the others.
            if not told.parts or member.role is not Role.VENDOR or member.part in told.parts:
                yield from _eve_and_day(event, told, person, hush, since)
    if member.role is Role.VENDOR and (call := call_of(event, member)) is not None:
        for lead, own_since in leads_of(Occasion.VENDOR_CALL, person):
            yield News(
                rule_id=CALL,
                subject_id=event.id,
                firing_class=FiringClass.EVENT_DAY,
                about=call,
                nominal=_nominal(lead, call, hush.zone),
                useful_until=instant_of(call, hush.zone),
                possible_from=max(since, own_since or since),
                occurrence=f"call:{id_of(lead)}",
            )
    moved = event.moved
    if moved is not None and moved.by != member.user_id and is_elsewhere(event, moved):
        day = event.day or moved.day or wall_of(moved.until, event.zone).date()
        yield News(
            rule_id=MOVED,
            subject_id=event.id,
            firing_class=FiringClass.EVENT,
            about=Due(day),
            nominal=Nominal(moved.until, hush.zone, wall_of(moved.until, hush.zone)),
            useful_until=moved.until + MOVED_FOR,
            possible_from=since,
            occurrence=f"moved:{moved.until.isoformat()}",
        )
    if member.role is Role.OWNER:
        for deadline in event.deadlines:
            due = _day_of(event, deadline)
            if due is not None:
                lead = CalendarLead(Offset(days=BEFORE_ANSWERS.days), clock_of(person))
                yield News(
                    rule_id=usual_id(f"answers {deadline.part}"),
                    subject_id=event.id,
                    firing_class=FiringClass.EVENT,
                    about=due,
                    nominal=_nominal(lead, due, hush.zone),
                    useful_until=day_over(due, hush.zone),
                    possible_from=since,
                )


def _eve_and_day(
    event: Event, told: DayTold, person: Person | None, hush: Hush, since: datetime
) -> Iterator[News]:
    day = Due(told.day)
    for occasion, rule_id, kind in (
        (Occasion.EVENT_EVE, told.eve, FiringClass.EVENT),
        (Occasion.EVENT_DAY, told.today, FiringClass.EVENT_DAY),
    ):
        for lead, own_since in leads_of(occasion, person):
            useful = day_over(day, hush.zone)
            if told.start.at is not None:
                useful = instant_of(told.start, hush.zone)
            yield News(
                rule_id=rule_id,
                subject_id=event.id,
                firing_class=kind,
                about=day,
                nominal=_nominal(lead, day, hush.zone),
                useful_until=useful,
                possible_from=max(since, own_since or since),
            )


def call_of(event: Event, member: Member) -> Due | None:
    """When a vendor has to be there: at their own time, or when their part begins."""
    part = anchor_of(event, member.part)
    at = member.call_at or (None if part is None else part.at)
    if part is None or at is None:
        return None
    return Due(part.day, at, part.zone or event.zone)


def _day_of(event: Event, deadline: Deadline) -> Due | None:
    if deadline.day is not None:
        return Due(deadline.day)
    part = anchor_of(event, deadline.part)
    if part is None or deadline.days is None:
        return None
    return Due(part.day + timedelta(days=deadline.days))


def _nominal(lead: Lead, about: Due, zone: str) -> Nominal:
    match lead:
        case CalendarLead(before, clock):
            wall = datetime.combine(earlier(about.day, before), clock)
            return Nominal(resolve(wall, zone), zone, wall)
        case ElapsedLead(before):
            at = instant_of(about, zone) - before
            return Nominal(at, zone, wall_of(at, zone))


def _placed(event: Event, user_id: UserId, hush: Hush, news: News) -> list[Firing]:
    """The firing, unless its time had passed before it could exist."""
    placed = place(
        news.nominal,
        news.about,
        news.firing_class,
        user_id=user_id,
        hush=hush,
        useful_until=news.useful_until,
    )
    if min(news.nominal.at, placed.at) < news.possible_from or placed.at >= news.useful_until:
        return []
    return [
        Firing(
            dedupe_key=dedupe_key(
                news.rule_id,
                news.subject_id,
                user_id,
                occurrence=news.occurrence,
                due=news.about,
            ),
            due_at=placed.at,
            nominal_day=news.about.day,
            event_id=event.id,
            task_id=news.subject_id,
            rule_id=news.rule_id,
            user_id=user_id,
            firing_class=news.firing_class,
            grace=grace_of(news.firing_class, placed.at, hush.zone),
            useful_until=news.useful_until,
            zone=hush.zone,
            event_version=event.sched_version,
            task_version=0,
        )
    ]


def _hush(inputs: Inputs, user_id: UserId) -> Hush:
    person = inputs.people.get(user_id)
    return hush_of(person, event_zone=inputs.event.zone, ramadans=inputs.ramadans)
