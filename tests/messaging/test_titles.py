"""What a conversation's title may be."""

import pytest

from kernel.errors import InvalidInput
from messaging.conversations.titles import CHARACTERS, title_of


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("زفاف أمينة", "زفاف أمينة"),
        ("  Mariage\n\td'Amina  ", "Mariage d'Amina"),
        ("a\u202egpj.exe\u202c", "agpj.exe"),
        ("\u2067x\u2069", "x"),
        ("nul\x00, escape\x1b", "nul , escape"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("می\u200cخواهم 👩\u200d👧", "می\u200cخواهم 👩\u200d👧"),
        ("\u2028\u2029", ""),
    ],
)
def test_a_title_is_one_line_that_disturbs_nothing_around_it(text, title):
    assert title_of(text) == title


def test_a_title_is_measured_after_it_was_cleaned():
    assert title_of(" " + "é" * CHARACTERS + "\n") == "é" * CHARACTERS
    with pytest.raises(InvalidInput, match="title"):
        title_of("é" * (CHARACTERS + 1))
