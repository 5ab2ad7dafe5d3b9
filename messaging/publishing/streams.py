"""The logs behind channels: a conversation's messages are its channel's stream."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from kernel.bus import Publication, StreamPosition
from kernel.clock import Clock
from messaging.channels.names import conversation_channel, conversation_of
from messaging.channels.namespaces import Namespaces
from messaging.delivery.extras import value_of
from messaging.ports import MessageStore, PublicationStore, StreamPage
from messaging.protocol import values
from messaging.publications import publication_of
from messaging.types import Retention


class ChannelStreams:
    """`Streams` over conversations' logs, and over the channels whose namespace keeps them.

    Other channels have no log: what is lost is lost.
    """

    def __init__(
        self,
        messages: MessageStore,
        publications: PublicationStore,
        *,
        namespaces: Namespaces,
        clock: Clock,
    ) -> None:
        self._messages = messages
        self._publications = publications
        self._namespaces = namespaces
        self._clock = clock

    def kept(self, channel: str) -> Retention | None:
        if conversation_of(channel) is not None:
            return None
        options = self._namespaces.options_of(channel)
        if options is None:
            return Retention(0, 0.0)
        return Retention(options.history_size, options.history_seconds)

    async def tops(self, channels: Sequence[str]) -> Mapping[str, StreamPosition]:
        ids = {channel: conversation_of(channel) for channel in channels}
        found = await self._conversation_tops([each for each in ids.values() if each is not None])
        now = self._clock.now()
        known_until = {
            channel: now + timedelta(seconds=options.history_meta_seconds)
            for channel, conversation_id in ids.items()
            if conversation_id is None
            and (options := self._namespaces.options_of(channel)) is not None
            and options.keeps
        }
        if known_until:
            found |= await self._publications.tops(list(known_until), known_until=known_until)
        return found

    async def _conversation_tops(self, ids: Sequence[UUID]) -> dict[str, StreamPosition]:
        if not ids:
            return {}
        epoch = await self._messages.epoch()
        tops = await self._messages.tops(ids)
        return {
            conversation_channel(conversation_id): StreamPosition(offset, epoch)
            for conversation_id, offset in tops.items()
        }

    async def page(
        self, channel: str, *, beyond: int, limit: int, backwards: bool = False
    ) -> StreamPage | None:
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return await self._kept_page(channel, beyond=beyond, limit=limit, backwards=backwards)
        found = await self._messages.page(
            conversation_id, beyond=beyond, limit=limit, backwards=backwards
        )
        if found is None:
            return None
        return StreamPage(
            StreamPosition(found.top, await self._messages.epoch()),
            [values.Publication(data=data, offset=offset) for offset, data in found.publications],
        )

    async def _kept_page(
        self, channel: str, *, beyond: int, limit: int, backwards: bool
    ) -> StreamPage | None:
        top = (await self.tops([channel])).get(channel)
        if top is None:
            return None
        if not limit:
            return StreamPage(top, ())
        if backwards:
            found = await self._publications.before(channel, offset=beyond, limit=limit)
        else:
            found = await self._publications.since(channel, offset=beyond, limit=limit)
        return StreamPage(top, list(map(value_of, found)))

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return await self._publications.since(channel, offset=offset, limit=limit)
        epoch = await self._messages.epoch()
        messages = await self._messages.since(conversation_id, offset=offset, limit=limit)
        return [publication_of(message, epoch=epoch) for message in messages]

    async def before(
        self, channel: str, *, offset: int | None, limit: int
    ) -> Sequence[Publication]:
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return await self._publications.before(channel, offset=offset, limit=limit)
        epoch = await self._messages.epoch()
        messages = await self._messages.before(conversation_id, offset=offset, limit=limit)
        return [publication_of(message, epoch=epoch) for message in messages]
