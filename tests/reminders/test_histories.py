"""Histories that nobody would think of: people change their minds while workers die and rest.

What is told is judged by a model of its own (`tests/support/histories.py`); that nothing is
lost or left over, by the plan made again from what the public calls say is true.

Seen to fail, here or in the histories told by hand, when the code was broken like this:

S1  what was told is planned, claimed or handed over again; an identity has the instant in it.
S2  versions are not compared (schedulers sometimes come before the planner here); mute, a
    pause or the end of the event is not looked at; nothing is removed and nothing guarded.
S3  what is late goes nowhere; what is folded is told to nobody; a crash between two
    transactions loses a batch; a prompt shard is not looked at; nothing is moved or removed
    when plans change; who travels is not planned anew; an undone move forgets since when.
S4  handed over without the instant from which it may be said; told when it is of no use.
S5  quiet hours are not looked at, in the plan and at the claim or at the claim alone; what a
    move brings is told while that can be undone.
S6, S7, S10 are asked outright: planning again writes nothing, two edits in either order and a
    move there and back leave the same.
And    walls are read in UTC; exact reminders are polite; assignees are ignored; a snooze or a
    reopened task tells at another time than was meant; what was not possible is made up for.

One guard alone can be taken away where another holds: what is done is stale as well, and a
pause is looked at both at the claim and when it is said. S8, three pushes a day, is proved by
`test_simulated_days.py`, and S9 by the benchmarks.
"""

import os
from datetime import timedelta

import hypothesis
import pytest
from hypothesis.stateful import run_state_machine_as_test

from reminders.action import ActionKind
from reminders.firing import FiringClass
from tests.support.changing_minds import lived_on
from tests.support.factories_reminders import AMINA

MINUTES = timedelta(minutes=4)

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ


@pytest.fixture(
    params=["sqlite", pytest.param("postgres", marks=pytest.mark.external)] if SOAK else ["sqlite"]
)
def anything(request):
    """The machine, all its examples one after another on one database."""
    with lived_on(request.getfixturevalue(f"{request.param}_database_url")) as machine:
        yield machine


@pytest.mark.timeout(3600 if SOAK else 120)
def test_whatever_happens_each_is_told_once_in_time_and_nothing_is_lost(anything):
    run_state_machine_as_test(
        anything,
        settings=hypothesis.settings(
            max_examples=60 if SOAK else 5,
            stateful_step_count=50 if SOAK else 30,
            derandomize=not SOAK,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )


@pytest.fixture
def history(anything):
    """One that is told by hand: what was found once stays found."""
    told = anything()
    told.begin(day=20, dues=[5, 6, 7, 8])
    return told


def test_a_snooze_comes_once_whatever_becomes_of_the_due(history):
    history.snooze(0, AMINA, 1)
    history.wait(3)
    history.edit(0, 9, False, None)
    history.wait(3)


def test_a_snooze_for_a_time_at_which_the_task_was_done_is_not_made_up_for(history):
    history.snooze(0, AMINA, 1)
    history.complete(0)
    history.wait(3)
    history.reopen(0)
    history.wait(3)


@pytest.mark.parametrize("undo", [True, False])
def test_what_waits_for_the_end_of_the_feast_waits_for_it_when_the_event_is_moved_and_back(
    history, undo
):
    """Its own time has passed; that it could be told all the same is not forgotten."""
    history.create(1, True, True, None)
    history.nobody_works(72)
    for _ in range(4):
        history.wait(34)
        history.move_there_and_back(30, undo)


@pytest.mark.parametrize("undo", [True, False])
@pytest.mark.parametrize("minutes", [1, 15])
def test_a_move_that_waits_to_be_told_waits_for_it_when_another_is_taken_back(
    history, minutes, undo
):
    """Until ten in the morning it is quiet; the second move may come while the first can be
    undone, or later."""
    history.move(31)
    history.life.clock.move(minutes=minutes)
    history.move_there_and_back(14, undo)
    history.wait(3)


@pytest.mark.parametrize("kind", [ActionKind.DONE, ActionKind.SNOOZE_1_HOUR])
def test_what_is_told_in_one_is_acted_on_in_one(anything, kind):
    told = anything()
    told.begin(day=30, dues=[])
    for _ in range(4):
        told.create(8, False, True, AMINA)
    told.wait(8 * 24)
    together = [len(tasks) > 1 for _, tasks in told.life.taps]
    told.tap(together.index(True), kind)
    told.wait(30)


def test_who_flies_west_after_it_was_told_is_not_told_again(history):
    history.create(1, False, False, None)
    history.wait(10)
    assert history.life.told
    history.travel(AMINA, "America/Vancouver")
    history.wait(10)


def test_what_is_paused_within_its_last_minute_waits_until_it_is_resumed(history):
    history.create(1, False, False, None)
    history.pause(FiringClass.EXACT_CALENDAR, True)
    told = len(history.life.told)
    history.wait(1)
    assert len(history.life.told) == told
    history.resume()
    history.wait(1)
    assert len(history.life.told) > told


def test_what_comes_while_a_move_can_be_undone_waits_until_it_cannot(anything):
    told = anything()
    told.begin(day=30, dues=[])
    told.create(8, False, True, None)
    told.do(told.life.settle())
    told.do(told.life.pass_time(told.do(told.life.next_due()) - MINUTES))
    told.move(31)
    told.wait(1)
    assert told.life.told
