"""Publishing to channels that are no conversations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from kernel.bus import Bus, Publication, StreamPosition
from kernel.clock import Clock
from kernel.errors import InvalidInput
from messaging.channels import CHANNEL_BYTES, conversation_of
from messaging.errors import ChannelUnknown
from messaging.extras import extra_of
from messaging.namespaces import Namespaces
from messaging.ports import PublicationStore
from messaging.protocol.codec import is_payload
from messaging.protocol.values import ClientInfo
from messaging.publications import one_line
from messaging.types import Posting

TAGS = 16
TAG_BYTES = 256
KEY_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Words:
    """What is to be published, and how. `data` is JSON text.

    `skip_history` keeps it out of the channel's stream: whoever misses it never hears of it.
    Under an `idempotency_key` it is published once. With a `version` it is published only if
    that is newer than the channel's last; versions of another `version_epoch` count anew.
    """

    data: bytes
    info: ClientInfo | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    skip_history: bool = False
    idempotency_key: str = ""
    version: int = 0
    version_epoch: str = ""


class Publishing:
    """Durable where the namespace keeps a history, and passing elsewhere. Does not ask who."""

    def __init__(
        self, *, store: PublicationStore, bus: Bus, namespaces: Namespaces, clock: Clock
    ) -> None:
        self._store = store
        self._bus = bus
        self._namespaces = namespaces
        self._clock = clock
        self._settings = namespaces.settings

    async def publish(self, channel: str, words: Words) -> StreamPosition | None:
        """Publish to a channel; where it is in the channel's stream, if it has one.

        Raises `InvalidInput`, `ChannelUnknown`, and `Unavailable` when it cannot be kept.
        """
        self._check(channel, words)
        options = self._namespaces.options_of(channel)
        if options is None:
            raise ChannelUnknown(f"There is no namespace for {channel!r}.")
        extra = extra_of(info=words.info, tags=words.tags)
        data = one_line(words.data)
        now = self._clock.now()
        remembered_until = now + timedelta(seconds=self._settings.idempotency_seconds)
        if not options.keeps or words.skip_history:
            key = words.idempotency_key
            if not key or await self._store.remember(channel, key, until=remembered_until):
                self._bus.publish([Publication(channel, data, None, extra)])
            return None
        posted = await self._store.append(
            Posting(
                channel=channel,
                data=data,
                extra=extra,
                size=options.history_size,
                kept_until=now + timedelta(seconds=options.history_seconds),
                known_until=now + timedelta(seconds=options.history_meta_seconds),
                idempotency_key=words.idempotency_key,
                remembered_until=remembered_until,
                version=words.version,
                version_epoch=words.version_epoch,
            )
        )
        if posted.is_new:
            # It is durable by now; lost on the bus, it is found again by its offset.
            self._bus.publish([Publication(channel, data, posted.position, extra)])
        return posted.position

    def _check(self, channel: str, words: Words) -> None:
        check_channel(channel)
        if len(words.data) > self._settings.data_bytes:
            raise InvalidInput("data", f"must be at most {self._settings.data_bytes} bytes")
        if not is_payload(words.data):
            raise InvalidInput("data", "must be JSON text")
        if len(words.tags) > TAGS:
            raise InvalidInput("tags", f"must be at most {TAGS}")
        if any(len(f"{name}{value}".encode()) > TAG_BYTES for name, value in words.tags.items()):
            raise InvalidInput("tags", f"must be at most {TAG_BYTES} bytes each")
        key = words.idempotency_key
        if len(key) > KEY_CHARACTERS or not key.isprintable():
            raise InvalidInput(
                "idempotency_key", f"must be at most {KEY_CHARACTERS} printable characters"
            )
        if not 0 <= words.version < 2**63:
            raise InvalidInput("version", "must be from 0 to 9223372036854775807")
        if len(words.version_epoch) > KEY_CHARACTERS or not words.version_epoch.isprintable():
            raise InvalidInput(
                "version_epoch", f"must be at most {KEY_CHARACTERS} printable characters"
            )


def check_channel(channel: str) -> None:
    """Refuse what is no channel's name, or that of a conversation: those have use cases."""
    size = len(channel.encode("utf-8", "surrogatepass"))
    if not 0 < size <= CHANNEL_BYTES or not channel.isprintable():
        raise InvalidInput("channel", f"must be 1 to {CHANNEL_BYTES} printable bytes")
    if conversation_of(channel) is not None:
        raise InvalidInput("channel", "is a conversation's: send a message instead")
