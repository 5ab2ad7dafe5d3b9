"""From what people do to what arrives on phones: the wired rooms, step by step, on one clock."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from kernel.adapters.database import DatabaseOptions
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.notices import Urgency
from messaging.types import Presence
from notifications.apps.types import Credential, ProviderName
from notifications.sandbox.faults import Fault
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.record import Arrival
from server.wiring.groups import Settings
from server.wiring.preparing import prepare
from server.wiring.providers import Providers
from tests.support.clock import ManualClock
from tests.support.rooms import Rooms, address
from tests.support.servers import free_port
from tests.support.tokens import TOKEN_OPTIONS

AMINA, KARIM, LINA = map(UserId, ("amina", "karim", "lina"))
OPERATOR = Principal(key_id=uuid4(), scopes=frozenset(Scope))


def words(arrivals: list[Arrival]) -> Mapping[str, tuple[str, str]]:
    """Title and body by address; each address has one arrival."""
    told = {each.address: (each.title, each.body) for each in arrivals}
    assert len(told) == len(arrivals)
    return told


@pytest.fixture
async def rooms(database_url: str, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Rooms]:
    plain = Settings()
    settings = replace(
        plain,
        server=replace(plain.server, push="sandbox"),
        database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
        tokens=TOKEN_OPTIONS,
        sandbox=SandboxOptions(
            directory=str(tmp_path / "sandbox"),
            page_port=free_port(),
            fcm_port=free_port(),
            apns_port=free_port(),
            apns_sandbox_port=free_port(),
            webpush_port=free_port(),
        ),
    )
    async with Rooms(prepare(settings), clock).open() as opened:
        yield opened


async def test_who_is_away_gets_one_push_per_message_on_each_device(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(KARIM, 1)
    await rooms.phone(KARIM, 2)
    await rooms.iphone(KARIM, 3)
    await rooms.phone(AMINA, 4)
    conversation = await rooms.group(AMINA, KARIM)

    for number in range(3):
        await rooms.say(AMINA, conversation, f"message {number}")
        arrived = await rooms.work()

        assert sorted(each.address for each in arrived) == [f"{3:064x}", address(1), address(2)]
        assert all(f"message {number}" in each.body for each in arrived)
        clock.move(seconds=30)
    assert await rooms.work() == []


async def test_who_is_here_or_has_muted_gets_none(rooms: Rooms):
    for number, user_id in enumerate((KARIM, LINA)):
        await rooms.phone(user_id, number)
    conversation = await rooms.group(AMINA, KARIM, LINA)
    await rooms.ask("conversations.mute", LINA, conversation_id=conversation, muted=True)
    here = Presence(client="c1", user_id=KARIM)
    await rooms.chat.registry.enter([here])

    await rooms.say(AMINA, conversation, "vous êtes là ?")
    assert await rooms.work() == []

    await rooms.chat.registry.leave([here])
    await rooms.say(AMINA, conversation, "et maintenant ?")
    assert [each.address for each in await rooms.work()] == [address(0)]


async def test_each_phone_speaks_its_language_and_keeps_others_words_apart(rooms: Rooms):
    for number, locale in enumerate(("fr-DZ", "ar-DZ", "en-GB")):
        await rooms.phone(KARIM, number, locale)
    conversation = await rooms.group(AMINA, KARIM)

    await rooms.say(AMINA, conversation, "Salle à 14h إن شاء الله")

    sender, text = "\u2068amina\u2069", "\u2068Salle à 14h إن شاء الله\u2069"
    assert words(await rooms.work()) == {
        address(0): ("زفاف أمينة", f"{sender} : {text}"),
        address(1): ("زفاف أمينة", f"{sender}: {text}"),
        address(2): ("زفاف أمينة", f"{sender}: {text}"),
    }


async def test_an_app_that_was_removed_is_told_nothing_more(rooms: Rooms, clock: ManualClock):
    gone, kept = await rooms.phone(KARIM, 1), await rooms.phone(KARIM, 2)
    rooms.sandbox.faults.add(Fault("fcm", "UNREGISTERED", prefix=address(1)))
    conversation = await rooms.group(AMINA, KARIM)

    await rooms.say(AMINA, conversation, "un")
    assert [each.address for each in await rooms.work()] == [address(2)]

    devices = (await rooms.ask("devices.list", KARIM)).devices
    disabled = {each.id: each.disabled_reason for each in devices}
    assert disabled == {gone.id: "UNREGISTERED", kept.id: ""}
    clock.move(seconds=30)
    await rooms.say(AMINA, conversation, "deux")
    assert [each.address for each in await rooms.work()] == [address(2)]


async def test_addresses_refused_in_a_row_stop_the_route_and_cost_no_device(rooms: Rooms):
    """A wrong project looks like this; were it believed, every good address would be lost."""
    rooms.sandbox.faults.add(Fault("fcm", "SENDER_ID_MISMATCH", prefix="phone-"))
    crowd = [UserId(f"guest-{number}") for number in range(25)]
    for number, user_id in enumerate(crowd):
        await rooms.phone(user_id, number)
    conversation = await rooms.group(AMINA, *crowd)

    await rooms.say(AMINA, conversation, "bienvenue")
    assert await rooms.work() == []

    for user_id in crowd:
        (device,) = (await rooms.ask("devices.list", user_id)).devices
        assert device.disabled_at is None


async def test_a_campaign_reaches_its_languages_and_its_counts_add_up(rooms: Rooms):
    for number, locale in enumerate(("fr-DZ", "fr-FR", "ar-DZ", "en")):
        guest = UserId(f"guest-{number}")
        await rooms.phone(guest, number, locale)
        await rooms.ask(
            "consents.record", guest, category="marketing", given=True, text_version="2026-01"
        )
    rooms.sandbox.faults.add(Fault("fcm", "UNREGISTERED", prefix=address(1)))
    campaign = await rooms.ask(
        "campaigns.create",
        OPERATOR,
        name="Salon",
        idempotency_key="salon",
        texts={
            "fr": {"title": "Salon", "body": "Vendredi"},
            "ar": {"title": "صالون", "body": "الجمعة"},
        },
        locales=["fr", "ar"],
    )
    assert await rooms.work() == []

    await rooms.ask("campaigns.start", OPERATOR, campaign_id=campaign.id)

    assert words(await rooms.work()) == {
        address(0): ("Salon", "Vendredi"),
        address(2): ("صالون", "الجمعة"),
    }
    told = await rooms.ask("campaigns.get", OPERATOR, campaign_id=campaign.id)
    assert (told.planned, told.targeted) == (True, 3)
    assert {state: n for state, n in told.counts.items() if n} == {"accepted": 2, "rejected": 1}


async def test_a_reminder_arrives_the_day_before_at_nine_on_the_users_own_wall(
    rooms: Rooms, clock: ManualClock
):
    await rooms.phone(AMINA, 1)
    await rooms.ask("profile.put", AMINA, zone="Africa/Algiers", locale="fr-DZ", digest="off")
    event = await rooms.ask(
        "events.create", AMINA, title="Mariage", zone="Africa/Algiers", day="2026-03-20"
    )
    await rooms.ask(
        "tasks.create",
        AMINA,
        event_id=event.id,
        title="Fleurs",
        due={"kind": "day", "day": "2026-03-10"},
    )
    await rooms.ask(
        "rules.put",
        AMINA,
        event_id=event.id,
        rule_id=uuid4(),
        lead={"kind": "calendar", "days": 1, "at": "09:00"},
    )
    # Algiers is an hour ahead of UTC, all year.
    due = datetime(2026, 3, 9, 8, 0, tzinfo=UTC)

    # Nobody waits a week in one step: the planner looks some days ahead.
    while due - clock.now() > timedelta(hours=6):
        clock.move(hours=6)
        assert await rooms.work() == []
    clock.move(seconds=(due - clock.now()).total_seconds() - 1)
    assert await rooms.work() == []
    clock.move(seconds=1)

    (arrived,) = await rooms.work()
    assert arrived.address == address(1)
    assert arrived.title == "Rappel : \u2068Fleurs\u2069"
    assert "mardi 10 mars" in arrived.body
    assert await rooms.work() == []


def test_one_key_of_apple_makes_one_token(rooms: Rooms):
    """Apple refuses who makes several within twenty minutes."""
    key = Credential(
        ProviderName.APNS, b"a key", {"key_id": "k", "team_id": "t", "topic": "app.zaffa"}
    )

    made = Providers(rooms.ground).make(key)

    assert len({id(each) for each in made.values()}) == 1
    assert set(made) == set(Urgency)


async def test_a_template_of_the_operator_words_what_a_server_and_the_house_tell(rooms: Rooms):
    text = {
        "title": "{guest}, {days, plural, one {demain} other {dans # jours}}",
        "body": "Votre table : {table}",
        "apple": {"alert": {"subtitle": "Table {table}"}},
        "actions": [{"id": "yes", "title": "Je viens", "link": "/yes/{table}"}],
    }
    invite = {
        "texts": {"fr": text},
        "variables": {"guest": {}, "table": {}, "days": {"kind": "number"}},
    }
    message = {
        "texts": {"fr": {"title": "{sender} écrit", "body": "{text}"}},
        "variables": {"sender": {}, "text": {}},
    }
    for name, template in (("invite", invite), ("chat.message+conversation", message)):
        await rooms.ask("templates.put", OPERATOR, name=name, template=template)
        await rooms.ask("templates.publish", OPERATOR, name=name)
    await rooms.phone(KARIM, 1)
    await rooms.iphone(LINA, 2)

    await rooms.ask(
        "pushes.send",
        OPERATOR,
        user_ids=[KARIM, LINA],
        idempotency_key="invite",
        template="invite",
        variables={"days": 3, "table": "A 1"},
        variables_of={KARIM: {"guest": "Karim"}, LINA: {"guest": "Lina", "table": "B"}},
    )
    told = {each.address: each for each in await rooms.work()}
    conversation = await rooms.group(AMINA, KARIM)
    await rooms.say(AMINA, conversation, "salut")

    android, iphone = told[address(1)], told[f"{2:064x}"]
    assert (android.title, android.body) == (
        "\u2068Karim\u2069, dans 3 jours",
        "Votre table : \u2068A 1\u2069",
    )
    assert rb"\"link\":\"/yes/A%201\"" in bytes(android.payload)
    assert iphone.title == "\u2068Lina\u2069, dans 3 jours"
    assert '"subtitle":"Table \u2068B\u2069"' in bytes(iphone.payload).decode()
    assert words(await rooms.work()) == {address(1): ("\u2068amina\u2069 écrit", "salut")}
