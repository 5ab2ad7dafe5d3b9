"""What can be asked about users, and who may ask it."""

import json
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.errors import Denied
from kernel.identity import Principal, Scope
from kernel.ids import new_id
from kernel.operations import AnyOperation
from messaging.adapters.memory_presence import MemoryPresence
from messaging.adapters.sql_conversations import SqlConversations
from messaging.adapters.sql_restrictions import SqlRestrictions
from messaging.adapters.sql_statuses import SqlAcquaintances, SqlStatuses
from messaging.errors import NothingStands
from messaging.protocol.results import RPCResult
from messaging.standing.activity import Activity
from messaging.standing.routes import operations
from messaging.standing.sanctions import Sanctions
from messaging.standing.statuses import Statuses, StatusOptions
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, group, members
from tests.support.realtime import Node, serving, talking
from tests.support.standing import OPERATOR

WHO = {
    "user": Principal(user_id=AMINA),
    "API key": OPERATOR,
    "API key without the scope": Principal(
        key_id=new_id(START), scopes=frozenset(Scope) - {Scope.USERS}
    ),
}


@dataclass(frozen=True)
class Asking:
    """The operations by name. Amina and Karim share a conversation, Lina is a stranger."""

    operations: dict[str, AnyOperation]
    activity: Activity

    async def ask(self, who: Principal, name: str, **fields: Any) -> Any:
        operation = self.operations[name]
        asked = msgspec.json.decode(json.dumps(fields), type=operation.takes)
        return await operation.run(who, asked)


@pytest.fixture
async def asking(sqlite_database: Database, clock: ManualClock) -> Asking:
    conversations = SqlConversations(database=sqlite_database, clock=clock)
    there = group()
    await conversations.create(there, members(there, AMINA, KARIM))
    store = SqlStatuses(sqlite_database)
    activity = Activity(store, clock=clock, write_seconds=15)
    listed = operations(
        statuses=Statuses(
            store,
            registry=MemoryPresence(),
            acquaintances=SqlAcquaintances(sqlite_database),
            clock=clock,
            options=StatusOptions(),
        ),
        activity=activity,
        sanctions=Sanctions(SqlRestrictions(sqlite_database), bus=MemoryBus(), clock=clock),
    )
    return Asking({each.name: each for each in listed}, activity)


YES, NO, NONE = None, Denied, NothingStands

#    operation, asked for, and the answer to each of WHO, in that order
MATRIX = [
    ("users.status", {"user_ids": [KARIM]}, [YES, NO, NO]),
    ("users.active", {}, [YES, NO, NO]),
    ("users.statuses_of", {"user_ids": [KARIM]}, [NO, YES, NO]),
    ("users.mark_active", {"user_ids": [KARIM]}, [NO, YES, NO]),
    ("users.forget_status", {"user_id": KARIM}, [NO, YES, NO]),
    ("users.block", {"user_id": KARIM}, [NO, YES, NO]),
    ("users.unblock", {"user_id": KARIM}, [NO, NONE, NO]),
    ("users.block_of", {"user_id": KARIM}, [NO, NONE, NO]),
    ("users.blocks", {}, [NO, YES, NO]),
    ("tokens.revoke", {"token_id": "jti"}, [NO, YES, NO]),
    ("tokens.invalidate", {"user_id": KARIM}, [NO, YES, NO]),
]


@pytest.mark.parametrize(
    ("who", "operation", "fields", "refusal"),
    [
        pytest.param(who, operation, fields, refusal, id=f"{operation} for {who}")
        for operation, fields, answers in MATRIX
        for who, refusal in zip(WHO, answers, strict=True)
    ],
)
async def test_who_may_ask_what(asking, who, operation, fields, refusal):
    expected = nullcontext() if refusal is None else pytest.raises(refusal)

    with expected:
        await asking.ask(WHO[who], operation, **fields)


def test_the_matrix_has_every_operation(asking):
    assert {name for name, _, _ in MATRIX} == set(asking.operations)


async def test_a_user_learns_nothing_of_strangers(asking):
    answer = await asking.ask(WHO["user"], "users.status", user_ids=[LINA, KARIM])

    assert [each.user_id for each in answer.statuses] == [KARIM]


async def test_a_server_learns_about_everybody(asking):
    await asking.ask(OPERATOR, "users.mark_active", user_ids=[LINA])
    answer = await asking.ask(OPERATOR, "users.statuses_of", user_ids=[LINA, "nobody"])

    assert [(each.user_id, each.active) for each in answer.statuses] == [
        (LINA, True),
        ("nobody", False),
    ]


async def test_being_active_is_for_oneself(asking):
    await asking.ask(WHO["user"], "users.active")
    await asking.activity.step()
    answer = await asking.ask(OPERATOR, "users.statuses_of", user_ids=[AMINA])

    assert answer.statuses[0].active_at == START


async def test_clients_of_centrifugo_say_in_their_own_words_that_they_are_active(
    sqlite_database, asking
):
    node = Node(sqlite_database, more_operations=list(asking.operations.values()))
    async with serving(node), talking(node, AMINA) as amina:
        assert await amina.rpc("update_user_status", b"{}") == RPCResult(b"{}")
        assert await amina.rpc("users.active") == RPCResult(b"{}")

    assert list(asking.activity._unwritten) == [AMINA]


async def test_a_block_is_told_as_it_was_made(asking):
    made = await asking.ask(
        OPERATOR, "users.block", user_id=KARIM, until="2026-03-02T08:00:00Z", reason="spam"
    )
    assert await asking.ask(OPERATOR, "users.block_of", user_id=KARIM) == made
    assert (await asking.ask(OPERATOR, "users.blocks")).blocks == [made]

    await asking.ask(OPERATOR, "users.unblock", user_id=KARIM)
    assert (await asking.ask(OPERATOR, "users.blocks")).blocks == []


@pytest.mark.parametrize("until", ["2026-03-02T08:00:00", "tomorrow", 7])
async def test_an_instant_without_a_zone_is_refused(asking, until):
    with pytest.raises(msgspec.ValidationError):
        await asking.ask(OPERATOR, "users.block", user_id=KARIM, until=until)


async def test_tokens_are_invalid_from_now_on_unless_said_otherwise(asking):
    answer = await asking.ask(OPERATOR, "tokens.invalidate", user_id=KARIM)
    assert answer.issued_before == START

    answer = await asking.ask(
        OPERATOR, "tokens.invalidate", user_id=KARIM, issued_before="2026-01-01T00:00:00Z"
    )
    assert answer.issued_before.year == 2026
    assert answer.issued_before < START


async def test_each_act_of_an_operator_leaves_a_line(asking, caplog):
    with caplog.at_level("INFO", "messaging.audit"):
        await asking.ask(OPERATOR, "users.block", user_id=KARIM, reason="spam")
        await asking.ask(OPERATOR, "users.unblock", user_id=KARIM)
        await asking.ask(OPERATOR, "tokens.revoke", token_id="jti")
        await asking.ask(OPERATOR, "tokens.invalidate", user_id=KARIM)
        await asking.ask(OPERATOR, "users.forget_status", user_id=KARIM)

    assert [(each.message, each.by) for each in caplog.records] == [
        (message, OPERATOR.key_id)
        for message in (
            "user blocked",
            "user unblocked",
            "token revoked",
            "tokens of a user invalidated",
            "statuses forgotten",
        )
    ]
