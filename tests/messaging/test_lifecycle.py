"""Whatever happens to subscriptions in whatever order, nothing of them is left behind.

Clients connect, subscribe, are cut off and come back for what they missed; the application
publishes and orders them about; channels lose their place. What each client is told must be what
a strict client takes, without a hole in any channel; joins and leaves must alternate; and in the
end the node must be as empty as it was.
"""

import asyncio
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.adapters.database import Database, DatabaseOptions
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from kernel.workers import Stop
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.commands.gate import GateOptions
from messaging.connections.connection import Connection
from messaging.connections.departures import Batch, Departures, Wire
from messaging.connections.quotas import ConnectionOptions
from messaging.delivery.extras import read
from messaging.nodes.control import Disconnect, Subscribe, Unsubscribe, publication_of_order
from messaging.protocol.client import ClientProtocol
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.json_codec import JSON
from messaging.protocol.values import StreamPosition
from messaging.publishing.publishing import Words
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node

CHANNELS = ("gate:1", "gate:2")
REST = 40
"""Turns after which everything that goes on may end before the next thing happens."""
USERS = (AMINA, AMINA, KARIM)
"""One has two connections."""

GATE = ChannelOptions(
    allow_subscribe_for_client=True,
    presence=True,
    join_leave=True,
    force_push_join_leave=True,
    force_recovery=True,
    history_size=50,
    history_ttl="1h",
    allowed_delta_types=("fossil",),
)


class Ear(Wire):
    """A client without a network, that takes whatever it is told at once."""

    def __init__(self, departures: Departures, positions: Mapping[str, StreamPosition]) -> None:
        super().__init__(JSON, departures)
        self.client = ClientProtocol(JSON, positions=positions)
        self.connection: Connection | None = None
        self.violations: list[str] = []

    def deliver(self, batch: Batch) -> None:
        self._hear(batch.parts)

    def depart(self) -> None:
        waiting = self.frames()
        for batch in self.batches or ():
            waiting += batch.parts
        self.batches = None
        self._hear(waiting)

    def _hear(self, frames: list[bytes]) -> None:
        if self.connection is not None and self.connection.is_open:
            for frame in frames:
                try:
                    self.client.receive(frame)
                except ProtocolViolation as violation:
                    self.violations.append(violation.reason)

    def give_up(self) -> None: ...
    def close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def tick(self, now: float) -> float | None: ...


