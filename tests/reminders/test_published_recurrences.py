"""Rules whose days the standard and well-known libraries have published: we find the same."""

import tomllib
from datetime import date
from itertools import islice
from pathlib import Path

import pytest

from kernel.errors import InvalidInput
from reminders.recurrence import recurring

PUBLISHED = tomllib.loads((Path(__file__).parent / "data" / "recurrences.toml").read_text("utf-8"))[
    "published"
]
CASES = [
    pytest.param(
        case["rule"], source["zone"], case.get("start", source["start"]), case, id=case["rule"]
    )
    for source in PUBLISHED
    for case in source["cases"]
]


def read(text: str) -> list[date]:
    """Days as the file writes them: 1997 9: 2 3 4; 10: 1; 1998 1: 5."""
    found: list[date] = []
    year = 0
    for part in text.split(";"):
        head, _, numbers = part.partition(":")
        *years, month = map(int, head.split())
        year = years[0] if years else year
        found += [date(year, month, int(number)) for number in numbers.split()]
    return found


@pytest.mark.parametrize(("rule", "zone", "start", "case"), CASES)
def test_the_published_days_are_found(rule, zone, start, case):
    days = recurring(rule, zone=zone).days(start, since=case.get("since"))

    if "days" in case:
        expected = read(case["days"])
        assert list(islice(days, len(expected))) == expected
    else:
        found = list(days)
        assert [found[0], found[-1]] == case["first_and_last"]
        assert len(found) == case["count"]
    if case.get("ends", "count" in case):
        assert next(days, None) is None


@pytest.mark.parametrize("rule", [rule for each in PUBLISHED for rule in each.get("refused", [])])
def test_what_is_not_of_days_is_refused_by_name(rule):
    with pytest.raises(InvalidInput) as caught:
        recurring(rule)

    part = next((each for each in ("BYYEARDAY", "BYWEEKNO", "BYHOUR") if each in rule), "FREQ")
    assert part in caught.value.message
