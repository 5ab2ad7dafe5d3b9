"""Why a user is reminded of a task, or is not: every rule, step by step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal
from kernel.ids import UserId
from reminders.aftermath import Aftermath, Told
from reminders.alarm import AlarmSync
from reminders.alarm_ports import AlarmStore
from reminders.authority import Act, acting_for_user, member_on, require, task_on
from reminders.errors import NotInvited
from reminders.firing import Coming, Settled
from reminders.guest import guest_id
from reminders.guest_tracing import guest_traces, without_place
from reminders.guests.ports import GuestStore
from reminders.oversight import OperatingStore
from reminders.person import Person
from reminders.ports import Almanac, CalendarStore, FiringStore
from reminders.task_tracing import task_traces
from reminders.tracing import Trace, as_things_stand, news_traces
from reminders.types import Inputs

SKEW = timedelta(seconds=5)
"""How far apart the clocks of those may be who let a firing go off and who tell it."""


@dataclass(frozen=True, slots=True)
class Explained:
    """Every rule that touches the task, and what became of the user's firings so far; and of
    the notices that told them, by their keys, as far as that is still on record. `holding` is
    what the user's devices acknowledged: they show that by themselves."""

    traces: Sequence[Trace]
    settled: Sequence[Settled]
    told: Mapping[str, Told]
    holding: Sequence[AlarmSync]

    def told_of(self, settled: Settled) -> Told | None:
        """The notice that told a firing: of several that may have, the first one after it."""
        since = (settled.told_at or settled.decided_at) - SKEW
        found = [self.told[key] for key in settled.notice_keys if key in self.told]
        later = [each for each in found if each.at is None or each.at >= since]
        return min(later, key=lambda each: each.at or since, default=None)


class Explain:
    """Computed from what is true now; nothing of it is stored."""

    def __init__(
        self,
        *,
        calendar: CalendarStore,
        firings: FiringStore,
        aftermath: Aftermath,
        alarms: AlarmStore,
        guests: GuestStore,
        almanac: Almanac,
        operating: OperatingStore,
        clock: Clock,
    ) -> None:
        self._guests = guests
        self._operating = operating
        self._calendar = calendar
        self._firings = firings
        self._aftermath = aftermath
        self._alarms = alarms
        self._almanac = almanac
        self._clock = clock

    async def upcoming(
        self, principal: Principal, *, cursor: str | None, limit: int, user_id: UserId | None = None
    ) -> Coming:
        """What the user will be reminded of within the horizon, the next first."""
        user = acting_for_user(principal, user_id)
        return await self._firings.upcoming(user, cursor=cursor, limit=limit)

    async def of_event(
        self, principal: Principal, event_id: UUID, *, user_id: UserId | None = None
    ) -> Explained:
        """Why the user is told of the event itself, or is not."""
        user = acting_for_user(principal, user_id)
        sheet = await self._calendar.sheet(event_id)
        require(principal, sheet, Act.SEE)
        member_on(sheet, user)
        person = await self._calendar.person(user)
        people = {} if person is None else {user: person}
        ramadans = await self._almanac.ramadans()
        inputs = Inputs(sheet.event, sheet.members, [], [], people, ramadans)
        traces = news_traces(inputs, user, self._clock.now())
        settled = await self._firings.settled(event_id, user)
        return await self._explained(traces, settled, user, person)

    async def of_guest(
        self, principal: Principal, event_id: UUID, *, user_id: UserId, part: str
    ) -> Explained:
        """Why a guest is asked for an answer, or is not: for themselves, hosts and servers.

        Hosts hear neither where the guest is nor what became of it on which device.
        """
        sheet = await self._calendar.sheet(event_id)
        if principal.user_id != user_id:
            require(principal, sheet, Act.SEE_GUESTS)
        invitation = await self._guests.invitation(guest_id(event_id, user_id, part))
        if invitation is None:
            raise NotInvited("The user is not invited to this part.", user_id=user_id)
        person = await self._calendar.person(user_id)
        traces = guest_traces(
            sheet.event,
            invitation,
            person,
            ramadans=await self._almanac.ramadans(),
            now=self._clock.now(),
        )
        settled = await self._firings.settled(invitation.guest.id, user_id)
        if principal.user_id not in (None, user_id):
            return Explained([without_place(each) for each in traces], settled, {}, [])
        return await self._explained(traces, settled, user_id, person)

    async def of(
        self,
        principal: Principal,
        event_id: UUID,
        task_id: UUID,
        *,
        user_id: UserId | None = None,
    ) -> Explained:
        """Why the task's rules remind the user, or do not."""
        user = acting_for_user(principal, user_id)
        sheet = await self._calendar.sheet(event_id, task_id=task_id)
        require(principal, sheet, Act.SEE)
        task = task_on(principal, sheet)
        member_on(sheet, user)
        person = await self._calendar.person(user)
        now = self._clock.now()
        inputs = Inputs(
            event=sheet.event,
            members=sheet.members,
            tasks=[task],
            rules=sheet.rules,
            people={} if person is None else {user: person},
            ramadans=await self._almanac.ramadans(),
            spread=await self._almanac.spread(),
        )
        traces = task_traces(inputs, task, user, now)
        settled = await self._firings.settled(task_id, user)
        return await self._explained(traces, settled, user, person)

    async def _explained(
        self,
        traces: Sequence[Trace],
        settled: Sequence[Settled],
        user_id: UserId,
        person: Person | None,
    ) -> Explained:
        traces = as_things_stand(traces, person, await self._operating.paused())
        keys = sorted({key for each in settled for key in each.notice_keys})
        told = await self._aftermath.of(user_id, keys)
        holding = await self._alarms.syncs([user_id])
        ordered = sorted(holding.values(), key=lambda each: str(each.device_id))
        return Explained(traces, settled, told, ordered)
