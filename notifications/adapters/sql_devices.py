"""Devices in a table."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.errors import Unavailable
from kernel.ids import UserId, new_id
from notifications.adapters.batches import storable
from notifications.adapters.sql_apps import demand_app
from notifications.adapters.tables import DeviceRow
from notifications.ports import ACCEPTED_WITHIN
from notifications.types import (
    AddressKind,
    Device,
    Environment,
    Permission,
    Platform,
    Registration,
    TokenFault,
)

DEVICES = table_of(DeviceRow)

_USERS_AT_ONCE = 10_000
TRIES = 5


class SqlDevices:
    """Any number of nodes may register the same phone at once; one row comes of it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def register(
        self, user_id: UserId, registration: Registration, *, now: datetime, limit: int
    ) -> Device:
        for _ in range(TRIES):
            try:
                async with self._database.transaction() as connection:
                    await demand_app(connection, registration.app_id)
                    known = await known_as(connection, registration)
                    device = await write_registration(connection, user_id, registration, now, known)
                    await trim(connection, user_id, limit)
                    return device
            except sa.exc.IntegrityError:
                # Somebody registered the same phone between our look and our write. The next
                # look finds what they wrote.
                continue
        raise Unavailable("This device is being registered by others at the same moment.")

    async def forget(self, device_id: UUID, *, owner: UserId | None) -> bool:
        statement = DEVICES.delete().where(DEVICES.c.id == device_id)
        if owner is not None:
            statement = statement.where(DEVICES.c.user_id == owner)
        async with self._database.transaction() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def owner(self, device_id: UUID) -> UserId | None:
        query = sa.select(DEVICES.c.user_id).where(DEVICES.c.id == device_id)
        async with self._database.reading() as connection:
            found = (await connection.execute(query)).scalar_one_or_none()
        return None if found is None else UserId(found)

    async def of_users(self, user_ids: Sequence[UserId]) -> Mapping[UserId, Sequence[Device]]:
        found: dict[UserId, list[Device]] = defaultdict(list)
        async with self._database.reading() as connection:
            for start in range(0, len(user_ids), _USERS_AT_ONCE):
                some = user_ids[start : start + _USERS_AT_ONCE]
                statement = (
                    sa.select(DEVICES)
                    .where(among(connection, DEVICES.c.user_id, some))
                    .order_by(DEVICES.c.confirmed_at.desc(), DEVICES.c.id.desc())
                )
                for row in await connection.execute(statement):
                    found[UserId(row.user_id)].append(device_of(row))
        return found

    async def disable(self, faults: Sequence[TokenFault], *, now: datetime) -> int:
        disabled = 0
        async with self._database.transaction() as connection:
            # In one order, so that two dispatchers do not block each other.
            for fault in sorted(faults, key=lambda fault: fault.device_id):
                statement = (
                    DEVICES.update()
                    .where(
                        DEVICES.c.id == fault.device_id,
                        DEVICES.c.generation == fault.generation,
                        DEVICES.c.disabled_at.is_(None),
                    )
                    .values(disabled_at=now, disabled_reason=storable(fault.reason))
                )
                if fault.invalid_since is not None:
                    statement = statement.where(DEVICES.c.confirmed_at <= fault.invalid_since)
                disabled += (await connection.execute(statement)).rowcount
        return disabled

    async def accepted(self, device_ids: Sequence[UUID], *, now: datetime) -> None:
        # Once a day is enough to tell the living from the dead, and spares a write per push.
        stale = sa.or_(
            DEVICES.c.accepted_at.is_(None), DEVICES.c.accepted_at < now - ACCEPTED_WITHIN
        )
        async with self._database.reading() as connection:
            found = await connection.execute(
                sa.select(DEVICES.c.id).where(among(connection, DEVICES.c.id, device_ids), stale)
            )
            wanted = sorted(found.scalars())
        if wanted:
            async with self._database.transaction() as connection:
                locked = (
                    sa.select(DEVICES.c.id)
                    .where(among(connection, DEVICES.c.id, wanted), stale)
                    .order_by(DEVICES.c.id)
                    .with_for_update()
                )
                await connection.execute(
                    DEVICES.update().where(DEVICES.c.id.in_(locked)).values(accepted_at=now)
                )

    async def found(self, device_id: UUID, *, generation: int, environment: Environment) -> None:
        moving = (
            DEVICES.update()
            .where(DEVICES.c.id == device_id, DEVICES.c.generation == generation)
            .values(environment=environment)
        )
        async with self._database.transaction() as connection:
            await connection.execute(moving)

    async def purge(
        self, *, disabled_before: datetime, confirmed_before: datetime, limit: int
    ) -> int:
        old = (
            sa.select(DEVICES.c.id)
            .where(
                sa.or_(
                    DEVICES.c.disabled_at < disabled_before,
                    DEVICES.c.confirmed_at < confirmed_before,
                )
            )
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            deleting = DEVICES.delete().where(DEVICES.c.id.in_(old))
            return (await connection.execute(deleting)).rowcount


def device_of(row: sa.Row[Any]) -> Device:
    """The device that a whole row of the table holds."""
    return Device(
        id=row.id,
        user_id=UserId(row.user_id),
        installation_id=row.installation_id,
        address_kind=AddressKind(row.address_kind),
        address=row.address,
        environment=Environment(row.environment),
        platform=Platform(row.platform),
        locale=row.locale,
        time_zone=row.time_zone,
        app_version=row.app_version,
        generation=row.generation,
        confirmed_at=row.confirmed_at,
        disabled_at=row.disabled_at,
        disabled_reason=row.disabled_reason,
        accepted_at=row.accepted_at,
        app_id=row.app_id,
        permission=Permission(row.permission),
    )


async def known_as(
    connection: AsyncConnection, registration: Registration
) -> Sequence[sa.Row[Any]]:
    """The devices that have this address or installation, locked; the one to keep is the last."""
    kind, hashed = registration.address_kind, _hash(registration.address)
    has_address = sa.and_(DEVICES.c.address_kind == kind, DEVICES.c.address_hash == hashed)
    known = (
        sa.select(DEVICES.c.id, DEVICES.c.confirmed_at, has_address.label("has_address"))
        .where(sa.or_(has_address, DEVICES.c.installation_id == registration.installation_id))
        .order_by(DEVICES.c.id)
        .with_for_update()
    )
    # The row with the address stays, or else that of the installation.
    return sorted(await connection.execute(known), key=lambda row: bool(row.has_address))


async def write_registration(
    connection: AsyncConnection,
    user_id: UserId,
    registration: Registration,
    now: datetime,
    known: Sequence[sa.Row[Any]],
) -> Device:
    """Make one device of those `known_as` this one, exactly as it says; the others go."""
    values = {
        "user_id": user_id,
        "installation_id": registration.installation_id,
        "address_kind": registration.address_kind,
        "address": registration.address,
        "address_hash": _hash(registration.address),
        "environment": registration.environment,
        "platform": registration.platform,
        "locale": registration.locale,
        "time_zone": registration.time_zone,
        "app_version": registration.app_version,
        "confirmed_at": now,
        "disabled_at": None,
        "disabled_reason": "",
        "app_id": registration.app_id,
        "permission": registration.permission,
    }
    if not known:
        inserting = DEVICES.insert().values(
            **values, id=new_id(now), generation=1, registered_at=now
        )
        return device_of((await connection.execute(inserting.returning(DEVICES))).one())
    *others, kept = known
    for other in others:
        await connection.execute(DEVICES.delete().where(DEVICES.c.id == other.id))
    # What was taken in one environment says nothing of another.
    is_where_it_was = DEVICES.c.environment == registration.environment
    updating = (
        DEVICES.update()
        .where(DEVICES.c.id == kept.id)
        .values(
            **values,
            generation=DEVICES.c.generation + 1,
            accepted_at=sa.case((is_where_it_was, DEVICES.c.accepted_at), else_=None),
        )
    )
    return device_of((await connection.execute(updating.returning(DEVICES))).one())


async def trim(connection: AsyncConnection, user_id: UserId, limit: int) -> None:
    """Let those go that were confirmed longest ago, beyond `limit` of a user."""
    excess = (
        sa.select(DEVICES.c.id)
        .where(DEVICES.c.user_id == user_id)
        .order_by(DEVICES.c.confirmed_at.desc(), DEVICES.c.id.desc())
        .limit(1_000_000)
        .offset(limit)
    )
    await connection.execute(DEVICES.delete().where(DEVICES.c.id.in_(excess)))


def _hash(address: str) -> str:
    return hashlib.sha256(address.encode()).hexdigest()
