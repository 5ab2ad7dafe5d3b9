"""Channel names: build them and take them apart. Pure."""

from functools import lru_cache
from uuid import UUID

from kernel.ids import UserId

_CONVERSATION = "conversation:"
_USER = "user:"
_LEFT = "left:"
_EVENT = "event:"

CHANNEL_BYTES = 255
"""Longer names are refused before anything looks at them."""


def is_name(channel: str) -> bool:
    """Whether this can be a channel's name. Names of channels between nodes begin with NUL."""
    return 0 < len(channel.encode("utf-8", "surrogatepass")) <= CHANNEL_BYTES and (
        "\0" not in channel
    )


def conversation_channel(conversation_id: UUID) -> str:
    """Where a conversation's messages are published."""
    return f"{_CONVERSATION}{conversation_id}"


def event_channel(event_id: UUID) -> str:
    """Where it is published what changes in an event."""
    return f"{_EVENT}{event_id}"


def personal_channel(user_id: UserId) -> str:
    """Where a user's own news is published."""
    return f"{_USER}{user_id}"


def leaving_channel(channel: str) -> str:
    """Where the outbox tells that users lost the right to listen to a channel."""
    return f"{_LEFT}{channel}"


def left_channel_of(leaving: str) -> str | None:
    """The channel whose `leaving_channel` this is, or None."""
    return leaving[len(_LEFT) :] if leaving.startswith(_LEFT) else None


@lru_cache(4096)
def conversation_of(channel: str) -> UUID | None:
    """The conversation whose channel this is, in the one spelling we give out, or None."""
    return _named(channel, _CONVERSATION)


def event_of(channel: str) -> UUID | None:
    """The event whose channel this is, in the one spelling we give out, or None."""
    return _named(channel, _EVENT)


def _named(channel: str, prefix: str) -> UUID | None:
    if not channel.startswith(prefix):
        return None
    text = channel[len(prefix) :]
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def user_of(channel: str) -> UserId | None:
    """The user whose personal channel this is, or None."""
    return UserId(channel[len(_USER) :]) if channel.startswith(_USER) else None
