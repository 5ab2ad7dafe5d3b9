"""The ways to connect beside the WebSocket, wired."""

from collections.abc import Sequence

from starlette.routing import BaseRoute, WebSocketRoute

from messaging.sockets.endpoint import Endpoint
from messaging.sockets.gateway import Gateway
from messaging.sockets.origins import Origins
from messaging.streaming.endpoint import stream_routes
from messaging.streaming.rules import RequestRules
from messaging.streaming.sessions import Sessions


def other_transports(
    gateway: Gateway, sessions: Sessions, *, transports: Sequence[str], body_seconds: float
) -> list[BaseRoute]:
    """The paths of these transports, which are those that the operator has not left out."""
    rules = RequestRules(Origins(gateway.options.origins), body_seconds=body_seconds)
    routes = stream_routes(gateway, rules, sessions, transports=transports)
    if "uni_websocket" in transports:
        endpoint = Endpoint(gateway, one_way=True)
        routes.append(WebSocketRoute("/connection/uni_websocket", endpoint.serve))
    return routes
