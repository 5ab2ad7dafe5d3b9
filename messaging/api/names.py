"""The names of channels, as servers write them."""

from kernel.errors import InvalidInput
from messaging.channels.names import CHANNEL_BYTES, conversation_of, is_name
from messaging.channels.namespaces import ChannelOptions, Namespaces
from messaging.errors import ChannelUnknown


def options_of(namespaces: Namespaces, channel: str) -> ChannelOptions | None:
    """The options of a channel; None for those of conversations, which have none.

    Raises `InvalidInput` for what is no name, `ChannelUnknown` where there is no namespace.
    """
    if not is_name(channel):
        raise InvalidInput("channel", f"must be text of 1 to {CHANNEL_BYTES} bytes")
    if conversation_of(channel) is not None:
        return None
    options = namespaces.options_of(channel)
    if options is None:
        raise ChannelUnknown(f"There is no namespace for {channel!r}.")
    return options
