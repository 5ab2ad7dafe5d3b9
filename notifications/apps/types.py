"""Values of apps and their credentials."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec


class ProviderName(StrEnum):
    """Who takes a credential."""

    FCM = "fcm"
    APNS = "apns"
    WEBPUSH = "webpush"


@dataclass(frozen=True, slots=True)
class App:
    """An application of the house's owner: its devices are reached with its own credentials."""

    id: str
    name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credential:
    """What an app shows to a provider.

    `secret` is the file that the provider gave out: a service account (JSON) of Firebase, a
    signing key (.p8) of Apple, a VAPID key (PEM). `details` are what is not secret about it.
    """

    provider: ProviderName
    secret: bytes = field(repr=False)
    details: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """Tells one credential from another, and nothing about its secret."""
        told = msgspec.json.encode(sorted(self.details.items()))
        # The secret is a private key: nobody can guess it and compare.
        return hashlib.sha256(self.secret + b"\0" + told).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Survey:
    """What an app's subscriptions of browsers say about its VAPID key.

    `services` are browsers' push services, the one with most subscriptions first, `keys` the
    VAPID keys that apps say they subscribed with, each with how many; `accepted_at` is when a
    service last took a push. Of more than `looked_at` subscriptions only the latest count.
    """

    services: Mapping[str, int] = field(default_factory=dict)
    keys: Mapping[str, int] = field(default_factory=dict)
    looked_at: int = 0
    accepted_at: datetime | None = None


NOBODY = Survey()
"""Nobody has subscribed, or it does not matter."""


@dataclass(frozen=True, slots=True)
class SealedCredential:
    """A credential as it is kept: readable only with the key that `key_id` names.

    Each change of an app's credential for a provider is a `version` of its own.
    """

    app_id: str
    provider: ProviderName
    version: int
    key_id: str
    sealed: bytes = field(repr=False)
    details: Mapping[str, str]
    fingerprint: str
    changed_at: datetime
