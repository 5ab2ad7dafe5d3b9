"""What devices hold of their users' reminders, in a table; and what comes for a user."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.adapters.sql_outbox import write_entries
from kernel.clock import Clock
from kernel.ids import UserId
from reminders.adapters.alarm_tables import AlarmSyncRow
from reminders.adapters.mapping import FIRINGS, Columns, Selected
from reminders.adapters.settling import due_firing, with_truth
from reminders.alarm import AlarmSync, alarms_changed
from reminders.firing import ABOUT_EVENT, DueFiring, FiringClass
from reminders.usual import UNPAID

SYNCS = table_of(AlarmSyncRow)

TRUSTED = timedelta(days=7)
"""A device that did not acknowledge for so long may have lost its alarms: it is pushed again."""

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
"""When a device acknowledged that only asked so far."""

_TOLD_BY_SERVER = sorted(str(each) for each in {*ABOUT_EVENT, FiringClass.POLICY_LOW})

_decoder = msgspec.json.Decoder(tuple[str, ...])


class SqlAlarmStore:
    """One adapter for both databases."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def coming(self, user_id: UserId, *, after: datetime, limit: int) -> Sequence[DueFiring]:
        next_ones = (
            sa.select(FIRINGS)
            .where(
                FIRINGS.c.user_id == user_id,
                FIRINGS.c.due_at > after,
                # What waits for the digest, or is about no task of theirs, is the server's to tell.
                FIRINGS.c.firing_class.not_in(_TOLD_BY_SERVER),
                FIRINGS.c.rule_id != UNPAID,
            )
            .order_by(FIRINGS.c.due_at, FIRINGS.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            return [due_firing(row) for row in await connection.execute(with_truth(next_ones))]

    async def ask(self, device_id: UUID, user_id: UserId, *, until: datetime) -> None:
        own = sa.and_(SYNCS.c.device_id == device_id, SYNCS.c.user_id == user_id)
        farthest = sa.case(
            (SYNCS.c.until < until, sa.literal(until, SYNCS.c.until.type)), else_=SYNCS.c.until
        )
        asks = SYNCS.update().where(own).values(stale_at=None, until=farthest)
        first = _columns(AlarmSync(device_id, user_id, (), until, NEVER))
        put = self._database.upsert(SYNCS, on=["device_id"], update=first)
        async with self._database.transaction() as connection:
            # Waits for whoever changes something meanwhile: that is found, or told.
            if (await connection.execute(asks)).rowcount == 0:
                await connection.execute(put.values(first))

    async def hold(self, sync: AlarmSync) -> None:
        columns = _columns(sync)
        held = [name for name in columns if name not in ("device_id", "stale_at")]
        put = self._database.upsert(SYNCS, on=["device_id"], update=held)
        async with self._database.transaction() as connection:
            await connection.execute(put.values(columns))

    async def release(self, device_id: UUID, user_id: UserId) -> None:
        own = sa.and_(SYNCS.c.device_id == device_id, SYNCS.c.user_id == user_id)
        async with self._database.transaction() as connection:
            await connection.execute(SYNCS.delete().where(own))

    async def syncs(self, user_ids: Collection[UserId]) -> Mapping[UUID, AlarmSync]:
        query = sa.select(SYNCS).where(
            SYNCS.c.user_id.in_(user_ids), SYNCS.c.acknowledged_at > self._clock.now() - TRUSTED
        )
        async with self._database.reading() as connection:
            return {row.device_id: _sync_of(row) for row in await connection.execute(query)}

    async def held(
        self, user_ids: Collection[UserId]
    ) -> Mapping[UserId, Mapping[UUID, Collection[str]]]:
        """What notifications ask: the alarms on the devices of these users."""
        found: dict[UserId, dict[UUID, Collection[str]]] = {}
        for sync in (await self.syncs(user_ids)).values():
            found.setdefault(sync.user_id, {})[sync.device_id] = sync.alarms
        return found

    async def forget_syncs(self, *, limit: int) -> int:
        now = self._clock.now()
        # A device that asked is told of changes before it acknowledges, so its row stays as well.
        old = (
            sa.select(SYNCS.c.device_id)
            .where(SYNCS.c.acknowledged_at <= now - TRUSTED, SYNCS.c.until <= now)
            .limit(limit)
        )
        async with self._database.transaction() as connection:
            gone = await connection.execute(SYNCS.delete().where(SYNCS.c.device_id.in_(old)))
            return gone.rowcount


async def tell_holders(
    connection: AsyncConnection, changed: Mapping[str, datetime], now: datetime
) -> None:
    """Tell devices whose users' reminders changed, the earliest of them then, once until they
    ask again: in the transaction that changes them."""
    if not changed:
        return
    rows = await connection.execute(_HOLDERS, {"users": sorted(changed)})
    holders = [row for row in rows if row.stale_at is None and row.until >= changed[row.user_id]]
    if not holders:
        return
    await connection.execute(
        SYNCS.update()
        .where(SYNCS.c.device_id.in_([row.device_id for row in holders]))
        .values(stale_at=now)
    )
    told = [alarms_changed(UserId(row.user_id), row.device_id, now) for row in holders]
    await write_entries(connection, told, now)


# Held in one order, so that the plans of two events do not wait for each other in a circle; and
# those that were told, too: who asks just now is to find the change, or to be told again.
_HOLDERS = (
    sa.select(SYNCS.c.user_id, SYNCS.c.device_id, SYNCS.c.until, SYNCS.c.stale_at)
    .where(SYNCS.c.user_id.in_(sa.bindparam("users", expanding=True)))
    .order_by(SYNCS.c.device_id)
    .with_for_update()
)


def _columns(sync: AlarmSync) -> Columns:
    return {
        "device_id": sync.device_id,
        "user_id": sync.user_id,
        "alarms": msgspec.json.encode(sync.alarms).decode(),
        "until": sync.until,
        "acknowledged_at": sync.acknowledged_at,
        "stale_at": sync.stale_at,
    }


def _sync_of(row: Selected) -> AlarmSync:
    return AlarmSync(
        row.device_id,
        UserId(row.user_id),
        _decoder.decode(row.alarms),
        row.until,
        row.acknowledged_at,
        row.stale_at,
    )
