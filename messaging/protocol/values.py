"""What every frame is made of: numbers of the wire, payloads, and values both sides speak of.

A zero value means that the field is absent. Payload fields are `bytes` of JSON text and pass
through untouched; `Payload` marks them.
"""

from typing import Annotated, TypeAlias

from msgspec import Meta, Struct, field

Int32: TypeAlias = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Int64: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Uint32: TypeAlias = Annotated[int, Meta(ge=0, le=2**32 - 1)]
# Half of what the wire could carry: no stream grows so long, and databases keep no more.
Uint64: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Payload: TypeAlias = bytes


class Value(Struct, frozen=True, omit_defaults=True, gc=False):
    """Anything that travels. Fields without a default are written even when they are zero."""


class ClientInfo(Value, frozen=True):
    """Who a connection is, as others may see it."""

    user: str
    client: str
    conn_info: Payload = b""
    chan_info: Payload = b""


class Publication(Value, frozen=True):
    """One thing sent through a channel; without a stream its offset is 0.

    With `delta` its data is what changed since the publication before it.
    """

    data: Payload = b""
    info: ClientInfo | None = None
    offset: Uint64 = 0
    tags: dict[str, str] = field(default_factory=dict)
    delta: bool = False
    time: Int64 = 0


class StreamPosition(Value, frozen=True):
    """A place in one life of a stream."""

    offset: Uint64 = 0
    epoch: str = ""


class FilterNode(Value, frozen=True):
    """A comparison of tags or labels, or several joined. Tag filters are declined."""

    op: str = ""
    key: str = ""
    cmp: str = ""
    val: str = ""
    vals: tuple[str, ...] = ()
    nodes: "tuple[FilterNode, ...]" = ()
