"""ICU messages: plural forms as CLDR has them, apostrophes as ICU has them, isolates as we do."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.errors import TemplateInvalid
from notifications.templates.patterns import FORMS, Pattern, Place, forms_of, values_of
from notifications.templates.scanning import Use

FSI, PDI = "\u2068", "\u2069"
ALL = " ".join(f"{form} {{{form}}}" for form in FORMS)


def filled(text, reader="en", **variables):
    language = reader.partition("-")[0]
    return Pattern(text, language).filled(values_of(variables), reader)


def bare(text, reader="en", **variables):
    """As ICU has it, without our isolates."""
    return filled(text, reader, **variables).replace(FSI, "").replace(PDI, "")


# CLDR, supplemental/plurals.xml: the integer samples of each rule.
CARDINALS = {
    "ar": {
        "zero": [0],
        "one": [1],
        "two": [2],
        "few": [*range(3, 11), *range(103, 111), 1003],
        "many": [*range(11, 27), 111, 1011],
        "other": [100, 101, 102, 200, 201, 202, 300, 400, 1000, 10_000, 100_000, 1_000_000],
    },
    "fr": {
        "one": [0, 1],
        "many": [1_000_000],
        "other": [*range(2, 18), 100, 1000, 10_000, 100_000],
    },
    "en": {"one": [1], "other": [0, *range(2, 17), 100, 1000, 10_000, 100_000, 1_000_000]},
    "ru": {
        "one": [1, 21, 31, 41, 51, 61, 71, 81, 101, 1001],
        "few": [2, 3, 4, 22, 23, 24, 32, 33, 34, 102, 1002],
        "many": [0, *range(5, 20), 100, 1000, 10_000, 100_000, 1_000_000],
    },
    "pl": {"one": [1], "few": [2, 3, 4, 22, 23, 24, 32, 102], "many": [0, *range(5, 20), 100]},
    "cy": {
        "zero": [0],
        "one": [1],
        "two": [2],
        "few": [3],
        "many": [6],
        "other": [4, 5, *range(7, 21), 100],
    },
    "ja": {"other": [*range(16), 100, 1000]},
}
# CLDR, supplemental/ordinals.xml.
ORDINALS = {
    "en": {
        "one": [1, 21, 31, 41, 51, 61, 71, 81, 101, 1001],
        "two": [2, 22, 32, 42, 52, 62, 72, 82, 102, 1002],
        "few": [3, 23, 33, 43, 53, 63, 73, 83, 103, 1003],
        "other": [0, *range(4, 19), 100, 1000, 10_000],
    },
    "fr": {"one": [1], "other": [0, *range(2, 17), 100, 1000]},
    "ar": {"other": [*range(16), 100, 1000]},
}


@pytest.mark.parametrize(
    ("use", "language", "form", "numbers"),
    [
        (use, language, form, numbers)
        for use, samples in ((Use.PLURAL, CARDINALS), (Use.ORDINAL, ORDINALS))
        for language, forms in samples.items()
        for form, numbers in forms.items()
    ],
)
def test_every_number_takes_the_form_that_cldr_gives_it(use, language, form, numbers):
    pattern = Pattern(f"{{n, {use}, {ALL}}}", language)

    assert {pattern.filled({"n": number}, language) for number in numbers} == {form}


@pytest.mark.parametrize(
    ("use", "samples"), [(Use.PLURAL, CARDINALS), (Use.ORDINAL, ORDINALS)], ids=str
)
def test_a_language_has_the_forms_that_cldr_gives_it(use, samples):
    for language, forms in samples.items():
        assert forms_of(language, use) == frozenset(forms)


def test_a_fraction_takes_the_form_of_fractions():
    assert filled(f"{{n, plural, {ALL}}}", "ar", n=1.5) == "other"
    assert filled(f"{{n, plural, {ALL}}}", "fr", n=1.5) == "one"
    assert filled(f"{{n, plural, {ALL}}}", "en", n=1.5) == "other"


MESSAGES = (
    "{n, plural, zero {لا رسائل} one {رسالة واحدة} two {رسالتان} few {# رسائل} many {# رسالة} "
    "other {# رسالة}}"
)


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "لا رسائل"),
        (1, "رسالة واحدة"),
        (2, "رسالتان"),
        (7, "7 رسائل"),
        (11, "11 رسالة"),
        (100, "100 رسالة"),
        (2026, "2.026 رسالة"),
    ],
)
def test_an_algerian_reads_six_forms_and_latin_digits(number, said):
    assert Pattern(MESSAGES, "ar").filled({"n": number}, "ar-DZ") == said


def test_an_egyptian_reads_the_same_words_with_arabic_digits():
    assert Pattern(MESSAGES, "ar").filled({"n": 12}, "ar-EG") == "١٢ رسالة"


# The API documentation of ICU's MessageFormat, "plural" within "select".
PARTY = """{gender_of_host, select,
  female {
    {num_guests, plural, offset:1
      =0 {{host} does not give a party.}
      =1 {{host} invites {guest} to her party.}
      =2 {{host} invites {guest} and one other person to her party.}
      other {{host} invites {guest} and # other people to her party.}}}
  male {
    {num_guests, plural, offset:1
      =0 {{host} does not give a party.}
      =1 {{host} invites {guest} to his party.}
      =2 {{host} invites {guest} and one other person to his party.}
      other {{host} invites {guest} and # other people to his party.}}}
  other {
    {num_guests, plural, offset:1
      =0 {{host} does not give a party.}
      =1 {{host} invites {guest} to their party.}
      =2 {{host} invites {guest} and one other person to their party.}
      other {{host} invites {guest} and # other people to their party.}}}}"""


@pytest.mark.parametrize(
    ("gender", "guests", "said"),
    [
        ("female", 0, "Lina does not give a party."),
        ("female", 1, "Lina invites Amina to her party."),
        ("male", 2, "Lina invites Amina and one other person to his party."),
        ("neither", 3, "Lina invites Amina and 2 other people to their party."),
    ],
)
def test_icus_own_example_reads_as_documented(gender, guests, said):
    values = {"gender_of_host": gender, "num_guests": guests, "host": "Lina", "guest": "Amina"}

    assert bare(PARTY, **values).strip() == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # ICU's user guide, "Quoting/Escaping", in its default mode.
        ("I see {many}", "I see dogs"),
        ("I said '{'Wow!'}'", "I said {Wow!}"),
        ("I don't know", "I don't know"),
        ("I don''t know", "I don't know"),
        ("'{''}'", "{'}"),
        ("l''{many} et l’{many}", "l'dogs et l’dogs"),
        ("{ many }", "dogs"),
        ("{n, plural, one {'#'1} other {'#'#}} #", "#5 #"),
        ("{many, select, dogs {{n, plural, other {#}}#} other {}}", "5#"),
        ("{n, PLURAL, other {#}}", "5"),
        ("{n, number, percent} {n, spellout} {n, number, #,##0.00'{'}", "500% five  5.00{"),
    ],
)
def test_apostrophes_and_numbers_are_read_as_icu_reads_them(text, said):
    assert bare(text, many="dogs", n=5) == said


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "no partner"),
        ("{}", "written {name}"),
        ("{a b}", "written {name}"),
        ("{n, plural, one {x}}", "form 'other'"),
        ("{n, plural}", "written {name}"),
        ("{n, never}", "type is none"),
        ("{1st}", "'1st' cannot be"),
        ("{0}", "'0' cannot be a variable's name"),
        ("{é}", "'é' cannot be a variable's name"),
        ("l'{ami} arrive", "apostrophe at place 2"),
        ("{d, date, short}", "time zone"),
        ("{d, time}", "time zone"),
        ("{n, choice, 0#none|1#one}", "obsolete"),
        ("{a, select, other {" * 9 + "}}" * 9, "8 deep"),
        ("{a, select, other {" * 400 + "}}" * 400, "8 deep"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_a_sentence(text, sentence):
    with pytest.raises(TemplateInvalid) as caught:
        Pattern(text, "fr")

    assert sentence in caught.value.message


def test_a_message_knows_what_it_does_with_each_variable():
    pattern = Pattern(
        "{a} {n, plural, one {{b}} other {{n, number}}} {s, select, other {{a}}}", "en"
    )

    assert pattern.uses == {
        "a": {Use.TEXT},
        "b": {Use.TEXT},
        "n": {Use.PLURAL, Use.NUMBER},
        "s": {Use.SELECT},
    }
    assert {(each.variable, each.keywords) for each in pattern.forms} == {
        ("n", ("one", "other")),
        ("s", ("other",)),
    }


def test_variables_are_isolated_wherever_they_stand():
    text = "{a}: {n, plural, offset:1 =1 {{b}} other {{b} و#}}"

    assert filled(text, "ar", a="x", b="y", n=3) == f"{FSI}x{PDI}: {FSI}y{PDI} و2"


def test_a_variable_alone_needs_no_isolate():
    assert filled("{a}", a="x") == "x"


def test_a_value_cannot_escape_from_its_isolate():
    assert filled("{a} b", a=f"x{PDI}\u202ey\u2066") == f"{FSI}xy{PDI} b"


def test_lines_of_several_people_keep_the_isolates_that_are_whole():
    lines = f"{FSI}Fleurs{PDI} · الجمعة\n{FSI}خاتم{PDI} · السبت"

    assert filled("{lines}", "ar", lines=lines) == lines
    assert filled("بقي: {lines}", "ar", lines=lines) == f"بقي: {FSI}{lines}{PDI}"


@pytest.mark.parametrize("value", [f"{FSI}x\ny{PDI}", f"{FSI}{FSI}xy{PDI}", f"x{PDI}{FSI}y"])
def test_an_isolate_without_its_partner_in_the_line_is_left_out(value):
    assert bare("{a} b", a=value) == f"{value.replace(FSI, '').replace(PDI, '')} b"
    assert filled("{a} b", a=value).count(FSI) == 1


def test_no_isolate_gets_into_an_address():
    values = values_of({"name": f"{FSI}Lina{PDI}"})

    assert Pattern("{name}", "fr", Place.LINK).filled(values, "fr") == "Lina"
    assert Pattern("/of/{name}", "fr", Place.LINK).filled(values, "fr") == "/of/Lina"


@pytest.mark.parametrize("value", ["{b}", "'", "{n, plural, other {#}}", "#", "", "\0", "😀"])
def test_a_value_is_never_read_as_a_message(value):
    assert bare("{a} {n, plural, other {{a}}}", a=value, n=1) == f"{value} {value}"


def test_in_an_address_a_variable_is_encoded_and_in_a_programs_field_it_is_not():
    values = values_of({"name": "Amina & Karim/é", "n": 1234})

    link = Pattern("/guests/{name}?n={n}", "fr", Place.LINK)
    plain = Pattern("guest-{name}-{n}", "fr", Place.PLAIN)

    assert link.filled(values, "fr") == "/guests/Amina%20%26%20Karim%2F%C3%A9?n=1234"
    assert plain.filled(values, "fr") == "guest-Amina & Karim/é-1234"
    assert Pattern("{name}", "fr", Place.LINK).filled(values, "fr") == "Amina & Karim/é"
    with pytest.raises(TemplateInvalid):
        Pattern("/{n, plural, other {#}}", "fr", Place.LINK)


def test_readers_beyond_those_that_are_kept_share_the_texts_own_way_of_writing():
    pattern = Pattern("{n}", "ar")
    for number in range(100):
        pattern.filled({"n": 1}, f"ar-{number:03d}")

    assert pattern.filled({"n": 12}, "ar-EG") == "12"


_words = st.text(alphabet="ab '#|é{}", max_size=4).map(
    lambda text: text.replace("'", "''").replace("{", "'{'").replace("}", "'}'")
)


def _arguments(messages):
    forms = st.tuples(messages, messages)
    return st.one_of(
        st.sampled_from(["{a}", "{ b }", "{n, number}", "{n, spellout}"]),
        forms.map(lambda two: f"{{n, plural, offset:1 =1 {{{two[0]}}} other {{{two[1]}}}}}"),
        forms.map(lambda two: f"{{s,select,x{{{two[0]}}}other{{{two[1]}}}}}"),
    )


messages = st.recursive(
    _words,
    lambda inner: st.lists(st.one_of(_words, _arguments(inner)), max_size=4).map("".join),
    max_leaves=8,
)


@given(messages, st.sampled_from([0, 1, 2, 5]), st.sampled_from(["x", "y"]))
def test_isolates_are_all_that_we_add_to_what_icu_says(text, n, s):
    """Whatever the nesting and the quoting, what is shown is ICU's own answer."""
    from icu4py.messageformat import MessageFormat

    values = {"a": "A", "b": "B", "n": n, "s": s}
    pattern = Pattern(text, "en")

    said = pattern.filled(values, "en")

    assert said.replace(FSI, "").replace(PDI, "") == MessageFormat(text, "en").format(values)
    assert set(pattern.uses) <= set(values)
    assert said.count(FSI) == said.count(PDI)


@given(st.text(alphabet="{}'#,an plural other select=0", max_size=40))
def test_no_text_does_more_than_be_refused(text):
    try:
        pattern = Pattern(text, "en")
    except TemplateInvalid:
        return
    numbers = set(chain.from_iterable(pattern.uses.values())) - {Use.TEXT, Use.SELECT}
    values = dict.fromkeys(pattern.uses, 1 if numbers else "x")
    if Use.SELECT not in set(chain.from_iterable(pattern.uses.values())):
        pattern.filled(values, "en")
