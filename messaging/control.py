"""Orders to every node's hub about live connections. They travel on a channel of their own.

An order is a hint like any publication: whoever misses it finds out at its next look at the
database, so nothing depends on its arrival but speed.
"""

import msgspec

from kernel.bus import Publication
from kernel.ids import UserId

CONTROL = "control"
"""The channel every hub follows; no client can subscribe to it."""


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
    """The order that a publication on `CONTROL` carries; None for one this version does not know.

    During an upgrade newer nodes may send orders that older ones have never heard of.
    """
    try:
        return _decoder.decode(publication.data)
    except msgspec.DecodeError:
        return None
