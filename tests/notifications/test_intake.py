"""From notices to pushes."""

from datetime import timedelta

import msgspec
import pytest

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.ids import UserId
from kernel.metrics import Metrics
from kernel.notices import Urgency, entry_of
from kernel.relay import Relay, RelayOptions
from kernel.workers import Pulse
from messaging.adapters.sql_reading import SqlReading
from notifications.audit.types import Deed
from notifications.coalescing.options import CoalescingOptions
from notifications.deciding.types import UserPreferences
from notifications.errors import TemplateNotFound, VariableMissing
from notifications.intake import Intake
from notifications.planning import notification_id
from notifications.pushes import PushState
from notifications.types import Route, TokenFault
from reminders.adapters.sql_alarms import SqlAlarmStore
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    LINA,
    Room,
    claimed,
    notice,
    registration,
)
from tests.support.metrics import value_of

LEASE = timedelta(seconds=60)


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


async def records(room, user_id, key="n1"):
    found = await room.ledger.notification(notification_id(key, user_id))
    return None if found is None else found[1]


async def test_each_user_is_told_on_each_of_their_devices(room):
    await room.register(AMINA, registration(1))
    await room.register(AMINA, registration(2))
    await room.register(KARIM, registration(3))

    await room.tell(notice(AMINA, KARIM, LINA))

    assert len(await records(room, AMINA)) == 2
    assert len(await records(room, KARIM)) == 1
    assert await records(room, LINA) == []


async def test_a_notice_that_comes_again_changes_nothing(room):
    await room.register(AMINA, registration(1))
    await room.tell(notice(AMINA), notice(AMINA))
    await room.register(AMINA, registration(2))

    await room.tell(notice(AMINA, AMINA))

    assert await room.states() == {PushState.QUEUED: 1}


async def test_each_device_is_told_in_its_own_language(room, clock):
    for number, locale in enumerate(["ar-DZ", "fr-FR", "en-GB", "de"]):
        await room.register(AMINA, registration(number, locale=locale))

    variables = {"task": "Robe", "event": "Noces", "when": "vendredi"}
    await room.tell(notice(AMINA, template="task.reminder", variables=variables))

    claim = await room.pushes.claim(
        Route.FCM, Urgency.INTERACTIVE, now=clock.now(), lease=LEASE, limit=9
    )
    titles = {attempt.address: attempt.content.title for _, attempt in claim.pushes}
    assert titles == {
        "token-0": "تذكير: \u2068Robe\u2069",
        "token-1": "Rappel : \u2068Robe\u2069",
        "token-2": "Reminder: \u2068Robe\u2069",
        "token-3": "Rappel : \u2068Robe\u2069",
    }


@pytest.mark.parametrize(
    ("urgency", "days"),
    [(Urgency.MARKETING, 30), (Urgency.TRANSACTIONAL, 60), (Urgency.INTERACTIVE, 270)],
)
async def test_devices_that_were_not_confirmed_lately_are_left_alone(room, clock, urgency, days):
    await room.register(AMINA, registration())
    clock.move(days=days)
    later = clock.now() + timedelta(hours=1)
    await room.tell(notice(AMINA, key="just", urgency=urgency, expires_at=later))
    clock.move(seconds=1)

    await room.tell(notice(AMINA, key="late", urgency=urgency, expires_at=later))

    assert len(await records(room, AMINA, "just")) == 1
    assert await records(room, AMINA, "late") == []


async def test_a_disabled_device_gets_nothing(room, clock):
    device = await room.register(AMINA, registration())
    await room.devices.disable([TokenFault(device.id, 1, "gone")], now=clock.now())

    await room.tell(notice(AMINA))

    assert await records(room, AMINA) == []


async def test_a_notice_that_no_longer_matters_is_dropped_and_counted(room, clock, metrics):
    await room.register(AMINA, registration())
    clock.move(hours=1)

    await room.tell(notice(AMINA))

    assert await records(room, AMINA) is None
    name = "notifications_notices_total"
    assert value_of(metrics, name, category="chat", outcome="expired") == 1


async def test_a_long_collapse_key_is_bounded_and_stays_its_own(room, clock):
    await room.register(AMINA, registration())
    for number, key in enumerate(["ع" * 60 + "1", "ع" * 60 + "2", "nul\0", "c" * 64]):
        await room.tell(notice(AMINA, key=str(number), collapse_key=key))

    claim = await room.pushes.claim(
        Route.FCM, Urgency.INTERACTIVE, now=clock.now(), lease=LEASE, limit=9
    )
    keys = {attempt.collapse_key for _, attempt in claim.pushes}
    assert len(keys) == 4
    assert "c" * 64 in keys
    assert all(len(key.encode()) <= 64 for key in keys)


