"""What is told of an event itself: its eve and its day, a vendor's call, a move, answers. Pure.

Such a firing is about no task: the event's own id stands in the task's place, and for a guest
the invitation's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kernel.ids import UserId
from reminders.days import Moved, Place
from reminders.due import day_over, earlier, instant_of, part_since
from reminders.event_days import (
    DAY,
    EVE,
    DayTold,
    call_of,
    day_of,
    days_told,
    deadline_of,
    deadline_since,
    parts_answered,
)
from reminders.firing import Firing, FiringClass
from reminders.guest import ASKED, Guest
from reminders.identity import ONCE, dedupe_key
from reminders.lateness import grace_of
from reminders.person import Occasion, Person
from reminders.placing import Nominal, place
from reminders.quiet import Hush, hush_of
from reminders.times import end_of_day, resolve, wall_of
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

CALL, MOVED = usual_id("call"), usual_id("moved")

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
        hush = _hush(inputs, member.user_id, at_work=member.role is Role.VENDOR)
        person = inputs.people.get(member.user_id)
        for news in _to_member(event, member, person, hush):
            # Where the event is now, vendors hear when everybody does.
            when = _hush(inputs, member.user_id) if news.rule_id == MOVED else hush
            firings += _placed(event, member.user_id, when, news)
    for guest in inputs.guests:
        hush = _hush(inputs, guest.user_id)
        for news in _to_guest(event, guest, hush):
            firings += _placed(event, guest.user_id, hush, news)
    return firings


def asking_id(part: str, days: int) -> UUID:
    """The rule that asks the guests of a part so many days before they are to answer."""
    return usual_id(f"guest {part} {days}")


def spoken_as(event: Event, rule_id: UUID) -> str:
    """What a firing about the event itself is, in words for whoever asks why."""
    names = {EVE: "on the eve", DAY: "on the day", CALL: "before the call", MOVED: "after a move"}
    for each in days_told(event):
        if each.parts:
            parts = ", ".join(each.parts)
            names |= {each.eve: f"on the eve: {parts}", each.today: f"on the day: {parts}"}
    part = parts_answered(event).get(rule_id)
    return names.get(rule_id) or (f"how the answers stand: {part}" if part else "to a guest")


def news_of_move(event: Event) -> Moved | None:
    """The move that is news; none while the event is where everybody believes it to be."""
    moved = event.moved
    if moved is None or moved.known is None:
        return None
    return moved.untold if moved.known == Place(event.day, event.at, event.zone) else moved


def _to_guest(event: Event, guest: Guest, hush: Hush) -> Iterator[News]:
    deadline = deadline_of(event, guest.part)
    if deadline is None:
        return
    left = max(0, ASKED - guest.told)
    for days in GUESTS_DAYS[len(GUESTS_DAYS) - left :]:
        lead = CalendarLead(Offset(days=days), clock_of(None))
        yield News(
            rule_id=asking_id(guest.part, days),
            subject_id=guest.id,
            firing_class=FiringClass.GUEST,
            about=deadline,
            nominal=_nominal(lead, deadline, hush.zone),
            useful_until=day_over(deadline, hush.zone),
            possible_from=max(guest.invited_at, deadline_since(event, guest.part)),
        )


def _to_member(event: Event, member: Member, person: Person | None, hush: Hush) -> Iterator[News]:
    if member.role is Role.GUEST:
        return
    if event.usual:
        for told in days_told(event):
            # A vendor of one part has nothing to do with the others.
            if not told.parts or member.role is not Role.VENDOR or member.part in told.parts:
                since = max(told.since, member.joined_at)
                yield from _eve_and_day(event, told, person, hush, since)
    if member.role is Role.VENDOR:
        yield from _calls(event, member, person, hush)
    yield from _moves(event, member, hush)
    if member.role is Role.OWNER:
        yield from _answers(event, member, person, hush)


def _calls(event: Event, member: Member, person: Person | None, hush: Hush) -> Iterator[News]:
    """A vendor is called to their part."""
    call = call_of(event, member)
    if call is not None:
        since = max(part_since(event, member.part), member.joined_at)
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


def _moves(event: Event, member: Member, hush: Hush) -> Iterator[News]:
    """Everybody but who moved the event is told where it is now."""
    moved = news_of_move(event)
    if moved is not None and moved.by != member.user_id:
        day = event.day or moved.day or wall_of(moved.until, event.zone).date()
        yield News(
            rule_id=MOVED,
            subject_id=event.id,
            firing_class=FiringClass.EVENT,
            about=Due(day),
            nominal=Nominal(moved.until, hush.zone, wall_of(moved.until, hush.zone)),
            useful_until=moved.until + MOVED_FOR,
            # Whatever else was moved since: where the event is now they do not know.
            possible_from=member.joined_at,
            occurrence=f"moved:{(moved.first_until or moved.until).isoformat()}",
        )


def _answers(event: Event, member: Member, person: Person | None, hush: Hush) -> Iterator[News]:
    """Owners are told how the answers of guests stand."""
    lead = CalendarLead(Offset(days=BEFORE_ANSWERS.days), clock_of(person))
    for deadline in event.deadlines:
        due = day_of(event, deadline)
        if due is not None:
            yield News(
                rule_id=usual_id(f"answers {deadline.part}"),
                subject_id=event.id,
                firing_class=FiringClass.EVENT,
                about=due,
                nominal=_nominal(lead, due, hush.zone),
                useful_until=day_over(due, hush.zone),
                possible_from=max(deadline_since(event, deadline.part), member.joined_at),
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
            nominal = _nominal(lead, day, hush.zone)
            useful = day_over(day, hush.zone)
            if told.start.at is not None:
                useful = instant_of(told.start, hush.zone)
            if occasion is Occasion.EVENT_EVE:
                # On the day itself it would no longer be true.
                useful = min(useful, end_of_day(nominal.wall.date(), hush.zone))
            yield News(
                rule_id=rule_id,
                subject_id=event.id,
                firing_class=kind,
                about=day,
                nominal=nominal,
                useful_until=useful,
                possible_from=max(since, own_since or since),
            )


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


def _hush(inputs: Inputs, user_id: UserId, *, at_work: bool = False) -> Hush:
    return hush_of(
        inputs.people.get(user_id),
        event_zone=inputs.event.zone,
        ramadans=inputs.ramadans,
        at_work=at_work,
    )
