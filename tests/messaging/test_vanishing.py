"""Who vanished and does not come back is told of what was sent since they were last heard of."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from kernel.adapters.database import Database
from kernel.adapters.sql_outbox import SqlOutbox
from kernel.ids import UserId, new_id
from kernel.notices import notice_of
from kernel.outbox import Claimed, Entry
from messaging.adapters.memory_presence import MemoryPresence
from messaging.connections.quotas import ConnectionOptions
from messaging.facts import USER_VANISHED, MessageSent, Missed, user_vanished, vanished_of
from messaging.presence.away import Away
from messaging.presence.presence import Presences
from messaging.presence.vanishing import GRACE, MissedNews, Vanishings, of_dead_node
from messaging.types import Audience, Presence
from tests.messaging.test_pongs import connected, pinged, turn
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA
from tests.support.rawsocket import raw_websocket
from tests.support.realtime import Node, serving

CONVERSATION = new_id(START)
FACT = MessageSent(
    conversation_id=CONVERSATION,
    message_id=new_id(START),
    offset=7,
    sender_id=AMINA,
    preview="Salam",
)


class Log:
    """Both ports that notices come from, over one message."""

    def __init__(self) -> None:
        self.asked: dict[UserId, object] = {}

    async def missed(self, since) -> Sequence[Missed]:
        self.asked = dict(since)
        return [Missed(FACT, START, "Fête", tuple(sorted(since)))]

    async def audiences(self, ids):
        return {each: Audience(each, "Fête", (AMINA, KARIM, LINA)) for each in ids}


@pytest.fixture
def registry() -> MemoryPresence:
    return MemoryPresence()


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def news(registry: MemoryPresence, log: Log, clock: ManualClock) -> MissedNews:
    return MissedNews(messages=log, looking=Presences(registry).looking, clock=clock)


def claimed(*entries: Entry) -> list[Claimed]:
    return [Claimed(n, e.kind, e.payload, 1, START, 1) for n, e in enumerate(entries)]


async def test_who_does_not_come_back_is_told_once_under_the_key_of_the_message(
    news, log, registry, clock
):
    await registry.enter([Presence(LINA, "1")])
    away = Away(audiences=log, looking=Presences(registry).looking, clock=clock)
    sent = Entry("message.sent", msgspec.json.encode(FACT))
    [first] = await away.handle(claimed(sent))

    [later] = await news.handle(
        claimed(
            user_vanished(KARIM, START), user_vanished(LINA, START), user_vanished(KARIM, START)
        )
    )

    assert log.asked == {KARIM: START}
    assert notice_of(later.payload).user_ids == (KARIM,)
    assert notice_of(later.payload).dedupe_key == notice_of(first.payload).dedupe_key
    assert later.dedupe_key is None


async def test_who_is_back_is_told_nothing(news, log, registry):
    await registry.enter([Presence(KARIM, "1")])

    assert await news.handle(claimed(user_vanished(KARIM, START))) == []
    assert log.asked == {}


async def test_nobody_is_told_what_is_no_news_any_more(news, log, clock):
    clock.move(hours=5)

    await news.handle(claimed(user_vanished(KARIM, START)))

    assert log.asked == {KARIM: START + timedelta(hours=4)}


async def test_a_client_that_does_not_answer_its_ping_has_vanished(
    sqlite_database: Database, clock: ManualClock
):
    options = ConnectionOptions(ping_seconds=25, pong_seconds=8.0)
    node = Node(sqlite_database, clock=clock, connection_options=options)
    async with serving(node, workers=[node.hub]), raw_websocket(node.port) as client:
        await connected(client, node)
        await pinged(client, node, clock)
        await turn(node, clock, seconds=9)
        await node.parts.vanishings.step()

    outbox = SqlOutbox(sqlite_database, clock)
    assert await due(outbox, clock) == []
    clock.move(seconds=GRACE.total_seconds())
    [entry] = await due(outbox, clock)
    fact = vanished_of(entry.payload)
    assert fact.user_id == AMINA
    # Before the ping, and not before the connection began.
    assert timedelta(0) <= fact.seen_at + timedelta(seconds=33) - START <= timedelta(seconds=60)


async def test_what_could_not_be_written_is_written_later(sqlite_database, clock):
    outbox = SqlOutbox(sqlite_database, clock)
    vanishings = Vanishings(outbox, clock=clock, unheard_seconds=33)
    vanishings.vanished(AMINA)
    vanishings.vanished(KARIM)
    clock.move(seconds=1)
    vanishings.vanished(AMINA)

    assert await vanishings.step() == 2
    assert await vanishings.step() == 0
    clock.move(seconds=GRACE.total_seconds())
    seen = {fact.user_id: fact.seen_at for fact in map(_fact, await due(outbox, clock))}
    assert seen == dict.fromkeys([AMINA, KARIM], START - timedelta(seconds=33))


def test_with_a_dead_node_its_users_vanish():
    facts = [vanished_of(entry.payload) for entry in of_dead_node({KARIM, AMINA}, START)]

    assert [fact.user_id for fact in facts] == [AMINA, KARIM]
    assert all(fact.seen_at < START for fact in facts)


async def due(outbox: SqlOutbox, clock: ManualClock) -> list[Claimed]:
    return await outbox.claim(
        [USER_VANISHED], now=clock.now(), lease=timedelta(seconds=1), limit=10
    )


def _fact(entry: Claimed):
    return vanished_of(entry.payload)
