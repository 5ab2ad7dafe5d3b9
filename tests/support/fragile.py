"""A database whose client dies."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database


class Crash(Exception):
    """The process ended with a transaction open."""


class Fragile(Database):
    """A database whose client may die at the end of a transaction, before it is kept."""

    breaks_in = -1

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        async with super().transaction() as connection:
            yield connection
            self.breaks_in -= 1
            if self.breaks_in == 0:
                raise Crash
