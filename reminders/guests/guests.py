"""Guests: hosts invite them and see their answers, they answer, and may opt out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.paging import Page
from kernel.workers import Pulse
from reminders import limits
from reminders.authority import Act, acting_for_user, require
from reminders.days import MAIN, Deadline
from reminders.errors import (
    AnchorNotFound,
    EventCancelled,
    EventFull,
    NotInvited,
    OptOutInvalid,
)
from reminders.guest import EVERYWHERE, Answer, Guest, RemoveGuest, guest_id
from reminders.guests.ports import GuestStore
from reminders.opting import OptOutSigner
from reminders.ports import CalendarStore, Change, Counted, Decide, OtherGuests, TakeBack
from reminders.times import checked_day
from reminders.types import Sheet

GUESTS = 1000
"""Of one part."""

FARTHEST = 365
"""Days between a part and the day by which its guests answer."""


class Guests:
    """Every change beats `planning`, so that who has answered is asked no more."""

    def __init__(
        self,
        *,
        calendar: CalendarStore,
        store: GuestStore,
        clock: Clock,
        planning: Pulse,
        signer: OptOutSigner,
    ) -> None:
        self._calendar = calendar
        self._store = store
        self._clock = clock
        self._planning = planning
        self._signer = signer

    async def put_deadline(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        part: str,
        day: date | None,
        days: int | None,
    ) -> Sequence[Deadline]:
        """Say by when a part's guests answer: on a day, or so many days from the part's own;
        with neither, by no day."""
        if day is not None and days is not None:
            raise InvalidInput("day", "or days, and not both")
        if day is not None:
            checked_day(day)
        if days is not None and abs(days) > FARTHEST:
            raise InvalidInput("days", "must lie within a year of the part")
        now = self._clock.now()
        put: list[Sequence[Deadline]] = []

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            _check_part(sheet, part)
            event = sheet.event
            own = [] if day is None and days is None else [Deadline(part, day, days)]
            others = [each for each in event.deadlines if each.part != part]
            before = [each for each in event.deadlines if each.part == part]
            deadlines = (*others, *(replace(each, since=now) for each in own))
            put.append(deadlines)
            if own == [replace(each, since=None) for each in before]:
                return []
            version = event.sched_version + 1
            return [replace(event, deadlines=deadlines, sched_version=version)]

        await self._change(event_id, decide)
        return put[0]

    async def invite(
        self, principal: Principal, event_id: UUID, *, user_id: UserId, part: str
    ) -> Guest:
        """Invite a user to a part. Doing so twice keeps what they answered."""
        limits.checked_user(user_id)
        key = guest_id(event_id, user_id, part)
        present = await self._store.guest(key)
        guest = present or Guest(key, event_id, user_id, part, self._clock.now())

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.HOST)
            _check_part(sheet, part)
            if present is not None:
                return []
            if sheet.others >= GUESTS:
                raise EventFull("The part has as many guests as it may.", limit=GUESTS)
            return [guest]

        await self._change(event_id, decide, counted=OtherGuests(guest))
        return guest

    async def remove(
        self, principal: Principal, event_id: UUID, *, user_id: UserId, part: str
    ) -> None:
        """Take an invitation back. That the user opted out stays."""
        guest = await self._guest(event_id, user_id, part)

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.HOST)
            if guest is None:
                raise NotInvited("The user is not invited to this part.", user_id=user_id)
            return [RemoveGuest(guest.id), TakeBack(guest.id)]

        await self._change(event_id, decide)

    async def of(
        self, principal: Principal, event_id: UUID, *, part: str, cursor: str | None, limit: int
    ) -> tuple[Page[Guest], Mapping[Answer, int]]:
        """Who is invited to a part, and how many gave each answer."""
        sheet = await self._calendar.sheet(event_id)
        # Who comes is the hosts' to know, even when the event was cancelled.
        require(principal, sheet, Act.SEE_GUESTS)
        page = await self._store.guests_of(event_id, part, cursor=cursor, limit=limit)
        return page, (await self._store.answers(event_id)).get(part, {})

    async def answer(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        part: str,
        answer: Answer,
        user_id: UserId | None = None,
    ) -> Guest:
        """A guest says whether they come, and may say otherwise later."""
        user = acting_for_user(principal, user_id)
        if answer is Answer.INVITED:
            raise InvalidInput("answer", "must be yes, no or maybe")
        guest = await self._guest(event_id, user, part)
        if guest is None:
            raise NotInvited("You are not invited to this part.")
        answered = replace(guest, answer=answer, answered_at=self._clock.now())

        def decide(sheet: Sheet) -> Sequence[Change]:
            if sheet.event.cancelled_at is not None:
                raise EventCancelled("The event was cancelled.")
            return [] if guest.answer is answer else [answered, TakeBack(guest.id)]

        await self._change(event_id, decide)
        return guest if guest.answer is answer else answered

    def check_link(self, token: str) -> tuple[UserId, UUID]:
        """Whom a link is about, and which event. Raises `OptOutInvalid`."""
        named = self._signer.named(token)
        if named is None:
            raise OptOutInvalid("This link is not one of ours.")
        return named

    async def opt_out(self, token: str, *, everywhere: bool) -> None:
        """Whoever has the link is asked no more: about this event, or any. No login is needed,
        and doing so again changes nothing."""
        user_id, event_id = self.check_link(token)
        place = EVERYWHERE if everywhere else event_id
        await self._store.opt_out(user_id, place, now=self._clock.now())
        self._planning.beat()

    async def _guest(self, event_id: UUID, user_id: UserId, part: str) -> Guest | None:
        return await self._store.guest(guest_id(event_id, user_id, part))

    async def _change(
        self, event_id: UUID, decide: Decide, *, counted: Counted | None = None
    ) -> None:
        await self._calendar.change(event_id, decide, now=self._clock.now(), counted=counted)
        self._planning.beat()


def _check_part(sheet: Sheet, part: str) -> None:
    if part != MAIN and all(each.code != part for each in sheet.event.anchors):
        raise AnchorNotFound("The event has no such part.", code=part)
