"""What nodes tell each other about themselves, and what they ask: words on the wire.

They travel on the channels of `control`. What a later version says in other words is left out.
"""

from typing import TypeVar

import msgspec

from kernel.bus import Publication
from messaging.nodes.control import CONTROL, node_channel

T = TypeVar("T")


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One living node, as it described itself last."""

    id: str
    name: str
    version: str
    clients: int
    users: int
    subscriptions: int
    channels: int
    uptime_seconds: float
    measures: dict[str, float] = {}
    """What the process says of itself beside, such as its share of a processor."""


class Here(msgspec.Struct, frozen=True, kw_only=True, tag="node.here"):
    """A node is alive."""

    node: NodeInfo
    greeting: bool = False
    """Whether it would like to hear of the others at once."""


class Gone(msgspec.Struct, frozen=True, kw_only=True, tag="node.gone"):
    """A node ends in order."""

    node_id: str


class Ask(msgspec.Struct, frozen=True, kw_only=True, tag="survey.ask"):
    """A question to every node. What it is about travels as the publication's extra."""

    survey: str
    asker: str
    question: str
    within: float
    """Seconds after which nobody waits for the answer any more."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="survey.answer"):
    """A piece of a node's answer. The piece itself travels as the publication's extra."""

    survey: str
    node_id: str
    piece: int
    is_last: bool
    refused: str = ""
    """Why there is no answer."""


Census = Here | Gone
Talk = Ask | Answer

_census: msgspec.json.Decoder[Census] = msgspec.json.Decoder(Census)
_talk: msgspec.json.Decoder[Talk] = msgspec.json.Decoder(Talk)


def to_all(news: Here | Gone | Ask, extra: bytes = b"") -> Publication:
    """The publication that tells every node."""
    return Publication(CONTROL, msgspec.json.encode(news), extra=extra)


def to_node(node_id: str, answer: Answer, extra: bytes = b"") -> Publication:
    """The publication that tells one node."""
    return Publication(node_channel(node_id), msgspec.json.encode(answer), extra=extra)


def census_of(publication: Publication) -> Census | None:
    """Who comes or goes according to a publication between nodes; None for something else."""
    return _decoded(_census, publication)


def talk_of(publication: Publication) -> Talk | None:
    """The question or answer in a publication between nodes; None for something else."""
    return _decoded(_talk, publication)


def _decoded(decoder: "msgspec.json.Decoder[T]", publication: Publication) -> T | None:
    try:
        return decoder.decode(publication.data)
    except msgspec.DecodeError:
        return None
