"""An insecure server, for development: clients need no token there, and back ends no key."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests.conformance.conftest import Make
from tests.conformance.events import ClientError
from tests.support.pycent import Pycent
from tests.support.running import RunningHouse
from tests.support.servers import free_port

pytestmark = [pytest.mark.external]

NOTHING_IS_ALLOWED = """
[channels.namespaces.plan]
presence = true
history_size = 10
history_ttl = "1h"
"""


@pytest.fixture(params=("javascript-json", "python-protobuf"))
def kind(request: pytest.FixtureRequest) -> str:
    given: str = request.param
    return given


@pytest.fixture(scope="module")
def insecure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    folder: Path = tmp_path_factory.mktemp("insecure")
    (folder / "zaffa.toml").write_text(NOTHING_IS_ALLOWED)
    settings = {"ZAFFA_SERVER_INSECURE": "true"}
    house = RunningHouse(folder=folder, port=free_port(), settings=settings)
    house.spawn()
    try:
        asyncio.run(house.ready())
        yield house
    finally:
        house.end()


async def test_clients_without_a_token_may_do_everything_in_channels(
    make: Make, insecure: RunningHouse
) -> None:
    channel = f"plan:{uuid4().hex}"
    one, other = await make(insecure.websocket_url), await make(insecure.websocket_url)
    client_id = (await one.event("connected"))["client"]
    for client in (one, other):
        await client.do("subscribe", channel=channel)
        await client.event("subscribed", channel=channel)

    await one.do("publish", channel=channel, data={"seat": 7})

    heard = await other.event("publication", channel=channel)
    assert heard["data"] == {"seat": 7}
    assert heard["info"]["client"] == client_id
    found = await other.do("history", channel=channel, options={"limit": 10})
    assert [each["data"] for each in found["publications"]] == [{"seat": 7}]
    assert (await other.do("presence", channel=channel))[client_id]["user"] == ""


async def test_conversations_stay_closed(make: Make, insecure: RunningHouse) -> None:
    conversation = await insecure.group("ami", "bouchra")
    client = await make(insecure.websocket_url)

    await client.do("subscribe", channel=f"conversation:{conversation}")
    code = await client.outcome(f"conversation:{conversation}")

    assert code == 103
    with pytest.raises(ClientError) as refused:
        await client.do("presence", channel="user:ami")
    assert refused.value.code == 103


@pytest.mark.parametrize("key", ["", "insecure"])
async def test_servers_need_no_key(make: Make, insecure: RunningHouse, key: str) -> None:
    channel = f"plan:{uuid4().hex}"
    client = await make(insecure.websocket_url)
    await client.do("subscribe", channel=channel)
    await client.event("subscribed", channel=channel)
    api = Pycent("async", insecure.url, key=key)

    await api("publish", channel=channel, data=1)
    assert len((await api("info")).nodes) == 1
    await api.close()

    await client.event("publication", channel=channel)


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"X-API-Key": "no"}])
async def test_web_pages_and_wrong_keys_are_not_let_in(
    insecure: RunningHouse, headers: dict[str, str]
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{insecure.url}/api/info", data="{}", headers=headers) as answer,
    ):
        assert answer.status == 401


async def test_the_log_and_the_first_page_warn(insecure: RunningHouse) -> None:
    async with aiohttp.ClientSession() as session, session.get(insecure.url) as answer:
        page = await answer.text()

    assert '<p role="alert">' in page
    assert "insecure" in page
    warnings = [
        line for line in insecure.log.read_text().splitlines() if '"level": "warning"' in line
    ]
    assert any("this server is insecure" in line for line in warnings)


async def test_a_server_that_is_not_insecure_warns_of_nothing(running_house: RunningHouse) -> None:
    async with aiohttp.ClientSession() as session, session.get(running_house.url) as answer:
        assert '<p role="alert">' not in await answer.text()
    assert "insecure" not in running_house.log.read_text()
