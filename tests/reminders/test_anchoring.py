"""Parts of an event that hang on one another: chains, circles, and what moves along."""

from dataclasses import replace
from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import InvalidInput
from reminders import errors
from reminders.anchoring import DEPTH, checked_anchor, with_anchor
from reminders.days import Anchor
from reminders.due import anchor_of
from reminders.types import FromEvent, Offset, Role
from tests.support.factories_reminders import AMINA, BILAL, CELIA, event, user

HENNA = Anchor("henna", days=-1)
HAMMAM = Anchor("hammam", days=-1, of="henna")
FITTING = Anchor("fitting", days=-7, of="hammam")
DAY = date(2026, 6, 20)


def test_a_part_counts_from_the_part_it_hangs_on():
    of = replace(event(day=DAY), anchors=(FITTING, HAMMAM, HENNA))

    assert [anchor_of(of, each.code).day for each in (HENNA, HAMMAM, FITTING)] == [
        date(2026, 6, 19),
        date(2026, 6, 18),
        date(2026, 6, 11),
    ]
    assert anchor_of(replace(of, day=None), "fitting") is None
    fixed = replace(HENNA, day=date(2026, 5, 1), days=None)
    assert anchor_of(replace(of, anchors=(FITTING, HAMMAM, fixed)), "fitting").day == date(
        2026, 4, 23
    )


@pytest.mark.parametrize(
    ("anchors", "anchor", "refusal"),
    [
        ((), replace(HENNA, of="henna"), InvalidInput),
        ((HENNA, HAMMAM), replace(HENNA, of="hammam"), InvalidInput),
        ((HENNA, HAMMAM, FITTING), replace(HENNA, of="fitting"), InvalidInput),
        ((HENNA, HAMMAM, FITTING), Anchor("makeup", days=-1, of="fitting"), InvalidInput),
        # What hangs on it would hang too deep.
        ((Anchor("a", days=1), Anchor("b", days=1, of="a"), HENNA, HAMMAM),
         replace(HENNA, of="b"), InvalidInput),
        ((), HAMMAM, errors.AnchorNotFound),
        (tuple(Anchor(f"part_{n}", days=n) for n in range(20)), HENNA, errors.EventFull),
    ],
)  # fmt: skip
def test_circles_long_chains_and_what_is_not_there_are_refused(anchors, anchor, refusal):
    with pytest.raises(refusal):
        with_anchor(anchors, anchor)


def test_only_days_are_counted_from_another_part():
    with pytest.raises(InvalidInput):
        checked_anchor(Anchor("henna", day=DAY, of="hammam"))


CODES = ["a", "b", "c", "d"]


@given(
    st.lists(
        st.tuples(st.sampled_from(CODES), st.sampled_from(["main", *CODES]), st.integers(-9, 9)),
        max_size=12,
    )
)
def test_whatever_is_put_every_part_has_a_day_and_no_chain_is_too_long(puts):
    of = event(day=DAY)
    for code, base, days in puts:
        try:
            of = replace(of, anchors=with_anchor(of.anchors, Anchor(code, days=days, of=base)))
        except (InvalidInput, errors.AnchorNotFound):
            continue

    by_code = {each.code: each for each in of.anchors}
    for each in of.anchors:
        assert anchor_of(of, each.code) is not None
        length, found = 0, each
        while found is not None:
            length, found = length + 1, by_code.get(found.of)
        assert length <= DEPTH


async def test_moving_a_part_moves_what_hangs_on_it_and_a_preview_says_so(anywhere):
    room, amina = anywhere, user(AMINA)
    of = (
        await room.events.create(amina, title="زفاف", zone="Africa/Algiers", day=DAY, at=None)
    ).event
    await room.parts.put(amina, of.id, code="henna", days=-1)
    await room.parts.put(amina, of.id, code="hammam", days=-1, of="henna")
    due = FromEvent(Offset(days=-2), anchor="hammam")
    task = await room.tasks.create(amina, of.id, title="Réserver le hammam", due=due)
    await room.tasks.create(amina, of.id, title="Traiteur", due=FromEvent(Offset(days=-9)))
    there = Anchor("henna", day=date(2026, 5, 2), at=time(18))

    seen = await room.moving.preview_part(amina, of.id, there)
    unchanged = (await room.events.get(amina, of.id)).event
    await room.parts.put(amina, of.id, code="henna", day=there.day, at=there.at)

    assert anchor_of(unchanged, "hammam").day == date(2026, 6, 18)
    assert [(each.task.id, each.before.day, each.after.day) for each in seen.shifts] == [
        (task.id, date(2026, 6, 16), date(2026, 4, 29))
    ]
    assert {each.code: each.after.day for each in seen.parts} == {
        "henna": date(2026, 5, 2),
        "hammam": date(2026, 5, 1),
    }
    assert seen.pinned == 1
    sheet = await room.tasks.get(amina, of.id, task.id)
    assert anchor_of(sheet.event, "hammam").day == date(2026, 5, 1)


async def test_a_part_taken_away_leaves_what_hangs_on_it_without_a_day(room):
    amina = user(AMINA)
    of = (
        await room.events.create(amina, title="زفاف", zone="Africa/Algiers", day=DAY, at=None)
    ).event
    await room.parts.put(amina, of.id, code="henna", days=-1)
    await room.parts.put(amina, of.id, code="hammam", days=-1, of="henna")

    without = (await room.parts.drop(amina, of.id, code="henna")).event
    again = (await room.parts.put(amina, of.id, code="henna", days=-3)).event

    assert anchor_of(without, "hammam") is None
    assert anchor_of(again, "hammam").day == date(2026, 6, 16)


@pytest.mark.parametrize(
    ("who", "refusal"),
    [(AMINA, None), (BILAL, None), (CELIA, errors.EventNotFound)],
    ids=["owner", "guest", "stranger"],
)
async def test_who_may_look_what_moving_a_part_would_do(room, who, refusal):
    of = (
        await room.events.create(user(AMINA), title="زفاف", zone="Africa/Algiers", day=DAY, at=None)
    ).event
    await room.events.put_member(user(AMINA), of.id, user_id=BILAL, role=Role.GUEST)

    if refusal is None:
        assert (await room.moving.preview_part(user(who), of.id, HENNA)).shifts == []
    else:
        with pytest.raises(refusal):
            await room.moving.preview_part(user(who), of.id, HENNA)
