"""The announcer: puts what went off into words, when it is said."""

import logging
from collections.abc import Sequence
from datetime import datetime

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import entry_of
from kernel.outbox import Claimed, Entry
from reminders.action import ActionSigner
from reminders.firing import DueFiring, Judgement, Outcome
from reminders.handed import handed_of
from reminders.handover import judge
from reminders.person import Ramadan
from reminders.ports import Almanac, SayingStore
from reminders.saying import WITH_OTHERS, Said, said_alone, said_together

log = logging.getLogger(__name__)

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
        clock: Clock,
        metrics: Metrics,
        default_locale: str,
        signer: ActionSigner,
    ) -> None:
        self._store = store
        self._almanac = almanac
        self._clock = clock
        self._default_locale = default_locale
        self._signer = signer
        self._said = metrics.counter(
            "reminders_said_total",
            "What became of firings when they were put into words.",
            ["class", "outcome"],
        )

    async def handle(self, entries: Sequence[Claimed]) -> Sequence[Entry]:
        """The notices that say what a batch of firings is about."""
        now = self._clock.now()
        ramadans = await self._almanac.ramadans()
        said: list[Said] = []
        otherwise: list[tuple[DueFiring, Judgement]] = []
        handed = [handed_of(entry.payload) for entry in entries]
        for due, recorded in await self._store.handed(handed):
            judgement = self._judged(due, now, ramadans, said)
            self._said.labels(due.firing.firing_class, judgement.outcome).inc()
            if judgement.outcome is not recorded:
                otherwise.append((due, judgement))
        notices, with_others = said_together(said, now=now)
        otherwise += (
            (each.due, Judgement(each.outcome, WITH_OTHERS))
            for each in with_others
            if each.outcome is Outcome.FIRED
        )
        if otherwise:
            await self._store.amend(otherwise, now=now)
        return [entry_of(notice) for notice in notices]

    def _judged(
        self, due: DueFiring, now: datetime, ramadans: Sequence[Ramadan], said: list[Said]
    ) -> Judgement:
        """What becomes of a firing; if it is to be said, it is in words now."""
        try:
            judgement = judge(due, now=now, ramadans=ramadans)
            if judgement.outcome in _SAID:
                notice = said_alone(
                    due, now=now, default_locale=self._default_locale, signer=self._signer
                )
                said.append(Said(due, judgement.outcome, notice))
        except (ValueError, LookupError, TypeError) as error:
            task_id = str(due.firing.task_id)
            log.exception("firing failed", extra={"task_id": task_id}, exc_info=error)
            return Judgement(Outcome.DEAD, f"{type(error).__name__}: {error}")
        return judgement
