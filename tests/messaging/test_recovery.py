"""Everything that was missed, or nothing."""

import pytest

from kernel.bus import Publication, StreamPosition
from messaging.recovery.recovery import RecoveryOptions, is_whole, missed

TOP = StreamPosition(120, "x7Qa")
OPTIONS = RecoveryOptions(publications=5, recovered_bytes=30)


def publications(first: int, last: int, *, epoch: str = "x7Qa", size: int = 1) -> list[Publication]:
    return [
        Publication("c", b"x" * size, StreamPosition(offset, epoch))
        for offset in range(first, last + 1)
    ]


@pytest.mark.parametrize(
    ("offset", "epoch", "count"),
    [
        (120, "x7Qa", 0),
        (117, "x7Qa", 3),
        (117, "", 3),
        (115, "x7Qa", 5),
        (114, "x7Qa", None),
        (121, "x7Qa", None),
        (120, "other", None),
        (0, "_", None),
    ],
)
def test_how_much_was_missed(offset, epoch, count):
    assert missed(StreamPosition(offset, epoch), TOP, options=OPTIONS) == count


def test_exactly_what_was_missed_is_whole():
    assert is_whole(publications(118, 120), since=117, top=TOP, options=OPTIONS)
    assert is_whole([], since=120, top=TOP, options=OPTIONS)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([], id="nothing"),
        pytest.param(publications(119, 120), id="the first is gone"),
        pytest.param(publications(118, 119), id="the last is not there yet"),
        pytest.param(publications(118, 118) + publications(120, 120), id="a hole"),
        pytest.param(publications(118, 121), id="more than the channel is at"),
        pytest.param(publications(118, 120, epoch="other"), id="another epoch"),
        pytest.param(publications(118, 120, size=11), id="too heavy"),
    ],
)
def test_anything_else_is_not(found):
    assert not is_whole(found, since=117, top=TOP, options=OPTIONS)
