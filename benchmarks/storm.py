"""A reconnect storm against one node: how long until all are back, and what those who stayed feel.

Every client connects and subscribes to a channel of which it missed some messages. Meanwhile
messages go to somebody who is connected all along; their latencies are measured.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

from kernel.clock import SystemClock
from messaging.protocol.values import Publication
from server.live_channel import Heard
from server.live_client import LiveClient
from tests.support.running import RunningHouse
from tests.support.storm import Brewing, Outcome, Plan, hello

MEMBERS = 100
MISSED = 20
PAUSE = 0.02
"""Seconds between the messages to who stays."""
CALM = 2.0


class Chat:
    """An owner who says things, and somebody who hears them."""

    def __init__(self, house: RunningHouse) -> None:
        self.latencies: list[float] = []
        self.owner = self._client(house, "owner", lambda _channel, _publication: None)
        self.stays = self._client(house, "stays", self._hear)
        self._said_at: dict[str, float] = {}

    @staticmethod
    def _client(house: RunningHouse, user: str, heard: Heard) -> LiveClient:
        return LiveClient(
            [house.websocket_url],
            token=partial(house.token, user),
            heard=heard,
            clock=SystemClock(),
        )

    def _hear(self, _channel: str, publication: Publication) -> None:
        key = json.loads(publication.data)["idempotency_key"]
        self.latencies.append(1000 * (time.monotonic() - self._said_at[key]))

    async def say(self, conversation: str, key: str) -> None:
        """Say something; it is acknowledged."""
        self._said_at[key] = time.monotonic()
        asked = {"conversation_id": conversation, "idempotency_key": key, "body": {"text": key}}
        await self.owner.rpc("messages.send", json.dumps(asked).encode())

    async def chatter(self, conversation: str) -> None:
        """Say something every now and then, until cancelled."""
        number = 0
        async with asyncio.TaskGroup() as group:
            while True:
                number += 1
                group.create_task(self.say(conversation, f"meanwhile-{number}"))
                await asyncio.sleep(PAUSE)


async def storm(clients: int) -> None:
    """One storm, and its figures."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {"ZAFFA_CONNECTIONS_PING_SECONDS": "25", "ZAFFA_CONNECTIONS_PONG_SECONDS": "8"}
        async with (
            RunningHouse.start(Path(folder), settings=settings) as house,
            asyncio.TaskGroup() as group,
        ):
            chat = Chat(house)
            running = [group.create_task(each.run()) for each in (chat.owner, chat.stays)]
            users = [f"guest-{number}" for number in range(MEMBERS)]
            conversations = [
                await house.group("owner", "stays", *users) for _ in range(clients // MEMBERS)
            ]
            await chat.stays.follow(f"conversation:{conversations[0]}")
            for conversation in conversations:
                keys = (f"{conversation}-{number}"[-64:] for number in range(MISSED))
                await asyncio.gather(*(chat.say(conversation, key) for key in keys))
            hellos = [
                hello(house.token(user), f"conversation:{conversation}", offset=number % MISSED)
                for conversation in conversations
                for number, user in enumerate(users)
            ]
            plan = Plan(house.port, hellos, answers=2, within=120.0)
            async with Brewing.begun(plan) as brewing:
                chat.latencies.clear()
                chattering = asyncio.create_task(chat.chatter(conversations[0]))
                await asyncio.sleep(CALM)
                calm, chat.latencies = chat.latencies, []
                outcome = await brewing.breaks()
                chattering.cancel()
                await asyncio.wait([chattering])
            _report(clients, outcome, calm, chat.latencies)
            for each in running:
                each.cancel()


def _report(clients: int, outcome: Outcome, calm: list[float], meanwhile: list[float]) -> None:
    returned = sorted(outcome.returned)
    print(f"clients          {outcome.complete} of {clients} back, {outcome.attempts} tries")
    print(f"failed tries     {outcome.failures or 'none'}")
    print(f"back after       median {statistics.median(returned):.1f} s, all {returned[-1]:.1f} s")
    for name, latencies in (("before", calm), ("meanwhile", meanwhile)):
        p50, p99 = (_quantile(latencies, each) for each in (0.5, 0.99))
        print(f"{name:<16} {len(latencies)} messages, p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=5_000)
    asyncio.run(storm(parser.parse_args().clients))
