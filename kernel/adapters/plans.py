"""How PostgreSQL is kept from using a plan that was made for other sizes.

A prepared statement that was run five times is planned for any values, and that plan stays until
one of its tables is analyzed, a minute later or more. Made while a table was small, it reads all
of it each time, however large it has grown; and it guesses how long arrays are.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


async def by_keys(connection: AsyncConnection) -> None:
    """Until the transaction ends, rows are only found by keys, and each plan is kept.

    For transactions whose statements are given keys, or a limit in the order of an index: their
    one good plan is the same whatever the size of the tables, and need not be made again. SQLite
    plans like that by itself.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(_BY_KEYS)


_BY_KEYS = text(
    "SELECT set_config('plan_cache_mode', 'force_generic_plan', true), "
    + ", ".join(
        f"set_config('enable_{each}', 'off', true)"
        for each in ("seqscan", "bitmapscan", "hashjoin", "mergejoin")
    )
)


def once(parameter: str) -> str:
    """One row for the FROM clause of a statement that shall be planned each time it is run.

    The value of `parameter` is always 1. PostgreSQL keeps a plan for any values only if it takes
    it to be no dearer than those for the values at hand, and of a series whose length it does not
    know it expects a thousand rows; of two, a million. They belong into a materialized part, so
    that everything after it is reckoned with as many. Planning a large statement costs half a
    millisecond, so this is for those that do much at once.
    """
    series = f"generate_series(1, CAST({parameter} AS integer))"
    return f"{series} AS once CROSS JOIN {series} AS again"
