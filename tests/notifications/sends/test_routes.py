"""Every operation of sends and lists: who may ask, what is taken and given."""

from contextlib import suppress
from uuid import uuid4

import msgspec
import pytest

from kernel.errors import Denied, InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.ids import UserId
from kernel.operations import invalid_input
from kernel.paging import cursor_of
from notifications.errors import ListNotFound
from notifications.sends import list_routes, routes
from notifications.sends.rehearsal import SAMPLE
from notifications.sends.types import Census
from tests.support.factories_notifications import AMINA, registration, server, user
from tests.support.sending import SendingRoom

OPERATOR = server(Scope.PUSHES)
PUSH = {
    "user_ids": ["amina"],
    "idempotency_key": "k",
    "variables": {"title": "Zaffa", "body": "سلام"},
}
SEND = {"send_id": str(uuid4())}
GUESTS = {"list_id": "guests"}
ASKED = {
    "pushes.send": PUSH,
    "pushes.send_many": {"sends": [PUSH]},
    "pushes.rehearse": PUSH,
    "sends.list": {},
    "sends.get": SEND,
    "sends.follow": SEND,
    "sends.pushes": SEND,
    "sends.cancel": SEND,
    "lists.list": {},
    "lists.get": GUESTS,
    "lists.replace": {**GUESTS, "user_ids": ["amina"]},
    "lists.delete": GUESTS,
    "lists.users": GUESTS,
    "lists.append": {**GUESTS, "user_ids": ["karim"]},
    "lists.remove": {**GUESTS, "user_ids": ["karim"]},
}
STRANGERS = {
    "nobody": Principal(),
    "user": user(AMINA),
    "other-scopes": server(*(set(Scope) - {Scope.PUSHES})),
}


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return SendingRoom(sqlite_database, clock, metrics)


@pytest.fixture
def offered(room):
    found = [
        *routes.operations(sends=room.sends, rehearsal=room.rehearsal),
        *list_routes.operations(room.lists),
    ]
    return {each.name: each for each in found}


@pytest.fixture
def ask(offered):
    async def ask(name, principal, /, **data):
        operation = offered[name]
        answer = await operation.run(principal, msgspec.convert(data, operation.takes))
        assert isinstance(answer, operation.gives)
        return msgspec.json.decode(msgspec.json.encode(answer))

    return ask


def test_every_operation_is_in_this_matrix(offered):
    assert offered.keys() == ASKED.keys()
    for each in offered.values():
        assert (each.scope, each.path[:10]) == (Scope.PUSHES, "/admin/v1/")


async def test_nobody_else_may_ask(ask):
    for name, asked in ASKED.items():
        for stranger in STRANGERS.values():
            with pytest.raises(Denied):
                await ask(name, stranger, **asked)


async def test_a_send_is_taken_watched_and_cancelled(ask, room, offered):
    phone = await room.register(AMINA, registration())

    sent = await ask("pushes.send", OPERATOR, **PUSH)
    await room.hand_on()
    named = {"send_id": sent["id"]}
    status = await ask("sends.get", OPERATOR, **named)
    (push,) = (await ask("sends.pushes", OPERATOR, **named))["pushes"]
    ended = await ask("sends.cancel", OPERATOR, **named)

    assert (sent["targeted"], list(sent["notifications"])) == (1, ["amina"])
    assert (status["state"], status["counts"]["queued"], status["over"]) == ("sending", 1, False)
    assert (push["device_id"], push["state"]) == (str(phone.id), "queued")
    assert (ended["state"], ended["counts"]["suppressed"]) == ("cancelled", 1)
    assert (await ask("sends.list", OPERATOR))["sends"] == [ended["send"]]
    assert offered["pushes.send"].status == 202


async def test_each_of_many_tells_its_own_fault(ask):
    many = [PUSH, {**PUSH, "badge": -1}, {**PUSH, "user_ids": ["karim"]}, {"idempotency_key": "x"}]

    results = (await ask("pushes.send_many", OPERATOR, sends=many))["results"]

    assert results[0]["error"] is None
    assert [each["error"]["code"] for each in results[1:]] == [
        "invalid_input",
        "idempotency.mismatch",
        "invalid_input",
    ]
    assert results[1]["error"]["details"]["field"] == "badge"
    assert results[3]["error"]["details"]["field"] == "audience"


async def test_a_rehearsal_shows_what_each_device_would_get(ask, room):
    await room.register(AMINA, registration())

    told = await ask("pushes.rehearse", OPERATOR, **{**PUSH, "user_ids": ["amina", "karim"]})

    assert (told["targeted"], told["would_reach"]) == (2, 1)
    amina, karim = told["users"]
    assert [(each["would"], each["body"]) for each in amina["devices"]] == [(True, "سلام")]
    assert (karim["reason"], karim["devices"]) == ("no_device", [])


