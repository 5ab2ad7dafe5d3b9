"""What servers can ask of messaging, on behalf of its users."""

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Operation
from messaging import schemas
from messaging.conversations.conversations import Conversations
from messaging.conversations.messages import Messages
from messaging.errors import ConversationFull, ConversationNotFound, MessageTooLarge, NotAMember


def operations(*, conversations: Conversations, messages: Messages) -> list[AnyOperation]:
    """What the admin gateway offers to API keys with the scope for conversations."""
    servers = _ForServers(conversations, messages)
    return [
        Operation(
            name="conversations.open_for",
            method="POST",
            path="/admin/v1/conversations",
            summary="Open a conversation on behalf of a user.",
            takes=schemas.OpenConversationFor,
            gives=schemas.ConversationAnswer,
            run=servers.open,
            scope=Scope.CONVERSATIONS,
            status=201,
            refusals=(InvalidInput, ConversationFull),
        ),
        Operation(
            name="conversations.members_of",
            method="GET",
            path="/admin/v1/conversations/{conversation_id}/members",
            summary="List who is in any conversation.",
            takes=schemas.OneConversation,
            gives=schemas.MembersAnswer,
            run=servers.members,
            scope=Scope.CONVERSATIONS,
            refusals=(ConversationNotFound,),
        ),
        Operation(
            name="messages.send_as",
            method="POST",
            path="/admin/v1/conversations/{conversation_id}/messages",
            summary="Send a message as one of the members. A bot is a member like any other.",
            takes=schemas.SendMessageAs,
            gives=schemas.MessageAnswer,
            run=servers.send,
            scope=Scope.CONVERSATIONS,
            status=201,
            refusals=(InvalidInput, ConversationNotFound, NotAMember, MessageTooLarge, Unavailable),
        ),
    ]


class _ForServers:
    """The admin gateway: whoever asks is a server with the scope for conversations."""

    def __init__(self, conversations: Conversations, messages: Messages) -> None:
        self._conversations = conversations
        self._messages = messages

    async def open(
        self, principal: Principal, asked: schemas.OpenConversationFor
    ) -> schemas.ConversationAnswer:
        principal.require(Scope.CONVERSATIONS)
        opened = await self._conversations.open(
            asked.owner_id, kind=asked.kind, title=asked.title, user_ids=asked.user_ids
        )
        return schemas.conversation_answer(opened)

    async def members(
        self, principal: Principal, asked: schemas.OneConversation
    ) -> schemas.MembersAnswer:
        principal.require(Scope.CONVERSATIONS)
        members = await self._conversations.members_of(asked.conversation_id)
        return schemas.MembersAnswer(members=[schemas.member_answer(each) for each in members])

    async def send(
        self, principal: Principal, asked: schemas.SendMessageAs
    ) -> schemas.MessageAnswer:
        principal.require(Scope.CONVERSATIONS)
        message = await self._messages.send_as(
            asked.sender_id,
            conversation_id=asked.conversation_id,
            body=bytes(asked.body),
            idempotency_key=asked.idempotency_key,
        )
        return schemas.message_answer(message)
