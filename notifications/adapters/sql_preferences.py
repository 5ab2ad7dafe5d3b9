"""What users have said, and when Ramadan is, in tables."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from notifications.adapters.preference_tables import ConsentRow, PreferenceRow, RamadanRow
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.tables import UNSETTLED
from notifications.audit.types import Deed
from notifications.deciding.decision import NO_PREFERENCES
from notifications.deciding.types import ConsentRecord, Ramadan, Said, UserPreferences
from notifications.preferences.ports import Change
from notifications.preferences.ramadan import with_estimates
from notifications.pushes import PushState

PREFERENCES = table_of(PreferenceRow)
_CONSENTS = table_of(ConsentRow)
_RAMADANS = table_of(RamadanRow)

_USERS_AT_ONCE = 10_000

_choices = msgspec.json.Decoder(UserPreferences)


class SqlPreferences:
    """Fulfils `PreferenceStore` and `RamadanStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._begun = database.insert_new(PREFERENCES, on=["user_id"])
        self._dated = database.upsert(
            _RAMADANS, on=["year"], update=["starts_on", "ends_on", "announced"]
        )

    async def of_users(self, user_ids: Collection[UserId]) -> Mapping[UserId, UserPreferences]:
        async with self._database.reading() as connection:
            return await preferences_of(connection, user_ids)

    async def change(
        self, user_id: UserId, change: Change, *, deed: Deed, now: datetime
    ) -> UserPreferences:
        async with self._database.transaction() as connection:
            return await self._change(connection, user_id, change, deed, now)

    async def record(self, record: ConsentRecord, change: Change, *, deed: Deed) -> UserPreferences:
        async with self._database.transaction() as connection:
            await connection.execute(_CONSENTS.insert(), [_recorded(record)])
            return await self._change(connection, record.user_id, change, deed, record.recorded_at)

    async def consents(self, user_id: UserId, *, limit: int) -> Sequence[ConsentRecord]:
        newest = (
            sa.select(_CONSENTS)
            .where(_CONSENTS.c.user_id == user_id)
            .order_by(_CONSENTS.c.id.desc())
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(newest)]

    async def forget(self, user_ids: Collection[UserId]) -> None:
        async with self._database.transaction() as connection:
            await forget_preferences(connection, user_ids)

    async def ramadans(self) -> Sequence[Ramadan]:
        async with self._database.reading() as connection:
            return await ramadans(connection)

    async def put_ramadan(self, ramadan: Ramadan, *, deed: Deed, now: datetime) -> None:
        async with self._database.transaction() as connection:
            await connection.execute(
                self._dated.values(
                    year=ramadan.year,
                    starts_on=ramadan.starts_on,
                    ends_on=ramadan.ends_on,
                    announced=ramadan.announced,
                )
            )
            await write_audit(connection, [deed], now)

    async def forget_ramadan(self, year: int, *, deed: Deed, now: datetime) -> None:
        known = _RAMADANS.delete().where(_RAMADANS.c.year == year)
        async with self._database.transaction() as connection:
            if (await connection.execute(known)).rowcount:
                await write_audit(connection, [deed], now)

    async def _change(
        self,
        connection: AsyncConnection,
        user_id: UserId,
        change: Change,
        deed: Deed,
        now: datetime,
    ) -> UserPreferences:
        await connection.execute(
            self._begun.values(user_id=user_id, choices=_text(NO_PREFERENCES), changed_at=now)
        )
        mine = PREFERENCES.c.user_id == user_id
        locked = sa.select(PREFERENCES.c.choices).where(mine).with_for_update()
        text = (await connection.execute(locked)).scalar_one()
        changed = change(_choices.decode(text))
        await connection.execute(
            PREFERENCES.update().where(mine).values(choices=_text(changed), changed_at=now)
        )
        # What waits for hours that are not quiet any more is looked at again, and so is the rest.
        await connection.execute(
            PUSHES.update()
            .where(
                PUSHES.c.user_id == user_id,
                sa.text(UNSETTLED),
                PUSHES.c.state == PushState.QUEUED,
                PUSHES.c.due_at > now,
            )
            .values(due_at=now)
        )
        await write_audit(connection, [deed], now)
        return changed


async def said_by(connection: AsyncConnection, user_ids: Collection[UserId]) -> Said:
    """What some users have said, in the transaction of `connection`."""
    return await said_of(connection, await preferences_of(connection, user_ids))


async def said_of(
    connection: AsyncConnection, preferences: Mapping[UserId, UserPreferences]
) -> Said:
    """These preferences, with the dates of Ramadan if they matter to anybody."""
    dated = any(each.follows_ramadan for each in preferences.values())
    return Said(preferences, await ramadans(connection) if dated else ())


async def preferences_of(
    connection: AsyncConnection, user_ids: Collection[UserId]
) -> Mapping[UserId, UserPreferences]:
    """The preferences of those users who have any."""
    found: dict[UserId, UserPreferences] = {}
    wanted = list(user_ids)
    for start in range(0, len(wanted), _USERS_AT_ONCE):
        some = wanted[start : start + _USERS_AT_ONCE]
        statement = sa.select(PREFERENCES.c.user_id, PREFERENCES.c.choices).where(
            among(connection, PREFERENCES.c.user_id, some)
        )
        for row in await connection.execute(statement):
            found[UserId(row.user_id)] = _choices.decode(row.choices)
    return found


async def ramadans(connection: AsyncConnection) -> Sequence[Ramadan]:
    """Every year that there are dates for."""
    rows = await connection.execute(sa.select(_RAMADANS))
    return with_estimates(
        Ramadan(row.year, row.starts_on, row.ends_on, row.announced) for row in rows
    )


async def forget_preferences(connection: AsyncConnection, user_ids: Collection[UserId]) -> None:
    """Erase what users have said, in the transaction of `connection`."""
    for table in (PREFERENCES, _CONSENTS):
        await connection.execute(
            table.delete().where(among(connection, table.c.user_id, list(user_ids)))
        )


def choices_of(text: str) -> UserPreferences:
    """The preferences that a row holds."""
    return _choices.decode(text)


def _text(preferences: UserPreferences) -> str:
    return msgspec.json.encode(preferences).decode()


def _recorded(record: ConsentRecord) -> Mapping[str, Any]:
    return {name: getattr(record, name) for name in ConsentRecord.__slots__}


def _record(row: sa.Row[Any]) -> ConsentRecord:
    return ConsentRecord(
        id=row.id,
        user_id=UserId(row.user_id),
        category=row.category,
        given=row.given,
        text_version=row.text_version,
        source=row.source,
        recorded_by=row.recorded_by,
        recorded_at=row.recorded_at,
    )