async def test_a_long_list_is_counted_on_from_a_cursor_of_its_own(ask, room):
    users = [UserId(f"user-{number:03}") for number in range(SAMPLE + 1)]
    await room.lists.replace(OPERATOR, "guests", users)
    of_list = {"list_id": "guests", "idempotency_key": "k", "variables": PUSH["variables"]}
    half = Census(users=300, last="user-299", whole=False, would=7, why_not={"opted_out": 2})
    cursor = cursor_of("guests", msgspec.json.encode(half).decode())

    whole = await ask("pushes.rehearse", OPERATOR, **of_list)
    rest = await ask("pushes.rehearse", OPERATOR, **of_list, cursor=cursor)

    assert (len(whole["users"]), whole["census"]["users"]) == (SAMPLE, SAMPLE + 1)
    assert (whole["census"]["whole"], whole["census"]["cursor"]) == (True, None)
    assert (rest["users"], rest["would_reach"]) == ([], 7)
    assert (rest["census"]["users"], rest["census"]["whole"]) == (SAMPLE + 1, True)
    assert rest["census"]["without_device"] == SAMPLE + 1 - 300
    for wrong in ("nonsense", cursor_of("guests", "{"), cursor_of("others", "{}")):
        with pytest.raises(InvalidInput) as caught:
            await ask("pushes.rehearse", OPERATOR, **of_list, cursor=wrong)
        assert caught.value.details["field"] == "cursor"


async def test_a_list_is_made_changed_read_and_forgotten(ask):
    async def asked(verb, **data):
        return await ask(f"lists.{verb}", OPERATOR, list_id="guests", **data)

    with pytest.raises(ListNotFound):
        await asked("append", user_ids=["amina"])
    assert (await asked("replace", user_ids=["amina", "karim", "amina"]))["users"] == 2
    assert (await asked("append", user_ids=["lina", "karim"]))["users"] == 3
    assert (await asked("remove", user_ids=["karim", "nobody"]))["users"] == 2
    page = await asked("users", limit=1)
    rest = await asked("users", limit=1, cursor=page["cursor"])
    assert [*page["user_ids"], *rest["user_ids"]] == ["amina", "lina"]
    assert rest["cursor"] is None
    assert (await asked("get"))["users"] == 2
    assert [each["list_id"] for each in (await ask("lists.list", OPERATOR))["lists"]] == ["guests"]
    assert (await asked("replace", user_ids=[]))["users"] == 0
    await asked("delete")
    with pytest.raises(ListNotFound):
        await asked("get")
    with pytest.raises(InvalidInput):
        await asked("replace", user_ids=["white space"])


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"urgency": "now"}, "urgency", "must be one of"),
        ({"category": "nul\0"}, "category", "matching regex"),
        ({"idempotency_key": "k\0"}, "idempotency_key", "matching regex"),
        ({"link": "/a b"}, "link", "matching regex"),
        ({"data": {"k": 1}}, "data[...]", "expected `str`"),
        ({"image": "http://a/b.png"}, "image", "matching regex"),
        ({"badge": -1}, "badge", ">= 0"),
        ({"label": "ü"}, "label", "matching regex"),
        ({"kind": "shout"}, "kind", "must be one of"),
        ({"now_or_never": 1}, "now_or_never", "expected `bool`"),
        ({"list_id": "a/b"}, "list_id", "matching regex"),
    ],
)
def test_what_breaks_a_rule_is_refused_by_field_and_rule(offered, changes, field, rule):
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({**PUSH, **changes}, offered["pushes.send"].takes)

    told = invalid_input(caught.value, offered["pushes.send"].takes).details
    assert told["field"] == field
    assert rule in str(told["rule"])


@pytest.mark.parametrize(
    ("changes", "field", "rule"),
    [
        ({"apple": {"interruption-level": "loud"}}, "apple.interruption-level", "must be one of"),
        ({"apple": {"shout": 1}}, "apple.shout", "is not a known field"),
        ({"apple": {"alert": {"colour": "red"}}}, "apple.alert.colour", "is not a known field"),
        ({"android": {"ttl": "1s"}}, "android.ttl", "is not a known field"),
        (
            {"android": {"notification": {"color": "red"}}},
            "android.notification.color",
            "matching regex",
        ),
        (
            {"android": {"notification": {"visibility": "ALL"}}},
            "android.notification.visibility",
            "must be one of",
        ),
        ({"web": {"dir": "up"}}, "web.dir", "must be one of"),
        ({"web": {"actions": [{"action": "a"}]}}, "web.actions[0].title", "is required"),
    ],
)
async def test_what_a_provider_would_refuse_is_refused_by_field_and_rule(ask, changes, field, rule):
    with pytest.raises(InvalidInput) as caught:
        await ask("pushes.send", OPERATOR, **PUSH, **changes)

    told = caught.value.details
    assert told["field"] == field
    assert rule in str(told["rule"])


HOSTILE = (
    -1, 0, 2**63, 1e308, "", "\0", "x" * 70_000, "ﷺ\u202e{a}'{b", None, [], {}, True,
    {"a": {"b": 1}}, ["\0"], [{}], {"title": "x" * 9_999}, {"fr": {"title": "{", "body": ""}},
)  # fmt: skip


async def test_no_value_of_any_field_does_more_than_be_refused(offered, room):
    await room.register(AMINA, registration())
    operation = offered["pushes.rehearse"]
    for name in operation.takes.__struct_fields__:
        for value in HOSTILE:
            with suppress(msgspec.ValidationError, Refusal):
                asked = msgspec.convert({**PUSH, name: value}, operation.takes)
                await operation.run(OPERATOR, asked)
