"""The shelf: which template words what, and when a publication is known."""

import pytest

from notifications.audit.types import Deed
from notifications.errors import TemplateNotFound
from notifications.templates.rendering import Beside
from notifications.templates.types import Template
from notifications.types import Text
from tests.support.factories_notifications import Room

NOTHING = Beside(data={})


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def publish(room, clock):
    async def publish(name, title, number=None):
        now = clock.now()
        words = Template(texts={"fr": Text(title, "")})
        made = await room.templates.add(name, words, note="", by="k", now=now, limit=100)
        deed = Deed("k", "template.published", name)
        wanted = made.number if number is None else number
        await room.templates.publish(name, wanted, by="k", now=now, deed=deed)

    return publish


async def title(shelf, name, version=0, **variables):
    found = await shelf.rendering(name, variables, version=version)
    return found.label, found.content("fr", variables, NOTHING).title


async def test_a_stored_template_replaces_the_one_of_the_house_until_it_is_withdrawn(
    room, publish, clock
):
    said = {"task": "Robe", "event": "E", "when": "demain"}
    assert (await title(room.shelf, "task.reminder", **said))[0] == "task.reminder"

    await publish("task.reminder", "N’oubliez pas : {task}")
    clock.move(seconds=1)
    label, words = await title(room.shelf, "task.reminder", **said)
    assert (label, words[:12]) == ("task.reminder@1", "N’oubliez pa")

    await publish("task.reminder", "x", number=0)
    clock.move(seconds=1)
    assert (await title(room.shelf, "task.reminder", **said))[0] == "task.reminder"


async def test_a_publication_is_known_after_a_second_at_the_latest(room, publish, clock):
    await publish("invite", "one")
    assert await title(room.shelf, "invite") == ("invite@1", "one")

    await publish("invite", "two")
    assert await title(room.shelf, "invite") == ("invite@1", "one")
    clock.move(seconds=1)

    assert await title(room.shelf, "invite") == ("invite@2", "two")


async def test_a_version_that_is_asked_for_stays_what_it_was(room, publish):
    await publish("invite", "one")
    await publish("invite", "two")

    assert await title(room.shelf, "invite", version=1) == ("invite@1", "one")
    assert await title(room.shelf, "invite", version=1) == ("invite@1", "one")
    with pytest.raises(TemplateNotFound):
        await room.shelf.rendering("invite", {}, version=3)


async def test_a_variable_that_says_something_chooses_the_special_template(room, publish, clock):
    said = {"sender": "Amina", "text": "salut"}
    await publish("chat.message+conversation", "{conversation} !")

    assert (await title(room.shelf, "chat.message", conversation="", **said))[1] == "Amina"
    assert (await title(room.shelf, "chat.message", conversation="T", **said))[0] == (
        "chat.message+conversation@1"
    )


async def test_what_is_not_in_use_is_not_found(room, publish):
    await publish("invite", "x", number=0)

    for name in ("invite", "nothing"):
        with pytest.raises(TemplateNotFound):
            await room.shelf.rendering(name, {})
