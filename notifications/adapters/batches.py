"""Many rows in one statement: where SQLite and PostgreSQL want it said differently."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

REASON_LENGTH = 128
"""A provider's own words are kept so far."""


def storable(text: str, *, length: int = REASON_LENGTH) -> str:
    """Words of a stranger, cut, and without what a database refuses to store."""
    if len(text) <= length and text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "").encode("utf-8", "replace").decode()[:length]


async def insert_new(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """Insert rows whose primary key is not there yet; the keys of those that were new.

    Give rows in the order of their keys: two writers of the same rows then wait for each
    other instead of blocking each other. Every row has the same columns.
    """
    if not rows:
        return []
    return await _INSERT_NEW[connection.dialect.name](connection, table, rows)


async def _insert_new_on_sqlite(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> list[Any]:
    (key,) = table.primary_key.columns
    statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=[key.name])
    answer = await connection.execute(statement.returning(key), list(rows))
    return list(answer.scalars())


async def _insert_new_on_postgresql(
    connection: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]
) -> list[Any]:
    """One array per column: the statement is prepared once, whatever the number of rows."""
    (key,) = table.primary_key.columns
    columns = [table.c[name] for name in rows[0]]
    arrays = [
        sa.bindparam(
            f"{column.name}_of_rows",
            [row[column.name] for row in rows],
            type_=postgresql.ARRAY(column.type),
        )
        for column in columns
    ]
    names = (column.name for column in columns)
    given = sa.func.unnest(*arrays).table_valued(*names).render_derived()
    statement = (
        postgresql.insert(table)
        .from_select([column.name for column in columns], sa.select(given))
        .on_conflict_do_nothing(index_elements=[key.name])
        .returning(key)
    )
    return list((await connection.execute(statement)).scalars())


_INSERT_NEW = {"sqlite": _insert_new_on_sqlite, "postgresql": _insert_new_on_postgresql}
