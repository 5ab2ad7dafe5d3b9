"""Apps and their credentials: what operators may do with them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kernel.clock import Clock
from kernel.identity import Principal, Scope
from kernel.workers import Pulse
from notifications.apps.errors import CredentialNotFound, DefaultAppStays
from notifications.apps.ports import AppStore, ReadSettings
from notifications.apps.sealing import KeyRing
from notifications.apps.types import App, Credential, ProviderName, SealedCredential
from notifications.audit.types import Deed, deed_of
from notifications.errors import AppNotFound
from notifications.types import DEFAULT_APP


@dataclass(frozen=True, slots=True)
class KnownCredential:
    """A credential without its secret. One of the settings has no version and no key."""

    provider: ProviderName
    fingerprint: str
    details: Mapping[str, str]
    version: int | None = None
    key_id: str | None = None
    changed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class KnownApp:
    """An app and the credentials that it shows. The default one was always there."""

    id: str
    name: str
    created_at: datetime | None
    credentials: Sequence[KnownCredential]


class Apps:
    """Every change is in the audit trail; no answer holds a secret.

    `changed` beats when credentials were changed, for a dispatcher in this process; others
    look by themselves.
    """

    def __init__(
        self,
        *,
        store: AppStore,
        ring: KeyRing,
        settings: ReadSettings,
        clock: Clock,
        changed: Pulse,
    ) -> None:
        self._store = store
        self._ring = ring
        self._settings = settings
        self._clock = clock
        self._changed = changed

    async def all(self, principal: Principal) -> Sequence[KnownApp]:
        """Every app with its credentials, the default one first."""
        principal.require(Scope.OPERATE)
        try:
            of_settings = await asyncio.to_thread(self._settings)
        except (OSError, ValueError):
            of_settings = ()
        kept = await self._store.credentials()
        default = {each.provider: _of_settings(each) for each in of_settings}
        default |= {each.provider: _kept(each) for each in kept if each.app_id == DEFAULT_APP}
        first = KnownApp(DEFAULT_APP, "", None, [default[each] for each in sorted(default)])
        others = [
            KnownApp(
                app.id,
                app.name,
                app.created_at,
                [_kept(each) for each in kept if each.app_id == app.id],
            )
            for app in await self._store.all()
        ]
        return [first, *others]

    async def put(self, principal: Principal, app_id: str, *, name: str) -> App:
        """Make an app, or give it another name."""
        principal.require(Scope.OPERATE)
        if app_id == DEFAULT_APP:
            raise DefaultAppStays("The default app is always there, and needs no name.")
        deed = deed_of(principal, "app.put", f"app:{app_id}", name=name)
        return await self._store.put(App(app_id, name, self._clock.now()), deed=deed)

    async def remove(self, principal: Principal, app_id: str) -> None:
        """Delete an app and its credentials. Nothing is sent to its devices from then on, and
        the nightly clean-up deletes them."""
        principal.require(Scope.OPERATE)
        if app_id == DEFAULT_APP:
            raise DefaultAppStays("The default app cannot be removed.")
        deed = deed_of(principal, "app.removed", f"app:{app_id}")
        if not await self._store.remove(app_id, deed=deed, now=self._clock.now()):
            raise AppNotFound("There is no such app.", app_id=app_id)
        self._changed.beat()

    async def change_credential(
        self, principal: Principal, app_id: str, credential: Credential
    ) -> KnownCredential:
        """Show this to the provider from now on, on every node, without a restart."""
        principal.require(Scope.OPERATE)
        now = self._clock.now()

        def seal(version: int) -> SealedCredential:
            return self._ring.seal(credential, app_id=app_id, version=version, changed_at=now)

        deed = deed_of(
            principal,
            "credential.changed",
            f"app:{app_id}",
            provider=credential.provider,
            fingerprint=credential.fingerprint,
            key_id=self._ring.first,
        )
        kept = await self._store.change(app_id, credential.provider, seal, deed=deed, now=now)
        self._changed.beat()
        return _kept(kept)

    async def forget_credential(
        self, principal: Principal, app_id: str, provider: ProviderName
    ) -> None:
        """Delete a credential. The default app goes back to that of the settings, if any."""
        principal.require(Scope.OPERATE)
        deed = deed_of(principal, "credential.removed", f"app:{app_id}", provider=provider)
        if not await self._store.forget(app_id, provider, deed=deed, now=self._clock.now()):
            raise CredentialNotFound(f"The app has no {provider} credential in the database.")
        self._changed.beat()

    async def reseal(self, principal: Principal) -> int:
        """Seal every credential with the first key of the settings; how many were not yet.

        Afterwards an earlier key is needed no more.
        """
        principal.require(Scope.OPERATE)
        # Also when nothing is to be done: an operator must learn that there is no key.
        key_id = self._ring.first

        def deed(kept: SealedCredential) -> Deed:
            subject, provider = f"app:{kept.app_id}", kept.provider
            return deed_of(
                principal, "credential.resealed", subject, provider=provider, key_id=key_id
            )

        return await self._store.reseal(self._ring.reseal, deed=deed, now=self._clock.now())


def _of_settings(credential: Credential) -> KnownCredential:
    return KnownCredential(credential.provider, credential.fingerprint, credential.details)


def _kept(kept: SealedCredential) -> KnownCredential:
    return KnownCredential(
        provider=kept.provider,
        fingerprint=kept.fingerprint,
        details=kept.details,
        version=kept.version,
        key_id=kept.key_id,
        changed_at=kept.changed_at,
    )
