"""When a device is told of a busy thread again, and how much that stands for."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from notifications.coalescing.pace import Told, following
from tests.support.clock import START

INTERVAL = timedelta(seconds=30)


def after(last, seconds, *, waiting=False, place=1, not_before=None):
    return following(
        last,
        is_waiting=waiting,
        push_id=UUID(int=place),
        place=place,
        words=f"words {place}",
        now=START + timedelta(seconds=seconds),
        not_before=not_before,
        interval=INTERVAL,
    )


def in_seconds(told):
    return (told.due_at - START).total_seconds(), told.count, told.shown


def test_the_first_is_told_at_once():
    assert in_seconds(after(None, 5)) == (5, 1, False)


def test_the_next_waits_for_the_end_of_the_interval():
    assert in_seconds(after(after(None, 0), 10)) == (30, 1, True)


def test_what_follows_takes_the_place_of_what_waits_and_counts_it():
    second = after(after(None, 0), 10)
    third = after(second, 12, waiting=True)
    fourth = after(third, 29, waiting=True)

    assert in_seconds(fourth) == (30, 3, True)


def test_after_a_pause_it_is_told_at_once_again():
    assert in_seconds(after(after(None, 0), 31)) == (31, 1, True)


def test_what_waited_before_the_provider_could_take_it_goes_on_waiting_where_it_is():
    assert in_seconds(after(after(None, 0), 600, waiting=True)) == (0, 2, False)


def test_what_was_let_go_before_its_time_keeps_nothing_back():
    held = after(None, 0, not_before=START + timedelta(hours=8))

    assert in_seconds(after(held, 60)) == (90, 1, True)


def test_what_quiet_hours_hold_goes_out_as_one():
    morning = START + timedelta(hours=8)
    told = after(None, 0, not_before=morning)
    for minute in range(1, 60):
        told = after(told, 60 * minute, waiting=True, not_before=morning)

    assert (told.due_at, told.count, told.shown) == (morning, 60, False)


def test_what_comes_late_counts_and_says_what_the_newest_said():
    second = after(after(None, 0, place=1), 10, place=3)
    third = after(second, 12, place=2, waiting=True)
    left = after(third, 40, place=2)

    assert (third.count, third.place, third.words) == (2, 3, "words 3")
    assert (left.count, left.place, left.words) == (1, 3, "words 3")
    assert left.before == third.push_id


def test_what_a_former_release_told_of_has_no_words_to_say_again():
    former = replace(after(None, 0, place=3), words="")

    assert after(former, 10, place=2).words == "words 2"


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60))
def test_a_device_is_told_at_most_once_in_an_interval_and_everything_is_counted(pauses):
    """As if the dispatcher sent whatever is due the moment it is due."""
    told: Told | None = None
    sent: list[Told] = []
    now = 0
    for place, pause in enumerate(pauses, start=1):
        now += pause
        waiting = told is not None and told.due_at > START + timedelta(seconds=now)
        if told is not None and not waiting and (not sent or sent[-1] != told):
            sent.append(told)
        told = after(told, now, waiting=waiting, place=place)
    sent.append(told)

    gaps = [(b.due_at - a.due_at) for a, b in pairwise(sent)]
    assert all(gap >= INTERVAL for gap in gaps)
    assert sum(each.count for each in sent) == len(pauses)
    assert sent[-1].place == len(pauses)
