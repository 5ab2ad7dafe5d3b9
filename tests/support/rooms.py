"""All rooms of a house as the server wires them, moved step by step on one clock."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from kernel.adapters.database import DatabaseOptions
from kernel.identity import Principal
from kernel.ids import UserId
from kernel.relay import Relay
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.record import Arrival
from notifications.sandbox.sandbox import Sandbox
from server.roles import ALL
from server.wiring.calendar import Calendar
from server.wiring.chat import Chat
from server.wiring.ground import Ground
from server.wiring.groups import Settings
from server.wiring.live import LiveNews
from server.wiring.preparing import prepare
from server.wiring.pushes import Pushes
from tests.support.clock import ManualClock
from tests.support.tokens import TOKEN_OPTIONS


def sandboxed(database_url: str, folder: Path) -> Settings:
    """The settings of a house whose pushes go to a sandbox of its own."""
    plain = Settings()
    ports = dict.fromkeys(
        ("page_port", "fcm_port", "apns_port", "apns_sandbox_port", "webpush_port"), 0
    )
    return prepare(
        replace(
            plain,
            server=replace(plain.server, push="sandbox"),
            database=DatabaseOptions(url=database_url, sqlite_synchronous="NORMAL"),
            tokens=TOKEN_OPTIONS,
            credentials=replace(plain.credentials, keys=(f"k:{'A' * 43}",)),
            sandbox=SandboxOptions(directory=str(folder / "sandbox"), **ports),
        )
    )


class Rooms:
    """All rooms of a house, on a clock moved by hand; `work` does what the workers would."""

    def __init__(self, settings: Settings, clock: ManualClock) -> None:
        self.ground = ground = Ground(settings, ALL, clock=clock)
        self.chat, pushes = Chat(ground), Pushes(ground)
        calendar = Calendar(ground, standing=self.chat.users.standing, talks=self.chat.talks)
        ground.parts.append(self.chat.users.standing)
        self.chat.relay()
        pushes.relay()
        calendar.relay(live=LiveNews(self.chat.publishing, self.chat.namespaces))
        pushes.dispatcher()
        calendar.scheduler()
        self.workers: list[Any] = [
            *ground.workers,
            self.chat.users.standing,
            Relay(
                outbox=ground.outbox,
                handlers=ground.handlers,
                clock=clock,
                metrics=ground.metrics,
                options=settings.relay,
                pulse=ground.relaying,
            ),
        ]
        self._operations = {each.name: each for each in ground.operations}
        self._told = 0

    @property
    def sandbox(self) -> Sandbox:
        (sandbox,) = (each for each in self.ground.parts if isinstance(each, Sandbox))
        return sandbox

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Rooms"]:
        async with AsyncExitStack() as opened:
            opened.push_async_callback(self.ground.database.close)
            await self.ground.bus.open()
            opened.push_async_callback(self.ground.bus.close)
            for part in self.ground.parts:
                await part.open()
                opened.push_async_callback(part.close)
            yield self

    async def ask(self, what: str, who: UserId | Principal, /, **words: object) -> Any:
        """Ask an operation, as HTTP and RPC do."""
        operation = self._operations[what]
        asked = msgspec.json.decode(msgspec.json.encode(words), type=operation.takes)
        principal = who if isinstance(who, Principal) else Principal(user_id=who)
        return await operation.run(principal, asked)

    async def work(self) -> list[Arrival]:
        """Let the workers do all there is to do now; what has arrived on phones since."""
        for _ in range(50):
            if sum([await worker.step() for worker in self.workers]) == 0:
                arrived = self.sandbox.arrivals.after(self._told)
                self._told += len(arrived)
                return arrived
        raise AssertionError("the workers do not come to an end")

    async def phone(self, user_id: UserId, number: int, locale: str = "fr-DZ") -> Any:
        return await self.ask(
            "devices.register",
            user_id,
            installation_id=f"installation-{number}",
            address_kind="fcm_token",
            address=address(number),
            platform="android",
            locale=locale,
            time_zone="Africa/Algiers",
        )

    async def iphone(self, user_id: UserId, number: int) -> Any:
        return await self.ask(
            "devices.register",
            user_id,
            installation_id=f"installation-{number}",
            address_kind="apns",
            address=f"{number:064x}",
            platform="ios",
            locale="ar-DZ",
            time_zone="Africa/Algiers",
        )

    async def campaign(self, operator: Principal) -> UUID:
        """A campaign to everybody who agreed, under way."""
        made = await self.ask(
            "campaigns.create",
            operator,
            name="Salon",
            idempotency_key=uuid4().hex,
            texts={"fr": {"title": "Salon", "body": "Vendredi, 20 h"}},
        )
        started = await self.ask("campaigns.start", operator, campaign_id=str(made.id))
        return UUID(str(started.id))

    async def group(self, owner: UserId, *others: UserId) -> str:
        made = await self.ask(
            "conversations.open", owner, kind="group", title="زفاف أمينة", user_ids=others
        )
        return str(made.id)

    async def say(self, sender: UserId, conversation: str, text: str) -> None:
        await self.ask(
            "messages.send",
            sender,
            conversation_id=conversation,
            idempotency_key=uuid4().hex,
            body={"text": text},
        )


def address(number: int) -> str:
    return f"phone-{number:04}"
