"""The fleet: for each app and provider the open providers that show its newest credential."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from kernel.clock import Clock
from kernel.metrics import Metrics
from kernel.notices import Urgency
from kernel.workers import Pulse, Stop, repeat
from notifications.apps.book import CredentialBook, CredentialKey, Shown
from notifications.apps.changing import ChangingProvider
from notifications.apps.ports import CheckedProvider, MakeProviders
from notifications.apps.types import Credential
from notifications.dispatcher import Dispatcher

log = logging.getLogger(__name__)

P = TypeVar("P")


@dataclass(slots=True)
class _Crew:
    """An app's providers at one provider, one for each class of pushes."""

    mark: str
    providers: Mapping[Urgency, ChangingProvider]


class Fleet:
    """Follows the credentials: opens, changes and retires providers while pushes go on.

    Each dispatcher has its own. `pulse` beats when credentials were changed in this process.
    """

    name = "credentials"

    def __init__(
        self,
        *,
        book: CredentialBook,
        make: MakeProviders,
        dispatcher: Dispatcher,
        clock: Clock,
        metrics: Metrics,
        refresh_seconds: float,
        pulse: Pulse,
    ) -> None:
        self._book = book
        self._make = make
        self._dispatcher = dispatcher
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._pulse = pulse
        self._crews: dict[CredentialKey, _Crew] = {}
        self._refused: dict[CredentialKey, str] = {}
        self._changes = metrics.counter(
            "notifications_credential_changes_total",
            "Credentials that this process began, changed or ceased to use.",
            ["app", "provider", "change"],
        )
        self._unusable = metrics.gauge(
            "notifications_credentials_unusable",
            "1 while an app's newest credential cannot be used, and an earlier one is, or none.",
            ["app", "provider"],
        )

    async def open(self) -> None:
        """Serve with what there is. Raises OSError or ValueError for files of the settings."""
        await self._follow(await self._book.open())

    async def close(self) -> None:
        for crew in self._crews.values():
            await asyncio.gather(*(each.close() for each in _distinct(crew.providers)))
        self._crews.clear()

    async def run(self, stop: Stop) -> None:
        await repeat(
            self.step, clock=self._clock, stop=stop, idle=self._refresh_seconds, pulse=self._pulse
        )

    async def step(self) -> int:
        """Follow what was changed since; always 0, so that a rest comes after it."""
        await self._follow(await self._book.all())
        return 0

    async def _follow(self, wanted: Mapping[CredentialKey, Shown]) -> None:
        for key, shown in wanted.items():
            crew = self._crews.get(key)
            if crew is None:
                await self._begin(key, shown)
            elif crew.mark != shown.mark:
                await self._change(key, crew, shown)
        for key in self._crews.keys() - wanted.keys():
            await self._cease(key)

    async def _begin(self, key: CredentialKey, shown: Shown) -> None:
        made = await self._opened(key, shown)
        if made is None:
            return
        # One that serves several classes changes once for all of them.
        changing = {each: ChangingProvider(each) for each in _distinct(made)}
        crew = _Crew(shown.mark, {urgency: changing[each] for urgency, each in made.items()})
        self._crews[key] = crew
        for urgency, provider in crew.providers.items():
            self._dispatcher.serve(key[0], urgency, provider)
        self._tell("begun", key, shown.credential)

    async def _change(self, key: CredentialKey, crew: _Crew, shown: Shown) -> None:
        made = await self._opened(key, shown)
        if made is None:
            return
        crew.mark = shown.mark
        changing = {crew.providers[urgency]: each for urgency, each in made.items()}
        self._tell("changed", key, shown.credential)
        await asyncio.gather(*(each.change(successor) for each, successor in changing.items()))
        # Only now: an answer to the earlier credentials might hold the routes once more.
        for provider in changing:
            self._dispatcher.renew(key[0], provider)

    async def _cease(self, key: CredentialKey) -> None:
        crew = self._crews.pop(key)
        self._refused.pop(key, None)
        for urgency, provider in crew.providers.items():
            self._dispatcher.retire(key[0], urgency, provider)
        self._changes.labels(*key, "ceased").inc()
        log.info("credentials removed", extra={"app": key[0], "provider": key[1]})
        await asyncio.gather(*(each.close() for each in _distinct(crew.providers)))

    async def _opened(
        self, key: CredentialKey, shown: Shown
    ) -> Mapping[Urgency, CheckedProvider] | None:
        """Open providers with this credential, or None when it is of no use."""
        made = self._make(shown.credential)
        opened: list[CheckedProvider] = []
        try:
            for provider in _distinct(made):
                await provider.open()
                opened.append(provider)
        except (OSError, ValueError) as error:
            for provider in opened:
                await provider.close()
            self._unusable.labels(*key).set(1)
            if self._refused.get(key) != shown.mark:
                self._refused[key] = shown.mark
                log.error(
                    "credentials of no use",
                    extra={"app": key[0], "provider": key[1], "reason": type(error).__name__},
                )
            return None
        self._unusable.labels(*key).set(0)
        return made

    def _tell(self, change: str, key: CredentialKey, credential: Credential) -> None:
        self._changes.labels(*key, change).inc()
        log.info(
            "credentials in use",
            extra={"app": key[0], "provider": key[1], "fingerprint": credential.fingerprint},
        )


def _distinct(providers: Mapping[Urgency, P]) -> list[P]:
    return list(dict.fromkeys(providers.values()))
