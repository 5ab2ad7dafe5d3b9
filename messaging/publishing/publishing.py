"""Publishing to channels that are no conversations."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from kernel.bus import Bus, Publication, StreamPosition
from kernel.clock import Clock
from kernel.errors import InvalidInput, Refusal
from messaging.channels.names import CHANNEL_BYTES, conversation_of, is_name
from messaging.channels.namespaces import Namespaces
from messaging.delivery.extras import extra_of
from messaging.errors import ChannelUnknown
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


@dataclass(frozen=True, slots=True)
class _Prepared:
    """Words that are sound, and what of them is the same in every channel."""

    words: Words
    data: bytes
    extra: bytes
    now: datetime
    remembered_until: datetime


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

    def is_passing(self, channel: str) -> bool:
        """Whether nothing is kept in a channel, so that publishing to it waits for nothing."""
        options = self._namespaces.options_of(channel)
        return options is not None and not options.keeps

    async def publish(self, channel: str, words: Words) -> StreamPosition | None:
        """Publish to a channel; where it is in the channel's stream, if it has one.

        Raises `InvalidInput`, `ChannelUnknown`, and `Unavailable` when it cannot be kept.
        """
        return await self._post(self._posting(channel, self._prepared(words)))

    async def broadcast(
        self, channels: Sequence[str], words: Words
    ) -> list[StreamPosition | Refusal | None]:
        """Publish the same to many channels at once; for each its position, or why not.

        Raises `InvalidInput` when the words will do for none of them.
        """
        prepared = self._prepared(words)
        outcomes: list[StreamPosition | Refusal | None] = []
        passing: list[Publication] = []
        waiting: dict[int, Posting] = {}
        for number, channel in enumerate(channels):
            outcome: Refusal | None = None
            try:
                posting = self._posting(channel, prepared)
            except Refusal as refusal:
                outcome = refusal
            else:
                if posting.size or posting.idempotency_key:
                    waiting[number] = posting
                else:
                    passing.append(Publication(channel, posting.data, None, posting.extra))
            outcomes.append(outcome)
        if passing:
            self._bus.publish(passing)
        # They go into the same batches of the store, so all of them cost little more than one.
        posted = await asyncio.gather(*map(self._post, waiting.values()), return_exceptions=True)
        for number, each in zip(waiting, posted, strict=True):
            if isinstance(each, BaseException) and not isinstance(each, Refusal):
                raise each
            outcomes[number] = each
        return outcomes

    async def _post(self, posting: Posting) -> StreamPosition | None:
        channel, key = posting.channel, posting.idempotency_key
        if not posting.size:
            if not key or await self._remembered(posting):
                self._bus.publish([Publication(channel, posting.data, None, posting.extra)])
            return None
        posted = await self._store.append(posting)
        if posted.is_new:
            # It is durable by now; lost on the bus, it is found again by its offset.
            self._bus.publish([Publication(channel, posting.data, posted.position, posting.extra)])
        return posted.position

    async def _remembered(self, posting: Posting) -> bool:
        assert posting.remembered_until is not None, "every posting says how long"
        return await self._store.remember(
            posting.channel, posting.idempotency_key, until=posting.remembered_until
        )

    def _prepared(self, words: Words) -> _Prepared:
        """What is the same for every channel. Raises `InvalidInput`."""
        self._check(words)
        now = self._clock.now()
        return _Prepared(
            words,
            one_line(words.data),
            extra_of(info=words.info, tags=words.tags),
            now,
            now + timedelta(seconds=self._settings.idempotency_seconds),
        )

    def _posting(self, channel: str, prepared: _Prepared) -> Posting:
        """What becomes of the words in one channel; of size 0 where nothing of it is kept."""
        check_channel(channel)
        options = self._namespaces.options_of(channel)
        if options is None:
            raise ChannelUnknown(f"There is no namespace for {channel!r}.")
        words, now = prepared.words, prepared.now
        kept = options.keeps and not words.skip_history
        return Posting(
            channel=channel,
            data=prepared.data,
            extra=prepared.extra,
            size=options.history_size if kept else 0,
            kept_until=now + timedelta(seconds=options.history_seconds),
            known_until=now + timedelta(seconds=options.history_meta_seconds),
            idempotency_key=words.idempotency_key,
            remembered_until=prepared.remembered_until,
            version=words.version,
            version_epoch=words.version_epoch,
        )

    def _check(self, words: Words) -> None:
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
    if not is_name(channel):
        raise InvalidInput("channel", f"must be text of 1 to {CHANNEL_BYTES} bytes")
    if conversation_of(channel) is not None:
        raise InvalidInput("channel", "is a conversation's: send a message instead")
