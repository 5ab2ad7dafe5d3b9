"""Replays a chat log as real clients, with faults or without, and judges what came of it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from uuid import UUID

import msgspec

from kernel.clock import Clock
from kernel.ids import UserId, new_id
from messaging.channels.names import conversation_channel
from messaging.protocol import requests, results
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.values import Publication
from server.demo.channel_record import Delivery, Sent
from server.demo.replay_cast import Cast, cast_of
from server.demo.replay_log import ChatLine
from server.demo.replay_pushes import PushRecord
from server.demo.replay_stage import CannotReplay, Manner, Progress, Stage, prepare
from server.demo.replay_verdict import (
    Allowances,
    Arrived,
    Observations,
    Verdict,
    judge,
)
from server.live_client import LiveClient
from server.live_line import Refused

STEP = 0.05
"""Seconds between looks at how far everything is."""


class _Body(msgspec.Struct):
    text: str


class _Heard(msgspec.Struct):
    sender_id: str
    idempotency_key: str
    body: _Body


class _Acknowledged(msgspec.Struct):
    offset: int


class Replay:
    """One replay of some lines, in a conversation of its own."""

    def __init__(
        self, lines: Sequence[ChatLine], *, stage: Stage, manner: Manner, clock: Clock
    ) -> None:
        self.cast: Cast = cast_of(lines)
        self.lines = [line for line in lines if line.is_said]
        members = len(self.cast.present)
        self.progress = Progress(
            lines=len(self.lines),
            deliveries_due=len(self.lines) * members,
            pushes_due=len(self.lines) * len(self.cast.away),
        )
        self.seen = Observations()
        self.clients: dict[UserId, LiveClient] = {}
        self.conversation_id: UUID | None = None
        self._stage = stage
        self._manner = manner
        self._clock = clock
        self._channel = ""
        self._away: frozenset[str] = frozenset()
        self._told: set[tuple[str, int]] = set()
        self._run = new_id(clock.now()).hex[:12]

    async def run(self, allowances: Allowances | None = None) -> Verdict:
        """Play it and judge it. Raises `CannotReplay` when there is nothing to judge."""
        try:
            await self._play()
        except BaseExceptionGroup as several:
            raise _first_of(several) from several
        for user, client in self.clients.items():
            self._complain(f"{user}: {violation}" for violation in client.violations)
            self.seen.reconnected += client.connections - 1
        return judge(self.seen, allowances)

    async def reached(self, acknowledged: int) -> None:
        """Wait until so many lines are acknowledged: a good moment for a fault."""
        while self.progress.acknowledged < acknowledged:
            await self._clock.sleep(STEP / 5)

    async def _play(self) -> None:
        title, cast = self._manner.title, self.cast
        self.conversation_id = await prepare(cast, stage=self._stage, title=title)
        self._channel = conversation_channel(self.conversation_id)
        self.seen.away = {user: cast.phones[user].address for user in cast.away}
        self.seen.present = {user: cast.phones[user].address for user in cast.present}
        self.seen.delivered = {user: [] for user in cast.present}
        self._away = frozenset(self.seen.away.values())
        record = PushRecord(
            self._stage.sandbox,
            conversation_id=str(self.conversation_id),
            arrived=self._arrived,
            clock=self._clock,
        )
        await record.open()
        async with asyncio.TaskGroup() as group:
            following = group.create_task(record.follow())
            for user, client in self._clients():
                group.create_task(self._stay(user, client))
            await self._everybody_is_there()
            saying = group.create_task(self._say_everything())
            await self._until(lambda: saying.done() and self._is_complete())
            await self._clock.sleep(self._manner.quiet)
            saying.cancel()
            following.cancel()
            for client in self.clients.values():
                await client.close()
        self._complain(record.violations)

    # --- clients ---------------------------------------------------------------------------------

    def _clients(self) -> Iterator[tuple[UserId, LiveClient]]:
        """A client for every present member; JSON and Protobuf in turns."""
        for place, user in enumerate(self.cast.present):
            client = LiveClient(
                self._urls(user),
                token=partial(self._stage.token, user),
                heard=partial(self._heard, user),
                clock=self._clock,
                codec=PROTOBUF if place % 2 else JSON,
                patience=self._manner.patience,
            )
            self.clients[user] = client
            yield user, client

    async def _stay(self, user: UserId, client: LiveClient) -> None:
        try:
            await client.run()
        except Refused as refused:
            raise CannotReplay(f"{user} was sent away: {refused}") from refused

    def _urls(self, user: UserId) -> Sequence[str]:
        """A home node for each: the first half for speakers, the last for readers."""
        urls = [
            server.replace("http", "ws", 1) + "/connection/websocket"
            for server in self._stage.servers
        ]
        if user in self.cast.speakers:
            home = self.cast.speakers.index(user) % max(1, len(urls) // 2)
        else:
            home = -1 - self.cast.readers.index(user) % max(1, len(urls) // 2)
        home %= len(urls)
        return [*urls[home:], *urls[:home]]

    def _heard(self, user: UserId, _channel: str, publication: Publication) -> None:
        said = _heard.decode(publication.data)
        self.seen.delivered[user].append(
            Delivery(publication.offset, said.idempotency_key, said.sender_id, said.body.text)
        )
        self.progress.deliveries += 1

    async def _everybody_is_there(self) -> None:
        """Until all follow the conversation, and the house knows that they are present."""
        try:
            async with asyncio.timeout(self._manner.stall):
                for client in self.clients.values():
                    await client.follow(self._channel)
                    self.progress.connected += 1
                asking = self.clients[self.cast.present[0]]
                while await self._present(asking) < len(self.cast.present):
                    await self._clock.sleep(STEP)
        except TimeoutError:
            raise CannotReplay(
                f"only {self.progress.connected} of {len(self.clients)} clients could connect, "
                "or presence does not know them"
            ) from None

    async def _present(self, asking: LiveClient) -> int:
        stats = await asking.ask(requests.PresenceStatsRequest(self._channel))
        assert isinstance(stats, results.PresenceStatsResult)
        return stats.num_users

    # --- speaking --------------------------------------------------------------------------------

    async def _say_everything(self) -> None:
        """Every line in the order of the log; those of the same user one after the other."""
        began = self._clock.monotonic()
        room = asyncio.Semaphore(self._manner.in_flight)
        before: dict[UserId, asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as group:
            for number, line in enumerate(self.lines):
                await self._due(line, began)
                await room.acquire()
                user = self.cast.users[line.nick]
                sent = Sent(f"replay-{self._run}-{number}", user, line.spoken)
                self.seen.sent.append(sent)
                self.progress.sent += 1
                speaking = group.create_task(self._say(sent, before.get(user)))
                speaking.add_done_callback(lambda _: room.release())
                before[user] = speaking

    async def _due(self, line: ChatLine, began: float) -> None:
        if self._manner.speed is not None:
            wait = began + line.at / self._manner.speed - self._clock.monotonic()
            await self._clock.sleep(wait)

    async def _say(self, sent: Sent, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        asked = {
            "conversation_id": str(self.conversation_id),
            "idempotency_key": sent.key,
            "body": {"text": sent.text},
        }
        try:
            answer = await self.clients[sent.sender].rpc(
                "messages.send", msgspec.json.encode(asked)
            )
        except Refused as refused:
            self._complain([f"{sent.key} of {sent.sender} was refused: {refused}"])
            return
        offset = msgspec.json.decode(answer, type=_Acknowledged).offset
        self.seen.acknowledged.append((sent.key, offset))
        self.progress.acknowledged += 1

    # --- watching --------------------------------------------------------------------------------

    def _arrived(self, push: Arrived) -> None:
        self.seen.pushes.append(push)
        told = push.address, push.offset
        if push.address in self._away and told not in self._told:
            # A copy brings nothing that was not told: what is missing may still come.
            self._told.add(told)
            self.progress.pushes += push.messages

    def _is_complete(self) -> bool:
        due = self.progress.lines
        got = min(len(heard) for heard in self.seen.delivered.values())
        return got >= due and self.progress.pushes >= self.progress.pushes_due

    async def _until(self, true: Callable[[], bool]) -> None:
        """Wait until something is so, or nothing has moved for too long: judge it as it is."""
        moved, before = self._clock.monotonic(), ""
        while not true():
            await self._clock.sleep(STEP)
            now = self.progress.line()
            if now != before:
                moved, before = self._clock.monotonic(), now
            elif self._clock.monotonic() - moved > self._manner.stall:
                self._complain([f"nothing moved for {self._manner.stall:.0f} s: {now}"])
                return

    def _complain(self, problems: Iterable[str]) -> None:
        self.seen.violations.extend(problems)


def _first_of(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that ended the others' work."""
    first = several.exceptions[0]
    return _first_of(first) if isinstance(first, BaseExceptionGroup) else first


_heard = msgspec.json.Decoder(_Heard)