@pytest.mark.parametrize(
    ("poison", "refusal"),
    [
        (notice(AMINA, key="p", variables={"title": "x"}), VariableMissing),
        (notice(AMINA, key="p", template="unheard.of"), TemplateNotFound),
    ],
)
async def test_a_notice_that_cannot_be_rendered_writes_nothing(room, poison, refusal):
    await room.register(AMINA, registration())

    with pytest.raises(refusal):
        await room.tell(notice(AMINA), poison)

    assert await room.states() == {}


async def test_a_poisoned_notice_fails_alone(room, database, clock):
    outbox = SqlOutbox(database, clock)
    relay = Relay(
        outbox=outbox,
        handlers={"notice": room.intake.handle},
        clock=clock,
        metrics=Metrics(),
        options=RelayOptions(attempts=1),
        pulse=Pulse(),
    )
    for number in range(5):
        await room.register(UserId(f"u{number}"), registration(number))
    poison = notice(AMINA, key="p", variables={})
    sound = [notice(UserId(f"u{number}"), key=f"k{number}") for number in range(5)]
    await outbox.add([entry_of(each) for each in [*sound[:3], poison, *sound[3:]]])

    assert await relay.step() == 6

    assert await room.states() == {PushState.QUEUED: 5}
    assert await relay.step() == 0


async def test_garbage_in_the_outbox_is_refused(room):
    (entry,) = claimed(notice(AMINA))
    broken = type(entry)(**{**{n: getattr(entry, n) for n in entry.__slots__}, "payload": b"{"})

    with pytest.raises(msgspec.DecodeError):
        await room.intake.handle([broken])


async def test_planned_pushes_wake_the_dispatcher(room):
    await room.register(AMINA, registration())

    await room.tell(notice(AMINA))

    await room.pulse.wait()


class CountingStore:
    """A push store that notes the size of each plan, and stores nothing."""

    def __init__(self):
        self.sizes = []

    async def plan(self, notifications, pushes):
        self.sizes.append(len(notifications))
        return len(pushes)


async def test_a_batch_of_crowds_is_planned_in_portions(sqlite_database, clock, metrics):
    room = Room(sqlite_database, clock, metrics)
    store = CountingStore()
    intake = Intake(
        devices=room.devices,
        pushes=store,
        shelf=room.shelf,
        voices=room.voices,
        unread=SqlReading(room.database, clock=clock),
        alarms=SqlAlarmStore(room.database, clock),
        coalescing=CoalescingOptions(),
        clock=clock,
        metrics=metrics,
        pulse=room.pulse,
    )
    crowds = [
        notice(*(UserId(f"u{crowd}-{each}") for each in range(500)), key=f"k{crowd}")
        for crowd in range(9)
    ]

    await intake.handle(claimed(*crowds))

    assert store.sizes == [2000, 2000, 500]


async def test_what_users_do_not_want_is_on_record_and_counted(room, clock, metrics):
    await room.register(AMINA, registration())
    off = UserPreferences(categories={"chat": False})
    deed = Deed("user:amina", "preference.changed", "category:chat", AMINA)
    await room.preferences.change(AMINA, lambda _: off, deed=deed, now=clock.now())

    await room.tell(notice(AMINA))

    (push,) = await records(room, AMINA)
    assert (push.state, push.reason) == (PushState.SUPPRESSED, "opted_out")
    name = "notifications_pushes_withheld_total"
    assert value_of(metrics, name, category="chat", reason="opted_out") == 1


@pytest.mark.parametrize(("exact", "level"), [(True, "time-sensitive"), (False, None)])
async def test_what_somebody_timed_themselves_may_interrupt(room, exact, level):
    await room.register(AMINA, registration())

    await room.tell(notice(AMINA, urgency=Urgency.TRANSACTIONAL, exact=exact))

    claim = await room.pushes.claim(
        Route.FCM, Urgency.TRANSACTIONAL, now=room.clock.now(), lease=LEASE, limit=9
    )
    ((_, attempt),) = claim.pushes
    assert attempt.content.apple.get("interruption-level") == level
