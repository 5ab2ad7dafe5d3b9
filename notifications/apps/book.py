"""Which credential each app shows now: those of the database, over those of the settings."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from notifications.apps.errors import SealBroken
from notifications.apps.ports import AppStore, ReadSettings
from notifications.apps.sealing import KeyRing
from notifications.apps.types import Credential, ProviderName
from notifications.types import DEFAULT_APP

log = logging.getLogger(__name__)

CredentialKey = tuple[str, ProviderName]
"""An app and a provider."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The credential that an app shows, and which one it is."""

    credential: Credential
    mark: str


class CredentialBook:
    """Reads credentials. One that cannot be read is logged once, and stays what it was."""

    def __init__(self, *, store: AppStore, ring: KeyRing, settings: ReadSettings) -> None:
        self._store = store
        self._ring = ring
        self._settings = settings
        self._last: dict[CredentialKey, Shown] = {}
        self._unreadable: set[tuple[CredentialKey, str]] = set()

    async def open(self) -> Mapping[CredentialKey, Shown]:
        """As `all`, but raises OSError or ValueError for files of the settings that are wrong."""
        await asyncio.to_thread(self._settings)
        return await self.all()

    async def all(self) -> Mapping[CredentialKey, Shown]:
        """What every app shows to every provider, as far as it has credentials."""
        found: dict[CredentialKey, Shown] = {}
        for credential in await self._of_settings():
            key = (DEFAULT_APP, credential.provider)
            found[key] = Shown(credential, f"settings:{credential.fingerprint}")
        for kept in await self._store.credentials():
            key, mark = (kept.app_id, kept.provider), f"{kept.version}:{kept.fingerprint}"
            last = self._last.get(key)
            if last is not None and last.mark == mark:
                found[key] = last
                continue
            try:
                found[key] = Shown(self._ring.open(kept), mark)
            except SealBroken as broken:
                self._complain(key, mark, broken.message)
                if last is not None:
                    found[key] = last
        self._last = found
        return found

    async def _of_settings(self) -> list[Credential]:
        try:
            return list(await asyncio.to_thread(self._settings))
        except (OSError, ValueError) as error:
            # Somebody is writing the file, or wrote a wrong one: what was good goes on.
            mark = f"settings:{type(error).__name__}"
            kept = [
                (key, shown)
                for key, shown in self._last.items()
                if shown.mark.startswith("settings:")
            ]
            for key, _ in kept:
                self._complain(key, mark, f"{type(error).__name__} in a file of the settings")
            return [shown.credential for _, shown in kept]

    def _complain(self, key: CredentialKey, mark: str, why: str) -> None:
        if (key, mark) not in self._unreadable:
            self._unreadable.add((key, mark))
            log.error(
                "credentials cannot be read",
                extra={"app": key[0], "provider": key[1], "reason": why},
            )
