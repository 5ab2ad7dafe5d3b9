"""Who vanished without a word: the messages that may not have reached them become notices.

Whoever has a connection is not told of messages by notice, since they see them. But a phone
may be gone while its connection seems alive, until a ping stays unanswered, and a node that is
killed takes its users with it. Those of them who do not come back are told of what was sent
since their last sign of life. Whom this tells of something they saw is told too much, once.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.notices import AUDIENCE, entry_of
from kernel.outbox import Claimed, Entry, Outbox
from kernel.workers import Pulse, Stop, repeat
from messaging.facts import Missed, user_vanished, vanished_of
from messaging.ports import MissedMessages
from messaging.presence.away import TELL_WITHIN, Looking, message_notice

GRACE = timedelta(seconds=10)
"""How long somebody who vanished has to come back before anything is made of it."""

SKEW = timedelta(seconds=5)
"""By how much the clocks of two nodes may differ."""

IDLE = 60.0
BATCH = 1000


def of_dead_node(user_ids: Collection[UserId], seen_at: datetime) -> Sequence[Entry]:
    """What follows from the death of a node: its users vanished with its last sign of life."""
    return [user_vanished(each, seen_at - SKEW) for each in sorted(user_ids)]


class Vanishings:
    """A worker that writes down whose connections of this node fell silent."""

    name = "vanishings"

    def __init__(self, outbox: Outbox, *, clock: Clock, unheard_seconds: float) -> None:
        """`unheard_seconds` is how long a client may have been silent when it is given up."""
        self._outbox = outbox
        self._clock = clock
        self._unheard = timedelta(seconds=unheard_seconds)
        self._waiting: dict[UserId, Entry] = {}
        self._pulse = Pulse()

    def vanished(self, user_id: UserId) -> None:
        """A user's connection was given up because nothing was heard. Never waits."""
        now = self._clock.now()
        # Of two connections that fell silent, the first knows of more.
        self._waiting.setdefault(
            user_id, user_vanished(user_id, now - self._unheard, due_at=now + GRACE)
        )
        self._pulse.beat()

    async def run(self, stop: Stop) -> None:
        await repeat(self.step, clock=self._clock, stop=stop, idle=IDLE, pulse=self._pulse)
        await self.step()

    async def step(self) -> int:
        """Write down who vanished since the last time; how many."""
        some = dict(list(self._waiting.items())[:BATCH])
        if some:
            await self._outbox.add(list(some.values()))
            for user_id in some:
                del self._waiting[user_id]
        return len(some)


class MissedNews:
    """Tells those who vanished, and are not back, of what they may have missed."""

    def __init__(self, *, messages: MissedMessages, looking: Looking, clock: Clock) -> None:
        self._messages = messages
        self._looking = looking
        self._clock = clock

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """The notices that follow from entries of the kind `user.vanished`."""
        oldest = self._clock.now() - TELL_WITHIN
        seen_at: dict[UserId, datetime] = {}
        for entry in entries:
            fact = vanished_of(entry.payload)
            at = max(fact.seen_at, oldest)
            seen_at[fact.user_id] = min(at, seen_at.get(fact.user_id, at))
        here = await self._looking(sorted(seen_at))
        gone = {user_id: at for user_id, at in seen_at.items() if user_id not in here}
        missed = await self._messages.missed(gone) if gone else ()
        return [entry for each in missed for entry in _told(each)]


def _told(missed: Missed) -> Sequence[Entry]:
    """Notices under the key of the message: who was told of it before is not told again."""
    return [
        replace(
            entry_of(
                message_notice(
                    missed.fact,
                    sent_at=missed.sent_at,
                    title=missed.title,
                    user_ids=missed.user_ids[start : start + AUDIENCE],
                )
            ),
            # The outbox may hold the notice for those who were away when the message was sent.
            dedupe_key=None,
        )
        for start in range(0, len(missed.user_ids), AUDIENCE)
    ]
