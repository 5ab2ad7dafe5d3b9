"""The WebSocket endpoint: decides whom to let in and in which format, then hands over."""

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

from messaging.protocol.codec import Codec
from messaging.protocol.codes import ProtocolViolation
from messaging.protocol.negotiation import Agreement, agree
from messaging.protocol.unidirectional import ONE_WAY
from messaging.sockets.gateway import Gateway
from messaging.sockets.handshake import EXTENSION
from messaging.sockets.origins import Origins
from messaging.sockets.plain import AsgiWire
from messaging.sockets.transport import SocketWire


class Endpoint:
    """`/connection/websocket`. Who a client is, it says in its first command.

    One-way it is `/connection/uni_websocket`: whoever listens says who they are in the first
    message or in `cf_connect`, and nothing else.
    """

    def __init__(self, gateway: Gateway, *, one_way: bool = False) -> None:
        self._gateway = gateway
        self._one_way = one_way
        self._origins = Origins(gateway.options.origins)

    async def serve(self, websocket: WebSocket) -> None:
        """Accept a WebSocket and give it to a connection of this node."""
        gateway, headers = self._gateway, websocket.headers
        if not gateway.accepting:
            await _deny(websocket, 503, "This node takes no connections at the moment.")
            return
        if not self._origins.welcome(headers.get("origin"), host=headers.get("host", "")):
            await _deny(websocket, 403, "Pages of this origin may not connect.")
            return
        agreement = agree(websocket.scope["subprotocols"], websocket.query_params)
        first = b""
        if self._one_way:
            agreement = agreement._replace(codec=ONE_WAY[agreement.codec])
            first = websocket.query_params.get("cf_connect", "").encode()
            if first and not _is_connect(agreement.codec, first):
                await _deny(websocket, 400, "This is no connect request.")
                return
        await websocket.accept(subprotocol=agreement.subprotocol)
        await self._hand_over(websocket, agreement, first)

    async def _hand_over(self, websocket: WebSocket, agreement: Agreement, first: bytes) -> None:
        gateway = self._gateway
        takeover = websocket.scope.get("extensions", {}).get(EXTENSION)
        if takeover is not None:
            wire = SocketWire(
                agreement.codec,
                departures=gateway.departures,
                wheel=gateway.wheel,
                options=gateway.wire_options,
                native_pings=agreement.native_pings,
            )
            connection = gateway.connect(wire)
            takeover(connection, wire)
            if first:
                connection.received(first)
        else:
            plain = AsgiWire(
                agreement.codec,
                departures=gateway.departures,
                wheel=gateway.wheel,
                options=gateway.wire_options,
            )
            await plain.serve(websocket, gateway.connect(plain), first)


def _is_connect(codec: Codec, text: bytes) -> bool:
    try:
        codec.decode_connect(text)
    except ProtocolViolation:
        return False
    return True


async def _deny(websocket: WebSocket, status: int, why: str) -> None:
    """Refuse before there is a WebSocket; servers that cannot say why answer 403."""
    if "websocket.http.response" in websocket.scope.get("extensions", {}):
        await websocket.send_denial_response(PlainTextResponse(why, status))
    else:
        await websocket.close()
