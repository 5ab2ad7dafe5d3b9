"""Do providers take our credentials? Asked with a trial that reaches no device."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kernel.identity import Principal, Scope
from kernel.notices import Urgency
from notifications.apps.book import CredentialBook
from notifications.apps.ports import MakeProviders, Surveys
from notifications.apps.types import NOBODY, ProviderName
from notifications.errors import AppNotFound
from notifications.types import Outcome, Route, Verdict

UNREADABLE = "the credential cannot be used"

_TAKEN = frozenset({Verdict.ACCEPTED, Verdict.REJECTED, Verdict.TOKEN_GONE, Verdict.TOKEN_SUSPECT})
"""What a provider says only to somebody whose credentials it took."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a provider says to an app's credential on one route."""

    app_id: str
    provider: ProviderName
    route: str
    taken: bool | None
    """None when nobody could be asked, or did not answer."""
    reason: str
    fingerprint: str


class ProviderChecks:
    """Shows each app's newest credentials to the providers, on connections of its own."""

    def __init__(self, *, book: CredentialBook, make: MakeProviders, surveys: Surveys) -> None:
        self._book = book
        self._make = make
        self._surveys = surveys

    async def check(self, principal: Principal, *, app_id: str = "") -> Sequence[Checked]:
        """Check the credentials of one app, or of all."""
        principal.require(Scope.OPERATE)
        found: list[Checked] = []
        shown_by = await self._book.all()
        if app_id and not any(each == app_id for each, _ in shown_by):
            raise AppNotFound("There is no such app, or it has no credentials.", app_id=app_id)
        for (each, name), shown in sorted(shown_by.items()):
            if app_id and each != app_id:
                continue
            provider = self._make(shown.credential)[Urgency.INTERACTIVE]
            fingerprint = shown.credential.fingerprint
            try:
                await provider.open()
            except (OSError, ValueError):
                found.append(Checked(each, name, name, False, UNREADABLE, fingerprint))
                continue
            try:
                browsers = name is ProviderName.WEBPUSH
                survey = await self._surveys.of_browsers(each) if browsers else NOBODY
                found += _checked(each, name, await provider.check(survey), fingerprint)
            finally:
                await provider.close()
        return found


def _checked(
    app_id: str, name: ProviderName, outcomes: Mapping[Route, Outcome], fingerprint: str
) -> list[Checked]:
    return [
        Checked(app_id, name, route, _taken(outcome), outcome.reason, fingerprint)
        for route, outcome in sorted(outcomes.items())
    ]


def _taken(outcome: Outcome) -> bool | None:
    if outcome.verdict in _TAKEN:
        return True
    return False if outcome.verdict is Verdict.MISCONFIGURED else None
