"""The room's API: bodies in, bodies out, and who is offered what."""

import re
import uuid

import msgspec
import pytest

from kernel.errors import InvalidInput
from kernel.identity import Scope
from reminders.routes import operations
from reminders.schemas import CreateTask, MoveEvent, PutRule
from tests.support.factories_reminders import AMINA, BILAL, server, user


@pytest.fixture
def ask(room):
    """Ask one operation by its name, with a body as it comes from JSON."""
    offered = {
        each.name: each
        for each in operations(
            events=room.events,
            parts=room.parts,
            moving=room.moving,
            tasks=room.tasks,
            snoozing=room.snoozing,
            rules=room.rules,
            people=room.people,
            explain=room.explain,
            operating=room.operating,
            feeds=room.feeds,
            defaults=room.defaults,
            choosing=room.choosing,
            imports=room.imports,
            digest=room.digest,
            guests=room.guests,
        )
    }

    async def asked(name, principal=user(AMINA), **body):  # noqa: B008
        operation = offered[name]
        answer = await operation.run(principal, msgspec.convert(body, operation.takes))
        assert isinstance(answer, operation.gives)
        return msgspec.to_builtins(answer)

    asked.offered = offered
    return asked


def test_everything_users_may_ask_servers_may_ask_for_them(ask):
    users = [each for each in ask.offered.values() if each.scope is None and not each.open]
    servers = [each for each in ask.offered.values() if each.scope is not None]

    assert (len(users), len(servers)) == (47, 58)
    assert all(each.path.startswith("/v1/") and each.rpc for each in users)
    assert all(each.path.startswith("/admin/v1/") and not each.rpc for each in servers)
    assert {each.scope for each in servers} == {Scope.REMINDERS}


async def test_a_field_is_called_as_it_is_in_the_body(ask):
    wedding = await ask("events.create", title="Mariage", zone="Africa/Algiers")
    owed = {"payment": {"amount": 1, "currency": "DZD", "vendor_id": "la salle"}}

    with pytest.raises(InvalidInput) as refused:
        await ask("tasks.create", event_id=wedding["id"], title="Salle", details=owed)

    assert refused.value.details["field"] == "details.payment.vendor_id"


def test_every_name_and_every_address_is_offered_once(ask):
    addresses = {(each.method, each.path) for each in ask.offered.values()}

    assert len(addresses) == len(ask.offered)


def test_every_part_of_a_path_is_a_field_of_the_question(ask):
    for operation in ask.offered.values():
        fields = {field.name for field in msgspec.structs.fields(operation.takes)}
        assert set(re.findall(r"{(\w+)}", operation.path)) <= fields, operation.name


def test_every_question_and_answer_has_a_schema(ask):
    for operation in ask.offered.values():
        assert msgspec.json.schema(operation.takes)["$defs"]
        assert operation.document or msgspec.json.schema(operation.gives)["$defs"]


async def test_a_wedding_is_planned_through_the_api(ask, room):
    event = await ask(
        "events.create", title="Mariage", zone="Africa/Algiers", day="2026-03-10", at="20:00"
    )
    assert (event["day"], event["at"]) == ("2026-03-10", "20:00")
    here = {"event_id": event["id"]}
    await ask("events.put_member", **here, user_id=BILAL, role="collaborator")
    due = {"kind": "event", "days": -1, "at": "14:00"}
    task = await ask("tasks.create", user(BILAL), **here, title="Essayage", due=due)
    assert task["due"] == {
        "months": 0,
        "weeks": 0,
        "anchor": "main",
        "span": 0,
        "start": None,
        **due,
    }
    there = {**here, "task_id": task["id"]}
    lead = {"kind": "elapsed", "minutes": 90}
    rule_id = str(uuid.uuid4())
    rule = await ask("rules.put", **there, rule_id=rule_id, lead=lead)
    assert (rule["id"], rule["lead"], rule["user_id"]) == (rule_id, lead, None)
    await ask("profile.put", zone="Europe/Paris", locale="fr")

    await room.planner.step()

    (firing,) = (await ask("firings.list"))["firings"]
    assert firing["wall"] == "2026-03-09T12:30:00"
    assert firing["zone"] == "Europe/Paris"
    assert (firing["task_title"], firing["event_title"]) == (task["title"], event["title"])
    assert firing["due_at"] == "2026-03-09T11:30:00Z"
    (listed,) = (await ask("tasks.list", **here))["tasks"]
    assert (listed["due_on"], listed["compressed"]) == ("2026-03-09", False)
    explained = await ask("firings.explain", **there)
    assert explained["traces"][0]["firing"] == firing["firing"]
    assert explained["traces"][0]["utc_offset_seconds"] == 3600
    assert re.fullmatch(r"20\d\d[a-z]", explained["zone_data"])

    moved = await ask("events.move", **here, day="2026-03-12")
    assert (moved["day"], moved["at"]) == ("2026-03-12", None)
    done = await ask("tasks.complete", **there)
    assert done["done_at"] == "2026-03-01T08:00:00Z"
    await ask("rules.delete", **there, rule_id=rule_id)
    assert (await ask("tasks.get", **there))["rules"] == []
    await ask("tasks.delete", **there)
    assert (await ask("tasks.list", **here))["tasks"] == []
    assert (await ask("events.cancel", **here))["cancelled_at"] is not None
    assert len((await ask("events.list"))["events"]) == 1


