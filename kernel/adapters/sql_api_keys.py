"""API keys in a table: `zaffa_<id>_<secret>`, of which only a hash is kept."""

import hashlib
import hmac
import secrets
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from kernel.adapters.database import Database, table_of
from kernel.adapters.tables import ApiKeyRow
from kernel.clock import Clock
from kernel.errors import Unauthenticated
from kernel.identity import ApiKey, Principal, Scope
from kernel.ids import new_id

API_KEYS = table_of(ApiKeyRow)

_TRUSTED_FOR = 5.0
"""Seconds for which a key that was good is not asked for again: how long a revocation takes."""

_REMEMBERED = 10_000
"""Keys remembered at once, at most."""


class SqlApiKeys:
    """The secret holds 256 random bits, so one round of SHA-256 guards it well enough."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._known: dict[UUID, _Known] = {}

    async def create(self, name: str, scopes: frozenset[Scope]) -> tuple[ApiKey, str]:
        now = self._clock.now()
        key = ApiKey(id=new_id(now), name=name, scopes=scopes, created_at=now)
        secret = f"zaffa_{key.id.hex}_{secrets.token_hex(32)}"
        row = {
            "id": key.id,
            "name": name,
            "hash": _hash(secret),
            "scopes": " ".join(sorted(scopes)),
            "created_at": now,
        }
        async with self._database.transaction() as connection:
            await connection.execute(API_KEYS.insert(), row)
        return key, secret

    async def verify(self, secret: str) -> Principal:
        key_id, hashed = _id_in(secret), _hash(secret)
        known = await self._find(key_id)
        if known is None or not hmac.compare_digest(known.hash, hashed):
            raise _unknown()
        self._remember(key_id, known)
        return known.principal

    async def server(self, key_id: UUID) -> Principal:
        known = await self._find(key_id)
        if known is None:
            raise _unknown()
        self._remember(key_id, known)
        return known.principal

    async def revoke(self, key_id: UUID) -> bool:
        statement = (
            API_KEYS.update()
            .where(API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None))
            .values(revoked_at=self._clock.now())
        )
        async with self._database.transaction() as connection:
            revoked = (await connection.execute(statement)).rowcount == 1
        self._known.pop(key_id, None)
        return revoked

    async def all(self) -> list[ApiKey]:
        # Ids are made in the order of time.
        statement = sa.select(API_KEYS).order_by(API_KEYS.c.id.desc())
        async with self._database.reading() as connection:
            rows = list(await connection.execute(statement))
        return [
            ApiKey(
                id=row.id,
                name=row.name,
                scopes=_scopes(row.scopes),
                created_at=row.created_at,
                revoked_at=row.revoked_at,
            )
            for row in rows
        ]

    async def _find(self, key_id: UUID) -> "_Known | None":
        known = self._known.get(key_id)
        if known is not None and known.until > self._clock.monotonic():
            return known
        return await self._look_up(key_id)

    async def _look_up(self, key_id: UUID) -> "_Known | None":
        # The time is taken before the look, so that trust never outlasts it.
        until = self._clock.monotonic() + _TRUSTED_FOR
        statement = sa.select(API_KEYS.c.hash, API_KEYS.c.scopes).where(
            API_KEYS.c.id == key_id, API_KEYS.c.revoked_at.is_(None)
        )
        async with self._database.reading() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            return None
        return _Known(row.hash, Principal(key_id=key_id, scopes=_scopes(row.scopes)), until)

    def _remember(self, key_id: UUID, known: "_Known") -> None:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key_id] = known


class _Known(NamedTuple):
    hash: str
    principal: Principal
    until: float


def _unknown() -> Unauthenticated:
    return Unauthenticated("This API key is not known.")


def _id_in(secret: str) -> UUID:
    """Which key this claims to be."""
    parts = secret.split("_")
    if len(parts) == 3 and parts[0] == "zaffa" and len(parts[1]) == 32:
        try:
            return UUID(hex=parts[1])
        except ValueError:
            pass
    raise Unauthenticated("This is not an API key.")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _scopes(text: str) -> frozenset[Scope]:
    """The scopes that this release knows; a later one may have written more."""
    words = text.split()
    return frozenset(scope for scope in Scope if scope in words)
