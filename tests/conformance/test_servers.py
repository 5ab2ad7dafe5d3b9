"""The application's own servers, with the official clients: an API key in place of a token."""

from uuid import uuid4

import pytest

from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.sql_api_keys import SqlApiKeys
from kernel.clock import SystemClock
from kernel.identity import Scope
from kernel.operations import AnyOperation
from server.wiring.building import build
from server.wiring.groups import Settings
from tests.conformance.conftest import AnyClient, Connect, Make
from tests.conformance.events import ClientError
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

SERVERS, USERS = [], []
for each in build(Settings()).operations:
    if each.by_rpc:
        (USERS if each.scope is None else SERVERS).append(each)

PHONE = {
    "address_kind": "fcm_token",
    "platform": "android",
    "locale": "fr",
    "time_zone": "Africa/Algiers",
    "app_version": "3.1",
}
SAYING = {"title": "الزفّة", "body": "Vendredi, 20 h"}


@pytest.fixture(params=("javascript-json", "python-protobuf"))
def kind(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


async def key(house: RunningHouse, *scopes: Scope) -> str:
    """The secret of a new key, as `zaffa key create` shows it."""
    database = Database(DatabaseOptions(url=house.environment()["ZAFFA_DATABASE_URL"]))
    try:
        _, secret = await SqlApiKeys(database, SystemClock()).create("shop", frozenset(scopes))
    finally:
        await database.close()
    return secret


async def call(client: AnyClient, method: str, **data: object) -> dict:
    return (await client.do("rpc", method=method, data=data))["data"]


async def codes(client: AnyClient, operations: list[AnyOperation]) -> dict[str, int]:
    """What each is answered, asked with nothing."""
    answered = {}
    for operation in operations:
        with pytest.raises(ClientError) as refused:
            await call(client, operation.name)
        answered[operation.name] = refused.value.code
    return answered


async def test_a_back_end_sends_pushes_and_sees_what_became_of_them(
    make: Make, connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    user = await connect(ami)
    phone = {**PHONE, "installation_id": ami, "address": f"phone-{uuid4().hex}"}
    await call(user, "devices.register", **phone)
    shop = await make(running_house.websocket_url, await key(running_house, Scope.PUSHES))
    push = {"user_ids": [ami], "idempotency_key": ami, "variables": SAYING}

    rehearsed = await call(shop, "pushes.rehearse", **push)
    sent = await call(shop, "pushes.send", **push)
    again = await call(shop, "pushes.send", **push)
    with pytest.raises(ClientError) as mismatch:
        await call(shop, "pushes.send", **{**push, "link": "https://app.example/1"})
    many = await call(
        shop,
        "pushes.send_many",
        sends=[{**push, "idempotency_key": f"{ami}-{n}", "test": n == 0} for n in range(2)]
        + [{"idempotency_key": "x"}],
    )
    status = await call(shop, "sends.get", send_id=sent["id"])
    cancelled = await call(shop, "sends.cancel", send_id=many["results"][1]["id"])
    listed = await call(shop, "sends.list")

    assert (rehearsed["would_reach"], sent["targeted"]) == (1, 1)
    assert (again["id"], mismatch.value.code) == (sent["id"], 409)
    assert [each["error"] is None for each in many["results"]] == [True, True, False]
    assert status["send"]["id"] == sent["id"]
    assert cancelled["state"] in ("cancelled", "done")
    assert {each["id"] for each in listed["sends"]} >= {sent["id"], cancelled["send"]["id"]}


async def test_a_back_end_inspects_devices(
    make: Make, connect: Connect, running_house: RunningHouse, ami: str
) -> None:
    user = await connect(ami)
    phone = {**PHONE, "installation_id": ami, "address": f"phone-{uuid4().hex}"}
    registered = await call(user, "devices.register", **phone)
    support = await make(running_house.websocket_url, await key(running_house, Scope.DEVICES))

    found = await call(support, "devices.of_user", user_id=ami)

    assert [each["id"] for each in found["devices"]] == [registered["id"]]
    assert phone["address"] not in str(found)


async def test_a_users_token_reaches_nothing_of_servers(connect: Connect, ami: str) -> None:
    user = await connect(ami)

    assert set((await codes(user, SERVERS)).values()) == {104}
    await call(user, "devices.list")


async def test_a_key_reaches_nothing_of_users_and_nothing_beyond_its_scopes(
    make: Make, running_house: RunningHouse
) -> None:
    for scope in Scope:
        others = await key(running_house, *(set(Scope) - {scope}))
        client = await make(running_house.websocket_url, others)
        theirs = [each for each in SERVERS if each.scope is scope]
        assert set((await codes(client, theirs)).values()) <= {403}
    everything = await make(running_house.websocket_url, await key(running_house, *Scope))

    assert set((await codes(everything, USERS)).values()) == {104}


async def test_a_client_with_a_bad_key_does_not_come_back(
    make: Make, running_house: RunningHouse
) -> None:
    client = await make(running_house.websocket_url, f"zaffa_{'0' * 32}_{'0' * 64}")

    assert (await client.event("disconnected"))["code"] == 3500
