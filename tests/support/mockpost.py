"""A push emulator that is not ours: mockpost's FCM and APNs, over TLS and HTTP/2.

A program of its own: mockpost keeps its settings and its database in globals. It is given a
port and the files of a certificate, and writes `ready` when it listens.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from hypercorn.asyncio import serve
from hypercorn.config import Config
from mockpost import db
from mockpost.config import settings
from mockpost.routers import api_messages, push_native

Asgi = Callable[..., Awaitable[None]]


def at_apples_paths(app: Asgi) -> Asgi:
    """mockpost has Apple's paths below /apns."""

    async def called(scope: dict[str, Any], receive: Asgi, send: Asgi) -> None:
        if scope.get("path", "").startswith("/3/device/"):
            scope = {**scope, "path": "/apns" + scope["path"]}
        await app(scope, receive, send)

    return called


async def main(port: str, certificate: str, key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings.db_path = str(Path(folder) / "mockpost.db")
        settings.strict_auth = True
        await db.init_db()
        app = FastAPI()
        for each in (push_native, api_messages):
            app.include_router(each.router)
        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        config.certfile, config.keyfile = certificate, key
        config.errorlog = None
        closing = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), closing.set)
        serving = asyncio.create_task(
            serve(at_apples_paths(app), config, shutdown_trigger=closing.wait)  # type: ignore[arg-type]
        )
        print("ready", flush=True)
        await serving
        await db.close_db()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
