"""How many devices of a whole list would be told something, and of the others why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import UserId
from kernel.notices import Notice
from notifications.deciding.decision import decide
from notifications.deciding.types import (
    Answer,
    Asked,
    Consent,
    Decision,
    Ramadan,
    Said,
    UserPreferences,
)
from notifications.planning import FRESH, UNREACHABLE
from notifications.preferences.voices import Voices
from notifications.sends.ports import CensusStore, ListStore
from notifications.sends.types import Alike, Census

PORTION = 20_000
"""Users counted in one query."""

WITHIN = 10.0
"""Seconds after which counting ends for now, however many are left."""

NOBODY = Census()

_SOMEBODY = UserId("somebody")
_DEVICE = UUID(int=1)


class Counting:
    """Counts in portions, and decides once for devices that are alike: a list may be long."""

    def __init__(
        self,
        *,
        store: CensusStore,
        lists: ListStore,
        voices: Voices,
        clock: Clock,
        portion: int = PORTION,
    ) -> None:
        self._portion = portion
        self._store = store
        self._lists = lists
        self._voices = voices
        self._clock = clock

    async def count(self, list_id: str, notice: Notice, *, counted: Census = NOBODY) -> Census:
        """Everybody on the list, or as many as there was time for, with those `counted` before."""
        now, begun = self._clock.now(), self._clock.monotonic()
        stale_before = now - FRESH[notice.urgency]
        rule = self._voices.rulebook.rule(notice.category, notice.urgency)
        calendar = await self._voices.calendar()
        census, reasons = counted, Counter(counted.why_not)
        while True:
            if self._clock.monotonic() - begun > WITHIN:
                return replace(census, whole=False, why_not=reasons)
            portion = await self._store.portion(
                list_id,
                after=census.last,
                limit=self._portion,
                category=notice.category,
                consent=rule.consent,
                stale_before=stale_before,
                muted=await self._muted(list_id, notice, census.last),
            )
            if portion is None:
                return replace(census, whole=True, why_not=reasons)
            census = replace(
                census,
                users=census.users + portion.users,
                last=portion.last,
                deviceless=census.deviceless + portion.deviceless,
            )
            for each in portion.alike:
                decision = self._decided(each, notice, now, calendar)
                if decision.answer is Answer.SUPPRESS or decision.reason in UNREACHABLE:
                    reasons[str(decision.reason)] += each.devices
                    continue
                later = each.devices if decision.answer is Answer.HOLD else 0
                census = replace(
                    census, would=census.would + each.devices, later=census.later + later
                )

    async def _muted(self, list_id: str, notice: Notice, after: str) -> Sequence[UserId]:
        if not notice.thread:
            return ()
        users = await self._lists.users(list_id, after=after, limit=self._portion)
        return await self._voices.muting(notice.thread, users)

    def _decided(
        self, alike: Alike, notice: Notice, now: datetime, calendar: Sequence[Ramadan]
    ) -> Decision:
        stale_before = now - FRESH[notice.urgency]
        rulebook, category = self._voices.rulebook, notice.category
        consent = rulebook.rule(category, notice.urgency).consent
        said = UserPreferences(
            categories={} if alike.wanted is None else {category: alike.wanted},
            devices=(
                {} if alike.wanted_there is None else {str(_DEVICE): {category: alike.wanted_there}}
            ),
            consents=(
                {} if alike.consented is None else {consent: Consent(alike.consented, "", now)}
            ),
            quiet=alike.quiet,
        )
        facts = rulebook.facts(
            Said(
                {_SOMEBODY: said},
                calendar,
                {(notice.thread, _SOMEBODY)} if alike.muted else (),
            ),
            _SOMEBODY,
            category=category,
            urgency=notice.urgency,
            thread=notice.thread,
        )
        asked = Asked(
            category=category,
            urgency=notice.urgency,
            at=now,
            expires_at=notice.expires_at,
            device_id=_DEVICE,
            time_zone=alike.time_zone,
            confirmed_at=stale_before - timedelta(seconds=1) if alike.stale else now,
            stale_before=stale_before,
            disabled_reason="disabled" if alike.disabled else None,
            permitted=alike.permitted,
            exact=notice.exact,
        )
        return decide(asked, facts)
