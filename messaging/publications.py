"""What subscribers of a conversation are sent about its messages. Pure."""

from datetime import datetime
from json.encoder import encode_basestring as _quoted
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
    id_: str, conversation_id: str, sender_id: str, body: str, key: str, sent_at: str
) -> bytes:
    """The data of a message's publication, to the byte, from its fields as text."""
    if "\n" in body:
        body = body.replace("\n", " ")
    return (
        f'{{"kind":"message","id":"{id_}","conversation_id":"{conversation_id}",'
        f'"sender_id":{_quoted(sender_id)},"body":{body},"idempotency_key":{_quoted(key)},'
        f'"sent_at":"{sent_at}"}}'
    ).encode()


def one_line(text: bytes) -> bytes:
    """JSON text without line feeds. The JSON framing of the protocol cuts frames at them.

    Inside a JSON string a line feed is always escaped, so what is replaced is white space.
    """
    return text.replace(b"\n", b" ") if b"\n" in text else text
