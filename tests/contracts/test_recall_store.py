"""What is promised of notices that somebody has seen to, on every database."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.sql_outbox import SqlOutbox
from kernel.notices import Recall, Urgency, recall_entry
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_recalls import RECALLED, SqlRecalls
from notifications.coalescing.recalls import LANDING, SEEN_TO, taking_back
from notifications.pushes import PushState, Settlement
from notifications.types import AddressKind, Outcome, Platform, PushKind, Route, Verdict
from tests.support.factories_notifications import AMINA, Room, notice, registration

LEASE = timedelta(seconds=60)
RECALL = Recall(user_id=AMINA, notice="n1", collapse_key="tag")


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def recall(database, clock):
    store = SqlRecalls(database)

    async def recall(asked=RECALL):
        def dismiss(each, devices):
            return taking_back(each, devices, now=clock.now())

        return await store.recall([asked], now=clock.now(), dismiss=dismiss)

    return recall


async def tell(room, *, phones=2):
    devices = [await room.register(AMINA, registration(n)) for n in range(1, phones + 1)]
    await room.tell(notice(AMINA, urgency=Urgency.TRANSACTIONAL, collapse_key="tag"))
    return devices


async def claim(room, route=Route.FCM):
    claim = await room.pushes.claim(
        route, Urgency.TRANSACTIONAL, now=room.clock.now(), lease=LEASE, limit=10
    )
    return claim.pushes


async def settle(room, held, verdict, state, **when):
    outcome = Settlement(held, Outcome(verdict), state, **when)
    await room.pushes.settle([outcome], now=room.clock.now())


async def reasons(room):
    counting = sa.select(PUSHES.c.state, PUSHES.c.reason, sa.func.count()).group_by(
        PUSHES.c.state, PUSHES.c.reason
    )
    async with room.database.reading() as connection:
        return {(state, reason): n for state, reason, n in await connection.execute(counting)}


async def test_what_waits_is_told_to_nobody_any_more(room, recall):
    await tell(room)

    assert await recall() == 0

    assert await claim(room) == []
    assert await reasons(room) == {(PushState.SUPPRESSED, RECALLED): 2}


async def test_a_recall_holds_from_its_commit_before_any_relay_has_seen_to_it(room, clock):
    await tell(room)

    await SqlOutbox(room.database, clock).add([recall_entry(RECALL)])

    assert await claim(room) == []
    assert await reasons(room) == {(PushState.SUPPRESSED, RECALLED): 2}


async def test_a_notice_that_comes_after_its_recall_is_told_to_nobody(room, recall):
    assert await recall() == 0

    await tell(room)

    assert await room.states() == {}


async def test_what_is_shown_is_taken_back_by_its_tag_except_where_it_was_seen_to(room, recall):
    first, second = await tell(room)
    for held, _ in await claim(room):
        await settle(room, held, Verdict.ACCEPTED, PushState.ACCEPTED)

    assert await recall(replace_device(RECALL, first.id)) == 1

    ((_, attempt),) = await claim(room)
    assert attempt.address == second.address
    assert attempt.content.kind is PushKind.BACKGROUND
    assert attempt.content.data == {"recall": "tag"}
    assert attempt.collapse_key == "tag"


async def test_what_is_in_the_air_is_not_tried_again_and_taken_back_when_it_has_landed(
    room, recall, clock
):
    await tell(room, phones=1)
    ((held, _),) = await claim(room)

    assert await recall() == 1
    await settle(room, held, Verdict.FAILED, PushState.RETRY, due_at=clock.now())

    assert await claim(room) == []
    clock.move(seconds=LANDING.total_seconds())
    ((_, attempt),) = await claim(room)
    assert attempt.content.data == {"recall": "tag"}


async def test_recalling_again_changes_nothing(room, recall):
    await tell(room, phones=1)
    ((held, _),) = await claim(room)
    await settle(room, held, Verdict.ACCEPTED, PushState.ACCEPTED)
    await recall()

    assert await recall() == 0


@pytest.mark.parametrize(
    "other",
    [
        {"notice": "n2", "collapse_key": "another"},
        {"user_id": "karim"},
    ],
)
async def test_nothing_else_is_taken_back(room, recall, other):
    await tell(room, phones=1)

    await recall(Recall(**{"user_id": AMINA, "notice": "n1", "collapse_key": "tag"} | other))

    assert len(await claim(room)) == 1


def replace_device(asked, device_id):
    return Recall(
        user_id=asked.user_id,
        notice=asked.notice,
        collapse_key=asked.collapse_key,
        device_id=device_id,
    )


async def test_a_browser_shows_quietly_that_it_was_seen_to(room, recall):
    """Every push must show something there: it takes the place of what was shown."""
    browser = registration(
        address_kind=AddressKind.WEBPUSH,
        address='{"endpoint":"https://push.example/1"}',
        platform=Platform.WEB,
        locale="ar-DZ",
    )
    await room.register(AMINA, browser)
    await room.tell(notice(AMINA, urgency=Urgency.TRANSACTIONAL, collapse_key="tag"))
    ((held, _),) = await claim(room, Route.WEBPUSH)
    await settle(room, held, Verdict.ACCEPTED, PushState.ACCEPTED)

    assert await recall() == 1

    ((_, quiet),) = await claim(room, Route.WEBPUSH)
    content = quiet.content
    assert (content.kind, content.web["silent"]) == (PushKind.ALERT, True)
    assert content.title == SEEN_TO["ar"]
    assert content.data["recall"] == quiet.collapse_key == "tag"