async def test_a_server_plans_on_behalf_of_users(ask):
    event = await ask(
        "events.create_for", server(), title="Mariage", zone="Africa/Algiers", owner_id=AMINA
    )
    here = {"event_id": event["id"]}
    due = {"kind": "wall", "day": "2026-03-29", "at": "02:30", "zone": "Europe/Paris"}
    task = await ask("tasks.create_for", server(), **here, title="Gâteau", due=due)
    lead = {"kind": "calendar", "months": 0, "weeks": 1, "days": 0, "at": "09:00"}
    rule = await ask(
        "rules.put_for",
        server(),
        **here,
        task_id=task["id"],
        rule_id=str(uuid.uuid4()),
        user_id=AMINA,
        lead=lead,
        exact=False,
        zone_policy="fixed",
        zone="Africa/Algiers",
    )
    assert (rule["lead"], rule["exact"], rule["zone"]) == (lead, False, "Africa/Algiers")
    await ask("profile.put_of", server(), user_id=AMINA, zone="UTC", locale="ar", muted=True)

    assert (await ask("profile.get"))["muted"]
    assert (await ask("profile.get_of", server(), user_id=AMINA))["locale"] == "ar"
    listed = await ask("events.list_for", server(), user_id=AMINA)
    assert [each["id"] for each in listed["events"]] == [event["id"]]
    there = {**here, "task_id": task["id"], "user_id": AMINA}
    explained = await ask("firings.explain_for", server(), **there)
    assert explained["traces"][0]["state"] == "held"
    firings = await ask("firings.list_for", server(), user_id=AMINA)
    assert firings == {"firings": [], "cursor": None}
    assert (await ask("events.rename_for", server(), **here, title="عرس"))["title"] == "عرس"


@pytest.mark.parametrize(
    ("takes", "body"),
    [
        (CreateTask, {"title": "x", "due": {"kind": "day", "day": "2026-02-30"}}),
        (CreateTask, {"title": "x", "due": {"kind": "someday"}}),
        (CreateTask, {"title": "x", "due": {"kind": "day", "day": "2026-03-01", "at": "09:00"}}),
        (CreateTask, {"title": "", "due": None}),
        (CreateTask, {"title": 5}),
        (CreateTask, {"title": "x", "colour": "red"}),
        (MoveEvent, {}),
        (MoveEvent, {"day": "2026-03-01", "at": "24:00"}),
        (MoveEvent, {"day": "2026-03-01", "at": "9:00"}),
        (PutRule, {"rule_id": "x", "lead": {"kind": "elapsed", "minutes": 5}}),
        (PutRule, {"rule_id": str(uuid.uuid4()), "lead": {"kind": "elapsed", "minutes": 0}}),
        (PutRule, {"rule_id": str(uuid.uuid4()), "lead": {"kind": "calendar", "days": -1}}),
    ],
)
def test_a_body_that_breaks_a_rule_is_refused(takes, body):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"event_id": str(uuid.uuid4()), **body}, takes)
