"""Writing, publishing and taking back templates, and how they look."""

import msgspec
import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Principal, Scope
from notifications.adapters.rehearsal import AdaptersRehearsal
from notifications.errors import TemplateInvalid, TemplateNotFound, VariableMissing, VariableUnknown
from notifications.planning import notification_id
from notifications.templates.authoring import Templates
from notifications.templates.routes import operations
from notifications.templates.shelf import TemplateOptions
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text
from tests.support.factories_notifications import AMINA, Room, notice, registration, server, user

OPERATOR = server(Scope.TEMPLATES)
INVITE = Template(
    texts={
        "ar": Text("{guest}، دعوة", "{days, plural, other {بعد #}}"),
        "fr": Text("{guest}, invitation", "dans {days, plural, other {# jours}}"),
    },
    variables={
        "guest": Variable(example="Amina"),
        "days": Variable(VariableKind.NUMBER, 11),
    },
    link="/invite",
)


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def templates(room, clock):
    return Templates(
        store=room.templates,
        shelf=room.shelf,
        rehearsal=AdaptersRehearsal(),
        clock=clock,
        options=TemplateOptions(),
    )


def saying(title, **more):
    """A template that says only this, in French."""
    return Template(texts={"fr": Text(title, ""), **more})


async def test_nobody_gets_a_version_before_it_is_published(room, templates):
    looked = await templates.put(OPERATOR, "invite", INVITE, note="first")

    assert (looked.version.number, looked.standing.live) == (1, 0)
    assert not any(each.fatal for each in looked.problems)
    with pytest.raises(TemplateNotFound):
        await room.shelf.rendering("invite", {})

    standing = await templates.publish(OPERATOR, "invite")

    assert standing.live == 1
    assert (await room.shelf.rendering("invite", {})).label == "invite@1"


async def test_a_broken_version_can_be_written_down_and_not_published(templates):
    looked = await templates.put(OPERATOR, "invite", saying("{guest}", it=Text("{", "")))
    assert {each.locale for each in looked.problems if each.fatal} == {"fr", "it"}

    with pytest.raises(TemplateInvalid) as caught:
        await templates.publish(OPERATOR, "invite")

    details = caught.value.details
    assert (details["template"], details["locale"], details["variable"]) == (
        "invite",
        "fr",
        "guest",
    )
    assert len(details["problems"]) == 2
    assert (await templates.show(OPERATOR, "invite")).standing.live == 0


async def test_rolling_back_puts_to_use_what_was_in_use_before(room, templates):
    for title in ("one", "two", "three"):
        await templates.put(OPERATOR, "invite", saying(title))
    await templates.publish(OPERATOR, "invite", 1)
    await templates.publish(OPERATOR, "invite", 3)

    assert (await templates.roll_back(OPERATOR, "invite")).live == 1
    assert (await room.shelf.rendering("invite", {})).label == "invite@1"
    history = (await templates.show(OPERATOR, "invite")).publications
    assert [each.version for each in history] == [1, 3, 1]
    with pytest.raises(TemplateNotFound):
        await templates.roll_back(OPERATOR, "nothing")


async def test_a_notice_of_the_house_is_worded_by_the_operator_until_that_is_withdrawn(
    room, templates
):
    provider_words = Template(
        texts={"fr": Text("{sender} écrit", "{text}")},
        variables={"sender": Variable(), "text": Variable()},
    )
    await templates.put(OPERATOR, "chat.message", provider_words)
    await templates.publish(OPERATOR, "chat.message")
    said = {"sender": "Amina", "text": "salut", "conversation": ""}
    mine = (await room.shelf.of(notice(AMINA, template="chat.message", variables=said))).label

    await templates.withdraw(OPERATOR, "chat.message")

    theirs = (await room.shelf.of(notice(AMINA, template="chat.message", variables=said))).label
    assert (mine, theirs) == ("chat.message@1", "chat.message")


async def test_a_notification_says_which_version_worded_it(room, templates):
    await room.register(AMINA, registration())
    await templates.put(OPERATOR, "invite", INVITE)
    await templates.publish(OPERATOR, "invite")

    await room.tell(notice(AMINA, template="invite", variables={"guest": "x", "days": 2}))

    told, _ = await room.ledger.notification(notification_id("n1", AMINA))
    assert told.template == "invite@1"


async def test_a_preview_shows_each_language_with_the_examples(templates):
    await templates.put(OPERATOR, "invite", INVITE)
    looked = await templates.show(OPERATOR, "invite")

    arabic, french = templates.previews(OPERATOR, looked, variables={})

    assert (arabic.locale, arabic.language, arabic.direction) == ("ar-DZ", "ar", "rtl")
    assert (french.locale, french.language, french.direction) == ("fr-DZ", "fr", "ltr")
    assert arabic.content.body == "بعد 11"
    assert [each.provider for each in french.loads] == ["fcm", "apns", "webpush"]
    assert all(0 < each.size < each.limit and not each.refused for each in french.loads)
    assert french.loads[1].payload["aps"]["alert"]["body"] == "dans 11 jours"


async def test_a_preview_takes_other_variables_and_readers_and_refuses_unknown_ones(templates):
    looked = templates.look(OPERATOR, INVITE)

    (german,) = templates.previews(OPERATOR, looked, variables={"days": 1234}, locales=["de_at"])
    assert (german.locale, german.language) == ("de-AT", "fr")
    assert german.content.body == "dans 1\u202f234 jours"
    with pytest.raises(VariableUnknown):
        templates.previews(OPERATOR, looked, variables={"price": 1})
    assert templates.previews(OPERATOR, templates.look(OPERATOR, saying("{")), variables={}) == ()


