"""The admin gateway and the server API of a running node, for the commands of operators."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import msgspec

from kernel.errors import Unavailable
from kernel.identity import Scope
from server.wiring.groups import Settings
from server.wiring.preparing import open_api_keys

ANSWER_SECONDS = 30.0


class OperatorRefused(Unavailable):
    """The node understood, and said no."""


class OperatorClient:
    """Asks one node; what it does holds for all of them."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-API-Key": key, "X-Centrifugo-Error-Mode": "transport"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def ask(
        self,
        method: str,
        *path: str,
        query: list[tuple[str, str]] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The answer. Raises `OperatorRefused`, or `Unavailable` when there is none."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with self._asked(method, path, query, body, timeout) as answer:
            return await answer.json(content_type=None)

    async def call(self, method: str, **fields: Any) -> Any:
        """What a method of the server API gives. Raises as `ask` does."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with self._asked("POST", (method,), None, fields, timeout, root="api") as answer:
            return (await answer.json())["result"]

    async def page(self, *path: str, query: list[tuple[str, str]]) -> str:
        """What a browser would be shown. Raises as `ask` does."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        async with self._asked("GET", path, query, None, timeout, accept="text/html") as answer:
            return await answer.text()

    async def follow(self, *path: str, query: list[tuple[str, str]]) -> AsyncGenerator[Any, None]:
        """The values of an answer that streams, as they come."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_SECONDS)
        async with self._asked("GET", path, query, None, timeout) as answer:
            try:
                async for line in answer.content:
                    if line.strip():
                        yield msgspec.json.decode(line)
            except aiohttp.ClientError as error:
                raise Unavailable("The node went away.", reason=str(error)) from error

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        query: list[tuple[str, str]] | None,
        body: Mapping[str, Any] | None,
        timeout: aiohttp.ClientTimeout,
        *,
        root: str = "admin/v1",
        accept: str = "application/json",
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None, "the client is used inside `async with`"
        url = "/".join((f"{self._url}/{root}", *(quote(part, safe="") for part in path)))
        try:
            answer = await self._session.request(
                method,
                url,
                params=query,
                json=body,
                headers={"Accept": accept},
                timeout=timeout,
            )
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Unavailable(
                f"No node answers at {self._url}; --url names another.", reason=str(error)
            ) from error
        async with answer:
            if answer.status >= 400:
                told = await answer.json(content_type=None)
                raise OperatorRefused(told["message"], reason=str(told["code"]))
            yield answer


@asynccontextmanager
async def operator_client(
    loaded: Settings, *, url: str, key: str, scope: Scope
) -> AsyncIterator[OperatorClient]:
    """A client with this key, or with one that is made for it and revoked in the end."""
    public = loaded.server.public_url or f"http://127.0.0.1:{loaded.server.port}"
    if key:
        async with OperatorClient(url or public, key) as client:
            yield client
        return
    async with open_api_keys(loaded) as keys:
        made, secret = await keys.create("a command of zaffa", frozenset({scope}))
        try:
            async with OperatorClient(url or public, secret) as client:
                yield client
        finally:
            await keys.revoke(made.id)
