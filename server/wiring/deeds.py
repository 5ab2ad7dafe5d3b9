"""What operators do to reminders, recorded in the one audit trail there is."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from notifications.adapters.sql_audit import write_audit
from notifications.audit.types import deed_of
from reminders.oversight import Deed


async def recorded(connection: AsyncConnection, deed: Deed, now: datetime) -> None:
    """Write a deed of reminders to the trail, in the transaction that does it."""
    await write_audit(connection, [deed_of(deed.by, deed.action, deed.subject)], now)
