"""Events: create, rename, cancel, and who is in them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId, new_id
from kernel.paging import Page
from kernel.workers import Pulse
from reminders import limits
from reminders.authority import Act, acting_for, acting_for_user, member_on, require
from reminders.days import MAIN
from reminders.errors import (
    AnchorNotFound,
    EventFull,
    IdTaken,
    LastOwner,
)
from reminders.moving import checked_move
from reminders.ports import CalendarStore, Change, Decide, RemoveMember, TakeBack
from reminders.types import Event, Member, Role, Sheet


class Events:
    """Every change beats `planning`, so that the plan follows at once."""

    def __init__(self, *, store: CalendarStore, clock: Clock, planning: Pulse) -> None:
        self._store = store
        self._clock = clock
        self._planning = planning

    async def create(
        self,
        principal: Principal,
        *,
        title: str,
        zone: str,
        day: date | None,
        at: time | None,
        owner_id: UserId | None = None,
        event_id: UUID | None = None,
        usual: bool = False,
    ) -> Sheet:
        """Make an event. The caller's own `event_id` makes asking twice harmless."""
        now = self._clock.now()
        owner = acting_for(principal, owner_id)
        checked_move(day, at, zone)
        event = Event(
            id=event_id or new_id(now),
            title=limits.checked_title(title),
            zone=zone,
            day=day,
            at=at,
            created_by=owner,
            created_at=now,
            planned_from=now,
            usual=usual,
        )
        member = None if owner is None else Member(event.id, owner, Role.OWNER, now)
        stored = await self._store.create(event, member)
        if stored.created_by != owner:
            raise IdTaken("This id is taken.", id=str(event.id))
        self._planning.beat()
        return await self.get(principal, stored.id)

    async def get(self, principal: Principal, event_id: UUID) -> Sheet:
        """The event with its members and rules."""
        sheet = await self._store.sheet(event_id)
        require(principal, sheet, Act.SEE)
        return sheet

    async def of(
        self, principal: Principal, *, cursor: str | None, limit: int, user_id: UserId | None = None
    ) -> Page[Event]:
        """The events that the user is in, the one created last first."""
        user = acting_for_user(principal, user_id)
        return await self._store.events_of(user, cursor=cursor, limit=limit)

    async def rename(
        self, principal: Principal, event_id: UUID, *, title: str, usual: bool | None = None
    ) -> Sheet:
        """Give the event another title, and say whether it is told of as usual. A title changes
        no plan: texts are made when they are sent."""
        title = limits.checked_title(title)

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            event = replace(sheet.event, title=title)
            if usual is None or usual == event.usual:
                return [event]
            version = event.sched_version + 1
            return [replace(event, usual=usual, sched_version=version)]

        return await self._change(principal, event_id, decide)

    async def cancel(self, principal: Principal, event_id: UUID) -> Sheet:
        """End the event: nobody is reminded of anything in it any more."""
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            if sheet.event.cancelled_at is not None:
                require(principal, sheet, Act.SEE)
                return []
            require(principal, sheet, Act.DECIDE)
            version = sheet.event.sched_version + 1
            cancelled = replace(sheet.event, cancelled_at=now, sched_version=version)
            return [cancelled, TakeBack()]

        return await self._change(principal, event_id, decide)

    async def put_member(
        self,
        principal: Principal,
        event_id: UUID,
        *,
        user_id: UserId,
        role: Role,
        part: str = MAIN,
        call_at: time | None = None,
    ) -> Sheet:
        """Take a user in, or change what they may do, and when a vendor has to be there."""
        limits.checked_user(user_id)
        now = self._clock.now()

        def decide(sheet: Sheet) -> Sequence[Change]:
            require(principal, sheet, Act.DECIDE)
            present = sheet.member(user_id)
            joined_at = now if present is None else present.joined_at
            member = Member(event_id, user_id, role, joined_at, part, call_at)
            if present == member:
                return []
            if part != MAIN and all(each.code != part for each in sheet.event.anchors):
                raise AnchorNotFound("The event has no such part.", code=part)
            if present is None and len(sheet.members) >= limits.MEMBERS:
                raise EventFull("The event has as many members as it may.", limit=limits.MEMBERS)
            if role is not Role.OWNER:
                _keep_an_owner(sheet, present)
            version = sheet.event.sched_version + 1
            return [member, replace(sheet.event, sched_version=version)]

        return await self._change(principal, event_id, decide)

    async def remove_member(self, principal: Principal, event_id: UUID, *, user_id: UserId) -> None:
        """Take a user out; everyone may go by themselves, also when the event was cancelled."""

        def decide(sheet: Sheet) -> Sequence[Change]:
            leaving = user_id == principal.user_id
            require(principal, sheet, Act.SEE if leaving else Act.DECIDE)
            _keep_an_owner(sheet, member_on(sheet, user_id))
            version = sheet.event.sched_version + 1
            without = replace(sheet.event, sched_version=version)
            return [RemoveMember(user_id), without, TakeBack(user_id=user_id)]

        await self._store.change(event_id, decide, now=self._clock.now())
        self._planning.beat()

    async def _change(self, principal: Principal, event_id: UUID, decide: Decide) -> Sheet:
        await self._store.change(event_id, decide, now=self._clock.now())
        self._planning.beat()
        return await self.get(principal, event_id)


def _keep_an_owner(sheet: Sheet, leaving: Member | None) -> None:
    owners = [member for member in sheet.members if member.role is Role.OWNER]
    if leaving is not None and owners == [leaving]:
        raise LastOwner("The event needs an owner; make somebody else one first.")
