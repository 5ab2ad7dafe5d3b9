"""What is wrong with a template is found before anybody is told, with its language and variable."""

import pytest

from notifications.adapters.rehearsal import AdaptersRehearsal
from notifications.templates.builtin import BUILT_IN
from notifications.templates.checks import problems_of
from notifications.templates.types import Template, Variable, VariableKind
from notifications.types import Action, Text

NUMBER = Variable(VariableKind.NUMBER)
REHEARSAL = AdaptersRehearsal()


def problems(name="invite", *, fallback=("fr", "en"), **said):
    return problems_of(name, Template(**said), rehearsal=REHEARSAL, fallback=fallback)


def found(text, locale="fr", /, **variables):
    return [
        (each.code.removeprefix("template."), each.locale, each.field, each.variable, each.fatal)
        for each in problems(texts={locale: text}, variables=variables, fallback=(locale,))
    ]


def test_the_templates_of_the_house_have_no_problem():
    for name, template in BUILT_IN.items():
        assert problems_of(name, template, rehearsal=REHEARSAL, fallback=("fr", "en")) == []


def test_a_variable_that_is_not_declared_is_named_with_its_language():
    (problem,) = problems(
        texts={"fr": Text("{guest}", ""), "ar": Text("{gest}", "")},
        variables={"guest": Variable(optional=True)},
    )

    assert (problem.code, problem.locale, problem.variable) == (
        "template.variable_unknown",
        "ar",
        "gest",
    )
    assert all(word in problem.message for word in ("'invite'", "'ar'", "'gest'"))
    assert problem.fatal


def test_a_language_that_leaves_out_a_variable_is_named_unless_it_is_optional():
    texts = {"fr": Text("{a} {b}", ""), "ar": Text("{b}", "")}

    (problem,) = problems(texts=texts, variables={"a": Variable(), "b": Variable()})
    assert (problem.code, problem.locale, problem.variable) == (
        "template.variable_missing",
        "ar",
        "a",
    )
    assert problems(texts=texts, variables={"a": Variable(optional=True), "b": Variable()}) == []


def test_everything_is_told_at_once_and_where_it_is():
    text = Text(
        "{a",
        "{b, plural, foo {x} other {y}}",
        link="/{n, number}",
        actions=(Action("yes", "{c}"),),
        apple={"alert": {"subtitle": "}{"}},
    )

    assert found(text, b=Variable(), d=Variable()) == [
        ("invalid", "fr", "title", "", True),
        ("invalid", "fr", "body", "b", True),
        ("invalid", "fr", "link", "", True),
        ("invalid", "fr", "apple.alert.subtitle", "", True),
        ("variable_unfit", "fr", "", "b", True),
        ("variable_unknown", "fr", "", "c", True),
        ("advice", "fr", "body", "b", False),
    ]


@pytest.mark.parametrize(
    ("pattern", "variable", "code"),
    [
        ("{n, plural, other {#}}", Variable(), "template.variable_unfit"),
        ("{n, select, other {}}", NUMBER, "template.variable_unfit"),
        ("{n, select, other {{n, number}}}", NUMBER, "template.variable_unfit"),
        ("{n, number}", Variable(VariableKind.NUMBER, "three"), "template.variable_unfit"),
    ],
)
def test_a_variable_is_used_as_what_it_is(pattern, variable, code):
    found = problems(texts={"fr": Text(pattern, "")}, variables={"n": variable})

    assert (found[0].code, found[0].variable, found[0].fatal) == (code, "n", True)


@pytest.mark.parametrize(
    ("locale", "forms", "advice"),
    [
        ("ar", "one {1} two {2} other {#}", "'ar' also has the form zero and few and many"),
        ("ar", "zero {0} one {1} two {2} few {3} many {11} other {#}", ""),
        ("fr", "one {1} other {#}", "'fr' also has the form many"),
        ("en", "one {1} few {3} other {#}", "No whole number has the form few in 'en'"),
        ("en", "=0 {none} one {1} other {#}", ""),
    ],
)
def test_the_forms_of_a_language_that_are_not_said_are_pointed_out(locale, forms, advice):
    found = problems(
        texts={locale: Text(f"{{n, plural, {forms}}}", "")},
        variables={"n": NUMBER},
        fallback=(locale,),
    )

    assert "".join(each.message for each in found).startswith(advice)
    assert not any(each.fatal for each in found)
    assert bool(found) == bool(advice)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (Text(" ", "\n"), ""),
        (Text("", ""), ""),
        (Text("t", "", image="http://x.example/a.png"), "image"),
        (Text("t", "", image="{v}"), "image"),
        (Text("t", "", link="/a b"), "link"),
        (Text("t", "", link="/" * 1100), "link"),
        (Text("t", "", actions=(Action("a", "A", "/ "),)), "actions.a.link"),
        (Text("t", "", actions=(Action("a", "A"), Action("a", "B"))), "actions"),
        (Text("t", "", apple={"colour": "red"}), "apns"),
        (Text("t", "", android={"notification": {"colour": "red"}}), "fcm"),
        (Text("t", "", web={"colour": "red"}), "webpush"),
        (Text("t", "", web={"icon": "x" * 5000}), ""),
    ],
)
def test_what_no_phone_would_show_or_no_provider_take_is_found(text, field):
    fatal = [
        (each.locale, each.field)
        for each in problems(
            texts={"fr": text}, variables={"v": Variable(example="ftp://x", optional=True)}
        )
        if each.fatal
    ]

    assert ("fr", field) in fatal


def test_what_is_cut_and_who_is_left_out_is_said():
    said = [each.message for each in problems(texts={"ar": Text("ب" * 200, "")})]

    assert any("400 bytes are cut to" in each for each in said)
    assert any("write fr or en" in each for each in said)


def test_buttons_that_no_android_shows_are_pointed_out():
    actions = tuple(Action(f"a{number}", "x") for number in range(4))

    assert found(Text("t", "", actions=actions)) == [("advice", "fr", "actions", "", False)]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"task": Variable(), "price": Variable()}, "template.variable_unknown"),
        ({"task": NUMBER}, "template.variable_unfit"),
    ],
)
def test_what_replaces_a_template_of_the_house_can_say_what_the_house_tells(variables, code):
    text = Text(" ".join(f"{{{name}}}" for name in variables), "")

    found = problems("task.reminder", texts={"fr": text}, variables=variables)

    assert [each.code for each in found if each.fatal] == [code]


def test_what_the_house_may_leave_out_must_stay_optional():
    (problem,) = problems(
        "chat.message",
        texts={"fr": Text("{conversation}", "")},
        variables={"conversation": Variable()},
    )

    assert (problem.variable, problem.fatal) == ("conversation", True)
