"""Where and how a replay is played, and what must be there before it begins."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import aiohttp
import msgspec

from kernel.ids import UserId
from server.demo.replay_cast import Cast
from server.live_line import Patience

ZONE = "Africa/Algiers"


class CannotReplay(Exception):
    """The replay cannot begin; the text says why."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a replay is played."""

    servers: Sequence[str]
    """Gateways, as `http://host:port`. Who loses one takes the next."""
    sandbox: str
    """The page of the sandbox that their pushes go to."""
    token: Callable[[UserId], str]
    """An access token for a user."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How a replay is played."""

    title: str = "replay"
    speed: float | None = None
    """So many times the log's own time; None is as fast as it is acknowledged."""
    in_flight: int = 16
    """Messages that wait for their acknowledgement at the same time, at most."""
    stall: float = 60.0
    """Seconds without any progress after which the rest is given up."""
    quiet: float = 1.0
    """Seconds to wait in the end for what must not come."""
    patience: Patience = field(default_factory=Patience)


@dataclass(slots=True)
class Progress:
    """How far a replay is: counts, of how many."""

    lines: int
    deliveries_due: int
    pushes_due: int
    connected: int = 0
    sent: int = 0
    acknowledged: int = 0
    deliveries: int = 0
    pushes: int = 0

    def line(self) -> str:
        """All of it on one line."""
        return (
            f"{self.connected} connected · {self.acknowledged} of {self.lines} acknowledged"
            f" · {self.deliveries} of {self.deliveries_due} delivered"
            f" · {self.pushes} of {self.pushes_due} pushes"
        )


class _Opened(msgspec.Struct):
    id: UUID


async def prepare(cast: Cast, *, stage: Stage, title: str) -> UUID:
    """A conversation of the whole cast, everybody with their phone. Raises `CannotReplay`."""
    async with aiohttp.ClientSession() as session:
        owner, *others = cast.everybody
        body = {"kind": "group", "title": title, "user_ids": others}
        opened = await _post(session, stage, "/v1/conversations", owner, body)
        few = asyncio.Semaphore(8)

        async def register(user: UserId) -> None:
            async with few:
                await _post(session, stage, "/v1/devices", user, _registration(cast, user))

        await asyncio.gather(*(register(user) for user in cast.everybody))
        return msgspec.json.decode(opened, type=_Opened).id


def _registration(cast: Cast, user: UserId) -> Mapping[str, object]:
    phone = cast.phones[user]
    return {
        "installation_id": phone.installation_id,
        "address_kind": phone.kind,
        "address": phone.address,
        "platform": phone.platform,
        "locale": phone.locale,
        "time_zone": ZONE,
    }


async def _post(
    session: aiohttp.ClientSession,
    stage: Stage,
    path: str,
    user: UserId,
    body: Mapping[str, object],
) -> bytes:
    url = stage.servers[0] + path
    headers = {
        "Authorization": f"Bearer {stage.token(user)}",
        "Content-Type": "application/json",
    }
    try:
        async with session.post(url, data=msgspec.json.encode(body), headers=headers) as answer:
            told = await answer.read()
    except (aiohttp.ClientError, TimeoutError) as error:
        raise CannotReplay(f"{stage.servers[0]} does not answer: {error}") from error
    if answer.status >= 400:
        text = told.decode(errors="replace")
        raise CannotReplay(f"{url} as {user}: {answer.status} {text}")
    return told
