"""Who makes a request, what it may do, and the ports that find out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from kernel.errors import Denied
from kernel.ids import UserId

ANONYMOUS = UserId("")
"""Who does not say who they are."""


_KEYS_BEGIN = "zaffa_"


def is_api_key(credential: str) -> bool:
    """Whether this claims to be an API key and not a token. No token begins so."""
    return credential.startswith(_KEYS_BEGIN)


class Scope(StrEnum):
    """What a server's API key may be allowed to do."""

    USERS = "users"
    CHANNELS = "channels"
    CONVERSATIONS = "conversations"
    DEVICES = "devices"
    PUSHES = "pushes"
    CAMPAIGNS = "campaigns"
    TEMPLATES = "templates"
    REMINDERS = "reminders"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes this request: a user (`user_id`) or a server (`key_id`), never both.

    A client that does not say who it is has an empty user id: it may listen where that is
    allowed, and ask for nothing that takes a user.

    `expires_at` is when the proof ends: the connection must be refreshed by then.
    `info` is what the application wants others to see of a user; `claims` stays with us.
    """

    user_id: UserId | None = None
    key_id: UUID | None = None
    scopes: frozenset[Scope] = frozenset()
    expires_at: datetime | None = None
    info: bytes | None = None
    claims: Mapping[str, object] = field(default_factory=dict, repr=False)

    @property
    def user(self) -> UserId:
        """The user who asks; a server, and a client that is nobody, are refused."""
        if not self.user_id:
            raise Denied("This needs a user's access token.")
        return self.user_id

    def require(self, scope: Scope) -> None:
        """Refuse unless this is a server whose key has `scope`."""
        if self.key_id is None or scope not in self.scopes:
            raise Denied(f"This needs an API key with the scope {scope}.", scope=str(scope))


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of an API key: never the key itself, only its hash."""

    id: UUID
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, as JSON text, and when what it proves ends."""

    payload: bytes = field(repr=False)
    expires_at: datetime | None


class TokenVerifier(Protocol):
    """Reads tokens that the application signs.

    All methods raise `TokenExpired` if a token was good once, `Unavailable` while nobody can
    say, and `Unauthenticated` for anything else.
    """

    def verify_at_once(self, token: str) -> Principal | None:
        """Whom an access token is for; None if that takes waiting, which `verify` does."""
        ...

    async def verify(self, token: str) -> Principal:
        """Whom an access token is for; anonymous if it names nobody."""
        ...

    async def claims(self, token: str) -> Claims:
        """What a token of any other purpose says. Its signature and times are good."""
        ...


class ApiKeys(Protocol):
    """The keys of servers that call us. Every method is one whole transaction."""

    async def create(self, name: str, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
        """A new key and, this once, its secret text."""
        ...

    async def verify(self, secret: str) -> Principal:
        """Whose key this is. Raises `Unauthenticated` if nobody's, or revoked."""
        ...

    async def server(self, key_id: UUID) -> Principal:
        """Who showed this key once, and what it opens now. Raises as `verify` does."""
        ...

    async def revoke(self, key_id: UUID) -> bool:
        """End a key; whether there was a live one."""
        ...

    async def all(self) -> list[ApiKey]:
        """Every key, newest first."""
        ...
