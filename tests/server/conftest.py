"""A house with a few operations of its own, asked over HTTP without a socket."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import httpx
import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.adapters.jwt import JwtVerifier
from kernel.adapters.memory_bus import MemoryBus
from kernel.adapters.sql_api_keys import SqlApiKeys
from kernel.backoff import Backoff
from kernel.clock import SystemClock
from kernel.errors import Kind, Refusal, Unavailable
from kernel.identity import Principal, Scope
from kernel.metrics import Metrics
from kernel.operations import AnyOperation, Nothing, Operation
from kernel.supervisor import Supervisor
from server.app import create_app
from server.house import Hints, House
from server.migrations import SchemaState
from server.options import ServerOptions
from server.rates import Rates
from tests.support.empty import empty_database
from tests.support.tokens import TOKEN_OPTIONS, access_token


class Letter(msgspec.Struct, forbid_unknown_fields=True):
    """A letter to write."""

    box: int
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=20)]
    body: msgspec.Raw
    copies: int = 1


class OneLetter(msgspec.Struct, forbid_unknown_fields=True):
    """Which letter."""

    id: UUID


class Search(msgspec.Struct, forbid_unknown_fields=True):
    """What to look for."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    tags: list[str] = []
    urgent: bool = False


class Written(msgspec.Struct):
    """A letter that was written."""

    by: str
    box: int
    subject: str
    body: msgspec.Raw
    copies: int


class LetterLost(Refusal):
    """Nobody knows where it is."""

    kind = Kind.NOT_FOUND
    code = "letter.lost"


async def write(principal: Principal, letter: Letter) -> Written:
    return Written(principal.user, letter.box, letter.subject, letter.body, letter.copies)


async def find(_principal: Principal, search: Search) -> Search:
    return search


async def read(_principal: Principal, letter: OneLetter) -> Nothing:
    raise LetterLost("There is no such letter.", id=str(letter.id))


async def burn(_principal: Principal, _letter: OneLetter) -> Nothing:
    return Nothing()


async def break_down(_principal: Principal, _nothing: Nothing) -> Nothing:
    raise RuntimeError("the secret Bearer abc.def.ghi leaked")


async def be_away(_principal: Principal, _nothing: Nothing) -> Nothing:
    raise Unavailable("The post is closed.")


async def follow(principal: Principal, search: Search) -> AsyncIterator[Search]:
    if search.urgent:
        raise Unavailable("The post is closed.")

    async def arriving() -> AsyncIterator[Search]:
        for number in range(1, search.limit + 1):
            yield Search(limit=number)

    return arriving()


async def inspect(principal: Principal, _nothing: Nothing) -> Nothing:
    principal.require(Scope.OPERATE)
    return Nothing()


OPERATIONS: Sequence[AnyOperation] = (
    Operation(
        "letters.write", "POST", "/v1/boxes/{box}/letters", "Write a letter.",
        Letter, Written, write, rpc=True, status=201,
    ),
    Operation("letters.find", "GET", "/v1/letters", "Find letters.", Search, Search, find),
    Operation(
        "letters.follow", "GET", "/v1/letters/arriving", "Letters as they arrive.",
        Search, Search, follow, streams=True, refusals=(Unavailable,),
    ),
    Operation(
        "letters.read", "GET", "/v1/letters/{id}", "Read a letter.",
        OneLetter, Nothing, read, refusals=(LetterLost,),
    ),
    Operation(
        "letters.burn", "DELETE", "/v1/letters/{id}", "Burn a letter.",
        OneLetter, Nothing, burn, status=204,
    ),
    Operation("post.break", "POST", "/v1/break", "Break down.", Nothing, Nothing, break_down),
    Operation("post.rest", "POST", "/v1/rest", "Be away.", Nothing, Nothing, be_away),
    Operation(
        "post.inspect", "POST", "/admin/v1/inspect", "Inspect the post.",
        Nothing, Nothing, inspect, scope=Scope.OPERATE,
    ),
)  # fmt: skip


@dataclass
class Asked:
    """A house, and a way to ask it as a user or as a server."""

    house: House
    http: httpx.AsyncClient

    async def as_user(self, method: str, path: str, *, user: str = "amina", **how: Any) -> Any:
        token = access_token(user, now=self.house.clock.now())
        how["headers"] = {"authorization": f"Bearer {token}", **how.get("headers", {})}
        return await self.http.request(method, path, **how)

    async def key(self, *scopes: Scope) -> str:
        return (await self.house.api_keys.create("tests", frozenset(scopes)))[1]


@pytest.fixture
def options() -> ServerOptions:
    return ServerOptions(body_bytes=16_384, requests_per_second=1.0, requests_burst=50)


@pytest.fixture
def house(sqlite_database: Database, options: ServerOptions) -> House:
    clock, metrics = SystemClock(), Metrics()

    async def schema() -> SchemaState:
        return SchemaState("0001", "0001")

    async def websocket(_websocket: object) -> None:
        raise AssertionError("these tests open no connections")

    async def disconnect_all(_seconds: float) -> None:
        return None

    return House(
        options=options,
        clock=clock,
        metrics=metrics,
        database=sqlite_database,
        schema=schema,
        bus=MemoryBus(),
        tokens=JwtVerifier(TOKEN_OPTIONS, clock),
        api_keys=SqlApiKeys(sqlite_database, clock),
        callers=Rates(clock=clock, rate=options.requests_per_second, burst=options.requests_burst),
        operations=OPERATIONS,
        websocket=websocket,
        disconnect_all=disconnect_all,
        supervisor=Supervisor((), clock=clock, metrics=metrics, backoff=Backoff(1, 1)),
        hints=Hints(chats=[("amina", "zaffa chat --user amina")], pushes="zaffa sandbox follow"),
    )


@pytest.fixture
async def asked(house: House) -> AsyncIterator[Asked]:
    transport = httpx.ASGITransport(create_app(house), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://zaffa.test") as http:
        yield Asked(house, http)


@pytest.fixture
def empty_database_url(postgres_url: str) -> Iterator[str]:
    """A PostgreSQL database without tables."""
    with empty_database(postgres_url) as url:
        yield url