async def test_a_preview_says_what_is_cut_off(templates):
    looked = templates.look(OPERATOR, saying("ب" * 300))

    (preview,) = templates.previews(OPERATOR, looked, variables={}, locales=["ar"])

    assert (preview.title_bytes, preview.shortened) == (600, True)


async def test_a_users_device_can_word_what_the_house_would_tell(templates):
    said = {"task": "Robe", "event": "Noces", "when": "demain"}

    words = await templates.words(user(AMINA), "task.reminder", said, "fr_dz")

    assert words.content.title == "Rappel : \u2068Robe\u2069"
    with pytest.raises(VariableMissing):
        await templates.words(user(AMINA), "task.reminder", {}, "fr")
    await templates.put(OPERATOR, "invite", saying("secret"))
    await templates.publish(OPERATOR, "invite")
    with pytest.raises(TemplateNotFound):
        await templates.words(user(AMINA), "invite", {}, "fr")


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("Invite", saying("x")),
        ("in vite", saying("x")),
        ("a+b", saying("x")),
        ("invite", saying("x", fr_=Text("", ""))),
        ("invite", Template(texts={"ar-DZ": Text("x", ""), "ar_dz": Text("x", "")})),
        ("invite", Template(texts={"fr": Text("x", "")}, variables={"a b": Variable()})),
        ("invite", Template(texts={"fr": Text("x", "", actions=(Action("a b", "x"),))})),
    ],
)
async def test_odd_names_are_refused(templates, name, template):
    with pytest.raises(InvalidInput):
        await templates.put(OPERATOR, name, template)


@pytest.fixture
def offered(templates):
    return {each.name: each for each in operations(templates)}


BODY = {"texts": {"fr": {"title": "t", "body": "b"}}}
ASKED = {
    "templates.list": {},
    "templates.get": {"name": "task.reminder"},
    "templates.put": {"name": "invite", "template": BODY},
    "templates.publish": {"name": "invite"},
    "templates.roll_back": {"name": "invite"},
    "templates.withdraw": {"name": "invite"},
    "templates.preview": {"name": "task.reminder"},
    "templates.try": {"template": BODY},
    "templates.words": {
        "name": "announcement",
        "locale": "fr",
        "variables": {"title": "t", "body": "b"},
    },
}


def test_every_operation_is_in_this_matrix(offered):
    assert set(offered) == set(ASKED)


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize(
    "principal",
    [Principal(), user(AMINA), server(*(set(Scope) - {Scope.TEMPLATES}))],
    ids=["nobody", "user", "other-scopes"],
)
async def test_only_who_may_is_answered(offered, name, principal):
    operation = offered[name]
    if operation.scope is None and principal.user_id:
        principal = OPERATOR

    with pytest.raises(Denied):
        await operation.run(principal, msgspec.convert(ASKED[name], operation.takes))


async def test_a_template_goes_its_whole_way_through_the_api(offered):
    async def ask(name, principal=OPERATOR, **data):
        operation = offered[name]
        body = msgspec.json.encode({**ASKED[name], **data})
        given = msgspec.json.decode(body, type=operation.takes)
        answer = await operation.run(principal, given)
        assert isinstance(answer, operation.gives)
        return msgspec.json.decode(msgspec.json.encode(answer)), answer

    made, _ = await ask("templates.put", note="why")
    assert (made["version"], made["live"], made["note"]) == (1, 0, "why")
    assert made["template"] == BODY
    assert (await ask("templates.publish"))[0]["live"] == 1
    assert (await ask("templates.roll_back"))[0]["live"] == 0
    assert (await ask("templates.publish", version=1))[0]["live"] == 1
    assert (await ask("templates.withdraw"))[0]["live"] == 0
    listed, _ = await ask("templates.list")
    assert [each["name"] for each in listed["templates"]] == ["invite"]
    assert "task.reminder" in listed["built_in"]
    assert (await ask("templates.get"))[0]["version"] == 0
    tried, _ = await ask("templates.try", locales=["ar"])
    assert tried["previews"][0]["title"] == "t"
    words, _ = await ask("templates.words", principal=user(AMINA))
    assert (words["title"], words["language"]) == ("t", "en")


async def test_the_page_shows_both_phones_by_day_and_by_night_and_escapes_what_is_said(offered):
    operation = offered["templates.preview"]
    said = {"name": "task.reminder", "variable": ["task=<b>Robe</b>"], "locale": ["ar-DZ", "fr"]}

    given = await operation.run(OPERATOR, msgspec.convert(said, operation.takes))
    page = operation.page(given, [])

    assert page.count('class="phone android') == page.count('class="phone iphone') == 4
    assert page.count(" light") >= 4
    assert 'lang="ar-DZ" dir="rtl"' in page
    assert "&lt;b&gt;Robe" in page
    assert "<b>" not in page


@pytest.mark.parametrize("pair", ["task", "days=soon"])
async def test_variables_of_a_query_are_read_as_what_they_are(offered, templates, pair):
    await templates.put(OPERATOR, "invite", INVITE)
    operation = offered["templates.preview"]
    asked = {"name": "invite", "variable": [pair]}

    with pytest.raises(InvalidInput):
        await operation.run(OPERATOR, msgspec.convert(asked, operation.takes))

    asked = {"name": "invite", "variable": ["days=3", "guest=5"], "locale": ["fr"]}
    shown = await operation.run(OPERATOR, msgspec.convert(asked, operation.takes))
    assert shown.previews[0].body == "dans 3 jours"
