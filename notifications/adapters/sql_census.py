"""Devices of a list that are alike, counted by the database."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from notifications.adapters.send_tables import ListedRow
from notifications.adapters.sql_devices import DEVICES
from notifications.adapters.sql_preferences import PREFERENCES
from notifications.deciding.types import QuietHours
from notifications.sends.types import Alike, Portion
from notifications.types import Permission

_LISTED = table_of(ListedRow)

_quiet = msgspec.json.Decoder(QuietHours)


class SqlCensus:
    """Fulfils `CensusStore`. What users said is taken apart where it lies, so that no row of
    them has to come here."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def portion(
        self,
        list_id: str,
        *,
        after: str,
        limit: int,
        category: str,
        consent: str,
        stale_before: datetime,
        muted: Collection[UserId] = (),
    ) -> Portion | None:
        named = (
            sa.select(_LISTED.c.user_id)
            .where(_LISTED.c.list_id == list_id, _LISTED.c.user_id > after)
            .order_by(_LISTED.c.user_id)
            .limit(limit)
            .subquery()
        )
        has_device = sa.exists().where(DEVICES.c.user_id == named.c.user_id)
        counting = sa.select(
            sa.func.count().label("users"),
            sa.func.max(named.c.user_id).label("last"),
            sa.func.count().filter(~has_device).label("deviceless"),
        ).select_from(named)
        async with self._database.reading() as connection:
            some = (await connection.execute(counting)).one()
            if not some.users:
                return None
            within = (
                _LISTED.c.list_id == list_id,
                _LISTED.c.user_id > after,
                _LISTED.c.user_id <= some.last,
            )
            kinds = _kinds(connection, category, consent, stale_before, muted, within)
            rows = await connection.execute(
                sa.select(*kinds.c, sa.func.count().label("devices")).group_by(*kinds.c)
            )
            alike = [_alike(row) for row in rows]
        return Portion(some.users, UserId(some.last), some.deviceless, alike)


def _kinds(
    connection: AsyncConnection,
    category: str,
    consent: str,
    stale_before: datetime,
    muted: Collection[UserId],
    within: tuple[sa.ColumnElement[bool], ...],
) -> sa.Subquery:
    """For each device what decides about it, and nothing that tells it from others."""
    json = _JSON[connection.dialect.name]
    devices = (
        sa.select(DEVICES, json.read(PREFERENCES.c.choices).label("said"))
        .select_from(_LISTED)
        .join(DEVICES, DEVICES.c.user_id == _LISTED.c.user_id)
        .outerjoin(PREFERENCES, PREFERENCES.c.user_id == _LISTED.c.user_id)
        .where(*within)
        # Keeps PostgreSQL from reading the JSON anew for each thing that is taken out of it.
        .offset(0)
        .subquery()
    )
    said = devices.c.said
    agreed = json.at(said, "consents", consent, "given") if consent else sa.null()
    return sa.select(
        devices.c.time_zone.label("time_zone"),
        devices.c.disabled_at.is_not(None).label("disabled"),
        (devices.c.permission != Permission.DENIED.value).label("permitted"),
        (devices.c.confirmed_at < stale_before).label("stale"),
        among(connection, devices.c.user_id, sorted(muted)).label("muted"),
        json.at(said, "categories", category).label("wanted"),
        json.at_device(said, devices.c.id, category).label("wanted_there"),
        agreed.label("consented"),
        json.at(said, "quiet").label("quiet"),
    ).subquery()


class _Sqlite:
    """SQLite reads JSON where it is asked about it, and keeps ids without their dashes."""

    def read(self, text: Any) -> Any:
        return text

    def at(self, said: Any, *path: str) -> Any:
        first, *rest = path
        return sa.func.json_extract(said, f"$.{first}" + "".join(f'."{each}"' for each in rest))

    def at_device(self, said: Any, device_id: Any, category: str) -> Any:
        hexes = sa.type_coerce(device_id, sa.String)
        first, *others = (sa.func.substr(hexes, start, size) for start, size in _DASHED)
        dashed: Any = first
        for part in others:
            dashed = dashed + "-" + part
        path = sa.literal('$.devices."') + dashed + sa.literal(f'"."{category}"')
        return sa.func.json_extract(said, path)


_DASHED = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))


class _Postgresql:
    def read(self, text: Any) -> Any:
        return sa.cast(text, JSONB)

    def at(self, said: Any, *path: str) -> Any:
        return sa.func.jsonb_extract_path_text(said, *path)

    def at_device(self, said: Any, device_id: Any, category: str) -> Any:
        under = sa.cast(device_id, sa.Text)
        return sa.func.jsonb_extract_path_text(said, "devices", under, category)


_JSON: Mapping[str, _Sqlite | _Postgresql] = {"sqlite": _Sqlite(), "postgresql": _Postgresql()}


def _alike(row: Any) -> Alike:
    return Alike(
        devices=row.devices,
        time_zone=row.time_zone,
        disabled=bool(row.disabled),
        permitted=bool(row.permitted),
        stale=bool(row.stale),
        muted=bool(row.muted),
        wanted=_flag(row.wanted),
        wanted_there=_flag(row.wanted_there),
        consented=_flag(row.consented),
        quiet=None if row.quiet is None else _quiet.decode(row.quiet),
    )


def _flag(said: str | int | None) -> bool | None:
    return None if said is None else said in (1, "true")
