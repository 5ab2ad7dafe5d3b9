"""Durations as operators write them."""

import pytest

from messaging.channels.durations import seconds_of


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (0, 0),
        (1.5, 1.5),
        ("300s", 300),
        ("10m", 600),
        ("1h30m", 5400),
        ("720h", 2_592_000),
        ("7d", 604_800),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1m0.5s", 60.5),
    ],
)
def test_a_duration_is_so_many_seconds(duration, seconds):
    assert seconds_of("history_ttl", duration) == seconds


@pytest.mark.parametrize(
    "duration",
    ["", "5", "soon", "5 m", "-5m", "5m!", "m", "1.h", "1e3s", -1, float("inf"), float("nan")],
)
def test_anything_else_is_refused_by_its_name(duration):
    with pytest.raises(ValueError, match=r"^history_ttl must"):
        seconds_of("history_ttl", duration)
