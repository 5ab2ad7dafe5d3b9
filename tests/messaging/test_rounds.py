"""Questions that are asked together are looked up together, and never before they were asked."""

import asyncio
from collections.abc import Collection

import pytest

from messaging.rounds import LARGEST, Rounds


class Book:
    """Says yes to what is written in it, as soon as a test lets it."""

    def __init__(self, *written: int) -> None:
        self.written = set(written)
        self.looked: list[set[int]] = []
        self.open = asyncio.Event()

    async def look(self, questions: Collection[int]) -> Collection[int]:
        self.looked.append(set(questions))
        found = self.written & set(questions)
        await self.open.wait()
        if -1 in questions:
            raise LookupError("a page is missing")
        return found


async def asking(rounds: Rounds[int], *questions: int) -> list[asyncio.Task[bool]]:
    """Ask, and let the asking begin."""
    tasks = [asyncio.create_task(rounds.ask(each)) for each in questions]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_who_asks_together_is_answered_by_one_lookup():
    book = Book(1, 3)
    answers = await asking(Rounds(book.look), 1, 2, 3, 3)
    book.open.set()

    assert await asyncio.gather(*answers) == [True, False, True, True]
    assert book.looked == [{1, 2, 3}]


async def test_who_asks_during_a_lookup_is_not_given_its_answer():
    book = Book(1)
    rounds = Rounds(book.look)
    before = await asking(rounds, 1)
    book.written.clear()
    after = await asking(rounds, 1)
    book.open.set()

    assert await asyncio.gather(*before, *after) == [True, False]
    assert book.looked == [{1}, {1}]


async def test_a_round_is_of_limited_size_and_nobody_is_left_out():
    book = Book(*range(0, 2 * LARGEST, 2))
    book.open.set()
    answers = await asking(Rounds(book.look), *range(LARGEST + 1))

    assert await asyncio.gather(*answers) == [not each % 2 for each in range(LARGEST + 1)]
    assert list(map(len, book.looked)) == [LARGEST, 1]


async def test_a_lookup_that_fails_fails_for_its_round_only():
    book = Book(1)
    rounds = Rounds(book.look)
    unlucky = await asking(rounds, 1, -1)
    lucky = await asking(rounds, 1)
    book.open.set()

    for each in unlucky:
        with pytest.raises(LookupError):
            await each
    assert await lucky[0] is True


async def test_who_gives_up_does_not_disturb_the_others():
    book = Book(1)
    answers = await asking(Rounds(book.look), 1, 1)
    answers[0].cancel()
    book.open.set()

    assert await answers[1] is True
    assert answers[0].cancelled()


async def test_after_a_rest_the_next_round_begins():
    book = Book(1)
    book.open.set()
    rounds = Rounds(book.look)

    assert await rounds.ask(1)
    assert not await rounds.ask(2)
    assert book.looked == [{1}, {2}]
