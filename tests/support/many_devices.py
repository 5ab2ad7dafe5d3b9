"""Devices by the thousand: like those that register, but all at once."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.clock import Clock
from kernel.ids import UserId, new_id
from notifications.adapters.batches import insert_new
from notifications.adapters.sql_devices import DEVICES, SqlDevices
from notifications.types import AddressKind, Device, Registration

CHUNK = 1000


async def devices_at(
    database: Database,
    told: Sequence[tuple[UserId, AddressKind, str]],
    *,
    like: Registration,
    clock: Clock,
) -> list[Device]:
    """A device for each user and address; the first registers, the others say what it said."""
    store, now = SqlDevices(database), clock.now()
    user_id, kind, address = told[0]
    registration = replace(like, address_kind=kind, address=address)
    first = await store.register(user_id, registration, now=now, limit=25)
    devices, rows = [first], []
    async with database.transaction() as connection:
        wanted = sa.select(DEVICES).where(DEVICES.c.id == first.id)
        pattern = (await connection.execute(wanted)).one()._asdict()
        for user_id, kind, address in told[1:]:
            made = new_id(now)
            changes = {
                "id": made,
                "user_id": user_id,
                "installation_id": f"installation-{made}",
                "address_kind": kind,
                "address": address,
            }
            devices.append(replace(first, **changes))  # type: ignore[arg-type]
            hashed = hashlib.sha256(address.encode()).hexdigest()
            rows.append({**pattern, **changes, "address_hash": hashed})
        for start in range(0, len(rows), CHUNK):
            await insert_new(connection, DEVICES, rows[start : start + CHUNK])
    return devices
