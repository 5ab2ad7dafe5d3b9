"""What users and, in `admin_routes`, servers can ask of messaging."""

from kernel.errors import InvalidInput, Unavailable
from kernel.identity import Principal
from kernel.operations import AnyOperation, Nothing, Operation
from messaging import schemas
from messaging.conversations import admin_routes
from messaging.conversations.conversations import Conversations
from messaging.conversations.messages import Messages
from messaging.errors import (
    ConversationFull,
    ConversationNotFound,
    LastOwner,
    MemberNotFound,
    MessageTooLarge,
    NotAGroup,
    RoleTooLow,
)

_MEMBER_PATH = "/v1/conversations/{conversation_id}/members/{user_id}"


def operations(*, conversations: Conversations, messages: Messages) -> list[AnyOperation]:
    """What the client gateway offers to users, then what the admin gateway offers to servers."""
    users = _ForUsers(conversations, messages)
    return [
        Operation(
            name="conversations.open",
            method="POST",
            path="/v1/conversations",
            summary="Open a conversation: the direct one with a user, or a new group.",
            takes=schemas.OpenConversation,
            gives=schemas.ConversationAnswer,
            run=users.open,
            rpc=True,
            status=201,
            refusals=(InvalidInput, ConversationFull),
        ),
        Operation(
            name="conversations.list",
            method="GET",
            path="/v1/conversations",
            summary="List your conversations, the one created last first.",
            takes=schemas.ListConversations,
            gives=schemas.ConversationsAnswer,
            run=users.list,
            rpc=True,
            refusals=(InvalidInput,),
        ),
        Operation(
            name="conversations.get",
            method="GET",
            path="/v1/conversations/{conversation_id}",
            summary="Get one of your conversations.",
            takes=schemas.OneConversation,
            gives=schemas.ConversationAnswer,
            run=users.get,
            rpc=True,
            refusals=(ConversationNotFound,),
        ),
        Operation(
            name="conversations.members",
            method="GET",
            path="/v1/conversations/{conversation_id}/members",
            summary="List who is in a conversation.",
            takes=schemas.OneConversation,
            gives=schemas.MembersAnswer,
            run=users.members,
            rpc=True,
            refusals=(ConversationNotFound,),
        ),
        Operation(
            name="conversations.add_member",
            method="PUT",
            path=_MEMBER_PATH,
            summary="Bring somebody into a group. For owners and admins.",
            takes=schemas.OneMember,
            gives=schemas.MemberAnswer,
            run=users.add_member,
            rpc=True,
            refusals=(InvalidInput, ConversationNotFound, RoleTooLow, NotAGroup, ConversationFull),
        ),
        Operation(
            name="conversations.change_role",
            method="PATCH",
            path=_MEMBER_PATH,
            summary="Give a member of a group another role. For owners.",
            takes=schemas.ChangeRole,
            gives=schemas.MemberAnswer,
            run=users.change_role,
            rpc=True,
            refusals=(ConversationNotFound, RoleTooLow, NotAGroup, MemberNotFound, LastOwner),
        ),
        Operation(
            name="conversations.remove_member",
            method="DELETE",
            path=_MEMBER_PATH,
            summary="Put a member out of a group, or leave it.",
            takes=schemas.OneMember,
            gives=Nothing,
            run=users.remove_member,
            rpc=True,
            refusals=(ConversationNotFound, RoleTooLow, NotAGroup, MemberNotFound, LastOwner),
        ),
        Operation(
            name="conversations.mute",
            method="PUT",
            path="/v1/conversations/{conversation_id}/mute",
            summary="Stop notices about a conversation, or let them come again.",
            takes=schemas.Mute,
            gives=schemas.MuteAnswer,
            run=users.mute,
            rpc=True,
            refusals=(ConversationNotFound,),
        ),
        Operation(
            name="messages.send",
            method="POST",
            path="/v1/conversations/{conversation_id}/messages",
            summary="Send a message. The same idempotency key gives the first message again.",
            takes=schemas.SendMessage,
            gives=schemas.MessageAnswer,
            run=users.send,
            rpc=True,
            # Many messages of one connection are on their way at once, in the order of sending:
            # `MessageStore.append` gives them their places.
            pipelined=True,
            status=201,
            refusals=(
                InvalidInput,
                ConversationNotFound,
                MessageTooLarge,
                Unavailable,
            ),
        ),
        Operation(
            name="messages.history",
            method="GET",
            path="/v1/conversations/{conversation_id}/messages",
            summary="Read a conversation, backwards or forwards from an offset.",
            takes=schemas.ReadHistory,
            gives=schemas.HistoryAnswer,
            run=users.history,
            rpc=True,
            refusals=(InvalidInput, ConversationNotFound),
        ),
        *admin_routes.operations(conversations=conversations, messages=messages),
    ]


