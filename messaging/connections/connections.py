"""Which connections users have, on all nodes: with what, since when, listening to what."""

import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from sys import intern

import msgspec

from kernel.bus import Bus
from kernel.errors import Unavailable
from kernel.identity import Principal
from kernel.ids import UserId
from messaging.connections.connection import Connection
from messaging.connections.label_filters import fits
from messaging.connections.labels import META, labels_of
from messaging.connections.roster import Roster
from messaging.nodes.control import Disconnect, publication_of_order
from messaging.nodes.surveys import Surveys
from messaging.protocol.codes import DisconnectCode
from messaging.protocol.requests import ConnectRequest
from messaging.protocol.values import FilterNode
from messaging.types import Caller

audit = logging.getLogger("messaging.audit")

QUESTION = "connections"

ANSWER_SECONDS = 3.0
"""How long nodes have to answer."""

NAME_CHARACTERS = 64
"""What is kept of an application's name and version."""

AT_MOST = 1000
"""Connections that are told of at once."""


class Connected(msgspec.Struct, frozen=True, kw_only=True):
    """One live connection. Its labels are the texts in the token's `labels` and `meta`."""

    client: str
    user_id: UserId
    node: str
    transport: str
    protocol: str
    app_name: str
    app_version: str
    connected_at: datetime
    channels: list[str]
    labels: dict[str, str]
    meta: msgspec.Raw
    token_id: str
    token_issued_at: datetime | None
    token_expires_at: datetime | None


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which connections: of a user, with labels, of an application; whatever is given counts."""

    user_id: UserId | None = None
    labels: dict[str, str] = {}
    label_filter: FilterNode | None = None
    app_name: str = ""
    limit: int = AT_MOST


class _Found(msgspec.Struct, frozen=True):
    connections: list[Connected]
    more: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What all nodes told; `more` if there are others, `missing` are nodes that said nothing."""

    connections: list[Connected]
    more: bool
    missing: list[str]


class Connections:
    """Asks all nodes; each looks at its own."""

    def __init__(self, *, node_id: str, bus: Bus) -> None:
        self._node_id = node_id
        self._bus = bus
        self._surveys: Surveys | None = None

    def serve(
        self, roster: Roster, surveys: Surveys, *, pause: Callable[[], Awaitable[None]]
    ) -> None:
        """Answer about the connections of this node, and ask the others.

        `pause` lets the node do other things while many connections are looked at.
        """

        async def answer(data: bytes) -> bytes:
            wanted = msgspec.json.decode(data, type=Wanted)
            return msgspec.json.encode(await self._here(wanted, roster, pause))

        surveys.answer(QUESTION, answer)
        self._surveys = surveys

    async def find(self, wanted: Wanted) -> Found:
        """The connections on all nodes. Raises `Unavailable` where there are none by design."""
        if self._surveys is None:
            raise Unavailable("This process holds no connections.")
        survey = await self._surveys.survey(
            QUESTION, msgspec.json.encode(wanted), timeout=ANSWER_SECONDS
        )
        told = [msgspec.json.decode(each, type=_Found) for each in survey.answers.values()]
        connections = [connection for each in told for connection in each.connections]
        connections.sort(key=lambda each: (each.connected_at, each.client))
        more = len(connections) > wanted.limit or any(each.more for each in told)
        missing = sorted({*survey.missing, *survey.refused})
        return Found(connections[: wanted.limit], more, missing)

    async def end(self, client: str, *, user_id: UserId, by: Principal) -> None:
        """Close one connection of a user, wherever it is. Its client does not come back."""
        order = Disconnect(
            user_id=user_id, client=client, code=int(DisconnectCode.FORCE_DISCONNECT)
        )
        self._bus.publish([publication_of_order(order)])
        audit.info(
            "connection ended", extra={"user_id": user_id, "client": client, "by": by.key_id}
        )

    async def _here(
        self, wanted: Wanted, roster: Roster, pause: Callable[[], Awaitable[None]]
    ) -> _Found:
        found: list[Connected] = []
        looking: Iterator[Connection] = iter(roster)
        if wanted.user_id is not None:
            looking = iter(roster.of_user(wanted.user_id))
        for number, connection in enumerate(looking, start=1):
            if number % 1000 == 0:
                await pause()
            if connection.is_open and _fits(connection, wanted):
                if len(found) == wanted.limit:
                    return _Found(found, more=True)
                found.append(self._described(connection))
        return _Found(found, more=False)

    def _described(self, connection: Connection) -> Connected:
        principal, caller = connection.principal, connection.caller
        assert principal is not None
        assert caller is not None, "who is accepted has said what they are"
        meta = principal.claims.get(META)
        token_id = principal.claims.get("jti")
        return Connected(
            client=connection.client,
            user_id=principal.user_id or UserId(""),
            node=self._node_id,
            transport=connection.wire.transport,
            protocol="protobuf" if connection.wire.codec.binary else "json",
            app_name=caller.app_name,
            app_version=caller.app_version,
            connected_at=caller.connected_at,
            channels=sorted(
                name for name, each in (connection.subscriptions or {}).items() if each.complete
            ),
            labels=labels_of(principal),
            meta=msgspec.Raw(msgspec.json.encode(meta)),
            token_id=token_id if isinstance(token_id, str) else "",
            token_issued_at=_issued(principal.claims.get("iat")),
            token_expires_at=principal.expires_at,
        )


def caller_of(request: ConnectRequest, now: datetime) -> Caller:
    """What is kept of what a client says of itself. Many say the same: it is kept once."""
    name, version = request.name[:NAME_CHARACTERS], request.version[:NAME_CHARACTERS]
    return Caller(intern(name), intern(version), now)


def _fits(connection: Connection, wanted: Wanted) -> bool:
    principal, caller = connection.principal, connection.caller
    if principal is None or caller is None:
        return False
    if wanted.app_name and caller.app_name != wanted.app_name:
        return False
    labels = labels_of(principal)
    if wanted.labels and not wanted.labels.items() <= labels.items():
        return False
    return wanted.label_filter is None or fits(wanted.label_filter, labels)


def _issued(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if isinstance(seconds, int | float) else None
