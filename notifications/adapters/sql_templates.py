"""Templates and their versions, in SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.paging import Page, cursor_of, parts_of
from notifications.adapters.batches import storable
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.template_tables import (
    TemplatePublicationRow,
    TemplateRevisionRow,
    TemplateRow,
    TemplateVersionRow,
)
from notifications.audit.types import Deed
from notifications.errors import TemplateFull
from notifications.templates.ports import Live
from notifications.templates.types import Publication, Standing, Template, Version

TEMPLATES = table_of(TemplateRow)
VERSIONS = table_of(TemplateVersionRow)
PUBLICATIONS = table_of(TemplatePublicationRow)
_revisions = table_of(TemplateRevisionRow)

AUTHOR_LENGTH = 64
NOTE_LENGTH = 500

HISTORY = 100
"""Publications that are shown."""

_template = msgspec.json.Decoder(Template)


class SqlTemplates:
    """Fulfils `TemplateStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self, name: str, template: Template, *, note: str, by: str, now: datetime, limit: int
    ) -> Version:
        said = msgspec.json.encode(template, order="sorted").decode()
        first = {"name": name, "newest": 0, "live": 0, "revision": 0, "changed_at": now}
        async with self._database.transaction() as connection:
            await connection.execute(
                self._database.insert_new(TEMPLATES, on=["name"]).values(**first)
            )
            standing = await _locked(connection, name)
            assert standing is not None, "it was inserted a moment ago"
            newest = (await connection.execute(_version(name, standing.newest))).one_or_none()
            if newest is not None and newest.template == said:
                return _version_of(newest)
            if standing.newest >= limit:
                raise TemplateFull(f"A template has {limit} versions at most.", limit=limit)
            row = {
                "name": name,
                "number": standing.newest + 1,
                "template": said,
                "note": storable(note, length=NOTE_LENGTH),
                "created_at": now,
                "created_by": storable(by, length=AUTHOR_LENGTH),
            }
            await connection.execute(VERSIONS.insert(), row)
            await _change(connection, name, newest=standing.newest + 1, changed_at=now)
            return _version_of((await connection.execute(_version(name, row["number"]))).one())

    async def get(self, name: str, number: int | None = None) -> Version | None:
        newest = sa.select(TEMPLATES.c.newest).where(TEMPLATES.c.name == name).scalar_subquery()
        async with self._database.reading() as connection:
            wanted = _version(name, newest if number is None else number)
            row = (await connection.execute(wanted)).one_or_none()
        return None if row is None else _version_of(row)

    async def standing(self, name: str) -> tuple[Standing, Sequence[Publication]] | None:
        latest = (
            sa.select(PUBLICATIONS)
            .where(PUBLICATIONS.c.name == name)
            .order_by(PUBLICATIONS.c.revision.desc())
            .limit(HISTORY)
        )
        async with self._database.transaction() as connection:
            found = sa.select(TEMPLATES).where(TEMPLATES.c.name == name)
            row = (await connection.execute(found)).one_or_none()
            if row is None:
                return None
            rows = (await connection.execute(latest)).all()
        return _standing(row), [
            Publication(each.version, each.published_at, each.published_by) for each in rows
        ]

    async def all(self, *, cursor: str | None, limit: int) -> Page[Standing]:
        listing = sa.select(TEMPLATES).order_by(TEMPLATES.c.name).limit(limit + 1)
        if cursor is not None:
            (after,) = parts_of(cursor, 1)
            listing = listing.where(TEMPLATES.c.name > storable(after))
        async with self._database.reading() as connection:
            rows = (await connection.execute(listing)).all()
        items = [_standing(row) for row in rows[:limit]]
        return Page(items, cursor_of(items[-1].name) if len(rows) > limit else None)

    async def publish(
        self, name: str, number: int, *, by: str, now: datetime, deed: Deed
    ) -> Standing | None:
        async with self._database.transaction() as connection:
            # Before the template's own: everybody takes the two locks in this order.
            revision = await _next_revision(connection)
            standing = await _locked(connection, name)
            if standing is None or not 0 <= number <= standing.newest:
                return None
            if standing.live == number:
                return _standing(standing)
            published = {
                "name": name,
                "revision": revision,
                "version": number,
                "published_at": now,
                "published_by": storable(by, length=AUTHOR_LENGTH),
            }
            await connection.execute(PUBLICATIONS.insert(), published)
            await _change(connection, name, live=number, revision=revision, changed_at=now)
            await write_audit(connection, [deed], now)
            changed = await _locked(connection, name)
        return _standing(changed)

    async def live(self, *, after: int) -> Live:
        changed = (
            sa.select(TEMPLATES.c.name.label("of"), TEMPLATES.c.revision, VERSIONS)
            .select_from(
                TEMPLATES.outerjoin(
                    VERSIONS,
                    sa.and_(
                        VERSIONS.c.name == TEMPLATES.c.name, VERSIONS.c.number == TEMPLATES.c.live
                    ),
                )
            )
            .where(TEMPLATES.c.revision > after)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(changed)).all()
        return Live(
            revision=max((row.revision for row in rows), default=after),
            versions={row.of: None if row.number is None else _version_of(row) for row in rows},
        )


def _version(name: str, number: Any) -> sa.Select[Any]:
    return sa.select(VERSIONS).where(VERSIONS.c.name == name, VERSIONS.c.number == number)


async def _locked(connection: AsyncConnection, name: str) -> Any:
    found = sa.select(TEMPLATES).where(TEMPLATES.c.name == name).with_for_update()
    return (await connection.execute(found)).one_or_none()


async def _change(connection: AsyncConnection, name: str, **values: Any) -> None:
    await connection.execute(TEMPLATES.update().where(TEMPLATES.c.name == name).values(**values))


async def _next_revision(connection: AsyncConnection) -> int:
    newest = _revisions.c.newest
    raised = sa.update(_revisions).values(newest=newest + 1).returning(newest)
    return int((await connection.execute(raised)).scalar_one())


def _standing(row: Any) -> Standing:
    return Standing(row.name, newest=row.newest, live=row.live, changed_at=row.changed_at)


def _version_of(row: Any) -> Version:
    return Version(
        name=row.name,
        number=row.number,
        template=_template.decode(row.template),
        note=row.note,
        created_at=row.created_at,
        created_by=row.created_by,
    )
