"""What subscribers of a conversation are sent about its messages. Pure."""

from datetime import datetime
from uuid import UUID

import msgspec

from kernel.bus import Publication, StreamPosition
from kernel.ids import UserId
from messaging.channels.names import conversation_channel
from messaging.types import Message


class MessageData(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="message"):
    """A message as clients read it. Its offset travels beside it, in the publication."""

    id: UUID
    conversation_id: UUID
    sender_id: UserId
    body: msgspec.Raw
    idempotency_key: str
    sent_at: datetime


class _Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="message"):
    """The same from text that is at hand already."""

    id: str
    conversation_id: str
    sender_id: str
    body: msgspec.Raw
    idempotency_key: str
    sent_at: str


_encoder = msgspec.json.Encoder()


def publication_of(message: Message, *, epoch: str) -> Publication:
    """The publication of a message: its place in the log is its place in the stream."""
    data = MessageData(
        id=message.id,
        conversation_id=message.conversation_id,
        sender_id=message.sender_id,
        body=msgspec.Raw(one_line(message.body)),
        idempotency_key=message.idempotency_key,
        sent_at=message.sent_at,
    )
    return Publication(
        conversation_channel(message.conversation_id),
        _encoder.encode(data),
        StreamPosition(message.offset, epoch),
    )


def told(
    id_: str, conversation_id: str, sender_id: str, body: bytes, key: str, sent_at: str
) -> bytes:
    """The data of a message's publication, to the byte, from its fields as text."""
    return _encoder.encode(
        _Told(
            id=id_,
            conversation_id=conversation_id,
            sender_id=sender_id,
            body=msgspec.Raw(one_line(body)),
            idempotency_key=key,
            sent_at=sent_at,
        )
    )


def one_line(text: bytes) -> bytes:
    """JSON text without line feeds. The JSON framing of the protocol cuts frames at them.

    Inside a JSON string a line feed is always escaped, so what is replaced is white space.
    """
    return text.replace(b"\n", b" ") if b"\n" in text else text
