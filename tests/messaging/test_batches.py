"""How appends are joined into transactions, with a commit that the test holds in its hand."""

import asyncio
from collections.abc import Sequence

import pytest

from kernel.errors import Refusal, Unavailable
from kernel.ids import new_id
from kernel.metrics import Metrics
from messaging.adapters.fates import placed
from messaging.adapters.message_batches import AT_ONCE, TRIES, Batches, BatchOptions, Overtaken
from messaging.types import Draft, Message
from tests.support.clock import START
from tests.support.factories_messaging import draft
from tests.support.metrics import value_of

HERE = new_id(START)


class Log:
    """A commit that can be held up, be overtaken, be away, and chokes on bodies that say so."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.top = 0
        self.open = asyncio.Event()
        self.open.set()
        self.overtaken = 0
        self.away = False

    async def commit(self, drafts: Sequence[Draft]) -> Sequence[Message | Refusal]:
        self.batches.append([each.idempotency_key for each in drafts])
        await self.open.wait()
        if self.away:
            raise Unavailable("The database does not answer.")
        if self.overtaken:
            self.overtaken -= 1
            raise Overtaken("Others are writing.")
        for each in drafts:
            if each.body == b"bad":
                raise ValueError("bad")
        messages = [
            placed(each, offset=self.top + number).message for number, each in enumerate(drafts, 1)
        ]
        self.top += len(drafts)
        return messages


@pytest.fixture
async def log() -> Log:
    return Log()


def batches_over(log: Log, metrics: Metrics, **options: int) -> Batches[Draft, Message]:
    return Batches(
        log.commit,
        key=lambda draft: draft.idempotency_key,
        options=BatchOptions(**options),
        metrics=metrics,
    )


def sending(
    batches: Batches[Draft, Message], *keys: str, body: bytes = b"{}"
) -> list[asyncio.Task[Message]]:
    return [asyncio.create_task(batches.append(draft(HERE, key=key, body=body))) for key in keys]


async def turns() -> None:
    """Let everything that can happen now happen."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_what_arrives_while_a_batch_commits_is_the_next_batch(log, metrics):
    batches = batches_over(log, metrics)
    log.open.clear()
    first = sending(batches, "a")
    await turns()
    later = sending(batches, "b", "c", "d")
    await turns()

    log.open.set()
    messages = await asyncio.gather(*first, *later)

    assert log.batches == [["a"], ["b", "c", "d"]]
    assert [message.offset for message in messages] == [1, 2, 3, 4]
    assert value_of(metrics, "messaging_batch_messages_count") == 2
    assert value_of(metrics, "messaging_batch_messages_sum") == 4


async def test_a_lone_message_waits_for_no_company(log, metrics):
    batches = batches_over(log, metrics)

    (alone,) = sending(batches, "a")
    await turns()

    assert alone.done()


async def test_no_batch_is_larger_than_allowed(log, metrics):
    batches = batches_over(log, metrics, size=3, waiting=10)

    await asyncio.gather(*sending(batches, *"abcdefgh"))

    assert [len(batch) for batch in log.batches] == [3, 3, 2]


async def test_when_too_many_wait_the_next_is_refused_at_once(log, metrics):
    batches = batches_over(log, metrics, size=2, waiting=2)
    log.open.clear()
    under_way = sending(batches, "a")
    await turns()
    waiting = sending(batches, "b", "c")
    await turns()

    with pytest.raises(Unavailable):
        await batches.append(draft(HERE))

    log.open.set()
    assert len(await asyncio.gather(*under_way, *waiting)) == 3


async def test_one_key_twice_in_a_batch_is_one_draft_and_one_answer_for_both(log, metrics):
    batches = batches_over(log, metrics)

    first, second, other = await asyncio.gather(*sending(batches, "same", "same", "other"))

    assert log.batches == [["same", "other"]]
    assert first == second
    assert other.offset == 2


async def test_an_overtaken_batch_is_tried_again(log, metrics):
    batches = batches_over(log, metrics)
    log.overtaken = TRIES - 1

    messages = await asyncio.gather(*sending(batches, "a", "b"))

    assert [message.offset for message in messages] == [1, 2]
    assert value_of(metrics, "messaging_message_batches_overtaken_total") == TRIES - 1


