"""Channels between nodes, and orders about live connections that travel on them.

An order is a hint like any publication: whoever misses it finds out at its next look at the
database, so nothing depends on its arrival but speed.
"""

import msgspec

from kernel.bus import Publication
from kernel.ids import UserId
from messaging.channels.grants import Override
from messaging.protocol.codes import UnsubscribeCode
from messaging.protocol.values import FilterNode

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


class Addressed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom an order is about: a user's connections, or only the one of this client or session.

    With `everybody`, and no user, it is about all connections there are; with a filter, only
    about those whose labels pass it.
    """

    user_id: UserId
    client: str = ""
    session: str = ""
    everybody: bool = False
    label_filter: FilterNode | None = None


class Unsubscribe(Addressed, frozen=True, kw_only=True, omit_defaults=True, tag="unsubscribe"):
    """End subscriptions to a channel, or with an empty one to all, with an unsubscribe code."""

    channel: str
    code: int
    reason: str = ""


class Disconnect(Addressed, frozen=True, kw_only=True, omit_defaults=True, tag="disconnect"):
    """Close connections, except those of the clients in `spared`, with a disconnect code."""

    code: int
    reason: str = ""
    spared: tuple[str, ...] = ()


class Subscribe(Addressed, frozen=True, kw_only=True, omit_defaults=True, tag="subscribe"):
    """Subscribe connections to a channel, on the server's side.

    `since` is the position from which they recover what they missed; `expire_at` is in seconds
    since 1970.
    """

    channel: str
    info: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")
    override: Override | None = None
    expire_at: int = 0
    since: tuple[int, str] | None = None


class Refresh(Addressed, frozen=True, kw_only=True, omit_defaults=True, tag="refresh"):
    """Move when connections expire, in seconds since 1970 (0 is never); or end them now.

    With an `info`, that is what others see of them from now on.
    """

    expired: bool = False
    expire_at: int = 0
    info: msgspec.Raw = msgspec.Raw(b"null")


Order = Unsubscribe | Disconnect | Subscribe | Refresh

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
