"""What can be asked of messaging, and who may ask it."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from kernel.ids import UserId, new_id
from kernel.metrics import Metrics
from kernel.operations import AnyOperation
from messaging.adapters.message_batches import BatchOptions
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_messages import SqlMessages
from messaging.conversations.bodies import MessageLimits
from messaging.conversations.conversations import ConversationLimits, Conversations
from messaging.conversations.messages import Messages
from messaging.errors import ConversationNotFound, LastOwner, NotAMember, RoleTooLow
from messaging.routes import operations
from messaging.types import Role
from tests.support.clock import START, ManualClock

OWNER, ADMIN, MEMBER, FORMER, STRANGER, OTHER = map(
    UserId, ("owner", "admin", "member", "former", "stranger", "other")
)
ALL_BUT_ONE = frozenset(Scope) - {Scope.CONVERSATIONS}
WHO = {
    "owner": Principal(user_id=OWNER),
    "admin": Principal(user_id=ADMIN),
    "member": Principal(user_id=MEMBER),
    "former member": Principal(user_id=FORMER),
    "stranger": Principal(user_id=STRANGER),
    "API key": Principal(key_id=new_id(START), scopes=frozenset({Scope.CONVERSATIONS})),
    "API key without the scope": Principal(key_id=new_id(START), scopes=ALL_BUT_ONE),
}


@dataclass(frozen=True)
class Asking:
    """The operations by name, and a group: an owner, an admin, two members, one who left."""

    operations: dict[str, AnyOperation]
    party: UUID

    async def ask(self, who: Principal, name: str, **fields: Any) -> Any:
        """Ask as an edge would: from JSON to the operation's struct."""
        operation = self.operations[name]
        asked = msgspec.json.decode(json.dumps(fields), type=operation.takes)
        return await operation.run(who, asked)


@pytest.fixture
async def asking(sqlite_database: Database, clock: ManualClock) -> AsyncIterator[Asking]:
    bus = MemoryBus()
    store = SqlConversations(database=sqlite_database, clock=clock)
    log = SqlMessages(
        database=sqlite_database, clock=clock, metrics=Metrics(), options=BatchOptions()
    )
    conversations = Conversations(store=store, bus=bus, clock=clock, limits=ConversationLimits())
    messages = Messages(
        store=log, conversations=store, bus=bus, clock=clock, limits=MessageLimits()
    )
    party = await conversations.open_group(
        OWNER, title="Fête", user_ids=[ADMIN, MEMBER, FORMER, OTHER]
    )
    there = {"conversation_id": party.id}
    await conversations.change_role(OWNER, **there, member_id=ADMIN, role=Role.ADMIN)
    await conversations.remove_member(FORMER, **there, member_id=FORMER)
    listed = operations(conversations=conversations, messages=messages)
    yield Asking({each.name: each for each in listed}, party.id)
    await log.close()


YES = None
NO, LOW, HIDDEN = Denied, RoleTooLow, ConversationNotFound
ME = "the one who asks"
GROUP = {"kind": "group", "user_ids": ["guest"]}
DIRECT = {"kind": "direct", "user_ids": ["guest"]}
HERE = {"conversation_id": "the party"}
SALAM = {"idempotency_key": "k", "body": {"text": "salam"}}

#    operation, asked for, and the answer to each of WHO, in that order
MATRIX = [
    ("conversations.open", GROUP, [YES, YES, YES, YES, YES, NO, NO]),
    ("conversations.open", DIRECT, [YES, YES, YES, YES, YES, NO, NO]),
    ("conversations.list", {}, [YES, YES, YES, YES, YES, NO, NO]),
    ("conversations.get", HERE, [YES, YES, YES, HIDDEN, HIDDEN, NO, NO]),
    ("conversations.members", HERE, [YES, YES, YES, HIDDEN, HIDDEN, NO, NO]),
    (
        "conversations.add_member",
        {**HERE, "user_id": "guest"},
        [YES, YES, LOW, HIDDEN, HIDDEN, NO, NO],
    ),
    (
        "conversations.change_role",
        {**HERE, "user_id": OTHER, "role": "admin"},
        [YES, LOW, LOW, HIDDEN, HIDDEN, NO, NO],
    ),
    (
        "conversations.remove_member",
        {**HERE, "user_id": OTHER},
        [YES, YES, LOW, HIDDEN, HIDDEN, NO, NO],
    ),
    (
        "conversations.remove_member",
        {**HERE, "user_id": ME},
        [LastOwner, YES, YES, HIDDEN, HIDDEN, NO, NO],
    ),
    (
        "conversations.mute",
        {**HERE, "muted": True},
        [YES, YES, YES, HIDDEN, HIDDEN, NO, NO],
    ),
    ("messages.send", {**HERE, **SALAM}, [YES, YES, YES, HIDDEN, HIDDEN, NO, NO]),
    ("messages.history", HERE, [YES, YES, YES, HIDDEN, HIDDEN, NO, NO]),
    ("messages.history", {**HERE, "after": 0}, [YES, YES, YES, HIDDEN, HIDDEN, NO, NO]),
    (
        "conversations.open_for",
        {**GROUP, "owner_id": STRANGER},
        [NO, NO, NO, NO, NO, YES, NO],
    ),
    ("conversations.members_of", HERE, [NO, NO, NO, NO, NO, YES, NO]),
    (
        "messages.send_as",
        {**HERE, **SALAM, "sender_id": MEMBER},
        [NO, NO, NO, NO, NO, YES, NO],
    ),
    (
        "messages.send_as",
        {**HERE, **SALAM, "sender_id": STRANGER},
        [NO, NO, NO, NO, NO, NotAMember, NO],
    ),
]
CASES = [
    pytest.param(name, fields, who, refusal, id=f"{who} asks {name}")
    for name, fields, answers in MATRIX
    for who, refusal in zip(WHO, answers, strict=True)
]


