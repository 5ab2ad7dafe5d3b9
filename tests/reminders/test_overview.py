"""What operators see at a glance, on each database; and the page that a browser gets of it."""

import re
import uuid
from datetime import UTC, date, datetime, time, timedelta

import msgspec
import pytest

from kernel.errors import Denied
from kernel.identity import Scope
from reminders.adapters.sql_zones import SqlZoneStore
from reminders.firing import FiringClass
from reminders.operating_routes import DeadBody, operating_operations
from reminders.overview.overview import Asked, Overview, zones_seen
from reminders.overview.page import overview_page
from reminders.overview.routes import operations
from reminders.person import Ramadan
from reminders.types import AtWall, ElapsedLead
from reminders.zone_watch import state_of
from tests.support.factories_reminders import AMINA, server, user

EXACT = FiringClass.EXACT_ELAPSED
HOSTILE = '<script>alert("زفاف")</script>'


def overview(room):
    return Overview(
        operating=room.operating,
        events=room.events,
        tasks=room.tasks,
        explain=room.explain,
        zones=SqlZoneStore(room.database),
        almanac=room.almanac,
        clock=room.clock,
    )


async def shown(room, **asked):
    """What the operation gives to a server that may ask."""
    (operation,) = operations(overview(room))
    return await operation.run(server(), msgspec.convert(asked, operation.takes, strict=False))


async def reminded(room, *walls, title="زفاف"):
    """Amina is reminded an hour before these times of the wall in Algiers on 10 March."""
    sheet = await room.events.create(
        user(AMINA), title=title, zone="Africa/Algiers", day=date(2026, 3, 10), at=None
    )
    tasks = []
    for at in walls:
        due = AtWall(date(2026, 3, 10), at, "Africa/Algiers")
        task = await room.tasks.create(user(AMINA), sheet.event.id, title=title, due=due)
        await room.rules.put(
            user(AMINA), sheet.event.id, rule_id=uuid.uuid4(), task_id=task.id, user_id=None,
            lead=ElapsedLead(timedelta(hours=1)), exact=True,
        )  # fmt: skip
        tasks.append(task)
    await room.planner.step()
    return sheet.event, tasks


async def test_the_coming_day_is_counted_and_its_peak_named(anywhere):
    await reminded(anywhere, time(9), time(9), time(10, 30))
    anywhere.clock.move(days=8, hours=13)
    await anywhere.operating.pause(server(), FiringClass.NAG)
    anywhere.almanac.known = [
        Ramadan(1446, date(2025, 3, 1), date(2025, 3, 29)),
        Ramadan(1448, date(2027, 2, 8), date(2027, 3, 8)),
    ]

    found = await shown(anywhere)

    nine = datetime(2026, 3, 10, 7, tzinfo=UTC)
    assert [(e.at, e.firing_class, e.firings) for e in found.minutes] == [
        (nine, "exact_elapsed", 2),
        (nine + timedelta(minutes=90), "exact_elapsed", 1),
    ]
    assert (found.peak.at, found.peak.firings) == (nine, 2)
    assert [each.firing_class for each in found.pauses] == ["nag"]
    assert [each.year for each in found.ramadans] == [1448]
    assert (found.spread_seconds, found.late, found.catching_up) == (240, [], False)


async def test_what_is_late_counts_unless_it_is_paused(anywhere):
    await reminded(anywhere, time(9), time(10))
    nine = datetime(2026, 3, 10, 7, tzinfo=UTC)
    anywhere.clock.move(seconds=(nine - anywhere.clock.now()).total_seconds() + 20 * 60)

    late = await shown(anywhere)
    await anywhere.operating.pause(server(), EXACT)
    paused = await shown(anywhere)

    assert [(e.firing_class, e.firings, e.since) for e in late.late] == [("exact_elapsed", 1, nine)]
    assert (late.oldest_due_age_seconds, late.catching_up) == (1200.0, True)
    assert paused.late == late.late
    assert (paused.oldest_due_age_seconds, paused.catching_up) == (0.0, False)


