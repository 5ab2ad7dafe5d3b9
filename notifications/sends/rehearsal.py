"""A rehearsal: who would get what of a send, and who would not and why. Nothing is sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kernel.clock import Clock
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from notifications.deciding.decision import decide
from notifications.deciding.types import Said
from notifications.errors import DeviceNotFound, ListNotFound
from notifications.planning import Planner, asked_of
from notifications.ports import DeviceStore
from notifications.preferences.voices import Voices
from notifications.sends.census import NOBODY, Counting
from notifications.sends.drafting import notice_for, users_of
from notifications.sends.ports import CensusStore, ListStore, SendStore
from notifications.sends.sends import drafted
from notifications.sends.types import Audience, Census, Request
from notifications.templates.shelf import Shelf
from notifications.types import Content, Device

SAMPLE = 500
"""Of a list, so many users are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one device would get, or why it would get nothing, or not before `until`."""

    device: Device
    content: Content | None
    reason: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class UserForecast:
    """What one user would be told, on which devices; `reason` says why nowhere at all."""

    user_id: UserId
    devices: Sequence[Forecast]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A send that was not sent. Of a list longer than `SAMPLE` only the first users are here,
    and the `census` counts all of them.

    `content` is what a topic would get.
    """

    targeted: int
    users: Sequence[UserForecast]
    unknown_device_ids: Sequence[UUID] = ()
    content: Content | None = None
    census: Census | None = None


class Rehearsal:
    """What servers may try out."""

    def __init__(
        self,
        *,
        store: SendStore,
        lists: ListStore,
        devices: DeviceStore,
        census: CensusStore,
        shelf: Shelf,
        voices: Voices,
        clock: Clock,
    ) -> None:
        self._store = store
        self._lists = lists
        self._devices = devices
        self._shelf = shelf
        self._voices = voices
        self._clock = clock
        self._counting = Counting(store=census, lists=lists, voices=voices, clock=clock)

    async def rehearse(
        self, principal: Principal, request: Request, *, counted: Census | None = None
    ) -> Rehearsed:
        """What `request` would do now. Refuses whatever sending would refuse.

        With what was `counted` of a list before, counting goes on there, and nobody is looked
        at one by one.
        """
        principal.require(Scope.PUSHES)
        now = self._clock.now()
        asked = request.audience.device_ids
        owners = await self._store.owners(asked) if asked else {}
        draft = await drafted(
            principal, request, owners, store=self._store, shelf=self._shelf, now=now
        )
        if draft.plan is not None:
            return Rehearsed(1, [], content=draft.plan[1].content)
        audience = draft.send.audience
        targeted, users = await self._users(audience, users_of(audience, owners))
        notice = notice_for(draft.send.notice, users, start=0)
        said = await self._voices.about([notice])
        rulebook = self._voices.rulebook
        planner = Planner(notice, await self._shelf.of(notice), now=now, rulebook=rulebook)
        devices = await self._devices.of_users(users)
        long = audience.list_id and targeted > len(users)
        census = None
        if long:
            census = await self._counting.count(audience.list_id, notice, counted=counted or NOBODY)
        if counted is not None:
            users = ()
        return Rehearsed(
            targeted,
            [
                self._forecast(planner, user_id, _meant(audience, devices.get(user_id, ())), said)
                for user_id in users
            ],
            unknown_device_ids=[each for each in audience.device_ids if each not in owners],
            census=census,
        )

    def _forecast(
        self, planner: Planner, user_id: UserId, devices: Sequence[Device], said: Said
    ) -> UserForecast:
        if not devices:
            return UserForecast(user_id, [], "no_device")
        notification = planner.notification(user_id)
        facts = self._voices.rulebook.facts(
            said,
            user_id,
            category=notification.category,
            urgency=notification.urgency,
            thread=notification.thread,
        )
        forecasts = []
        for device in devices:
            asked = asked_of(notification, device, now=notification.created_at)
            decision = decide(asked, facts)
            pushes = planner.pushes(notification, [device], said)
            would = bool(pushes) and not pushes[0].suppressed
            forecasts.append(
                Forecast(
                    device,
                    pushes[0].content if would else None,
                    reason="" if would and decision.until is None else str(decision.reason),
                    until=decision.until if would else None,
                )
            )
        return UserForecast(user_id, forecasts)

    async def _users(
        self, audience: Audience, named: Sequence[UserId]
    ) -> tuple[int, Sequence[UserId]]:
        if audience.device_ids and not named:
            raise DeviceNotFound("There is none of these devices.")
        if not audience.list_id:
            return len(named), named
        size = await self._lists.size(audience.list_id)
        if size is None:
            raise ListNotFound("There is no such list.", list_id=audience.list_id)
        return size[0], await self._lists.users(audience.list_id, after="", limit=SAMPLE)


def _meant(audience: Audience, devices: Sequence[Device]) -> Sequence[Device]:
    """Those of a user's devices that the audience is about."""
    wanted = frozenset(audience.device_ids)
    return [each for each in devices if not wanted or each.id in wanted]
