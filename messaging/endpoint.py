"""The WebSocket endpoint: decides whom to let in and in which format, then hands over."""

from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from messaging.gateway import Gateway
from messaging.handshake import EXTENSION
from messaging.plain import AsgiWire
from messaging.protocol.negotiation import agree
from messaging.transport import SocketWire


class Endpoint:
    """`/connection/websocket`. Who a client is, it says in its first command."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def serve(self, websocket: WebSocket) -> None:
        """Accept a WebSocket and give it to a connection of this node."""
        gateway = self._gateway
        if not gateway.accepting:
            await _deny(websocket, 503, "This node takes no connections at the moment.")
            return
        if not self._welcome(websocket):
            await _deny(websocket, 403, "Pages of this origin may not connect.")
            return
        agreement = agree(websocket.scope["subprotocols"], websocket.query_params)
        await websocket.accept(subprotocol=agreement.subprotocol)
        takeover = websocket.scope.get("extensions", {}).get(EXTENSION)
        if takeover is not None:
            wire = SocketWire(
                agreement.codec,
                departures=gateway.departures,
                wheel=gateway.wheel,
                options=gateway.wire_options,
                native_pings=agreement.native_pings,
            )
            takeover(gateway.connect(wire), wire)
        else:
            plain = AsgiWire(
                agreement.codec,
                departures=gateway.departures,
                wheel=gateway.wheel,
                options=gateway.wire_options,
            )
            await plain.serve(websocket, gateway.connect(plain))

    def _welcome(self, websocket: WebSocket) -> bool:
        """Whether the page that wants to connect may; applications send no origin and may."""
        origin = websocket.headers.get("origin")
        if origin is None:
            return True
        allowed = self._gateway.options.origins
        host = websocket.headers.get("host", "")
        return "*" in allowed or origin in allowed or urlsplit(origin).netloc == host


async def _deny(websocket: WebSocket, status: int, why: str) -> None:
    """Refuse before there is a WebSocket; servers that cannot say why answer 403."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(PlainTextResponse(why, status))
    else:
        await websocket.close()