async def test_one_gets_from_a_user_to_the_event_and_to_why(anywhere):
    event, (task,) = await reminded(anywhere, time(9))
    anywhere.clock.move(days=8, hours=13)

    of_user = (await shown(anywhere, user_id=AMINA)).found
    of_event = (await shown(anywhere, event_id=str(event.id))).found
    about = {"event_id": str(event.id), "task_id": str(task.id)}
    why = (await shown(anywhere, **about, user_id=AMINA)).found

    assert [each.event_id for each in of_user.coming.firings] == [event.id]
    assert [(each.user_id, each.role) for each in of_event.members] == [(AMINA, "owner")]
    assert [each.id for each in of_event.tasks] == [task.id]
    assert "planned" in [each.state for each in why.explanation.traces]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"event_id": str(uuid.uuid4())}, "no such event"),
        ({"task_id": str(uuid.uuid4())}, "event_id"),
        ({"user_id": "a b"}, "user id"),
    ],
)
async def test_who_mistypes_an_id_still_sees_the_rest(room, asked, said):
    found = await shown(room, **asked)

    assert said in found.found.refused
    assert found.zone_data


def test_zones_are_shown_with_their_next_change():
    march = datetime(2026, 3, 1, tzinfo=UTC)
    states = [state_of(zone, march.date()) for zone in ("Africa/Algiers", "Europe/Paris")]

    algiers, paris = zones_seen(states, march)

    assert (algiers.offset, algiers.changes_at) == (timedelta(hours=1), None)
    assert paris.changes_at == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("languages", "opening", "words"),
    [
        (["en"], '<html lang="en" dir="ltr">', ["Peak: <b>2</b>", "Pause", "Time zones"]),
        (["fr"], '<html lang="fr" dir="ltr">', ["Pic : <b>2</b>", "Suspendre", "Ramadan"]),
        (["ar"], '<html lang="ar" dir="rtl">', ["الذروة: <b>2</b>", "إيقاف", "رمضان"]),
        (["de", "fr"], '<html lang="fr" dir="ltr">', []),
        ([], '<html lang="en" dir="ltr">', []),
    ],
)
async def test_the_page_says_it_in_the_language_of_its_reader(room, languages, opening, words):
    await reminded(room, time(9), time(9))
    room.clock.move(days=8, hours=13)

    page = overview_page(await shown(room), languages)

    assert opening in page
    assert [each for each in words if each not in page] == []
    assert page.count('data-path="reminder-pauses/') == len(FiringClass)
    assert "07:00–07:05 UTC · 2: exact_elapsed 2" in page


def died(about, reason):
    """A firing about an event that could not be told."""
    at = datetime(2026, 3, 10, 7, tzinfo=UTC)
    return DeadBody(
        event_id=about.id, task_id=about.id, user_id=reason, firing_class="nag", due_at=at,
        decided_at=at, reason=reason,
    )  # fmt: skip


async def test_nothing_that_somebody_wrote_becomes_part_of_the_page(room):
    event, (task,) = await reminded(room, time(9), title=HOSTILE)
    seen = await shown(room, event_id=str(event.id), task_id=str(task.id), user_id=AMINA)
    found = msgspec.structs.replace(seen.found, refused=HOSTILE, user_id=f'"{HOSTILE}')
    seen = msgspec.structs.replace(seen, dead=[died(event, HOSTILE)], found=found)

    page = overview_page(seen, ["ar"])

    assert page.count("&lt;script&gt;alert(&quot;زفاف&quot;)") == 6
    assert re.findall("<script[^>]*>", page) == ["<script>"]


async def test_each_button_asks_what_our_pages_may_ask(room):
    event, _ = await reminded(room, time(9))
    await room.operating.pause(server(), FiringClass.NAG)
    seen = msgspec.structs.replace(await shown(room), dead=[died(event, "no such zone")])

    page = overview_page(seen, ["en"])
    asked = {
        (method, f"/admin/v1/{path}")
        for path, method in re.findall('data-path="([^"]+)" data-method="([^"]+)"', page)
    }

    offered = [each for each in operating_operations(room.operating) if each.by_page]
    heard = {
        (each.name, about)
        for each in offered
        for about in asked
        if each.method == about[0] and re.fullmatch(re.sub(r"{\w+}", "[^/]+", each.path), about[1])
    }
    assert {name for name, _ in heard} == {each.name for each in offered}
    assert {about for _, about in heard} == asked


async def test_only_servers_that_look_after_reminders_see_it(room):
    for who in (user(AMINA), server(Scope.OPERATE)):
        for asked in (overview(room).see(who), overview(room).search(who, Asked(user_id=AMINA))):
            with pytest.raises(Denied):
                await asked
