"""A column among many values, in a statement whose text does not depend on them.

So it is compiled once, and on PostgreSQL prepared and planned once, however many there are.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection


def among(
    connection: AsyncConnection, column: sa.ColumnElement[Any], values: Sequence[Any]
) -> sa.ColumnElement[bool]:
    """Whether `column` is one of `values`."""
    return AMONG[connection.dialect.name](column, None, list(values))


def _among_array(
    column: sa.ColumnElement[Any], name: str | None, values: list[Any] | None = None
) -> sa.ColumnElement[bool]:
    array = sa.bindparam(name, values, type_=postgresql.ARRAY(column.type))
    return column == sa.any_(array)


def _among_list(
    column: sa.ColumnElement[Any], name: str | None, values: list[Any] | None = None
) -> sa.ColumnElement[bool]:
    return column.in_(sa.bindparam(name, values, expanding=True))


AMONG = {"sqlite": _among_list, "postgresql": _among_array}
"""`among` for statements that are built once, per dialect: `name` is that of the parameter."""
