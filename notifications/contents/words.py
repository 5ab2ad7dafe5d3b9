"""What the fields of several providers have in common."""

from typing import Annotated

import msgspec
from msgspec import Meta

Line = Annotated[str, Meta(max_length=1024)]
Body = Annotated[str, Meta(max_length=4096)]
Address = Annotated[str, Meta(max_length=2048)]
Instant = Annotated[int, Meta(ge=0)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Data = Annotated[dict[str, str], Meta(max_length=32)]
Picture = Annotated[str, Meta(pattern=r"^https://[!-~]{1,2040}$")]


def names_of(block: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a block, as its provider names them."""
    return frozenset(each.encode_name for each in msgspec.structs.fields(block))


def is_taken(name: str) -> bool:
    """Whether data for the app may not have this name: providers or we use it."""
    return not name or name in _TAKEN or name.startswith(_FCM_RESERVED)


_TAKEN = frozenset(
    {
        "actions",
        "aps",
        "campaign_id",
        "from",
        "link",
        "message_type",
        "push_id",
        "report_id",
        "thread",
    }
)
_FCM_RESERVED = ("google", "gcm")
