"""What fills a campaign for single users, in a table, until it is planned for them."""

from collections.abc import Collection, Mapping
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.among import among
from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from kernel.notices import Variables
from notifications.adapters.tables import CampaignVariablesRow
from notifications.campaign import Campaign

FILLINGS = table_of(CampaignVariablesRow)
VARIABLES = msgspec.json.Decoder(dict[str, str | int | float])


class Fillings:
    """All of it happens in a transaction of the campaigns' store."""

    def __init__(self, database: Database) -> None:
        key = ["campaign_id", "user_id"]
        self._putting = database.upsert(FILLINGS, on=key, update=["variables"])

    async def put(
        self,
        connection: AsyncConnection,
        campaign_id: UUID,
        variables_of: Mapping[UserId, Variables],
    ) -> None:
        rows = [
            {
                "campaign_id": campaign_id,
                "user_id": user_id,
                "variables": msgspec.json.encode(variables).decode(),
            }
            for user_id, variables in sorted(variables_of.items())
        ]
        if rows:
            await connection.execute(self._putting, rows)

    async def of(
        self, connection: AsyncConnection, campaign: Campaign, users: Collection[UserId]
    ) -> Mapping[UserId, Variables]:
        """The variables of those of these users who have some of their own."""
        if not campaign.variables:
            return {}
        theirs = sa.select(FILLINGS.c.user_id, FILLINGS.c.variables).where(
            FILLINGS.c.campaign_id == campaign.id,
            among(connection, FILLINGS.c.user_id, sorted(users)),
        )
        rows = await connection.execute(theirs)
        return {UserId(row.user_id): VARIABLES.decode(row.variables) for row in rows}

    async def forget(self, connection: AsyncConnection, campaign_id: UUID) -> None:
        """Nobody is worded by it any more."""
        await connection.execute(FILLINGS.delete().where(FILLINGS.c.campaign_id == campaign_id))
