"""When the rules of a zone change, plans follow: Morocco left its summer time in 2026."""

import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from kernel.errors import Unavailable
from kernel.workers import Pulse
from reminders import telling, times
from reminders.adapters.sql_zones import SqlZoneStore
from reminders.types import FromEvent, Offset
from reminders.zone_state import ZoneState
from reminders.zone_watch import RENEWED, ZoneWatch, compared, state_of
from tests.support.factories_reminders import AMINA, day_before, user
from tests.support.metrics import value_of

CASABLANCA = "Africa/Casablanca"
BEFORE = Path(__file__).parent / "data" / "casablanca-2026a.tzif"
"""The zone as the release 2026a of the tz database had it (public domain)."""


def forget():
    """The process starts again: nothing that was found from the zone data is remembered."""
    times.zone_named.cache_clear()
    for each in vars(telling).values():
        if isinstance(each, type(times.zone_named)) and each.__module__ == telling.__name__:
            each.cache_clear()


@pytest.fixture
def old_data(tmp_path, monkeypatch):
    """The process as it was before the update: its zone data is that of 2026a."""
    for zone in ("Africa/Algiers", CASABLANCA, "UTC"):
        file = tmp_path.joinpath("zoneinfo", *zone.split("/"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(times.DATA.joinpath("zoneinfo", *zone.split("/")).read_bytes())
    tmp_path.joinpath("zoneinfo", *CASABLANCA.split("/")).write_bytes(BEFORE.read_bytes())
    for table in ("zone.tab", "zone1970.tab"):
        text = times.DATA.joinpath("zoneinfo", table).read_text("utf-8")
        tmp_path.joinpath("zoneinfo", table).write_text(text, "utf-8")

    def updated():
        monkeypatch.undo()
        forget()

    times.zone_names()
    monkeypatch.setattr(times, "DATA", tmp_path)
    forget()
    yield updated
    updated()


@pytest.fixture
def watch(anywhere, database, metrics):
    return ZoneWatch(
        store=SqlZoneStore(database), clock=anywhere.clock, metrics=metrics, planning=Pulse()
    )


async def test_an_update_of_the_zone_data_moves_what_was_planned_and_nothing_goes_off_twice(
    anywhere, watch, old_data, metrics
):
    room = anywhere
    room.clock.move(days=250)
    sheet = await room.events.create(
        user(AMINA), title="عرس", zone=CASABLANCA, day=date(2026, 12, 2), at=None
    )
    await room.tasks.create(user(AMINA), sheet.event.id, title="Robe", due=FromEvent(Offset()))
    await room.rules.put(
        user(AMINA),
        sheet.event.id,
        rule_id=uuid.uuid4(),
        task_id=None,
        user_id=None,
        lead=day_before(),
        exact=True,
    )
    await watch.step()
    await room.planner.step()
    (before,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert before.due_at == datetime(2026, 12, 1, 8, tzinfo=UTC)

    old_data()
    await watch.step()
    assert await room.planner.step() == 1

    (after,) = (await room.firings.upcoming(AMINA, cursor=None, limit=9)).items
    assert after.due_at == datetime(2026, 12, 1, 9, tzinfo=UTC)
    assert after.dedupe_key == before.dedupe_key
    assert value_of(metrics, "reminders_zone_changes_total") == 1
    await watch.step()
    assert await room.planner.step() == 0


async def test_a_process_with_older_zone_data_than_plans_were_made_from_does_not_start(
    anywhere, database, watch
):
    await watch.open()
    newer = ZoneState(CASABLANCA, date(2026, 1, 1), b"0" * 16, "2999a")
    await SqlZoneStore(database).put_zone_states([newer], changed=[], now=anywhere.clock.now())

    with pytest.raises(Unavailable, match="2999a"):
        await watch.open()


def test_the_passing_of_time_is_not_a_change():
    start = date(2026, 1, 1)
    known, _ = compared(["Europe/Paris", CASABLANCA], [], start)

    for days in range(0, 900, 100):
        states, changed = compared(["Europe/Paris"], known, start + timedelta(days=days))
        assert changed == set()
        assert bool(states) == (timedelta(days=days) > RENEWED)


def test_a_zone_whose_clocks_change_otherwise_has_another_fingerprint():
    start = date(2026, 1, 1)
    prints = {state_of(zone, start).fingerprint for zone in ("Europe/Paris", "UTC", CASABLANCA)}

    assert len(prints) == 3
    assert (
        state_of("Europe/Paris", start).fingerprint == state_of("Europe/Berlin", start).fingerprint
    )
