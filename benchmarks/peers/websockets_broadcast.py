"""The websockets library with its own broadcast(), as its documentation shows it."""

import asyncio

from websockets import ConnectionClosed
from websockets.asyncio.server import ServerConnection, broadcast, serve

connections: set[ServerConnection] = set()


async def handler(connection: ServerConnection) -> None:
    connections.add(connection)
    try:
        async for message in connection:
            broadcast(connections, message)
    except ConnectionClosed:
        pass  # The load client leaves without a close handshake.
    finally:
        connections.discard(connection)


async def main() -> None:
    async with serve(handler, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


asyncio.run(main())
