"""Whole years in which everything changes, lived in the room and in the model beside it.

Dues and the event move, people travel through changes of the clocks, rules, dues and minds
change, classes are paused, workers are away for days, die and come back. The model
(`tests/support/histories.py`) knows none of our code: at each moment it says who is told of
what, and the room must tell just that, once; what it plans is never lost. The long form lives
forty years, the short one ten weeks; ZAFFA_TEST_SEED chooses others.
"""

import os
import random

import pytest

from reminders.action import ActionKind
from tests.support.changing_minds import EVENING, HOURS, OTHER_EVENING, PAUSABLE, ZONES, lived_on
from tests.support.factories_reminders import AMINA, BILAL
from tests.support.histories import DAY

SOAK = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
SEEDS = range(1, 41) if SOAK else [int(os.environ.get("ZAFFA_TEST_SEED", "1"))]
DAYS = 365 if SOAK else 70
REST = 60 if SOAK else 90
"""Hours between two changes, at most."""

OWNERS = [AMINA, BILAL]
WAYS = {
    "create_one": lambda dice: _due(dice) | {"usual": dice.random() < 0.3},
    "edit": lambda dice: _which(dice) | _due(dice),
    "complete": lambda dice: _which(dice),
    "reopen": lambda dice: _which(dice),
    "snooze": lambda dice: (
        _which(dice) | {"who": dice.choice(OWNERS), "hours": dice.randint(1, 90)}
    ),
    "tap": lambda dice: (
        _which(dice) | {"kind": dice.choice([ActionKind.DONE, ActionKind.SNOOZE_1_HOUR])}
    ),
    "travel": lambda dice: {"who": dice.choice(OWNERS), "zone": dice.choice(ZONES)},
    "live_otherwise": lambda dice: {
        "who": dice.choice(OWNERS),
        "muted": dice.random() < 0.2,
        "quiet": dice.choice(HOURS),
    },
    "speak": lambda dice: {"at": dice.choice([EVENING, OTHER_EVENING])},
    "move": lambda dice: {"days": dice.randint(3, 40)},
    "move_there_and_back": lambda dice: {"days": dice.randint(3, 40), "undo": dice.random() < 0.5},
    "pause": lambda dice: {"which": dice.choice(PAUSABLE), "late": dice.random() < 0.3},
    "resume": lambda dice: {},
    "nobody_works": lambda dice: {"hours": dice.randint(1, 90)},
    "die_working": lambda dice: {"hours": dice.randint(1, 40), "after": dice.randint(1, 4)},
    "die_saying": lambda dice: {"hours": dice.randint(1, 40)},
}


def _which(dice):
    return {"which": dice.randint(0, 99)}


def _due(dice):
    return {
        "days": dice.randint(0, 15),
        "hangs": dice.random() < 0.5,
        "whose": dice.choice([None, *OWNERS]),
    }


@pytest.mark.timeout(3600 if SOAK else 120)
@pytest.mark.parametrize("seed", SEEDS)
def test_however_much_changes_each_is_told_once_in_time_and_nothing_is_lost(
    sqlite_database_url, seed
):
    dice = random.Random(seed)
    with lived_on(sqlite_database_url) as machine:
        told = machine()
        told.begin(day=dice.randint(8, 40), dues=[dice.randint(0, 15) for _ in range(4)])
        end = told.now() + DAYS * DAY
        while told.now() < end:
            way = dice.choice(["create_one"] * 3 + list(WAYS))
            getattr(told, way)(**WAYS[way](dice))
            told.wait(dice.randint(1, REST))
        assert len(told.life.told) > 20
        told.teardown()
