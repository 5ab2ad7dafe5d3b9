"""What apps need from the outside."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from kernel.notices import Urgency
from notifications.apps.types import (
    NOBODY,
    App,
    Credential,
    ProviderName,
    SealedCredential,
    Survey,
)
from notifications.audit.types import Deed
from notifications.ports import PushProvider
from notifications.types import Outcome, Route

Seal = Callable[[int], SealedCredential]
"""Seals a credential as this version of it: pure, and run inside the transaction."""


class AppStore(Protocol):
    """Apps and their sealed credentials. Every method is one whole transaction.

    What changes something records the deed with it; what changes nothing records nothing.
    """

    async def put(self, app: App, *, deed: Deed) -> App:
        """Make an app, or give it another name; as it is now."""
        ...

    async def remove(self, app_id: str, *, deed: Deed, now: datetime) -> bool:
        """Delete an app with its credentials; whether there was one. Its devices are left to
        the nightly clean-up."""
        ...

    async def all(self) -> Sequence[App]:
        """Every app but the default one, by id."""
        ...

    async def credentials(self) -> Sequence[SealedCredential]:
        """The newest version of every credential, by app and provider."""
        ...

    async def change(
        self, app_id: str, provider: ProviderName, seal: Seal, *, deed: Deed, now: datetime
    ) -> SealedCredential:
        """Keep a credential in place of an earlier one. Raises `AppNotFound`."""
        ...

    async def forget(
        self, app_id: str, provider: ProviderName, *, deed: Deed, now: datetime
    ) -> bool:
        """Delete a credential; whether there was one."""
        ...

    async def reseal(
        self,
        reseal: Callable[[SealedCredential], SealedCredential | None],
        *,
        deed: Callable[[SealedCredential], Deed],
        now: datetime,
    ) -> int:
        """Replace every credential for which `reseal` gives another seal; how many.

        Each is recorded on its own. Whatever it raises, nothing was changed.
        """
        ...


class CheckedProvider(PushProvider, Protocol):
    """A provider that can be asked whether it takes our credentials, without a push."""

    async def check(self, survey: Survey = NOBODY, /) -> Mapping[Route, Outcome]:
        """What each of its routes says to a trial that reaches no device.

        `survey` is what is known of browsers, whose services cannot be asked otherwise.
        """
        ...


class Surveys(Protocol):
    """What devices say about their app's credentials."""

    async def of_browsers(self, app_id: str) -> Survey: ...


MakeProviders = Callable[[Credential], Mapping[Urgency, CheckedProvider]]
"""New providers for each class of pushes that show this credential; not open yet. One that
serves several classes is there several times."""

ReadSettings = Callable[[], Sequence[Credential]]
"""The default app's credentials from the files that the settings name, as they are now.

Waits for a disk; raises OSError or ValueError for what cannot be read.
"""
