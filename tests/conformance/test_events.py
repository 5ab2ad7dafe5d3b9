"""What the official clients hear of an event that is open on their screens."""

from typing import Any

import pytest

from tests.conformance.conftest import AnyClient, Connect
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture
async def event(running_house: RunningHouse, ami: str, bouchra: str) -> str:
    """An event of these two."""
    body = {"title": "عرس", "zone": "Africa/Algiers", "day": "2099-06-20"}
    made = await running_house.call("POST", "/v1/events", user=ami, body=body)
    path = f"/v1/events/{made['id']}/members/{bouchra}"
    await running_house.call("PUT", path, user=ami, body={"role": "collaborator"})
    return str(made["id"])


async def add_task(house: RunningHouse, event: str, user: str, title: str) -> Any:
    body = {"title": title, "due": None}
    return await house.call("POST", f"/v1/events/{event}/tasks", user=user, body=body)


async def looking_at(client: AnyClient, event: str) -> AnyClient:
    await client.do("subscribe", channel=f"event:{event}")
    await client.event("subscribed")
    return client


async def task_news(client: AnyClient, count: int) -> list[dict[str, Any]]:
    """The next publications that are about tasks; who came into the event may be told as well."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        told = await client.event("publication")
        if "tasks" in told["data"]:
            found.append(told)
    return found


async def version_of(house: RunningHouse, event: str, user: str) -> int:
    found = await house.call("GET", f"/v1/events/{event}", user=user)
    return int(found["version"])


async def test_every_change_reaches_the_screens_of_members_in_order(
    connect: Connect, running_house: RunningHouse, ami: str, bouchra: str, event: str
) -> None:
    screens = [await looking_at(await connect(who), event) for who in (ami, bouchra)]
    before = await version_of(running_house, event, ami)

    task = await add_task(running_house, event, ami, "القاعة")
    done = f"/v1/events/{event}/tasks/{task['id']}/complete"
    await running_house.call("POST", done, user=bouchra, body={})

    for screen in screens:
        made, ended = [each["data"] for each in await task_news(screen, 2)]
        assert [made["version"], ended["version"]] == [before + 1, before + 2]
        assert made["kind"] == "event.changed"
        assert made["tasks"] == ended["tasks"] == [task["id"]]
    assert await version_of(running_house, event, ami) == before + 2


async def test_what_changed_while_away_comes_back(
    connect: Connect, running_house: RunningHouse, ami: str, event: str
) -> None:
    screen = await looking_at(await connect(ami), event)
    await add_task(running_house, event, ami, "une")
    (first,) = await task_news(screen, 1)

    await screen.do("drop")
    second = await add_task(running_house, event, ami, "deux")
    third = await add_task(running_house, event, ami, "trois")
    await screen.event("subscribed")

    missed = await task_news(screen, 2)
    assert [each["data"]["tasks"] for each in missed] == [[second["id"]], [third["id"]]]
    assert [each["offset"] for each in missed] == [first["offset"] + 1, first["offset"] + 2]


async def test_strangers_hear_nothing_and_who_is_put_out_nothing_more(
    connect: Connect, running_house: RunningHouse, ami: str, bouchra: str, event: str
) -> None:
    stranger = await connect(f"stranger-{ami}")
    await stranger.do("subscribe", channel=f"event:{event}")
    assert await stranger.outcome(f"event:{event}") == 103
    screen = await looking_at(await connect(bouchra), event)
    owner = await looking_at(await connect(ami), event)

    path = f"/v1/events/{event}/members/{bouchra}"
    await running_house.call("DELETE", path, user=ami)
    told = await screen.event("unsubscribed")
    secret = await add_task(running_house, event, ami, "secret")

    assert told["code"] == 103
    (last,) = await task_news(owner, 1)
    assert last["data"]["tasks"] == [secret["id"]]
    heard = [each["data"] for each in screen.publications(f"event:{event}")]
    assert not any("tasks" in each for each in heard)
