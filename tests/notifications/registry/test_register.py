"""Who may do what with devices in any number, and what is taken for one."""

from dataclasses import replace
from datetime import timedelta

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.ids import UserId
from kernel.notices import Urgency
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_erasure import SqlEraser
from notifications.adapters.sql_registry import SqlRegistry
from notifications.audit.types import AuditQuery
from notifications.errors import AppNotFound, DeviceNotFound
from notifications.registry.erasure import Erasure
from notifications.registry.register import BATCH, Register
from notifications.registry.types import Arrival, DeviceQuery, Imported
from notifications.types import Permission, TokenFault
from tests.support.factories_notifications import AMINA, Room, notice, registration, server, user

ANY = DeviceQuery()
OPERATOR = server(Scope.DEVICES)
STRANGERS = [user(AMINA), server(), server(*(set(Scope) - {Scope.DEVICES}))]


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def register(room):
    return Register(
        registry=SqlRegistry(room.database),
        audit=SqlAudit(room.database),
        clock=room.clock,
        per_user=25,
    )


async def deeds(room):
    page = await SqlAudit(room.database).page(AuditQuery(), before=None, limit=100)
    return [(each.deed.action, each.deed.subject) for each in page]


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(
    "ask",
    [
        lambda register, who, device: register.page(who, ANY, cursor=None, limit=1),
        lambda register, who, device: register.export(who, ANY, cursor=None, limit=1),
        lambda register, who, device: register.inspect(who, device.id),
        lambda register, who, device: register.counts(who),
        lambda register, who, device: register.remove(who, device.id),
        lambda register, who, device: register.bring(
            who, [Imported(AMINA, registration(), device.confirmed_at)]
        ),
    ],
    ids=["page", "export", "inspect", "counts", "remove", "bring"],
)
async def test_only_servers_that_look_after_devices_may(room, register, stranger, ask):
    device = await room.register(AMINA, registration())

    with pytest.raises(Denied):
        await ask(register, stranger, device)

    assert await room.device(device.id, AMINA) == device
    assert await deeds(room) == []


async def test_only_users_log_out_and_only_themselves(room, register):
    await room.register(AMINA, registration(1))

    with pytest.raises(Denied):
        await register.logout(OPERATOR, installation_id="installation-1")
    assert await register.logout(user(UserId("karim")), installation_id="installation-1") == 0
    assert await register.logout(user(AMINA), installation_id="installation-1") == 1


async def test_who_logged_out_gets_nothing_that_was_still_waiting(room, register):
    await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    await register.logout(user(AMINA), installation_id="installation-1")

    claim = await room.pushes.claim(
        "fcm", Urgency.INTERACTIVE, now=room.clock.now(), lease=timedelta(minutes=1), limit=9
    )

    assert (claim.pushes, claim.suppressed) == ([], 1)


async def test_an_export_is_on_record_once_however_many_pages_it_has(room, register):
    await room.phones(3)

    first = await register.export(OPERATOR, ANY, cursor=None, limit=2)
    rest = await register.export(OPERATOR, ANY, cursor=first.cursor, limit=2)

    assert len(first.items) + len(rest.items) == 3
    assert rest.cursor is None
    assert await deeds(room) == [("devices.exported", "app:*")]


async def test_what_is_no_device_is_refused_alone(room, register, clock):
    sound = Imported(AMINA, registration(1), clock.now())
    said = await register.bring(
        OPERATOR,
        [
            replace(sound, user_id=UserId("a b")),
            sound,
            replace(sound, registration=registration(2, locale="?")),
            replace(sound, registration=registration(3, app_id="nowhere")),
            replace(sound, confirmed_at=clock.now() + timedelta(seconds=1)),
        ],
    )

    assert said[1] is Arrival.NEW
    assert [type(each) for each in said if each is not Arrival.NEW] == [
        InvalidInput,
        InvalidInput,
        AppNotFound,
        InvalidInput,
    ]
    assert await deeds(room) == [("devices.imported", "devices:*")]


@pytest.mark.parametrize("number", [0, BATCH + 1])
async def test_an_import_has_a_sensible_size(register, clock, number):
    imported = [Imported(AMINA, registration(), clock.now())] * number

    with pytest.raises(InvalidInput):
        await register.bring(OPERATOR, imported)


async def test_an_operator_sees_why_a_device_gets_nothing(room, register, clock):
    device = await room.register(AMINA, registration())
    await room.tell(notice(AMINA))

    fresh = await register.inspect(OPERATOR, device.id)
    clock.move(days=31)
    month = await register.inspect(OPERATOR, device.id)
    clock.move(days=30)
    two = await register.inspect(OPERATOR, device.id)
    await room.devices.disable([TokenFault(device.id, 1, "gone")], now=clock.now())
    gone = await register.inspect(OPERATOR, device.id)

    assert (fresh.obstacles, len(fresh.pushes)) == ({}, 1)
    assert month.obstacles == {Urgency.MARKETING: "device_stale"}
    assert two.obstacles.keys() == {Urgency.MARKETING, Urgency.TRANSACTIONAL}
    assert set(gone.obstacles.values()) == {"device_disabled"}


async def test_a_device_that_may_show_nothing_is_told_nothing(room, register):
    device = await room.register(AMINA, registration(permission=Permission.DENIED))

    await room.tell(notice(AMINA))

    found = await register.inspect(OPERATOR, device.id)
    assert set(found.obstacles.values()) == {"not_permitted"}
    assert found.pushes == []


async def test_a_device_that_is_not_there_is_not_found(register, room):
    device = await room.register(AMINA, registration())
    await register.remove(OPERATOR, device.id)

    with pytest.raises(DeviceNotFound):
        await register.remove(OPERATOR, device.id)
    with pytest.raises(DeviceNotFound):
        await register.inspect(OPERATOR, device.id)


@pytest.mark.parametrize("stranger", [user(AMINA), server(), server(*(set(Scope) - {Scope.USERS}))])
async def test_only_servers_that_look_after_users_erase_them(room, stranger):
    erasure = Erasure(eraser=SqlEraser(room.database), clock=room.clock)
    device = await room.register(AMINA, registration())

    with pytest.raises(Denied):
        await erasure.erase(stranger, AMINA)
    assert await room.device(device.id, AMINA) == device

    await erasure.erase(server(Scope.USERS), AMINA)
    assert await room.device(device.id, AMINA) is None
    [(action, subject)] = await deeds(room)
    assert action == "user.erased"
    assert "amina" not in subject
