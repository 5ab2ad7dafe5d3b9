"""Who is told of a message by notice, and what they are told."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from kernel.adapters.database import Database
from kernel.ids import UserId, new_id
from kernel.notices import AUDIENCE, Notice, Urgency, notice_of
from kernel.outbox import Claimed, Entry
from messaging.adapters.sql_conversations import SqlConversations
from messaging.facts import message_sent
from messaging.presence.away import Away
from messaging.types import Audience, Message
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM, LINA, NOUR, group, member, members


class Here:
    """Who is here; counts the questions."""

    def __init__(self) -> None:
        self.users: set[UserId] = set()
        self.asked: list[Sequence[UserId]] = []

    async def looking(self, user_ids: Sequence[UserId]) -> frozenset[UserId]:
        self.asked.append(user_ids)
        return frozenset(self.users.intersection(user_ids))


@pytest.fixture
def here() -> Here:
    return Here()


@pytest.fixture
def store(sqlite_database: Database, clock: ManualClock) -> SqlConversations:
    return SqlConversations(database=sqlite_database, clock=clock)


@pytest.fixture
def away(store: SqlConversations, here: Here, clock: ManualClock) -> Away:
    return Away(audiences=store, looking=here.looking, clock=clock)


async def party(store: SqlConversations, *user_ids: UserId, title: str = "Fête") -> UUID:
    there = group(title)
    return (await store.create(there, members(there, *user_ids))).id


def sent(conversation_id: UUID, *, sender_id: UserId = AMINA, offset: int = 1) -> Claimed:
    message = Message(
        new_id(START), conversation_id, offset, sender_id, b'{"text":"Salam"}', "k", START
    )
    entry = message_sent(message, preview="Salam")
    return Claimed(offset, entry.kind, entry.payload, attempts=1, created_at=START, fence=1)


def notices(entries: Sequence[Entry]) -> list[Notice]:
    return [notice_of(entry.payload) for entry in entries]


async def test_a_notice_says_who_wrote_what_and_where(away, store):
    there = await party(store, AMINA, KARIM)
    entry = sent(there, offset=7)

    (notice,) = notices(await away.handle([entry]))

    assert notice == Notice(
        user_ids=(KARIM,),
        template="chat.message",
        category="chat",
        urgency=Urgency.INTERACTIVE,
        dedupe_key=notice.dedupe_key,
        expires_at=START + timedelta(hours=1),
        variables={"sender": "amina", "text": "Salam", "conversation": "Fête"},
        collapse_key=str(there),
        thread=str(there),
        place=7,
        coalesces=True,
        link=f"/conversations/{there}",
        data={"conversation_id": str(there), "offset": "7"},
    )


async def test_the_sender_the_muted_and_those_who_are_here_are_not_told(away, store, here):
    there = await party(store, AMINA, KARIM, LINA, NOUR)
    await store.change_member(there, KARIM, muted=True)
    here.users = {LINA}

    (notice,) = notices(await away.handle([sent(there)]))

    assert notice.user_ids == (NOUR,)


async def test_when_nobody_is_away_nothing_follows(away, store, here):
    there = await party(store, AMINA, KARIM)
    alone = await party(store, AMINA)
    here.users = {KARIM}

    assert await away.handle([sent(there), sent(alone)]) == []


async def test_each_message_is_told_of_once_however_often_it_is_handled(away, store):
    there = await party(store, AMINA, KARIM)
    first, second = sent(there, offset=1), sent(there, offset=2)

    once = await away.handle([first, second])
    again = await away.handle([second, first])

    assert [entry.dedupe_key for entry in once] == [entry.dedupe_key for entry in again][::-1]
    assert len({entry.dedupe_key for entry in once}) == 2


async def test_messages_of_many_conversations_cost_one_question_about_presence(away, store, here):
    places = [await party(store, AMINA, KARIM), await party(store, AMINA, LINA)]
    entries = [sent(place, offset=n) for n in range(1, 6) for place in places]

    told = notices(await away.handle(entries))

    assert [notice.user_ids for notice in told] == [(KARIM,), (LINA,)] * 5
    assert here.asked == [[AMINA, KARIM, LINA]]


async def test_who_joined_or_left_since_counts_as_they_are_now(away, store):
    there = await party(store, AMINA, KARIM)
    await store.remove_member(there, KARIM, then=[])
    conversation = await store.get(there)
    await store.put_member(member(conversation, LINA))

    (notice,) = notices(await away.handle([sent(there)]))

    assert notice.user_ids == (LINA,)


async def test_a_message_that_waited_too_long_is_no_news(away, store, clock, here):
    there = await party(store, AMINA, KARIM)
    clock.move(minutes=60)

    assert await away.handle([sent(there)]) == []
    assert here.asked == []


async def test_a_message_of_a_conversation_that_is_gone_tells_nobody(away):
    assert await away.handle([sent(new_id(START))]) == []


class Crowd:
    """An audience of any size."""

    def __init__(self, size: int) -> None:
        self._users = tuple(UserId(f"user-{number}") for number in range(size))

    async def audiences(self, conversation_ids: Sequence[UUID]) -> dict[UUID, Audience]:
        return {each: Audience(each, "", self._users) for each in conversation_ids}


async def test_a_large_audience_is_told_in_several_notices(here, clock):
    away = Away(audiences=Crowd(2 * AUDIENCE + 1), looking=here.looking, clock=clock)

    entries = await away.handle([sent(new_id(START))])

    told = notices(entries)
    assert [len(notice.user_ids) for notice in told] == [AUDIENCE, AUDIENCE, 1]
    assert len({user_id for notice in told for user_id in notice.user_ids}) == 2 * AUDIENCE + 1
    assert len({entry.dedupe_key for entry in entries}) == 3
