"""Who may say what users are told of, and ask why."""

from dataclasses import replace
from datetime import date, time, timedelta
from uuid import UUID, uuid4

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from kernel.notices import Urgency
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_threads import SqlThreads
from notifications.audit.types import AuditQuery
from notifications.deciding.categories import CategoryOptions, PreferenceOptions, Rulebook
from notifications.deciding.types import QuietHours, Ramadan, Window
from notifications.errors import DeviceNotFound, NotificationNotFound
from notifications.planning import notification_id
from notifications.preferences.explain import Explain, Question
from notifications.preferences.preferences import Preferences, Wishes
from notifications.preferences.ramadan import Ramadans
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    Room,
    notice,
    registration,
    server,
    user,
)

NIGHT = Wishes(QuietHours((Window(time(22), time(8)),)))
CHAT = Question("chat", Urgency.INTERACTIVE)
ACCOUNT = {"account": CategoryOptions(optional=False)}


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def preferences(room):
    return Preferences(
        store=room.preferences,
        devices=room.devices,
        rulebook=Rulebook(PreferenceOptions(categories=ACCOUNT)),
        clock=room.clock,
    )


@pytest.fixture
def ramadans(room):
    return Ramadans(store=room.preferences, clock=room.clock)


@pytest.fixture
def explain(room):
    return Explain(
        voices=room.voices,
        devices=room.devices,
        ledger=room.ledger,
        threads=SqlThreads(room.database),
        interval=timedelta(seconds=30),
        clock=room.clock,
    )


ASKED = {
    "get": lambda p, e, who, **named: p.get(who, **named),
    "choose": lambda p, e, who, **named: p.choose(who, "chat", enabled=False, **named),
    "be_quiet": lambda p, e, who, **named: p.be_quiet(who, NIGHT, **named),
    "consent": lambda p, e, who, **named: p.consent(
        who, "marketing", given=True, text_version="1", source="app", **named
    ),
    "consents": lambda p, e, who, **named: p.consents(who, **named),
    "explain": lambda p, e, who, **named: e.imagined(who, CHAT, **named),
}


@pytest.mark.parametrize("what", ASKED)
async def test_users_speak_for_themselves_and_only_servers_for_others(what, preferences, explain):
    async def ask(who, **named):
        return await ASKED[what](preferences, explain, who, **named)

    await ask(user(AMINA))
    await ask(server(Scope.PUSHES), user_id=KARIM)
    for who, named in (
        (user(AMINA), {"user_id": KARIM}),
        (user(AMINA), {"user_id": AMINA}),
        (server(Scope.DEVICES), {"user_id": KARIM}),
        (server(Scope.PUSHES), {}),
    ):
        with pytest.raises(Denied):
            await ask(who, **named)
    with pytest.raises(InvalidInput):
        await ask(server(Scope.PUSHES), user_id="two words")


async def test_only_servers_know_and_set_when_ramadan_is(ramadans):
    ramadan = Ramadan(1448, date(2027, 2, 9), date(2027, 3, 9), announced=True)

    await ramadans.put(server(Scope.PUSHES), ramadan)
    assert ramadan in await ramadans.all(server(Scope.PUSHES))
    for who in (user(AMINA), server(Scope.CAMPAIGNS)):
        with pytest.raises(Denied):
            await ramadans.put(who, ramadan)
        with pytest.raises(Denied):
            await ramadans.all(who)
        with pytest.raises(Denied):
            await ramadans.forget(who, 1448)
    await ramadans.forget(server(Scope.PUSHES), 1448)
    assert ramadan not in await ramadans.all(server(Scope.PUSHES))


@pytest.mark.parametrize(
    "wrong",
    [
        {"year": 2027},
        {"year": 1449},
        {"ends_on": date(2027, 2, 9)},
        {"ends_on": date(2027, 4, 9)},
        {"starts_on": date(2027, 2, 12), "ends_on": date(2027, 3, 12)},
    ],
)
async def test_dates_that_cannot_be_ramadan_are_refused(ramadans, wrong):
    ramadan = Ramadan(1448, date(2027, 2, 9), date(2027, 3, 9))

    with pytest.raises(InvalidInput):
        await ramadans.put(server(Scope.PUSHES), replace(ramadan, **wrong))


async def test_a_push_is_explained_to_its_user_and_to_servers(room, explain):
    await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    told = notification_id("n1", AMINA)

    for who in (user(AMINA), server(Scope.PUSHES)):
        assert (await explain.of_push(who, told)).notification_id == told
    with pytest.raises(NotificationNotFound):
        await explain.of_push(user(KARIM), told)
    with pytest.raises(NotificationNotFound):
        await explain.of_push(server(Scope.PUSHES), uuid4())
    with pytest.raises(Denied):
        await explain.of_push(server(Scope.DEVICES), told)


async def test_nobody_chooses_for_the_device_of_somebody_else(room, preferences, explain):
    theirs = await room.register(KARIM, registration(), agrees=False)

    with pytest.raises(DeviceNotFound):
        await preferences.choose(user(AMINA), "chat", enabled=False, device_id=theirs.id)
    with pytest.raises(DeviceNotFound):
        await explain.imagined(user(AMINA), replace(CHAT, device_id=theirs.id))


@pytest.mark.parametrize(
    "hours",
    [
        {"windows": (Window(time(22), time(22)),)},
        {"windows": tuple(Window(time(hour), time(hour, 30)) for hour in range(7))},
        {"zone": "Mars/Olympus"},
        {"weekend_days": (7,)},
        {"also": ("Chat!",)},
    ],
)
async def test_quiet_hours_that_nobody_can_mean_are_refused(preferences, hours):
    with pytest.raises(InvalidInput):
        await preferences.be_quiet(user(AMINA), Wishes(replace(NIGHT.hours, **hours)))


async def test_some_categories_are_no_switch(preferences):
    with pytest.raises(InvalidInput):
        await preferences.choose(user(AMINA), "account", enabled=False)
    with pytest.raises(InvalidInput):
        await preferences.choose(user(AMINA), "No such!", enabled=True)


async def test_every_change_is_on_record_with_who_made_it(room, preferences):
    await preferences.choose(user(AMINA), "chat", enabled=False)
    await preferences.be_quiet(server(Scope.PUSHES), NIGHT, user_id=AMINA)
    await preferences.consent(
        user(AMINA), "marketing", given=False, text_version="3", source="settings"
    )

    records = await SqlAudit(room.database).page(AuditQuery(user_id=AMINA), before=None, limit=9)
    assert {(each.deed.actor, each.deed.action) for each in records} == {
        ("user:amina", "preference.changed"),
        (f"key:{UUID(int=7)}", "preference.changed"),
        ("user:amina", "consent.withdrawn"),
    }
    assert all("amina" not in each.deed.subject for each in records)


async def test_the_usual_hours_of_ramadan_are_the_operators(preferences):
    wishes = replace(NIGHT, usual_ramadan=True)

    said = await preferences.be_quiet(user(AMINA), wishes)

    assert said.quiet.ramadan == preferences.rulebook.usual_ramadan != ()
