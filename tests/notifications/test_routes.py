"""Every operation of the room: who may ask, what is taken and given."""

from uuid import uuid4

import msgspec
import pytest

from kernel.errors import Denied
from kernel.identity import Principal, Scope
from kernel.operations import invalid_input
from kernel.workers import Pulse
from notifications import campaign_routes
from notifications.campaigns import Campaigns
from notifications.devices import DeviceOptions, Devices
from notifications.errors import DeviceNotFound
from notifications.routes import operations
from tests.support.factories_notifications import (
    AMINA,
    KARIM,
    notice,
    registration,
    server,
    user,
)
from tests.support.providers import FakeProvider
from tests.support.sending import SendingRoom

PHONE = {
    "installation_id": "installation-1",
    "address_kind": "apns",
    "address": "ab" * 32,
    "platform": "ios",
    "locale": "ar_DZ",
    "time_zone": "Africa/Algiers",
    "app_version": "3.1",
    "environment": "sandbox",
}
CAMPAIGN = {
    "name": "Salon",
    "idempotency_key": "k",
    "texts": {"fr": {"title": "Salon", "body": "Vendredi"}},
}
OPERATOR = server(*Scope)

ASKED = {
    "devices.register": PHONE,
    "devices.list": {},
    "devices.forget": {"device_id": str(uuid4())},
    "devices.of_user": {"user_id": "amina"},
    "pushes.get": {"id": str(uuid4())},
    "campaigns.list": {},
    "campaigns.create": CAMPAIGN,
    "campaigns.get": {"campaign_id": str(uuid4())},
    "campaigns.fill": {"campaign_id": str(uuid4()), "variables_of": {"amina": {"n": 1}}},
    "campaigns.start": {"campaign_id": str(uuid4())},
    "campaigns.resume": {"campaign_id": str(uuid4())},
    "campaigns.pause": {"campaign_id": str(uuid4())},
    "campaigns.cancel": {"campaign_id": str(uuid4())},
}
SCOPES = {
    "devices.of_user": Scope.DEVICES,
    "pushes.get": Scope.PUSHES,
    **{name: Scope.CAMPAIGNS for name in ASKED if name.startswith("campaigns.")},
}
NOT_ENOUGH = [
    pytest.param(name, server(*(set(Scope) - {scope})), id=f"{name}-other-scopes")
    for name, scope in SCOPES.items()
] + [
    pytest.param(name, principal, id=f"{name}-{who}")
    for name in ASKED
    for who, principal in {
        "nobody": Principal(),
        "wrong-kind": user(AMINA) if name in SCOPES else OPERATOR,
    }.items()
]


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return SendingRoom(sqlite_database, clock, metrics)


@pytest.fixture
def offered(room, clock):
    devices = Devices(store=room.devices, clock=clock, options=DeviceOptions())
    campaigns = Campaigns(store=room.campaigns, shelf=room.shelf, clock=clock, pulse=Pulse())
    found = [
        *operations(devices=devices, sends=room.sends),
        *campaign_routes.operations(campaigns),
    ]
    return {each.name: each for each in found}


@pytest.fixture
def ask(offered):
    async def ask(name, principal, /, **data):
        operation = offered[name]
        answer = await operation.run(principal, msgspec.convert(data, operation.takes))
        assert isinstance(answer, operation.gives)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return ask


def test_every_operation_is_in_this_matrix(offered):
    assert offered.keys() == ASKED.keys()
    assert {name: each.scope for name, each in offered.items() if each.scope} == SCOPES
    assert {name for name, each in offered.items() if each.rpc} == {
        "devices.register",
        "devices.list",
        "devices.forget",
    }
    for each in offered.values():
        assert each.path.startswith("/admin/v1/" if each.scope else "/v1/")


@pytest.mark.parametrize(("name", "principal"), NOT_ENOUGH)
async def test_nobody_else_may_ask(ask, name, principal):
    with pytest.raises(Denied):
        await ask(name, principal, **ASKED[name])


async def test_a_device_is_registered_listed_and_forgotten_and_its_address_never_shown(ask):
    device = await ask("devices.register", user(AMINA), **PHONE)

    assert await ask("devices.list", user(AMINA)) == {"devices": [device]}
    assert (device["locale"], device["environment"]) == ("ar-DZ", "sandbox")
    assert PHONE["address"] not in str(device)
    with pytest.raises(DeviceNotFound):
        await ask("devices.forget", user(KARIM), device_id=device["id"])
    assert await ask("devices.forget", user(AMINA), device_id=device["id"]) == {}
    assert await ask("devices.of_user", OPERATOR, user_id="amina") == {"devices": []}


async def test_the_status_of_a_push_has_its_attempts(ask, room):
    await room.register(AMINA, registration())
    await room.tell(notice(AMINA))
    provider = FakeProvider()
    await room.dispatcher(provider).step()

    status = await ask("pushes.get", OPERATOR, id=str(provider.attempts[0].push_id))

    assert status["user_id"] == "amina"
    (push,) = status["pushes"]
    assert (push["state"], push["route"]) == ("accepted", "fcm")
    assert [each["provider_id"] for each in push["attempts"]] == ["fake/1"]


async def test_a_campaign_is_written_started_paused_and_cancelled(ask):
    draft = await ask("campaigns.create", OPERATOR, **CAMPAIGN)
    named = {"campaign_id": draft["id"]}

    states = [
        (await ask(f"campaigns.{verb}", OPERATOR, **named))["state"]
        for verb in ("get", "start", "pause", "start", "cancel", "get")
    ]

    assert states == ["draft", "running", "paused", "running", "cancelled", "cancelled"]
    assert draft["counts"]["accepted"] == draft["targeted"] == 0
    assert draft["texts"] == CAMPAIGN["texts"]


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("devices.register", {"address_kind": "pigeon"}, "address_kind"),
        ("devices.register", {"address": 7}, "address"),
        ("devices.register", {"user_id": "karim"}, "user_id"),
        ("devices.register", {"locale": "x" * 36}, "locale"),
        ("campaigns.create", {"name": "nul\0"}, "name"),
        ("campaigns.create", {"expires_after": 5}, "expires_after"),
        ("campaigns.create", {"idempotency_key": ""}, "idempotency_key"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_name(offered, name, changes, field):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({**ASKED[name], **changes}, offered[name].takes)

    assert invalid_input(caught.value, offered[name].takes).details["field"] == field
