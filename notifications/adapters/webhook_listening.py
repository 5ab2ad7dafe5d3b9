"""Which pushes some webhook wants to hear of: asked once for many pushes that are planned."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.notices import Urgency
from notifications.adapters.sql_webhooks import WEBHOOKS, webhook_of
from notifications.webhooks.types import NewsKind, Origin, Selection


class Listening:
    """What enabled webhooks want to hear of, seen in the transaction that writes it down."""

    def __init__(self, selections: Sequence[Selection]) -> None:
        self._selections = selections
        self._known: dict[tuple[Origin, str, str], bool] = {}

    def to(self, push: Any) -> bool:
        """Whether anybody wants to hear of a push, or of the row of one."""
        if not self._selections:
            return False
        asked = (origin_of_push(push), push.urgency, push.category)
        wanted = self._known.get(asked)
        if wanted is None:
            wanted = any(takes(each, push) for each in self._selections)
            self._known[asked] = wanted
        return wanted


async def listening(connection: AsyncConnection, kind: NewsKind) -> Listening:
    """What is to be told from now on."""
    rows = await connection.execute(_ENABLED)
    webhooks = [webhook_of(row) for row in rows]
    return Listening([each.selection for each in webhooks if kind in each.kinds])


def takes(selection: Selection, push: Any) -> bool:
    """Whether a push, or the row of one, is among those that are chosen."""
    return selection.takes(origin_of_push(push), Urgency(push.urgency), push.category)


def origin_of_push(push: Any) -> Origin:
    """Who wanted a push, or that of which this is the row."""
    if push.send_id is not None:
        return Origin.SEND
    return Origin.NOTICE if push.campaign_id is None else Origin.CAMPAIGN


_ENABLED = sa.select(WEBHOOKS).where(WEBHOOKS.c.enabled)
