"""Channels between nodes, and orders about live connections that travel on them.

An order is a hint like any publication: whoever misses it finds out at its next look at the
database, so nothing depends on its arrival but speed.
"""

import msgspec

from kernel.bus import Publication
from kernel.ids import UserId
from messaging.protocol.codes import UnsubscribeCode

CONTROL = "\0control"
"""The channel every hub follows; no client can name it."""

LEFT = UnsubscribeCode.INSUFFICIENT_STATE.value
"""With what a subscription ends whose user is no member any more: the client asks again.

Then it is denied. An order may come so late that the user is a member again; a code that
clients take for final would leave them offline without a reason.
"""


def node_channel(node_id: str) -> str:
    """The channel that the hub of one node follows alone."""
    return f"\0node:{node_id}"


class Unsubscribe(msgspec.Struct, frozen=True, kw_only=True, tag="unsubscribe"):
    """End the subscriptions of a user's connections to a channel, with an unsubscribe code."""

    user_id: UserId
    channel: str
    code: int


class Disconnect(msgspec.Struct, frozen=True, kw_only=True, tag="disconnect"):
    """Close a user's connections, with a disconnect code."""

    user_id: UserId
    code: int


Order = Unsubscribe | Disconnect

_decoder: msgspec.json.Decoder[Order] = msgspec.json.Decoder(Order)


def publication_of_order(order: Order) -> Publication:
    """The publication that carries `order` to every node."""
    return Publication(CONTROL, msgspec.json.encode(order))


def order_of(publication: Publication) -> Order | None:
    """The order that a publication between nodes carries; None for what is no order.

    It may be other news, or an order of a newer node that this version has never heard of.
    """
    try:
        return _decoder.decode(publication.data)
    except msgspec.DecodeError:
        return None