@pytest.mark.parametrize(("name", "fields", "who", "refusal"), CASES)
async def test_who_may_ask_what(asking, name, fields, who, refusal):
    meant = {ME: WHO[who].user_id or "nobody", "the party": str(asking.party)}
    fields = {
        key: meant.get(value, value) if isinstance(value, str) else value
        for key, value in fields.items()
    }

    with nullcontext() if refusal is YES else pytest.raises(refusal) as caught:
        await asking.ask(WHO[who], name, **fields)

    assert refusal is YES or type(caught.value) is refusal


async def test_every_operation_is_in_the_matrix(asking):
    assert {name for name, _, _ in MATRIX} == set(asking.operations)


async def test_users_ask_over_http_and_rpc_and_servers_over_http_with_a_scope(asking):
    for operation in asking.operations.values():
        prefix = "/admin/v1/" if operation.scope else "/v1/"
        assert operation.path.startswith(prefix)
        assert operation.rpc is (operation.scope is None)
        assert operation.scope in (None, Scope.CONVERSATIONS)


async def test_every_part_of_a_path_is_a_field_of_what_is_asked(asking):
    for operation in asking.operations.values():
        parts = set(re.findall(r"{(\w+)}", operation.path))
        assert parts <= set(operation.takes.__struct_fields__)


async def test_no_two_operations_share_a_method_and_a_path(asking):
    places = [(each.method, each.path) for each in asking.operations.values()]

    assert len(set(places)) == len(places)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("conversations.open", {"kind": "channel", "user_ids": []}),
        ("conversations.open", {"kind": "group", "user_ids": "guest"}),
        ("conversations.open", {"kind": "group", "user_ids": [7]}),
        ("conversations.open", {"kind": "group"}),
        ("conversations.get", {"conversation_id": "7"}),
        ("conversations.mute", {"conversation_id": str(new_id(START)), "muted": "no"}),
        ("conversations.list", {"limit": 0}),
        ("conversations.list", {"limit": 101}),
        ("conversations.list", {"colour": "red"}),
        ("messages.history", {"conversation_id": str(new_id(START)), "before": -1}),
        ("messages.history", {"conversation_id": str(new_id(START)), "after": 2**53}),
    ],
)
async def test_what_breaks_the_rules_of_a_field_never_reaches_the_room(asking, name, fields):
    with pytest.raises(msgspec.ValidationError):
        await asking.ask(WHO["owner"], name, **fields)


async def test_history_goes_one_way_at_a_time(asking):
    here = {"conversation_id": str(asking.party)}

    with pytest.raises(InvalidInput, match="after"):
        await asking.ask(WHO["owner"], "messages.history", **here, before=3, after=1)


async def test_a_message_is_answered_with_its_place_and_its_body_as_it_came(asking):
    here = {"conversation_id": str(asking.party)}
    said = {**here, "idempotency_key": "k", "body": {"text": "صباح الخير", "n": 1.5}}

    sent = await asking.ask(WHO["member"], "messages.send", **said)

    assert json.loads(msgspec.json.encode(sent)) == {
        "id": str(sent.id),
        "conversation_id": str(asking.party),
        "offset": 1,
        "sender_id": "member",
        "body": said["body"],
        "idempotency_key": "k",
        "sent_at": "2026-03-01T08:00:00Z",
    }
    read = await asking.ask(WHO["owner"], "messages.history", **here)
    assert read.messages == [sent]
    assert len(read.epoch) == 8


async def test_a_conversation_is_answered_as_it_stands(asking):
    here = {"conversation_id": str(asking.party)}
    await asking.ask(WHO["owner"], "messages.send", **here, **SALAM)

    found = await asking.ask(WHO["member"], "conversations.get", **here)
    listed = await asking.ask(WHO["member"], "conversations.list")

    assert json.loads(msgspec.json.encode(found)) == {
        "id": str(asking.party),
        "kind": "group",
        "title": "Fête",
        "created_by": "owner",
        "created_at": "2026-03-01T08:00:00Z",
        "top": 1,
    }
    assert (listed.conversations, listed.cursor) == ([found], None)


async def test_who_mutes_a_conversation_is_nobody_elses_business(asking):
    here = {"conversation_id": str(asking.party)}

    assert (await asking.ask(WHO["member"], "conversations.mute", **here, muted=True)).muted

    members = await asking.ask(WHO["owner"], "conversations.members", **here)
    assert [each.user_id for each in members.members] == [ADMIN, MEMBER, OTHER, OWNER]
    assert "muted" not in members.members[0].__struct_fields__
