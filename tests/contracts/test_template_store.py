"""What every template store promises."""

import asyncio
from dataclasses import replace

import pytest

from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_templates import SqlTemplates
from notifications.audit.types import AuditQuery, Deed
from notifications.errors import TemplateFull
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text

WORDS = Template(
    texts={"ar": Text("مرحبا {a}", "{n}", actions=(Action("ok", "نعم", "/x"),))},
    variables={"a": Variable(), "n": Variable(VariableKind.NUMBER, 3, optional=True)},
    link="/l",
    apple={"badge": 1, "alert": {"subtitle": "s"}},
)


@pytest.fixture
def store(database):
    return SqlTemplates(database)


@pytest.fixture
def add(store, clock):
    async def add(name="invite", *, title="t", limit=100, template=None, **changes):
        words = template or replace(WORDS, texts={"fr": Text(title, "")})
        said = {"note": "first", "by": "key:1", **changes}
        return await store.add(name, words, now=clock.now(), limit=limit, **said)

    return add


@pytest.fixture
def publish(store, clock):
    async def publish(number, name="invite"):
        deed = Deed("key:1", "template.published", f"template:{name}", details={"to": number})
        return await store.publish(name, number, by="key:1", now=clock.now(), deed=deed)

    return publish


async def test_a_version_is_read_as_it_was_written(store, add, clock):
    made = await add(template=WORDS, note="عيد\0")

    assert made.template == WORDS
    assert (made.number, made.created_by, made.created_at) == (1, "key:1", clock.now())
    assert made.note == "عيد"
    assert await store.get("invite", 1) == made
    assert await store.get("invite") == made


async def test_what_says_the_same_is_no_new_version_and_a_change_is_the_next(store, add):
    first = await add(title="one")
    assert await add(title="one", note="again") == first

    second = await add(title="two")
    third = await add(title="one")

    assert [second.number, third.number] == [2, 3]
    assert await store.get("invite", 1) == first
    assert await store.get("invite") == third


async def test_writing_at_once_numbers_each(add):
    made = await asyncio.gather(*(add(title=str(number)) for number in range(5)))

    assert sorted(each.number for each in made) == [1, 2, 3, 4, 5]


async def test_versions_are_bounded(add):
    await add(title="1", limit=2)
    await add(title="2", limit=2)

    with pytest.raises(TemplateFull):
        await add(title="3", limit=2)


async def test_what_is_not_there_is_not_found(store, add, publish):
    await add()

    assert await store.get("invite", 2) is None
    assert await store.get("nothing") is None
    assert await store.standing("nothing") is None
    assert await publish(2) is None
    assert await publish(-1) is None
    assert await publish(1, "nothing") is None


async def test_a_published_version_is_in_use_until_another_is(store, add, publish, clock):
    await add(title="one")
    await add(title="two")
    assert (await store.live(after=0)).versions == {}

    await publish(1)
    clock.move(hours=1)
    await publish(2)
    clock.move(hours=1)
    await publish(1)

    standing, publications = await store.standing("invite")
    assert (standing.newest, standing.live, standing.changed_at) == (2, 1, clock.now())
    assert [each.version for each in publications] == [1, 2, 1]
    assert (await store.live(after=0)).versions["invite"].number == 1


async def test_what_was_taken_out_of_use_is_told_as_none(store, add, publish):
    await add()
    await publish(1)
    before = await store.live(after=0)

    await publish(0)

    after = await store.live(after=before.revision)
    assert after.versions == {"invite": None}
    assert after.revision > before.revision


async def test_only_what_changed_since_a_revision_is_told(store, add, publish):
    await add("a")
    await add("b")
    await publish(1, "a")
    seen = await store.live(after=0)

    await publish(1, "b")
    await publish(1, "a")

    news = await store.live(after=seen.revision)
    assert set(news.versions) == {"b"}
    assert (await store.live(after=news.revision)).versions == {}


async def test_publications_at_once_are_all_told_in_the_end(store, add, publish):
    names = [f"t{number}" for number in range(8)]
    for name in names:
        await add(name)

    await asyncio.gather(*(publish(1, name) for name in names))

    assert set((await store.live(after=0)).versions) == set(names)


async def test_a_publication_is_recorded_once_in_the_audit_trail(database, store, add, publish):
    await add()
    await publish(1)
    await publish(1)

    records = await SqlAudit(database).page(
        AuditQuery(subject="template:invite"), before=None, limit=9
    )
    assert [each.deed.details for each in records] == [{"to": 1}]


async def test_templates_are_listed_by_name_page_by_page(store, add):
    for name in ("c", "a", "b"):
        await add(name)

    first = await store.all(cursor=None, limit=2)
    rest = await store.all(cursor=first.cursor, limit=2)

    assert [each.name for each in first.items] == ["a", "b"]
    assert [each.name for each in rest.items] == ["c"]
    assert rest.cursor is None
