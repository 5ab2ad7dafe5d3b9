"""Local alarms: devices keep their user's next reminders, and are pushed only what they do not.

A device asks for what comes, schedules it, and acknowledges what it holds and until when. A
change after it asked is told once, until it asks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from reminders.action import ActionSigner
from reminders.alarm import AT_ONCE, AlarmSync, alarm_of
from reminders.alarm_ports import AlarmStore
from reminders.errors import DeviceUnknown
from reminders.firing import DueFiring, Outcome
from reminders.handover import judge
from reminders.outside import Owners
from reminders.oversight import OperatingStore
from reminders.ports import Almanac
from reminders.saying import data_of, words_of

FARTHEST = timedelta(days=35)
"""A device may hold alarms for so long: that is as far as plans reach."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """One reminder to keep: what the device shows, when, and what its app is told of it."""

    id: str
    due: DueFiring
    words: dict[str, str | int | float]
    data: dict[str, str]


@dataclass(frozen=True, slots=True)
class Alarms:
    """What a device is to hold: all there is until an instant."""

    alarms: Sequence[Alarm]
    until: datetime
    held: AlarmSync | None


class LocalAlarms:
    """For a device's own user, and for servers."""

    def __init__(
        self,
        *,
        store: AlarmStore,
        almanac: Almanac,
        operating: OperatingStore,
        owners: Owners,
        signer: ActionSigner,
        clock: Clock,
        default_locale: str,
    ) -> None:
        self._store = store
        self._almanac = almanac
        self._operating = operating
        self._owners = owners
        self._signer = signer
        self._clock = clock
        self._default_locale = default_locale

    async def of(self, principal: Principal, device_id: UUID) -> Alarms:
        """What comes for the device's user, the next first, and what the device holds of it."""
        user = await self._owner(principal, device_id)
        now = self._clock.now()
        held = (await self._store.syncs([user])).get(device_id)
        await self._store.ask(device_id, user, until=now + FARTHEST)
        coming = await self._store.coming(user, after=now, limit=AT_ONCE + 1)
        ramadans, paused = await self._almanac.ramadans(), await self._operating.paused()
        until = now + FARTHEST
        if len(coming) > AT_ONCE:
            until = coming[-1].firing.due_at
        alarms = [
            self._alarm(each, now)
            for each in coming[:AT_ONCE]
            # Whatever would not go off as it stands is planned anew, and told when it is.
            if judge(each, now=each.firing.due_at, ramadans=ramadans).outcome is Outcome.FIRED
            # Nobody can hold back what a device shows by itself.
            and each.firing.firing_class not in paused
            and each.firing.due_at < until
        ]
        return Alarms(alarms, until, held)

    async def acknowledge(
        self, principal: Principal, device_id: UUID, *, alarms: Sequence[str], until: datetime
    ) -> None:
        """The device holds these, and has seen all there is until then."""
        user = await self._owner(principal, device_id)
        now = self._clock.now()
        if len(alarms) > AT_ONCE:
            raise InvalidInput("alarms", f"must be at most {AT_ONCE}")
        if not now <= until <= now + FARTHEST:
            raise InvalidInput("until", f"must be to come, and within {FARTHEST.days} days")
        await self._store.hold(AlarmSync(device_id, user, tuple(dict.fromkeys(alarms)), until, now))

    async def forget(self, principal: Principal, device_id: UUID) -> None:
        """The device shows nothing by itself any more. Doing so twice is harmless."""
        user = await self._owner(principal, device_id)
        await self._store.release(device_id, user)

    def _alarm(self, due: DueFiring, now: datetime) -> Alarm:
        return Alarm(
            alarm_of(due),
            due,
            words_of(due, now=now, default_locale=self._default_locale),
            data_of(due.firing, self._signer, now=now),
        )

    async def _owner(self, principal: Principal, device_id: UUID) -> UserId:
        if principal.user_id is None:
            principal.require(Scope.REMINDERS)
        owner = await self._owners.owner(device_id)
        if owner is None or principal.user_id not in (None, owner):
            raise DeviceUnknown("There is no such device.")
        return owner
