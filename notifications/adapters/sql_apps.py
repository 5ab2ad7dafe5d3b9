"""Apps and their sealed credentials in tables."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import table_of
from notifications.adapters.app_tables import AppRow
from notifications.errors import AppNotFound
from notifications.types import DEFAULT_APP

APPS = table_of(AppRow)


async def demand_app(connection: AsyncConnection, app_id: str) -> None:
    """Keep the app there until this transaction ends. Raises `AppNotFound` if it is not."""
    if app_id == DEFAULT_APP:
        return
    found = sa.select(APPS.c.id).where(APPS.c.id == app_id).with_for_update(read=True)
    if (await connection.execute(found)).one_or_none() is None:
        raise AppNotFound("There is no such app.", app_id=app_id)
