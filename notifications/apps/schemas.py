"""Bodies of the API of apps and credentials. No body that we send holds a secret."""

from datetime import datetime
from typing import Annotated

import msgspec

from notifications.apps.types import ProviderName
from notifications.schemas import AppId, Name

Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=16_384)]
Word = Annotated[str, msgspec.Meta(max_length=255)]


class PutApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An app, and what people call it."""

    app_id: AppId
    name: Name


class OneApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names an app."""

    app_id: AppId


class SomeApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names an app, or by naming none all of them."""

    app_id: Annotated[str, msgspec.Meta(max_length=64)] = ""


class PutFcm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service account of Firebase: the text of its key file."""

    app_id: AppId
    secret: Secret

    def __repr__(self) -> str:
        return _hiding(self)


class PutApns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signing key of Apple: the text of its .p8 file, and whose it is."""

    app_id: AppId
    secret: Secret
    key_id: Word
    team_id: Word
    topic: Word

    def __repr__(self) -> str:
        return _hiding(self)


class PutWebPush(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A VAPID key (PEM), and where push services reach its owner."""

    app_id: AppId
    secret: Secret
    subject: Word

    def __repr__(self) -> str:
        return _hiding(self)


class OneCredential(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Names an app's credential."""

    app_id: AppId
    provider: ProviderName


class CredentialBody(msgspec.Struct, frozen=True):
    """A credential without its secret. One of the settings has no version and no key."""

    provider: ProviderName
    fingerprint: str
    details: dict[str, str]
    version: int | None
    key_id: str | None
    changed_at: datetime | None


class AppBody(msgspec.Struct, frozen=True):
    """An app and what it shows to providers."""

    id: str
    name: str
    created_at: datetime | None
    credentials: list[CredentialBody]


class AppList(msgspec.Struct, frozen=True):
    """Every app, the default one first."""

    apps: list[AppBody]


class Resealed(msgspec.Struct, frozen=True):
    """How many credentials were sealed anew."""

    resealed: int


class CheckBody(msgspec.Struct, frozen=True):
    """What a provider says to a credential. `taken` is null when nobody could say."""

    app_id: str
    provider: ProviderName
    route: str
    taken: bool | None
    reason: str
    fingerprint: str


class CheckList(msgspec.Struct, frozen=True):
    """What all providers said."""

    checks: list[CheckBody]


def _hiding(body: PutFcm | PutApns | PutWebPush) -> str:
    """For tracebacks and logs: which app, and nothing of the secret."""
    return f"{type(body).__name__}(app_id={body.app_id!r})"
