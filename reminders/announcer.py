"""The announcer: puts what went off into words, when it is said."""

import logging
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import chain

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Notice, entry_of
from kernel.outbox import Claimed, Entry
from reminders.action import ActionSigner
from reminders.budget import OVER_BUDGET, Ask, rank_of
from reminders.event_saying import Around, news_notice
from reminders.firing import (
    ABOUT_EVENT,
    POISON,
    DueFiring,
    FiringClass,
    Judgement,
    Outcome,
    death_by,
)
from reminders.folding import WHILE_AWAY, caught_up, left_to_digest, parted
from reminders.handed import handed_of
from reminders.handover import judge
from reminders.lateness import LATENESS_BUCKETS
from reminders.opting import OptOutSigner
from reminders.oversight import OperatingStore
from reminders.person import Ramadan
from reminders.ports import Almanac, SayingStore
from reminders.reasons import PAUSED, word_of
from reminders.saying import WITH_OTHERS, Push, Said, said_alone, said_together
from reminders.times import wall_of

log = logging.getLogger(__name__)

_AROUND = frozenset({FiringClass.EVENT, FiringClass.EVENT_DAY})
"""Classes that are told of with more than the event itself."""

_SAID = frozenset({Outcome.FIRED, Outcome.FOLDED})


class Announcer:
    """The relay's handler of firings that went off.

    They are guarded once more, for a task may be done since. What goes off no more is recorded
    so; what must be planned anew is given back. One that cannot be worded fails alone.
    """

    def __init__(
        self,
        *,
        store: SayingStore,
        almanac: Almanac,
        operating: OperatingStore,
        clock: Clock,
        metrics: Metrics,
        default_locale: str,
        signer: ActionSigner,
        opting: OptOutSigner,
    ) -> None:
        self._store = store
        self._almanac = almanac
        self._operating = operating
        self._clock = clock
        self._default_locale = default_locale
        self._signer = signer
        self._opting = opting
        self._said = metrics.counter(
            "reminders_said_total",
            "What became of firings when they were put into words, and why.",
            ["class", "outcome", "reason"],
        )
        self._lateness = metrics.histogram(
            "reminders_said_lateness_seconds",
            "Put into words minus due, of what is told by itself or in time with others.",
            ["class"],
            buckets=LATENESS_BUCKETS,
        )

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """The notices that say what a batch of firings is about."""
        now, ends = self._clock.now(), _Ends()
        said = await self._guarded(entries, ends, now)
        late = caught_up(said, now=now)
        for before, each in zip(said, late, strict=True):
            if each.outcome is not before.outcome:
                ends.become(each.due, Judgement(each.outcome, WHILE_AWAY))
        at_once, for_digest = parted(late, now=now)
        pushes = said_together(
            at_once, now=now, default_locale=self._default_locale, signer=self._signer
        )
        spared = await self._spared(pushes, now)
        told = [push for push in pushes if _key(push) not in spared]
        together = [push.says for push in told if push.is_shared]
        for each in chain.from_iterable(together):
            if each.outcome is Outcome.FIRED:
                ends.become(each.due, Judgement(each.outcome, WITH_OTHERS))
        for push in pushes:
            if _key(push) in spared:
                for_digest += [(each, OVER_BUDGET) for each in push.says]
        for each, reason in for_digest:
            ends.become(each.due, left_to_digest(each, reason))
        if ends.changed or together:
            firings = [[each.due.firing for each in says] for says in together]
            await self._store.amend(ends.to_amend(), together=firings, now=now)
        for due, judgement in ends.of.values():
            self._count(due, judgement, now)
        return [entry_of(push.notice) for push in told]

    async def _guarded(
        self, entries: Sequence[Claimed], ends: "_Ends", now: datetime
    ) -> list[Said]:
        """Those that are to be said, in words; what becomes of each goes to `ends`."""
        ramadans, paused = await self._almanac.ramadans(), await self._operating.paused()
        handed = await self._store.handed(
            [each for entry in entries for each in handed_of(entry.payload)]
        )
        news = {due.event.id for due, _ in handed if due.firing.firing_class in _AROUND}
        around = await self._store.around(news) if news else {}
        said: list[Said] = []
        for due, recorded in handed:
            if due.firing.firing_class in paused:
                judgement = Judgement(Outcome.DEFERRED, PAUSED)
            else:
                about = around.get(due.event.id, Around())
                judgement = self._judged(due, now, ramadans, said, about)
            ends.find(due, judgement, recorded)
        return said

    async def _spared(self, pushes: Sequence[Push], now: datetime) -> Collection[bytes]:
        """The keys of those that find no place in their users' days."""
        asks = [ask for push in pushes if (ask := _ask(push, now)) is not None]
        if not asks:
            return ()
        return {ask.key for ask in asks} - set(await self._store.spend(asks))

    def _count(self, due: DueFiring, judgement: Judgement, now: datetime) -> None:
        firing = due.firing
        word = word_of(judgement.reason)
        self._said.labels(firing.firing_class, judgement.outcome, word).inc()
        if judgement.outcome is Outcome.FIRED:
            seconds = (now - firing.due_at).total_seconds()
            self._lateness.labels(firing.firing_class).observe(max(0.0, seconds))

    def _judged(
        self,
        due: DueFiring,
        now: datetime,
        ramadans: Sequence[Ramadan],
        said: list[Said],
        around: Around,
    ) -> Judgement:
        """What becomes of a firing; if it is to be said, it is in words now."""
        try:
            judgement = judge(due, now=now, ramadans=ramadans)
            if judgement.outcome in _SAID:
                said.append(Said(due, judgement.outcome, self._notice(due, around, now)))
        except POISON as error:
            task_id = str(due.firing.task_id)
            log.exception("firing failed", extra={"task_id": task_id}, exc_info=error)
            return death_by(error)
        return judgement

    def _notice(self, due: DueFiring, around: Around, now: datetime) -> Notice:
        if due.firing.firing_class in ABOUT_EVENT:
            return news_notice(
                due, around, now=now, default_locale=self._default_locale, opting=self._opting
            )
        return said_alone(due, now=now, default_locale=self._default_locale, signer=self._signer)


class _Ends:
    """What becomes of the firings of a batch, and of which of them the record says otherwise."""

    def __init__(self) -> None:
        self.of: dict[bytes, tuple[DueFiring, Judgement]] = {}
        self.changed: set[bytes] = set()

    def find(self, due: DueFiring, judgement: Judgement, recorded: Outcome) -> None:
        """A firing is judged, of which this is on record."""
        key = due.firing.dedupe_key
        self.of[key] = due, judgement
        if judgement.outcome is not recorded:
            self.changed.add(key)

    def become(self, due: DueFiring, judgement: Judgement) -> None:
        """Something else becomes of it."""
        key = due.firing.dedupe_key
        self.of[key] = due, judgement
        self.changed.add(key)

    def to_amend(self) -> list[tuple[DueFiring, Judgement]]:
        return [end for key, end in self.of.items() if key in self.changed]


def _ask(push: Push, now: datetime) -> Ask | None:
    """What a push asks of its user's day; nothing if it is free."""
    rank = rank_of([each.due.firing.firing_class for each in push.says])
    if rank is None:
        return None
    due = push.says[0].due
    zone = due.event.zone if due.person is None else due.person.zone_now
    return Ask(due.firing.user_id, wall_of(now, zone).date(), _key(push), rank)


def _key(push: Push) -> bytes:
    return push.says[0].due.firing.dedupe_key