class _ForUsers:
    """The client gateway: whoever asks is a user, and asks for themselves."""

    def __init__(self, conversations: Conversations, messages: Messages) -> None:
        self._conversations = conversations
        self._messages = messages

    async def open(
        self, principal: Principal, asked: schemas.OpenConversation
    ) -> schemas.ConversationAnswer:
        opened = await self._conversations.open(
            principal.user, kind=asked.kind, title=asked.title, user_ids=asked.user_ids
        )
        return schemas.conversation_answer(opened)

    async def list(
        self, principal: Principal, asked: schemas.ListConversations
    ) -> schemas.ConversationsAnswer:
        page = await self._conversations.of_user(
            principal.user, cursor=asked.cursor, limit=asked.limit
        )
        return schemas.ConversationsAnswer(
            conversations=[schemas.conversation_answer(each) for each in page.items],
            cursor=page.cursor,
        )

    async def get(
        self, principal: Principal, asked: schemas.OneConversation
    ) -> schemas.ConversationAnswer:
        found = await self._conversations.get(principal.user, conversation_id=asked.conversation_id)
        return schemas.conversation_answer(found)

    async def members(
        self, principal: Principal, asked: schemas.OneConversation
    ) -> schemas.MembersAnswer:
        members = await self._conversations.members(
            principal.user, conversation_id=asked.conversation_id
        )
        return schemas.MembersAnswer(members=[schemas.member_answer(each) for each in members])

    async def add_member(
        self, principal: Principal, asked: schemas.OneMember
    ) -> schemas.MemberAnswer:
        added = await self._conversations.add_member(
            principal.user, conversation_id=asked.conversation_id, member_id=asked.user_id
        )
        return schemas.member_answer(added)

    async def change_role(
        self, principal: Principal, asked: schemas.ChangeRole
    ) -> schemas.MemberAnswer:
        changed = await self._conversations.change_role(
            principal.user,
            conversation_id=asked.conversation_id,
            member_id=asked.user_id,
            role=asked.role,
        )
        return schemas.member_answer(changed)

    async def remove_member(self, principal: Principal, asked: schemas.OneMember) -> Nothing:
        await self._conversations.remove_member(
            principal.user, conversation_id=asked.conversation_id, member_id=asked.user_id
        )
        return Nothing()

    async def mute(self, principal: Principal, asked: schemas.Mute) -> schemas.MuteAnswer:
        changed = await self._conversations.mute(
            principal.user, conversation_id=asked.conversation_id, muted=asked.muted
        )
        return schemas.MuteAnswer(muted=changed.muted)

    async def send(self, principal: Principal, asked: schemas.SendMessage) -> schemas.MessageAnswer:
        message = await self._messages.send(
            principal.user,
            conversation_id=asked.conversation_id,
            body=bytes(asked.body),
            idempotency_key=asked.idempotency_key,
        )
        return schemas.message_answer(message)

    async def history(
        self, principal: Principal, asked: schemas.ReadHistory
    ) -> schemas.HistoryAnswer:
        if asked.before is not None and asked.after is not None:
            raise InvalidInput("after", "cannot be combined with before")
        if asked.after is not None:
            found = await self._messages.since(
                principal.user,
                conversation_id=asked.conversation_id,
                offset=asked.after,
                limit=asked.limit,
            )
        else:
            found = await self._messages.history(
                principal.user,
                conversation_id=asked.conversation_id,
                before=asked.before,
                limit=asked.limit,
            )
        return schemas.HistoryAnswer(
            messages=[schemas.message_answer(each) for each in found],
            epoch=await self._messages.epoch(),
        )
