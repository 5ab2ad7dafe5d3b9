"""What is measured: our house in its forms, and the peers beside it, each on one core."""

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import COUNT, INSTANT, Dialect, padded
from benchmarks.machine import SERVER_CORE, on_core, peer
from tests.support.running import RunningHouse
from tests.support.servers import free_port

SIZE = 200
"""Bytes of a message."""
NCHAN_MODULE = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
"""Where Debian's package libnginx-mod-nchan puts it."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs, and how it is spoken to."""

    name: str
    port: int
    pid: int
    dialect: Dialect


# --- peers --------------------------------------------------------------------------------------


def plain(path: str = "/") -> Dialect:
    """A server that sends on to everybody what anybody sends: ws, websockets.broadcast, nchan."""
    said = padded(SIZE).encode()
    return Dialect(path=path, hello=lambda _: [], answers=[], say=lambda _: said)


def socket_io(event: str = "pub") -> Dialect:
    """Engine.IO 4 and Socket.IO 5 over WebSocket: `pub` is for everybody, `cmd` is answered."""
    said = (
        f'42["pub",{padded(SIZE)}]' if event == "pub" else f'421{COUNT}["cmd",{padded(SIZE)}]'
    ).encode()
    return Dialect(
        path="/socket.io/?EIO=4&transport=websocket",
        hello=lambda _: [],
        answers=[(b'0{"sid"', b"40"), (b'40{"sid"', b"")],
        say=lambda _: said,
        delivery=b'"t":"' if event == "pub" else None,
        answer=b'"t":"',
    )


@asynccontextmanager
async def nchan() -> AsyncIterator[tuple[int, int]]:
    """nginx with nchan on the server core: its port and its process id."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "nginx.conf"
        file.write_text(
            f"""
            load_module {NCHAN_MODULE};
            daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 20000;
            pid {folder}/pid; error_log {folder}/log;
            events {{ worker_connections 19000; }}
            http {{
              access_log off;
              server {{
                listen 127.0.0.1:{port} backlog=2048;
                location = / {{
                  nchan_pubsub websocket; nchan_channel_id all;
                  nchan_subscriber_first_message newest;
                }}
              }}
            }}
            """
        )
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            ["nginx", "-p", folder, "-c", file],
            stderr=subprocess.DEVNULL,
            preexec_fn=on_core(SERVER_CORE),
        )
        try:
            await _listening(port)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(10)


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionRefusedError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")


@asynccontextmanager
async def peer_named(name: str, *, event: str = "pub") -> AsyncIterator[Server]:
    """A peer by its name in the tables."""
    match name:
        case "socket.io":
            runs, dialect = peer("socketio.mjs"), socket_io(event)
        case "ws":
            runs, dialect = peer("ws.mjs"), plain()
        case "websockets.broadcast":
            runs, dialect = peer("websockets_broadcast.py"), plain()
        case "nchan":
            runs, dialect = nchan(), plain()
        case _:
            raise ValueError(name)
    async with runs as (port, pid):
        yield Server(name, port, pid, dialect)


def present(peers: Sequence[str]) -> list[str]:
    """Those of the peers that can run here; says which cannot."""
    if "nchan" in peers and not (shutil.which("nginx") and NCHAN_MODULE.exists()):
        print("nchan is left out: apt-get install nginx libnginx-mod-nchan", flush=True)
        return [each for each in peers if each != "nchan"]
    return list(peers)


LIMITS = {
    "ZAFFA_CONVERSATIONS_MEMBERS": "20000",
    "ZAFFA_CONNECTIONS_COMMANDS_PER_SECOND": "1000000",
    # The load client answers no pings, and a busy machine takes long to connect ten thousand.
    "ZAFFA_CONNECTIONS_PING_SECONDS": "300",
    "ZAFFA_CONNECTIONS_PONG_SECONDS": "60",
    "ZAFFA_SERVER_LOG_LEVEL": "warning",
}
"""Settings under which a benchmark meets no limit."""

PASSING = json.dumps(
    {"passing": {"allow_subscribe_for_client": True, "allow_publish_for_subscriber": True}}
)
"""A namespace whose channels keep nothing: subscribers are sent what subscribers publish."""


# --- ours ---------------------------------------------------------------------------------------


@asynccontextmanager
async def house_on_one_core(
    folder: Path, *, module: str = "server", settings: dict[str, str] | None = None
) -> AsyncIterator[RunningHouse]:
    """A whole house on the embedded default, without limits that a benchmark would meet."""
    async with RunningHouse.start(
        folder,
        module=module,
        preexec=on_core(SERVER_CORE),
        settings={
            **LIMITS,
            "ZAFFA_CHANNELS_NAMESPACES": PASSING,
            **(settings or {}),
        },
    ) as house:
        yield house


def zaffa(
    house: RunningHouse,
    users: Sequence[str],
    channel: Callable[[int], str] | None,
    *,
    say: Callable[[int], str],
    delivery: bytes | None = b'"t":"',
    answer: bytes = b'"rpc":{',
) -> Dialect:
    """The Centrifuge protocol: connection n connects as a user, and may subscribe to a channel."""
    tokens = [house.token(user) for user in users]

    def hello(number: int) -> list[bytes]:
        connect = {"id": 1, "connect": {"token": tokens[number % len(tokens)], "name": "bench"}}
        if channel is None:
            return [json.dumps(connect).encode()]
        subscribe = {"id": 2, "subscribe": {"channel": channel(number)}}
        return [f"{json.dumps(connect)}\n{json.dumps(subscribe)}".encode()]

    return Dialect(
        path="/connection/websocket",
        hello=hello,
        answers=[(b'"connect":{' if channel is None else b'"subscribe":{', b"")],
        say=lambda number: say(number).encode(),
        delivery=delivery,
        answer=answer,
    )


def rpc(method: str, data: str) -> str:
    """An RPC whose answers can be told apart."""
    return f'{{"id":1{COUNT},"rpc":{{"method":"{method}","data":{data}}}}}'


def send_to(conversation: str) -> str:
    """`messages.send`, under a key of its own each time."""
    fields = f'"conversation_id":"{conversation}","idempotency_key":"{INSTANT}{COUNT}"'
    return rpc("messages.send", f'{{{fields},"body":{padded(SIZE)}}}')


def publish_to(channel: str) -> str:
    """The protocol's own command."""
    return f'{{"id":1{COUNT},"publish":{{"channel":"{channel}","data":{padded(SIZE)}}}}}'


def echo() -> str:
    """What `benchmarks/server.py` has beside the house: gives back what it is given."""
    return rpc("bench.echo", f'{{"body":{padded(SIZE)}}}')
