"""What nodes tell each other about traces, on the channels between them."""

import msgspec

from kernel.bus import Publication
from messaging.nodes.control import CONTROL, node_channel
from messaging.tracing.events import TraceEvent


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag="trace.begin"):
    """Trace a user's connections, or who comes to a channel, for a while; said again and again."""

    trace: str
    asker: str
    user_id: str = ""
    channel: str = ""


class End(msgspec.Struct, frozen=True, kw_only=True, tag="trace.end"):
    """Nobody looks any more."""

    trace: str


class Seen(msgspec.Struct, frozen=True, kw_only=True, tag="trace.seen"):
    """To the node that asked: what happened here."""

    trace: str
    events: list[TraceEvent]


News = Begin | End | Seen

_decoder: msgspec.json.Decoder[News] = msgspec.json.Decoder(News)


def to_all(news: Begin | End) -> Publication:
    """The publication that tells every node."""
    return Publication(CONTROL, msgspec.json.encode(news))


def to_node(node_id: str, seen: Seen) -> Publication:
    """The publication that tells the node that asked."""
    return Publication(node_channel(node_id), msgspec.json.encode(seen))


def news_of(publication: Publication) -> News | None:
    """What a publication between nodes says about traces; None for something else."""
    try:
        return _decoder.decode(publication.data)
    except msgspec.DecodeError:
        return None
