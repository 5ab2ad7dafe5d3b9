"""Channel names: build them and take them apart. Pure."""

from functools import lru_cache
from uuid import UUID

from kernel.ids import UserId

_CONVERSATION = "conversation:"
_USER = "user:"
_LEFT = "left:"

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
    if not channel.startswith(_CONVERSATION):
        return None
    text = channel[len(_CONVERSATION) :]
    try:
        conversation_id = UUID(text)
    except ValueError:
        return None
    return conversation_id if str(conversation_id) == text else None


def user_of(channel: str) -> UserId | None:
    """The user whose personal channel this is, or None."""
    return UserId(channel[len(_USER) :]) if channel.startswith(_USER) else None
