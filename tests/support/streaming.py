"""Clients of a node's streams: raw HTTP, so that tests see what is on the wire."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import aiohttp

from tests.support.realtime import PATIENCE, Node


class Stream:
    """One stream of JSON, as it arrives."""

    def __init__(self, node: Node, session: aiohttp.ClientSession) -> None:
        self.node = node
        self.answers: list[dict[str, Any]] = []
        self.ended = False
        """Whether the response is complete, as opposed to cut off."""
        self.raw = b""
        self._http = session
        self._response: aiohttp.ClientResponse | None = None
        self._rest = b""

    @property
    def response(self) -> aiohttp.ClientResponse:
        assert self._response is not None
        return self._response

    @property
    def connected(self) -> Mapping[str, Any]:
        """What the connect was answered."""
        first = self.answers[0]
        return first["connect"]  # type: ignore[no-any-return]

    async def open(self, transport: str, body: bytes, **more: Any) -> None:
        path = f"{self.node.http_url}/connection/{transport}"
        if transport.endswith("sse"):
            self._response = await self._http.get(f"{path}?cf_connect={quote(body)}", **more)
        else:
            self._response = await self._http.post(path, data=body, **more)

    async def hear(self) -> None:
        """Take what arrives next."""
        chunk = await self.response.content.readany()
        if not chunk and self.response.content.at_eof():
            self.ended = True
            return
        self.raw += chunk
        lines = (self._rest + chunk).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            text = line.strip().removeprefix(b"data: ")
            if text:
                self.answers.append(json.loads(text))

    async def until(self, true: Callable[[], object]) -> None:
        """Listen until something is so, or there is nothing more to hear."""
        async with asyncio.timeout(PATIENCE):
            while not true() and not self.ended:
                await self.hear()
        assert true(), f"{self.response.status}: the stream ended after {self.raw!r}"

    async def answer(self, id: int) -> dict[str, Any]:
        """What the command with this id was answered."""
        found: list[dict[str, Any]] = []
        await self.until(
            lambda: found.extend(a for a in self.answers if a.get("id") == id) or found
        )
        return found[0]

    async def farewell(self) -> dict[str, Any]:
        """The disconnect push, which is the last thing said in a stream that ends in order."""
        async with asyncio.timeout(PATIENCE):
            while not self.ended:
                await self.hear()
        last = self.answers[-1]
        told: dict[str, Any] = last.get("push", last)["disconnect"]
        return told

    async def say(
        self, *commands: Mapping[str, Any], session: str = "", at: Node | None = None
    ) -> int:
        """Say something to the session; the status of the answer."""
        body = {
            "node": self.connected["node"],
            "session": session or self.connected["session"],
            "data": "\n".join(json.dumps(command, ensure_ascii=False) for command in commands),
        }
        return await self.post(json.dumps(body).encode(), at=at)

    async def post(self, body: Any, *, at: Node | None = None, **headers: str) -> int:
        url = f"{(at or self.node).http_url}/emulation"
        async with self._http.post(url, data=body, headers=headers) as answer:
            return answer.status

    def close(self) -> None:
        """Leave without a word."""
        if self._response is not None:
            self._response.close()

    def offsets(self, channel: str) -> list[int]:
        """Of the publications that were heard live."""
        pushes = [answer.get("push", answer) for answer in self.answers]
        return [each["pub"]["offset"] for each in pushes if each.get("channel") == channel]


@asynccontextmanager
async def streaming(
    node: Node,
    user_id: str | None = None,
    *,
    transport: str = "http_stream",
    claims: Mapping[str, Any] | None = None,
    subs: Mapping[str, Any] | None = None,
    **more: Any,
) -> AsyncIterator[Stream]:
    """A stream, connected as a user if one is named."""
    async with aiohttp.ClientSession(headers={"content-type": "application/json"}) as session:
        stream = Stream(node, session)
        try:
            if user_id is not None:
                request = {"token": node.token(user_id, **(claims or {})), "subs": subs or {}}
                command = request if transport.startswith("uni_") else {"id": 1, "connect": request}
                await stream.open(transport, json.dumps(command).encode(), **more)
                await stream.until(lambda: stream.answers)
            yield stream
        finally:
            stream.close()
