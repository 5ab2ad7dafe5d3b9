"""Apps and their sealed credentials in tables."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from notifications.adapters.app_tables import AppRow, CredentialRow
from notifications.adapters.sql_audit import write_audit
from notifications.apps.ports import Seal
from notifications.apps.types import App, ProviderName, SealedCredential
from notifications.audit.types import Deed
from notifications.errors import AppNotFound
from notifications.types import DEFAULT_APP

APPS = table_of(AppRow)
CREDENTIALS = table_of(CredentialRow)

_details = msgspec.json.Decoder(dict[str, str])


class SqlApps:
    """What is changed and that it was changed are one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, app: App, *, deed: Deed) -> App:
        putting = self._database.upsert(APPS, on=["id"], update=["name"]).values(
            id=app.id, name=app.name, created_at=app.created_at
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(putting.returning(APPS))).one()
            await write_audit(connection, [deed], app.created_at)
            return _app(row)

    async def remove(self, app_id: str, *, deed: Deed, now: datetime) -> bool:
        async with self._database.transaction() as connection:
            removing = APPS.delete().where(APPS.c.id == app_id)
            if (await connection.execute(removing)).rowcount == 0:
                return False
            await connection.execute(CREDENTIALS.delete().where(CREDENTIALS.c.app_id == app_id))
            await write_audit(connection, [deed], now)
            return True

    async def all(self) -> Sequence[App]:
        async with self._database.reading() as connection:
            return [
                _app(row) for row in await connection.execute(sa.select(APPS).order_by(APPS.c.id))
            ]

    async def credentials(self) -> Sequence[SealedCredential]:
        everything = sa.select(CREDENTIALS).order_by(CREDENTIALS.c.app_id, CREDENTIALS.c.provider)
        async with self._database.reading() as connection:
            return [_credential(row) for row in await connection.execute(everything)]

    async def change(
        self, app_id: str, provider: ProviderName, seal: Seal, *, deed: Deed, now: datetime
    ) -> SealedCredential:
        async with self._database.transaction() as connection:
            await demand_app(connection, app_id)
            # A row that only counts versions, so that two who change at once wait for each other.
            counting = (
                self._database.upsert(
                    CREDENTIALS, on=["app_id", "provider"], update=["changed_at"]
                ).values(**_row(seal(0)))
            ).returning(CREDENTIALS.c.version)
            version = (await connection.execute(counting)).scalar_one() + 1
            kept = seal(version)
            await connection.execute(
                CREDENTIALS.update().where(_is(app_id, provider)).values(**_row(kept))
            )
            await write_audit(connection, [deed], now)
            return kept

    async def forget(
        self, app_id: str, provider: ProviderName, *, deed: Deed, now: datetime
    ) -> bool:
        async with self._database.transaction() as connection:
            forgetting = CREDENTIALS.delete().where(_is(app_id, provider))
            if (await connection.execute(forgetting)).rowcount == 0:
                return False
            await write_audit(connection, [deed], now)
            return True

    async def reseal(
        self,
        reseal: Callable[[SealedCredential], SealedCredential | None],
        *,
        deed: Callable[[SealedCredential], Deed],
        now: datetime,
    ) -> int:
        everything = (
            sa.select(CREDENTIALS)
            .order_by(CREDENTIALS.c.app_id, CREDENTIALS.c.provider)
            .with_for_update()
        )
        async with self._database.transaction() as connection:
            found = [_credential(row) for row in await connection.execute(everything)]
            sealed = [anew for each in found if (anew := reseal(each)) is not None]
            for each in sealed:
                await connection.execute(
                    CREDENTIALS.update()
                    .where(_is(each.app_id, each.provider))
                    .values(key_id=each.key_id, sealed=each.sealed)
                )
            await write_audit(connection, [deed(each) for each in sealed], now)
            return len(sealed)


async def demand_app(connection: AsyncConnection, app_id: str) -> None:
    """Keep the app there until this transaction ends. Raises `AppNotFound` if it is not."""
    if app_id == DEFAULT_APP:
        return
    found = sa.select(APPS.c.id).where(APPS.c.id == app_id).with_for_update(read=True)
    if (await connection.execute(found)).one_or_none() is None:
        raise AppNotFound("There is no such app.", app_id=app_id)


def _is(app_id: str, provider: ProviderName) -> sa.ColumnElement[bool]:
    return sa.and_(CREDENTIALS.c.app_id == app_id, CREDENTIALS.c.provider == provider)


def _app(row: sa.Row[Any]) -> App:
    return App(row.id, row.name, row.created_at)


def _row(kept: SealedCredential) -> dict[str, Any]:
    return {
        "app_id": kept.app_id,
        "provider": kept.provider,
        "version": kept.version,
        "key_id": kept.key_id,
        "sealed": kept.sealed,
        "details": msgspec.json.encode(kept.details).decode(),
        "fingerprint": kept.fingerprint,
        "changed_at": kept.changed_at,
    }


def _credential(row: sa.Row[Any]) -> SealedCredential:
    return SealedCredential(
        app_id=row.app_id,
        provider=ProviderName(row.provider),
        version=row.version,
        key_id=row.key_id,
        sealed=row.sealed,
        details=_details.decode(row.details),
        fingerprint=row.fingerprint,
        changed_at=row.changed_at,
    )