async def test_a_batch_that_is_always_overtaken_is_refused_for_now(log, metrics):
    batches = batches_over(log, metrics)
    log.overtaken = TRIES

    refused = await asyncio.gather(*sending(batches, "a", "b"), return_exceptions=True)

    assert [type(each) for each in refused] == [Unavailable, Unavailable]
    assert len(log.batches) == TRIES


async def test_a_bad_draft_fails_alone_and_is_found_by_halving(log, metrics):
    batches = batches_over(log, metrics)
    good = [f"good-{number}" for number in range(100)]
    before = sending(batches, *good[:37])
    bad = sending(batches, "bad", body=b"bad")
    after = sending(batches, *good[37:])

    stored = await asyncio.gather(*before, *after)
    with pytest.raises(ValueError, match="bad"):
        await bad[0]

    assert [message.idempotency_key for message in stored] == good
    assert [message.offset for message in stored] == list(range(1, 101))
    assert len(log.batches) < 20


async def test_a_database_that_is_away_is_asked_once_for_a_batch(log, metrics):
    batches = batches_over(log, metrics)
    log.away = True

    refused = await asyncio.gather(*sending(batches, *"abcdefgh"), return_exceptions=True)

    assert [str(each) for each in refused] == ["The database does not answer."] * 8
    assert len({id(each) for each in refused}) == 8
    assert len(log.batches) == 1


async def test_after_a_failure_the_next_batch_is_stored(log, metrics):
    batches = batches_over(log, metrics)
    log.away = True
    await asyncio.gather(*sending(batches, "a"), return_exceptions=True)
    log.away = False

    (message,) = await asyncio.gather(*sending(batches, "a"))

    assert message.offset == 1


async def test_a_caller_who_goes_away_takes_nobody_along(log, metrics):
    batches = batches_over(log, metrics)
    log.open.clear()
    leaver, stayer = sending(batches, "leaver", "stayer")
    await turns()

    leaver.cancel()
    log.open.set()

    assert (await stayer).offset == 2
    assert leaver.cancelled()


async def test_closing_finishes_what_was_accepted_and_accepts_nothing_more(log, metrics):
    batches = batches_over(log, metrics, size=2, waiting=10)
    log.open.clear()
    accepted = sending(batches, *"abcde")
    await turns()

    closing = asyncio.create_task(batches.close())
    await turns()
    with pytest.raises(Unavailable):
        await batches.append(draft(HERE))
    assert not closing.done()
    log.open.set()
    await closing

    assert [each.result().offset for each in accepted] == [1, 2, 3, 4, 5]


async def test_closing_when_nothing_happens_is_immediate(log, metrics):
    batches = batches_over(log, metrics)

    await asyncio.wait_for(batches.close(), 1)

    assert log.batches == []


def test_batches_have_a_size_and_fit_into_the_queue():
    with pytest.raises(ValueError, match="size"):
        BatchOptions(size=0)
    with pytest.raises(ValueError, match="waiting"):
        BatchOptions(size=10, waiting=9)


async def test_many_are_told_in_their_order(log, metrics):
    batches, told = batches_over(log, metrics), list[str]()

    async def send(key: str) -> None:
        await batches.append(draft(HERE, key=key))
        told.append(key)

    many = [str(number) for number in range(8 * AT_ONCE)]
    await asyncio.gather(*map(send, many))

    assert told == many


async def test_the_next_batch_leaves_before_all_of_the_last_are_told(log, metrics):
    batches, told = batches_over(log, metrics), list[str]()

    async def send(key: str) -> None:
        await batches.append(draft(HERE, key=key))
        told.append(key)

    sends = [asyncio.create_task(send(str(number))) for number in range(8 * AT_ONCE)]
    sends[0].add_done_callback(lambda _: sends.append(asyncio.create_task(send("next"))))
    for _ in range(20):
        await asyncio.sleep(0)
        if len(log.batches) == 2:
            break

    assert log.batches[1] == ["next"]
    assert len(told) < 8 * AT_ONCE
    await asyncio.gather(*sends)


async def test_closing_waits_until_all_are_told(log, metrics):
    batches = batches_over(log, metrics)
    sends = sending(batches, *map(str, range(8 * AT_ONCE)))
    await asyncio.sleep(0)

    await batches.close()
    await asyncio.sleep(0)

    assert all(each.done() for each in sends)
