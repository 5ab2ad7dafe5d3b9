"""A crowd of real clients that talk, listen, come and go, whatever happens to the servers."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Self

import msgspec

from kernel.backoff import Backoff
from kernel.clock import SystemClock
from kernel.ids import UserId
from messaging.protocol import requests, results
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.values import Publication, StreamPosition
from server.demo.channel_record import Acknowledged, Delivery, Sent
from server.live_client import LiveClient
from server.live_line import Patience, Refused
from tests.support.chronicle import Chronicle, message_of
from tests.support.running import RunningHouse

PATIENCE = Patience(backoff=Backoff(first=0.1, cap=1.0, floor=0.02), answer=5.0, ping=1.5)

OWNER = UserId("owner")
DENIED = 103

FEEDS = """
[channels.namespaces.feed]
allow_subscribe_for_client = true
allow_publish_for_client = true
allow_history_for_client = true
force_recovery = true
allowed_delta_types = ["fossil"]
history_size = 100000
history_ttl = "1h"
"""
"""What a node's settings file must say for a crowd with feeds."""


@dataclass(frozen=True, slots=True)
class Habits:
    """What the crowd is like."""

    stable: int = 10
    """Members of every conversation from beginning to end, who talk."""
    coming_and_going: int = 4
    """Users whom the owner brings in and puts out again."""
    conversations: int = 3
    feeds: int = 1
    """Channels of a namespace with history, which everybody who is stable follows."""
    pause: float = 0.2
    """Seconds between the messages of one user, on average."""
    long_text: int = 4_000


@dataclass(slots=True)
class Guest:
    """One user with one client."""

    user: UserId
    client: LiveClient
    inside: dict[str, bool] = field(default_factory=dict)
    """By channel, whether the owner was told that they are a member, and means them to stay."""
    stay: int = 0
    """Counts how often they came to where they are."""


