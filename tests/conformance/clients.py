"""The official clients, unmodified, behind one face, so that one test judges with each of them.

What a client library cannot do is said here, and nowhere else: the Python client knows no
`send`, no `message`, and no `since` of an application's own.
"""

import asyncio
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.conformance.events import PATIENCE, ClientError, Events
from tests.conformance.python_client import PythonClient
from tests.support.node import install, node

HERE = Path(__file__).parent

KINDS = ("javascript-json", "javascript-protobuf", "python-json", "python-protobuf")

STREAMS = ("javascript-json-http_stream", "javascript-protobuf-http_stream", "javascript-json-sse")
"""Those that need no WebSocket."""


class JavaScriptClient(Events):
    """`centrifuge` from npm, one of many in a Node.js process.

    It connects to the WebSocket at the address that `ways` is, or by the first of the ways
    that works.
    """

    def __init__(
        self,
        port: int,
        ways: str | list[dict[str, str]],
        tokens: Sequence[str | None],
        *,
        protobuf: bool,
        options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        self._port = port
        self._new = {
            "ways": ways,
            "format": "protobuf" if protobuf else "json",
            "tokens": list(tokens),
            "options": options,
        }
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._number = 0

    async def start(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._reading = asyncio.create_task(self._read_lines())
        await self.do("new", **self._new)

    async def _read_lines(self) -> None:
        async for line in self._reader:
            said = json.loads(line)
            if "event" in said:
                await self.tell(said)
            elif "error" in said:
                self._answers.pop(said["id"]).set_exception(ClientError(**said["error"]))
            else:
                self._answers.pop(said["id"]).set_result(said["result"])

    async def do(self, action: str, **arguments: Any) -> Any:
        self._number += 1
        answer = self._answers[self._number] = asyncio.get_running_loop().create_future()
        command = {"id": self._number, "action": action, **arguments}
        self._writer.write(json.dumps(command).encode() + b"\n")
        async with asyncio.timeout(PATIENCE):
            return await answer

    async def close(self) -> None:
        self._writer.write_eof()
        self._reading.cancel()
        await asyncio.wait({self._reading})
        self._writer.close()


class Clients:
    """Where the official clients come from: one Node.js process hosts all of JavaScript's."""

    def __init__(self) -> None:
        install(HERE)
        self._process = subprocess.Popen(
            [node(), HERE / "client.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdout is not None
        self._port = int(self._process.stdout.readline())

    def stop(self) -> None:
        """End the hosting process."""
        self._process.communicate(timeout=PATIENCE)

    def client(
        self,
        kind: str,
        url: str,
        tokens: Sequence[str | None],
        *,
        elsewhere: str = "",
        blocked: str = "",
        **options: Any,
    ) -> JavaScriptClient | PythonClient:
        """One of the official clients that judge; `url` is a node's WebSocket.

        The first token is the one it begins with; when it asks for others it is given the
        rest, one after the other, and the last for ever. None says that there is none to be
        had: who asks is not authorized any more. `options` are the library's own: `data`,
        `name`, `version`, `headers`.

        A client of streams says what it has to say there, or to the node whose WebSocket is
        `elsewhere`. With `blocked` it tries the WebSocket at that address before.
        """
        language, form, *rest = kind.split("-")
        protobuf = form == "protobuf"
        if language == "python":
            return PythonClient(url, tokens, protobuf=protobuf, options=options)
        ways: str | list[dict[str, str]] = url
        if rest:
            ways = [{"transport": rest[0], "endpoint": _at(url, f"/connection/{rest[0]}")}]
            if blocked:
                ways.insert(0, {"transport": "websocket", "endpoint": blocked})
            options["emulationEndpoint"] = _at(elsewhere or url, "/emulation")
        return JavaScriptClient(self._port, ways, tokens, protobuf=protobuf, options=options)


def _at(websocket_url: str, path: str) -> str:
    return f"http://{urlsplit(websocket_url).netloc}{path}"
