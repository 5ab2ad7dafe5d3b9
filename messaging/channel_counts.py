"""How many are subscribed to which channels: asked of all nodes, and added up."""

from collections import Counter
from collections.abc import Mapping

import msgspec

from kernel.clock import Clock
from kernel.errors import InvalidInput, Unavailable
from messaging.channels.patterns import pattern_of
from messaging.delivery.following import Following
from messaging.nodes.surveys import Surveys

_QUESTION = "channels"

_TURN = 5_000
"""Channels that are looked at in one turn of the event loop."""

_decoder = msgspec.json.Decoder(dict[str, int])


class ChannelCounts:
    """Answers for this node, and asks the others."""

    def __init__(
        self, *, following: Following, surveys: Surveys, clock: Clock, seconds: float
    ) -> None:
        self._following = following
        self._surveys = surveys
        self._clock = clock
        self._seconds = seconds
        surveys.answer(_QUESTION, self._answer)

    async def ask(self, pattern: str) -> Mapping[str, int]:
        """The channels with subscribers that a pattern means; an empty one means all.

        Raises `InvalidInput`, and `Unavailable` unless every living node answered: half of the
        truth looks like all of it.
        """
        try:
            pattern_of(pattern)
        except ValueError as error:
            raise InvalidInput("pattern", str(error)) from None
        survey = await self._surveys.survey(_QUESTION, pattern.encode(), timeout=self._seconds)
        if not survey.is_complete:
            raise Unavailable("Not every node answered.")
        total = Counter[str]()
        for answer in survey.answers.values():
            total.update(_decoder.decode(answer))
        return total

    async def _answer(self, asked: bytes) -> bytes:
        matches = pattern_of(asked.decode() or "*").fullmatch
        found: dict[str, int] = {}
        for number, live in enumerate(self._following):
            if number % _TURN == _TURN - 1:
                await self._clock.sleep(0)
            if live.listeners and matches(live.name):
                found[live.name] = len(live.listeners)
        return msgspec.json.encode(found)
