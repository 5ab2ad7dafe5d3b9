"""The logs behind channels: a conversation's messages are its channel's stream."""

from collections.abc import Mapping, Sequence

from kernel.bus import Publication, StreamPosition
from messaging.channels import conversation_channel, conversation_of
from messaging.ports import MessageStore
from messaging.publications import publication_of


class ConversationStreams:
    """`Streams` over the message store. Other channels have no log: what is lost is lost."""

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages

    async def tops(self, channels: Sequence[str]) -> Mapping[str, StreamPosition]:
        ids = [each for each in map(conversation_of, channels) if each is not None]
        if not ids:
            return {}
        epoch = await self._messages.epoch()
        tops = await self._messages.tops(ids)
        return {
            conversation_channel(conversation_id): StreamPosition(offset, epoch)
            for conversation_id, offset in tops.items()
        }

    async def since(self, channel: str, *, offset: int, limit: int) -> Sequence[Publication]:
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return []
        epoch = await self._messages.epoch()
        messages = await self._messages.since(conversation_id, offset=offset, limit=limit)
        return [publication_of(message, epoch=epoch) for message in messages]

    async def before(
        self, channel: str, *, offset: int | None, limit: int
    ) -> Sequence[Publication]:
        conversation_id = conversation_of(channel)
        if conversation_id is None:
            return []
        epoch = await self._messages.epoch()
        messages = await self._messages.before(conversation_id, offset=offset, limit=limit)
        return [publication_of(message, epoch=epoch) for message in messages]
