"""What can be asked about reading."""

from uuid import UUID

import msgspec

from kernel.errors import Denied
from kernel.identity import Principal
from kernel.operations import AnyOperation, Operation
from messaging.conversations.reading import Reading
from messaging.errors import ConversationNotFound
from messaging.schemas import Offset, Taken


class ReadConversation(Taken, frozen=True):
    """Everything up to `offset` was read; `device_id` names the device, which then is not
    asked to take back what it shows."""

    conversation_id: UUID
    offset: Offset
    device_id: UUID | None = None


class ReadAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How far the user has read."""

    read_mark: int


def operations(reading: Reading) -> list[AnyOperation]:
    """What members say of their reading."""

    async def read(principal: Principal, asked: ReadConversation) -> ReadAnswer:
        mark = await reading.read(
            principal.user,
            conversation_id=asked.conversation_id,
            offset=asked.offset,
            device_id=asked.device_id,
        )
        return ReadAnswer(read_mark=mark)

    return [
        Operation(
            name="conversations.read",
            method="PUT",
            path="/v1/conversations/{conversation_id}/read",
            summary="Say how far you have read; your other devices take back what they show.",
            takes=ReadConversation,
            gives=ReadAnswer,
            run=read,
            rpc=True,
            refusals=(ConversationNotFound, Denied),
        )
    ]