class Attending(MemoryBus):
    """Remembers who was said to come and to go."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[tuple[str, str], list[str]] = defaultdict(list)

    def publish(self, publications: list[Publication]) -> None:
        for each in publications:
            extra = read(each.extra)
            if extra.attendance is not None and extra.info is not None:
                self.said[each.channel, extra.info.client].append(str(extra.attendance))
        super().publish(publications)


class Stage:
    """A node, and what may happen on it to one of three clients and one of two channels."""

    def __init__(self, node: Node, bus: Attending) -> None:
        self.node = node
        self.bus = bus
        self.ears: list[Ear | None] = [None] * len(USERS)
        self.publishing: set[asyncio.Future[object]] = set()
        self.violations: list[str] = []

    def connect(self, which: int, channel: str) -> None:
        self._connect(which, [])

    def connect_subscribed(self, which: int, channel: str) -> None:
        self._connect(which, [channel])

    def _connect(self, which: int, channels: list[str]) -> None:
        if self._open(which) is None:
            before = self.ears[which]
            positions = {} if before is None else before.client.positions
            ear = Ear(self.node.departures, positions)
            ear.violations = self.violations
            ear.connection = self.node.gateway.connect(ear)
            self.ears[which] = ear
            token = self.node.token(USERS[which], channels=channels)
            recover = [channel for channel in channels if channel in positions]
            ear.client.connect(token=token, recover=recover)
            self._say(ear)

    def subscribe(self, which: int, channel: str) -> None:
        if ear := self._open(which):
            ear.client.subscribe(channel)
            self._say(ear)

    def subscribe_to_changes(self, which: int, channel: str) -> None:
        if ear := self._open(which):
            ear.client.subscribe(channel, delta=True)
            self._say(ear)

    def unsubscribe(self, which: int, channel: str) -> None:
        if ear := self._open(which):
            ear.client.unsubscribe(channel)
            self._say(ear)

    def cut(self, which: int, channel: str) -> None:
        if ear := self._open(which):
            ear.connection.lost()

    def order_in(self, which: int, channel: str) -> None:
        order = Subscribe(user_id=USERS[which], channel=channel)
        self.node.bus.publish([publication_of_order(order)])

    def order_out(self, which: int, channel: str) -> None:
        order = Unsubscribe(user_id=USERS[which], channel=channel, code=2000)
        self.node.bus.publish([publication_of_order(order)])

    def order_anew(self, which: int, channel: str) -> None:
        order = Unsubscribe(user_id=USERS[which], channel="", code=2500)
        self.node.bus.publish([publication_of_order(order)])

    def order_away(self, which: int, channel: str) -> None:
        order = Disconnect(user_id=USERS[which], code=3503)
        self.node.bus.publish([publication_of_order(order)])

    def lose_place(self, which: int, channel: str) -> None:
        live = self.node.following.find(channel)
        if live is not None and live.ready.done():
            self.node.hub.restart(live)

    def publish(self, which: int, channel: str) -> None:
        task = asyncio.ensure_future(self.node.publishing.publish(channel, Words(b'{"n":1}')))
        self.publishing.add(task)
        task.add_done_callback(self.publishing.discard)

    def _open(self, which: int) -> Ear | None:
        ear = self.ears[which]
        return ear if ear is not None and ear.connection.is_open else None

    def _say(self, ear: Ear) -> None:
        ear.connection.received(ear.client.take_output() or b"")

    async def play(self, scenes: list[tuple[str, int, str, int]]) -> None:
        for name, which, channel, turns in scenes:
            ACTIONS[name](self, which, channel)
            for _ in range(turns):
                await asyncio.sleep(0)
            if turns == REST:
                await self._settled()
        await self._settled()
        await self._epilogue()
        for which in range(len(USERS)):
            self.cut(which, "")
        await self._settled()
        for keeper in (self.node.parts.channel_keeper, self.node.parts.keeper):
            await keeper.step()

    async def _epilogue(self) -> None:
        """Everybody comes back, subscribes to everything, and hears the last word."""
        for action in (Stage.connect, Stage.subscribe):
            for which, channel in product(range(len(USERS)), CHANNELS):
                action(self, which, channel)
                await self._settled()
        for channel in CHANNELS:
            self.publish(0, channel)
        await self._settled()
        tops = await self.node.streams.tops(CHANNELS)
        places = {channel: StreamPosition(top.offset, top.epoch) for channel, top in tops.items()}
        await self.node.until(
            lambda: self.violations or all(ear.client.positions == places for ear in self.ears)
        )

    async def _settled(self) -> None:
        """Wait until nothing is being done any more."""
        server_side = self.node.commands._connecting._server_side
        await self.node.until(
            lambda: (
                not (
                    server_side._subscribing
                    or server_side._early
                    or self.publishing
                    or any(ear.connection._running for ear in self.ears if ear is not None)
                )
            )
        )
        await asyncio.sleep(0)


ACTIONS: dict[str, Callable[[Stage, int, str], None]] = {
    name: getattr(Stage, name)
    for name in (
        "connect", "connect_subscribed", "subscribe", "subscribe_to_changes", "unsubscribe", "cut",
        "order_in", "order_out", "order_anew", "order_away", "lose_place", "publish",
    )
}  # fmt: skip

Scene = tuple[str, int, str, int]
"""What happens, to which client and channel, and how many turns pass before the next."""

scenes = st.lists(
    st.tuples(
        st.sampled_from([*sorted(ACTIONS), *3 * ("connect", "subscribe", "publish"), "cut"]),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.sampled_from([*CHANNELS[:1] * 3, *CHANNELS[1:]]),
        st.sampled_from([0, 0, 1, 2, 5, REST, REST]),
    ),
    min_size=12,
    max_size=40,
)


@pytest.fixture(scope="module")
def runner(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[asyncio.Runner, Database]]:
    """An event loop, and a database in it."""
    path = tmp_path_factory.mktemp("lifecycle") / "zaffa.sqlite3"
    shutil.copyfile(sqlite_template, path)

    async def opened() -> Database:
        return Database(DatabaseOptions(url=f"sqlite:///{path}", sqlite_synchronous="NORMAL"))

    with asyncio.Runner() as runner:
        database = runner.run(opened())
        yield runner, database
        runner.run(database.close())


async def play(database: Database, scenes: list[Scene]) -> None:
    """Play on a node of its own, and look at what is left of it."""
    bus = Attending()
    node = Node(
        database,
        bus=bus,
        channel_settings=ChannelSettings(namespaces={"gate": GATE}),
        connection_options=ConnectionOptions(commands_per_second=0),
        # Some wait for their turn, others are told to come back.
        gate_options=GateOptions(admitted=1, wait_seconds=0.5),
    )
    stop = Stop()
    working = [asyncio.create_task(worker.run(stop)) for worker in node.workers]
    try:
        await node.until(lambda: node.following._listener)
        stage = Stage(node, bus)
        await stage.play(scenes)

        assert stage.violations == []
        counts = node.hub.counts()
        assert (counts.clients, counts.users, counts.subscriptions) == (0, 0, 0)
        assert not any(live.listeners for live in node.following)
        for channel in CHANNELS:
            assert not await node.channel_registry.members(channel)
        assert not await node.registry.present(list(USERS))
        for said in bus.said.values():
            assert said == ["join", "leave"] * (len(said) // 2)
    finally:
        stop.ask()
        await asyncio.gather(*working)
        await node.publications.close()
        await node.store.close()


@settings(max_examples=40)
@given(scenes)
def test_nothing_is_left_behind(
    runner: tuple[asyncio.Runner, Database], scenes: list[Scene]
) -> None:
    loop, database = runner

    loop.run(play(database, scenes))
