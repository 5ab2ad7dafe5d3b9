"""What a user is usually reminded of, and how early: the layer between the product and a task."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, time

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.workers import Pulse
from reminders.authority import acting_for_user
from reminders.limits import RULES
from reminders.people import known
from reminders.person import Occasion, Person, Usual, UsualLead
from reminders.ports import CalendarStore
from reminders.usual import PRODUCT, clock_of

FARTHEST_DAYS = 730
FARTHEST_MINUTES = 40_320

TIMED = frozenset({Occasion.APPOINTMENT, Occasion.VENDOR_CALL})
"""What has a time, so that minutes before it mean something."""

FIXED = {Occasion.EVENT_EVE: 1, Occasion.EVENT_DAY: 0}
"""Occasions that are on a day of their own: only the time of day can be another."""


@dataclass(frozen=True, slots=True)
class Own:
    """What a user says of an occasion; without `leads` the product's hold."""

    on: bool = True
    leads: tuple[UsualLead, ...] | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds for an occasion, and whether the user said so."""

    on: bool
    leads: tuple[UsualLead, ...]
    own: bool


class Defaults:
    """A change beats `planning`: whatever is planned for the user follows."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def get(
        self, principal: Principal, *, user_id: UserId | None = None
    ) -> tuple[time, Mapping[Occasion, Effective]]:
        """The user's own time of day, and what holds for each occasion."""
        return _effective(known(await self._store.person(acting_for_user(principal, user_id))))

    async def put(
        self,
        principal: Principal,
        *,
        clock: time | None,
        occasions: Mapping[Occasion, Own],
        user_id: UserId | None = None,
    ) -> tuple[time, Mapping[Occasion, Effective]]:
        """Say it; of occasions that are left out the user is told as the product does."""
        for occasion, own in occasions.items():
            _check(occasion, own)
        now = self._clock.now()

        def change(earlier: Person | None) -> Person:
            person = known(earlier)
            said = {each: _said(person, each, own, now) for each, own in occasions.items()}
            return replace(person, clock=clock, usual=said)

        user = acting_for_user(principal, user_id)
        person = await self._store.change_person(user, change, now=now)
        self._planning.beat()
        return _effective(person)


def _said(person: Person, occasion: Occasion, own: Own, now: datetime) -> Usual:
    """What the user says from now on, or said before and repeats."""
    earlier = person.usual.get(occasion)
    if earlier is not None and (earlier.on, earlier.leads) == (own.on, own.leads):
        return earlier
    return Usual(now, own.on, own.leads)


def _effective(person: Person) -> tuple[time, Mapping[Occasion, Effective]]:
    found: dict[Occasion, Effective] = {}
    for occasion in Occasion:
        said = person.usual.get(occasion)
        leads = said.leads if said is not None else None
        found[occasion] = Effective(
            on=said is None or said.on,
            leads=PRODUCT[occasion] if leads is None else leads,
            own=said is not None,
        )
    return clock_of(person), found


def _check(occasion: Occasion, own: Own) -> None:
    field = f"occasions.{occasion}.leads"
    if own.leads is None:
        return
    if occasion is Occasion.OVERDUE:
        raise InvalidInput(field, "cannot be chosen; it is on or off")
    if occasion in FIXED and [each.days for each in own.leads] != [FIXED[occasion]]:
        raise InvalidInput(field, f"must be one, {FIXED[occasion]} days before")
    if len(own.leads) > RULES:
        raise InvalidInput(field, f"must be at most {RULES}")
    if len({(each.days, each.minutes) for each in own.leads}) < len(own.leads):
        raise InvalidInput(field, "must be different ones")
    for lead in own.leads:
        if (lead.days is None) == (lead.minutes is None):
            raise InvalidInput(field, "must have either days or minutes")
        if lead.minutes is not None and (occasion not in TIMED or lead.at is not None):
            raise InvalidInput(field, "in minutes need what has a time, and have none of their own")
        if not 0 <= (lead.days or 0) <= FARTHEST_DAYS:
            raise InvalidInput(field, f"must be at most {FARTHEST_DAYS} days")
        if lead.minutes is not None and not 1 <= lead.minutes <= FARTHEST_MINUTES:
            raise InvalidInput(field, f"must be at most {FARTHEST_MINUTES} minutes")
