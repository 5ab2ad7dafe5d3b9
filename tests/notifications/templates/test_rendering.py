"""Rendering: languages, variables, and what is said beside the words."""

import pytest

from notifications.errors import (
    TemplateInvalid,
    VariableMissing,
    VariableUnfit,
    VariableUnknown,
)
from notifications.templates.builtin import BUILT_IN, variants
from notifications.templates.locales import locale_chain
from notifications.templates.rendering import Beside, Rendering
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text

FSI, PDI = "\u2068", "\u2069"
NOTHING = Beside(data={})


def rendering(texts, name="", **shared):
    return Rendering(Template(texts=texts, **shared), name=name)


def content(text, locale="fr", /, **variables):
    return rendering({"fr": text}).content(locale, variables, NOTHING)


@pytest.mark.parametrize(
    ("locale", "chain"),
    [
        ("ar-DZ", ["ar-DZ", "ar", "fr", "en"]),
        ("fr", ["fr", "en"]),
        ("en-GB", ["en-GB", "en", "fr"]),
        ("zh-Hant-TW", ["zh-Hant-TW", "zh-Hant", "zh", "fr", "en"]),
    ],
)
def test_a_text_is_looked_for_from_the_nearest_language_on(locale, chain):
    assert list(locale_chain(locale)) == chain


def test_an_operator_chooses_the_languages_for_everybody_else():
    template = Template(texts={"fr": Text("f", ""), "en": Text("e", "")})

    assert Rendering(template).nearest("de") == "fr"
    assert Rendering(template, fallback=("en", "fr")).nearest("de") == "en"


def test_any_text_is_better_than_none():
    assert rendering({"it": Text("Ciao", "")}).content("ar-DZ", {}, NOTHING).title == "Ciao"
    with pytest.raises(TemplateInvalid):
        rendering({})


@pytest.mark.parametrize(
    ("locale", "body"),
    [
        ("ar-DZ", f"{FSI}Noces{PDI}، {FSI}الجمعة{PDI}"),
        ("fr-DZ", f"{FSI}Noces{PDI}, {FSI}الجمعة{PDI}"),
        ("en", f"{FSI}Noces{PDI}, {FSI}الجمعة{PDI}"),
    ],
)
def test_variables_in_a_sentence_are_isolated(locale, body):
    variables = {"task": "T", "event": "Noces", "when": "الجمعة"}

    assert Rendering(BUILT_IN["task.reminder"]).content(locale, variables, NOTHING).body == body


@pytest.mark.parametrize(
    ("conversation", "title", "body"),
    [("", "Amina", "سلام"), ("Traiteur", "Traiteur", f"{FSI}Amina{PDI}: {FSI}سلام{PDI}")],
)
def test_a_message_in_a_conversation_with_a_title_says_both(conversation, title, body):
    variables = {"sender": "Amina", "text": "سلام", "conversation": conversation}
    name = variants("chat.message", variables)[0]

    shown = Rendering(BUILT_IN[name]).content("en", variables, NOTHING)

    assert (shown.title, shown.body) == (title, body)


@pytest.mark.parametrize(
    ("locale", "nearest", "variable"), [("ar-DZ", "ar", "when"), ("de", "fr", "heure")]
)
def test_a_missing_variable_is_named_with_template_and_language(locale, nearest, variable):
    texts = {"ar": Text("{task}", "{when}"), "fr": Text("{task}", "{heure}")}

    with pytest.raises(VariableMissing) as caught:
        rendering(texts, "essai").content(locale, {"task": "Robe"}, NOTHING)

    named = {"template": "essai", "locale": nearest, "variable": variable}
    assert caught.value.details == named
    assert all(repr(each) in caught.value.message for each in named.values())


def test_words_where_a_number_belongs_are_refused_and_the_other_way_round():
    text = Text("{n, plural, other {#}}", "{s, select, other {}}")

    with pytest.raises(VariableUnfit, match="a number"):
        content(text, n="three", s="x")
    with pytest.raises(VariableUnfit, match="words"):
        content(text, n=3, s=1)
    with pytest.raises(TemplateInvalid, match="as a number and as words"):
        content(Text("{n, plural, other {#}}", "{n, select, other {}}"), n=1)


def test_a_variable_that_a_template_does_not_have_is_named():
    checked = rendering({"fr": Text("{a}", "")}, "essai", variables={"a": Variable()})

    with pytest.raises(VariableUnknown) as caught:
        checked.check({"a": "x", "b": "y"}, NOTHING)

    assert caught.value.details == {"template": "essai", "locale": "", "variable": "b"}


def test_an_optional_variable_that_is_not_given_is_nothing():
    variables = {
        "a": Variable(optional=True),
        "n": Variable(kind=VariableKind.NUMBER, optional=True),
    }
    text = Text("[{a}] {n, plural, =0 {rien} other {#}}", "")

    shown = rendering({"fr": text}, variables=variables).content("fr", {}, NOTHING)

    assert shown.title == f"[{FSI}{PDI}] rien"


def test_a_value_that_looks_like_a_variable_stays_as_it_is():
    shown = content(Text("{a}", "{b}"), a="{b}", b=2)

    assert (shown.title, shown.body) == ("{b}", "2")


def test_a_text_has_its_own_link_picture_buttons_and_fields_or_the_shared_ones():
    shared = {
        "link": "/events/{id}",
        "image": "https://img.example/{id}.png",
        "apple": {"alert": {"subtitle": "{who} !"}, "thread-id": "e-{id}", "badge": 1},
        "web": {"vibrate": [100, 50], "renotify": True},
    }
    actions = (Action("yes", "Oui, {who} !", "/yes/{id}"),)
    texts = {
        "fr": Text("t", "b", actions=actions, apple={"alert": {"launch-image": "x"}, "badge": 2}),
        "ar": Text("t", "b", link="/ar/{id}"),
    }
    both = rendering(texts, **shared)

    french = both.content("fr", {"id": "a b", "who": "Lina"}, NOTHING)
    arabic = both.content("ar", {"id": "a b", "who": "Lina"}, NOTHING)

    assert french.link == "/events/a%20b"
    assert french.image == "https://img.example/a%20b.png"
    assert french.actions == (Action("yes", f"Oui, {FSI}Lina{PDI} !", "/yes/a%20b"),)
    assert french.apple == {
        "alert": {"subtitle": f"{FSI}Lina{PDI} !", "launch-image": "x"},
        "thread-id": "e-a b",
        "badge": 2,
    }
    assert french.web == {"vibrate": [100, 50], "renotify": True}
    assert (arabic.link, arabic.actions, arabic.apple["badge"]) == ("/ar/a%20b", (), 1)


def test_what_a_notice_opens_wins_over_the_templates_link():
    shown = rendering({"fr": Text("t", "", link="/t")}).content(
        "fr", {}, Beside(data={"k": "v"}, link="/n", thread="th", category="c")
    )

    assert (shown.link, shown.data, shown.thread, shown.category) == ("/n", {"k": "v"}, "th", "c")


def test_every_built_in_text_is_sound_and_every_language_needs_the_same_variables():
    for name, template in BUILT_IN.items():
        examples = {key: each.example for key, each in template.variables.items()}
        made = Rendering(template, name=name)
        made.check(examples, NOTHING)
        for left_out in (key for key, each in template.variables.items() if not each.optional):
            fewer = {key: value for key, value in examples.items() if key != left_out}
            for locale in made.locales:
                with pytest.raises(VariableMissing):
                    made.content(locale, fewer, NOTHING)
