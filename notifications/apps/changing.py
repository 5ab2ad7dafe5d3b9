"""A provider whose credentials change while pushes are under way."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from notifications.apps.ports import CheckedProvider
from notifications.apps.types import NOBODY, Survey
from notifications.ports import Landed, unheard
from notifications.types import AddressKind, Attempt, Outcome, Route, Verdict
from notifications.vitals import Vitals

CHANGED = "credentials_changed"
"""The reason of an attempt that met credentials which were replaced meanwhile."""

REMOVED = "credentials_removed"
"""The reason of an attempt that came after the app had lost its credentials."""


@dataclass(slots=True)
class _Term:
    """How long one provider serves. `idle` is set while nothing is under way with it."""

    provider: CheckedProvider
    under_way: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class ChangingProvider:
    """Sends with the newest credentials; what began with earlier ones ends with them.

    Nothing is sent twice: an attempt is made with one provider. One that was refused because
    its credentials were replaced meanwhile was certainly not accepted, and says so.
    """

    def __init__(self, first: CheckedProvider) -> None:
        self._term: _Term | None = _term_of(first)
        self._name = first.name
        self._carries = first.carries

    @property
    def name(self) -> str:
        return self._name

    @property
    def carries(self) -> frozenset[AddressKind]:
        return self._carries

    @property
    def vitals(self) -> Vitals:
        return Vitals() if self._term is None else self._term.provider.vitals

    async def open(self) -> None:
        """The provider it was made with is open already."""

    async def close(self) -> None:
        """End: whatever comes now is not sent. Returns when what is under way has ended."""
        ending, self._term = self._term, None
        await _retire(ending)

    async def change(self, successor: CheckedProvider) -> None:
        """Send with `successor`, which is open, from now on.

        Returns when the last attempt with the earlier provider has ended.
        """
        ending, self._term = self._term, _term_of(successor)
        await _retire(ending)

    async def send(
        self, attempts: Sequence[Attempt], *, landed: Landed = unheard
    ) -> Sequence[Outcome]:
        outcomes = [Outcome(Verdict.NOT_SENT, REMOVED)] * len(attempts)
        term = self._term
        if term is None:
            for number, removed in enumerate(outcomes):
                landed(number, removed)
            return outcomes

        def heard(number: int, outcome: Outcome) -> None:
            outcomes[number] = outcome if term is self._term else _after_change(outcome)
            landed(number, outcomes[number])

        term.under_way += 1
        term.idle.clear()
        try:
            await term.provider.send(attempts, landed=heard)
        finally:
            term.under_way -= 1
            if term.under_way == 0:
                term.idle.set()
        return outcomes

    async def check(self, survey: Survey = NOBODY, /) -> Mapping[Route, Outcome]:
        return {} if self._term is None else await self._term.provider.check(survey)


def _term_of(provider: CheckedProvider) -> _Term:
    term = _Term(provider)
    term.idle.set()
    return term


async def _retire(term: _Term | None) -> None:
    if term is not None:
        await term.idle.wait()
        await term.provider.close()


def _after_change(outcome: Outcome) -> Outcome:
    if outcome.verdict is Verdict.MISCONFIGURED:
        return Outcome(Verdict.NOT_SENT, CHANGED)
    return outcome
