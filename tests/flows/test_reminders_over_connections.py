"""Every operation of reminders can be asked over a connection too, with the same answers."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import msgspec
import pytest

from server.wiring.building import build
from server.wiring.groups import Settings
from tests.support.around_event import is_ours
from tests.support.running import RunningHouse

pytestmark = pytest.mark.external

METHOD_NOT_FOUND = 104

FEED = "feeds.read"
"""Calendar apps fetch it over HTTP, and nobody else."""

LINKS = ("guests.look_at_link", "guests.opt_out")
"""Where the links of guests lead is for browsers."""


class Line:
    """One user's connection, asked one thing after the other."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked = 0

    async def say(self, **command: object) -> Mapping[str, Any]:
        """The reply to a command; what is published meanwhile is passed over."""
        self._asked += 1
        await self._socket.send_str(json.dumps({"id": self._asked, **command}))
        while True:
            for frame in (await self._socket.receive_str()).splitlines():
                reply: dict[str, Any] = json.loads(frame)
                if reply.get("id") == self._asked:
                    return reply

    async def ask(self, method: str, **data: object) -> Mapping[str, Any]:
        return await self.say(rpc={"method": method, "data": data})


@asynccontextmanager
async def connected(house: RunningHouse, user: str) -> AsyncIterator[Line]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(house.websocket_url, heartbeat=None) as socket,
    ):
        line = Line(socket)
        assert "connect" in await line.say(connect={"token": house.token(user)})
        yield line


async def test_whatever_users_may_ask_is_answered_over_a_connection(tmp_path: Path) -> None:
    offered = [each for each in build(Settings()).operations if is_ours(each) and not each.scope]
    event, task = str(uuid4()), str(uuid4())
    async with (
        RunningHouse.start(tmp_path) as house,
        connected(house, "amina") as owner,
        connected(house, "nadia") as stranger,
    ):
        said = {"id": event, "title": "عرس", "zone": "Africa/Algiers", "day": "2099-06-20"}
        made = await owner.ask("events.create", **said)
        assert made["rpc"]["data"]["id"] == event
        await owner.ask("tasks.create", event_id=event, id=task, title="القاعة")
        listed = await owner.ask("tasks.list", event_id=event)
        assert [each["id"] for each in listed["rpc"]["data"]["tasks"]] == [task]

        for operation in offered:
            known = {"event_id": event, "task_id": task}
            fields = {each.name for each in msgspec.structs.fields(operation.takes)}
            asked = {name: value for name, value in known.items() if name in fields}
            ours = await owner.ask(operation.name, **asked)
            theirs = await stranger.ask(operation.name, **asked)
            if operation.name in (FEED, *LINKS):
                assert ours["error"]["code"] == METHOD_NOT_FOUND
                continue
            told = ours.get("error", {"code": 0, "message": ""})
            assert told["code"] in (0, 400, 404, 409), (operation.name, ours)
            assert not told["message"].startswith("invalid_input: body"), (operation.name, ours)
            if asked and "rpc" in ours:
                assert "event.not_found" in theirs["error"]["message"], (operation.name, theirs)
