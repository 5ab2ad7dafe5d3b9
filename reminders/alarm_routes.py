"""What can be asked about a device's local alarms, and its bodies."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from msgspec import Meta

from kernel.errors import InvalidInput
from kernel.identity import Principal
from kernel.operations import AnyOperation, Nothing
from reminders import errors
from reminders.alarm import AT_ONCE, AlarmSync
from reminders.alarms import Alarm, LocalAlarms
from reminders.offers import both
from reminders.schemas import Ask, Reply
from reminders.times import wall_of


class OneDevice(Ask, frozen=True, kw_only=True):
    device_id: UUID


class AcknowledgeAlarms(OneDevice, frozen=True, kw_only=True):
    """The ids of the alarms that the device holds, and until when it knows of all there are."""

    alarms: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=AT_ONCE)]
    until: Annotated[datetime, Meta(tz=True)]


class AlarmBody(Reply, frozen=True, kw_only=True):
    """One reminder to keep. `firing` is also the tag of the push, so that one takes the other's
    place; `id` is acknowledged."""

    id: str
    firing: str
    due_at: datetime
    wall: str
    zone: str
    task: str
    event: str
    when: str
    link: str
    data: dict[str, str]


class HeldBody(Reply, frozen=True, kw_only=True):
    """What the device acknowledged last; `stale_at` since when it is no longer so."""

    alarms: list[str]
    until: datetime
    acknowledged_at: datetime
    stale_at: datetime | None


class AlarmsAnswer(Reply, frozen=True, kw_only=True):
    """What the device is to hold, all there is until an instant, and what it holds."""

    alarms: list[AlarmBody]
    until: datetime
    held: HeldBody | None


def operations(alarms: LocalAlarms) -> list[AnyOperation]:
    """Users and servers may ask the same."""

    async def listed(principal: Principal, asked: OneDevice) -> AlarmsAnswer:
        found = await alarms.of(principal, asked.device_id)
        held = None if found.held is None else _held(found.held)
        return AlarmsAnswer(
            alarms=[_alarm(each) for each in found.alarms], until=found.until, held=held
        )

    async def acknowledge(principal: Principal, asked: AcknowledgeAlarms) -> Nothing:
        await alarms.acknowledge(principal, asked.device_id, alarms=asked.alarms, until=asked.until)
        return Nothing()

    async def forget(principal: Principal, asked: OneDevice) -> Nothing:
        await alarms.forget(principal, asked.device_id)
        return Nothing()

    path = "/devices/{device_id}/alarms"
    return [
        *both(
            "alarms.list",
            "GET",
            path,
            "What a device may show by itself: its user's next reminders.",
            OneDevice,
            AlarmsAnswer,
            listed,
            (errors.DeviceUnknown,),
        ),
        *both(
            "alarms.acknowledge",
            "PUT",
            path,
            "Say which reminders a device shows by itself.",
            AcknowledgeAlarms,
            Nothing,
            acknowledge,
            (InvalidInput, errors.DeviceUnknown),
        ),
        *both(
            "alarms.forget",
            "DELETE",
            path,
            "Say that a device shows no reminders by itself.",
            OneDevice,
            Nothing,
            forget,
            (errors.DeviceUnknown,),
        ),
    ]


def _alarm(alarm: Alarm) -> AlarmBody:
    firing = alarm.due.firing
    return AlarmBody(
        id=alarm.id,
        firing=alarm.data["firing"],
        due_at=firing.due_at,
        wall=wall_of(firing.due_at, firing.zone).isoformat(),
        zone=firing.zone,
        task=str(alarm.words["task"]),
        event=str(alarm.words["event"]),
        when=str(alarm.words["when"]),
        link=f"/events/{firing.event_id}/tasks/{firing.task_id}",
        data=alarm.data,
    )


def _held(sync: AlarmSync) -> HeldBody:
    return HeldBody(
        alarms=list(sync.alarms),
        until=sync.until,
        acknowledged_at=sync.acknowledged_at,
        stale_at=sync.stale_at,
    )