class Crowd:
    """Everybody in a run; what they saw is in the chronicle."""

    def __init__(
        self, urls: Sequence[str], *, signer: RunningHouse, dice: random.Random, habits: Habits
    ) -> None:
        self.chronicle = Chronicle()
        self.channels: dict[str, str] = {}
        """Channels and their conversations; a feed has none."""
        self.guests: dict[UserId, Guest] = {}
        self.stable = [UserId(f"stable-{number}") for number in range(habits.stable)]
        """Who is a member of everything from beginning to end."""
        self.sent = 0
        self._urls = list(urls)
        self._signer = signer
        self._dice = dice
        self._habits = habits
        self._over = asyncio.Event()
        self._silent_at: dict[str, float] = {}

    @classmethod
    @asynccontextmanager
    async def gathered(
        cls, urls: Sequence[str], *, signer: RunningHouse, dice: random.Random, habits: Habits
    ) -> AsyncIterator[Self]:
        """A crowd that is connected and follows its conversations."""
        crowd = cls(urls, signer=signer, dice=dice, habits=habits)
        others = [UserId(f"guest-{number}") for number in range(habits.coming_and_going)]
        async with asyncio.TaskGroup() as group:
            for number, user in enumerate([OWNER, *crowd.stable, *others]):
                guest = crowd.guests[user] = Guest(user, crowd._client(user, number))
                group.create_task(guest.client.run())
            for _ in range(habits.conversations):
                await crowd._open(crowd.stable)
            for _ in range(habits.feeds):
                await crowd._enter(f"feed:{dice.randrange(1 << 60):x}", crowd.stable)
            yield crowd
            for guest in crowd.guests.values():
                await guest.client.close()

    @property
    def clients(self) -> list[LiveClient]:
        return [guest.client for guest in self.guests.values()]

    async def live(self, seconds: float) -> None:
        """Talk, and come and go, for so long; return when the last question is answered.

        Channels fall silent one after the other, so that nothing comes after what is lost last.
        """
        now = self.chronicle.now()
        for channel in self.channels:
            self._silent_at[channel] = now + seconds * self._dice.uniform(0.5, 1.0)
        async with asyncio.TaskGroup() as group:
            for guest in self.guests.values():
                if guest.user != OWNER:
                    group.create_task(self._talk(guest))
                    stays = any(guest.inside.values())
                    habit = self._look_away_now_and_then if stays else self._come_and_go
                    group.create_task(habit(guest))
            await asyncio.sleep(seconds)
            self._over.set()

    async def settled(self, within: float) -> None:
        """Read every log, and wait until everybody who follows it has reached its end."""
        for channel in self.channels:
            record = self.chronicle.records[channel]
            record.log = await self._log(channel)
            places = {each.key: each.offset for each in record.log}
            # Who publishes is not told where; what is not there at all has no place.
            record.acknowledged = [
                each if each.offset else each._replace(offset=places.get(each.key, -1))
                for each in record.acknowledged
            ]
            top = len(record.log)
            until = self.chronicle.now() + within
            # If somebody never gets there, the judge will say who misses what.
            while self.chronicle.now() < until and not self._has_arrived(channel, top):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            missing = {each.user for each in self.guests.values() if each.inside.get(channel)}
            for user in missing - set(self.chronicle.reading(channel)):
                self.chronicle.complaints.append(f"{user} is a member, but hears {channel} no more")
        self.chronicle.complaints += self.violations()

    def violations(self) -> list[str]:
        """What clients say that servers must never do."""
        return [
            f"{user}: {each}"
            for user, guest in self.guests.items()
            for each in guest.client.violations
        ]

    def _has_arrived(self, channel: str, top: int) -> bool:
        readers = self.chronicle.reading(channel)
        return all(self.chronicle.reached(user, channel) >= top for user in readers)

    # --- what users do ---------------------------------------------------------------------------

    async def _talk(self, guest: Guest) -> None:
        while await self._later(self._dice.expovariate(1 / self._habits.pause)):
            channels = self._lively(guest)
            if not channels:
                continue
            channel = self._dice.choice(channels)
            self.sent += 1
            length = 1 if self._dice.random() < 0.9 else self._dice.randint(1, 200)
            words = f"{self.sent} السلام عليكم " * length
            text = words[: self._habits.long_text].strip()
            sent = Sent(f"key-{self.sent}", guest.user, text, self.chronicle.now())
            self.chronicle.records[channel].sent.append(sent)
            # Now and then somebody presses the button twice.
            times = 2 if self._dice.random() < 0.1 else 1
            if not self.channels[channel]:
                await self._publish(guest, channel, sent)
                continue
            await asyncio.gather(*(self._send(guest, channel, sent) for _ in range(times)))

    async def _later(self, seconds: float) -> bool:
        """Wait so long, unless the talking ends; whether it goes on."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._over.wait(), seconds)
        return not self._over.is_set()

    def _lively(self, guest: Guest) -> list[str]:
        now = self.chronicle.now()
        return [
            channel
            for channel, inside in guest.inside.items()
            if inside and now < self._silent_at[channel]
        ]

    async def _send(self, guest: Guest, channel: str, sent: Sent) -> None:
        record, stay = self.chronicle.records[channel], guest.stay
        asked = {
            "conversation_id": self.channels[channel],
            "idempotency_key": sent.key,
            "body": {"text": sent.text},
        }
        try:
            answer = await guest.client.rpc("messages.send", msgspec.json.encode(asked))
        except Refused as refused:
            record.refused.add(sent.key)
            if guest.inside[channel] and guest.stay == stay:
                self.chronicle.complaints.append(f"{guest.user} is a member, but: {refused}")
            return
        offset = msgspec.json.decode(answer)["offset"]
        record.acknowledged.append(Acknowledged(sent.key, offset, self.chronicle.now()))

    async def _publish(self, guest: Guest, channel: str, sent: Sent) -> None:
        record = self.chronicle.records[channel]
        said = {
            "sender_id": sent.sender,
            "idempotency_key": sent.key,
            "body": {"text": sent.text},
        }
        data = msgspec.json.encode(said)
        answer = await guest.client.attempt(requests.PublishRequest(channel, data))
        if isinstance(answer, results.PublishResult):
            record.acknowledged.append(Acknowledged(sent.key, 0, self.chronicle.now()))
        else:
            # It may have been published all the same.
            record.refused.add(sent.key)

    async def _look_away_now_and_then(self, guest: Guest) -> None:
        """Stop listening to a conversation for a moment, and go on from there."""
        while await self._later(self._dice.uniform(1.0, 8.0)):
            channel = self._dice.choice(list(guest.inside))
            position = await guest.client.unfollow(channel)
            await asyncio.sleep(self._dice.uniform(0.0, 1.0))
            await guest.client.follow(channel, since=position)

    async def _come_and_go(self, guest: Guest) -> None:
        channel = self._dice.choice([each for each, there in self.channels.items() if there])
        absence = 0.5
        while await self._later(self._dice.uniform(0.0, absence)):
            # Some are back so soon that old news of their leaving may still be on its way, and
            # some stay away so long that nothing may reach them any more.
            absence = self._dice.choice([1.0, 12.0])
            self.chronicle.joins(guest.user, channel)
            await self._owner("conversations.add_member", channel, guest.user)
            guest.inside[channel] = True
            guest.stay += 1
            await self._follow(guest, channel)
            if not await self._later(self._dice.uniform(0.0, 3.0)):
                return
            guest.inside[channel] = False
            await self._owner("conversations.remove_member", channel, guest.user)
            self.chronicle.left(guest.user, channel)
            # Applications of who is put out stop listening by themselves, sooner or later.
            if self._dice.random() < 0.3:
                self.chronicle.ends(guest.user, channel)
                await guest.client.unfollow(channel)

    async def _follow(self, guest: Guest, channel: str) -> None:
        """Follow a channel as long as they may; a denial from before they might is asked again."""
        while guest.inside[channel]:
            self.chronicle.ends(guest.user, channel)
            # What an earlier stay may have left is over before this one begins.
            await guest.client.unfollow(channel)
            self.chronicle.begins(guest.user, channel)
            try:
                await guest.client.follow(channel)
                return
            except Refused as refused:
                self.chronicle.ends(guest.user, channel)
                if refused.code != DENIED:
                    raise
            await asyncio.sleep(0.2)

    def _dismissed(self, user: UserId, channel: str, why: Refused) -> None:
        guest = self.guests[user]
        if guest.inside.get(channel):
            self.chronicle.complaints.append(f"{user} is a member, but was put out: {why}")
        self.chronicle.ends(user, channel)

    # --- what the owner does ---------------------------------------------------------------------

    async def _open(self, members: Iterable[UserId]) -> None:
        asked = {"kind": "group", "title": "الزفّة", "user_ids": list(members)}
        answer = await self.guests[OWNER].client.rpc(
            "conversations.open", msgspec.json.encode(asked)
        )
        conversation = msgspec.json.decode(answer)["id"]
        await self._enter(f"conversation:{conversation}", members, conversation)

    async def _enter(self, channel: str, members: Iterable[UserId], conversation: str = "") -> None:
        self.channels[channel] = conversation
        for user in members:
            self.chronicle.joins(user, channel)
            self.chronicle.begins(user, channel)
            self.guests[user].inside[channel] = True
            await self.guests[user].client.follow(channel, since=None)

    async def _owner(self, method: str, channel: str, user: UserId) -> None:
        asked = {"conversation_id": self.channels[channel], "user_id": user}
        try:
            await self.guests[OWNER].client.rpc(method, msgspec.json.encode(asked))
        except Refused:
            # An earlier try was carried out, and its answer lost.
            if method != "conversations.remove_member":
                raise

    async def _log(self, channel: str) -> list[Delivery]:
        log: list[Delivery] = []
        client = self.guests[OWNER].client
        while True:
            since = StreamPosition(len(log), "")
            page = await client.ask(requests.HistoryRequest(channel, 300, since))
            assert isinstance(page, results.HistoryResult)
            log += [message_of(each) for each in page.publications]
            if not page.publications:
                return log

    # --- clients ---------------------------------------------------------------------------------

    def _client(self, user: UserId, number: int) -> LiveClient:
        turn = number % len(self._urls)

        def heard(_channel: str, _publication: Publication) -> None:
            """The chronicle hears it from the client's witness."""

        return LiveClient(
            [*self._urls[turn:], *self._urls[:turn]],
            token=partial(self._signer.token, user),
            heard=heard,
            clock=SystemClock(),
            codec=PROTOBUF if number % 2 else JSON,
            patience=PATIENCE,
            witness=self.chronicle.witness(user),
            dismissed=partial(self._dismissed, user),
            deltas=number % 3 == 0,
        )
