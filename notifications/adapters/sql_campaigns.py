"""Campaigns in a table, and their pushes as they follow them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from kernel.adapters.database import Database, table_of
from kernel.ids import UserId
from kernel.notices import Variables
from notifications.adapters.batches import storable
from notifications.adapters.campaign_fillings import VARIABLES, Fillings
from notifications.adapters.campaign_following import is_flying, move_pushes
from notifications.adapters.campaign_paces import begin_pace
from notifications.adapters.push_rows import PUSHES, write_plan
from notifications.adapters.sql_audit import write_audit
from notifications.adapters.sql_devices import DEVICES, device_of
from notifications.adapters.sql_preferences import said_by
from notifications.adapters.tables import CampaignRow
from notifications.audit.types import Deed
from notifications.campaign import Campaign, CampaignState
from notifications.campaign_ports import Plan
from notifications.errors import IdempotencyMismatch
from notifications.pushes import PushState
from notifications.types import Text

CAMPAIGNS = table_of(CampaignRow)

_texts = msgspec.json.Decoder(dict[str, Text])
_words = msgspec.json.Decoder(dict[str, str])
_locales = msgspec.json.Decoder(tuple[str, ...])


class SqlCampaigns:
    """Any number of workers may expand at once; each campaign is advanced by one of them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._fillings = Fillings(database)

    async def create(self, campaign: Campaign, *, key: str, digest: str, deed: Deed) -> Campaign:
        inserting = self._database.insert_new(CAMPAIGNS, on=["idempotency_key"]).values(
            id=campaign.id,
            idempotency_key=key,
            digest=digest,
            name=campaign.name,
            texts=_encoded(campaign.texts),
            locales=_encoded(campaign.locales),
            link=campaign.link,
            data=_encoded(campaign.data),
            template=campaign.template,
            variables=_encoded(campaign.variables),
            state=campaign.state,
            following=False,
            expires_after=campaign.expires_after,
            created_at=campaign.created_at,
            per_second=campaign.per_second,
        )
        async with self._database.transaction() as connection:
            if (await connection.execute(inserting)).rowcount:
                if campaign.per_second:
                    await connection.execute(begin_pace(campaign))
                await write_audit(connection, [deed], campaign.created_at)
            made = sa.select(CAMPAIGNS).where(CAMPAIGNS.c.idempotency_key == key)
            row = (await connection.execute(made)).one()
        if row.digest != digest:
            raise IdempotencyMismatch("This idempotency key made another campaign.", key=key)
        return _campaign(row)

    async def get(self, campaign_id: UUID) -> Campaign | None:
        async with self._database.reading() as connection:
            found = sa.select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id)
            row = (await connection.execute(found)).one_or_none()
        return None if row is None else _campaign(row)

    async def page(self, *, before: UUID | None, limit: int) -> Sequence[Campaign]:
        newest = sa.select(CAMPAIGNS).order_by(CAMPAIGNS.c.id.desc()).limit(limit)
        if before is not None:
            newest = newest.where(CAMPAIGNS.c.id < before)
        async with self._database.reading() as connection:
            return [_campaign(row) for row in await connection.execute(newest)]

    async def fill(
        self,
        campaign_id: UUID,
        variables_of: Mapping[UserId, Variables],
        *,
        now: datetime,
        deed: Deed,
    ) -> Campaign | None:
        async with self._database.transaction() as connection:
            row = await _locked(connection, campaign_id)
            if row is not None and row.state == CampaignState.DRAFT:
                await self._fillings.put(connection, campaign_id, variables_of)
                await write_audit(connection, [deed], now)
        return None if row is None else _campaign(row)

    async def run(
        self, campaign_id: UUID, *, now: datetime, deed: Deed, drafts: bool = True
    ) -> Campaign | None:
        async with self._database.transaction() as connection:
            row = await _locked(connection, campaign_id)
            if row is None:
                return None
            changes: dict[str, Any] = {"state": CampaignState.RUNNING}
            if row.state == CampaignState.DRAFT and drafts:
                expires_at = now + timedelta(seconds=row.expires_after)
                changes |= {"started_at": now, "expires_at": expires_at}
            elif row.state == CampaignState.PAUSED:
                changes |= {"following": True, "stopped_reason": ""}
            else:
                return _campaign(row)
            await write_audit(connection, [deed], now)
            return await _changed(connection, campaign_id, **changes)

    async def halt(
        self, campaign_id: UUID, *, cancel: bool, now: datetime, deed: Deed, reason: str = ""
    ) -> Campaign | None:
        async with self._database.transaction() as connection:
            row = await _locked(connection, campaign_id)
            if row is None:
                return None
            if cancel and row.state != CampaignState.CANCELLED:
                await self._fillings.forget(connection, campaign_id)
                state = CampaignState.CANCELLED
            elif not cancel and row.state == CampaignState.RUNNING:
                state = CampaignState.PAUSED
            else:
                return _campaign(row)
            await write_audit(connection, [deed], now)
            why = storable(reason, length=255)
            return await _changed(
                connection, campaign_id, state=state, following=True, stopped_reason=why
            )

    async def counts(self, campaign_id: UUID) -> Mapping[PushState, int]:
        counting = (
            sa.select(PUSHES.c.state, sa.func.count().label("pushes"))
            .where(PUSHES.c.campaign_id == campaign_id)
            .group_by(PUSHES.c.state)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(counting)
            return {PushState(row.state): row.pushes for row in rows}

    async def expand(self, plan: Plan, *, fresh: timedelta, limit: int) -> int:
        unplanned = (
            sa.select(CAMPAIGNS)
            .where(CAMPAIGNS.c.state == sa.text("'running'"), CAMPAIGNS.c.planned_at.is_(None))
            .order_by(CAMPAIGNS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(unplanned)).one_or_none()
            if row is None:
                return 0
            campaign = _campaign(row)
            rows = list(await connection.execute(_audience(campaign, fresh, limit)))
            devices = [device_of(each) for each in rows]
            users = {each.user_id for each in devices}
            said = await said_by(connection, users)
            own = await self._fillings.of(connection, campaign, users)
            notifications, pushes = plan(campaign, devices, said, own)
            await write_plan(connection, notifications, pushes, whole=False)
            reached: dict[str, Any] = {"cursor": rows[-1].id} if rows else {}
            if len(rows) < limit:
                # Nobody else is left; the campaign's start says when its audience was fixed.
                reached["planned_at"] = campaign.started_at
                await self._fillings.forget(connection, campaign.id)
            await _changed(connection, campaign.id, **reached)
            return max(1, len(rows))

    async def follow(self, *, now: datetime, limit: int) -> int:
        changed = (
            sa.select(CAMPAIGNS)
            .where(CAMPAIGNS.c.following)
            .order_by(CAMPAIGNS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        async with self._database.transaction() as connection:
            row = (await connection.execute(changed)).one_or_none()
            if row is None:
                return 0
            moved = await move_pushes(connection, row.id, CampaignState(row.state), limit, now)
            if moved == limit:
                return moved
            if row.state == CampaignState.CANCELLED and await is_flying(connection, row.id):
                # What is in the air may come back and wait for another attempt.
                return moved
            await _changed(connection, row.id, following=False)
            return max(1, moved)


def _audience(campaign: Campaign, fresh: timedelta, limit: int) -> sa.Select[Any]:
    """The next devices of a campaign, by key."""
    assert campaign.started_at is not None, "only started campaigns are expanded"
    devices = (
        sa.select(DEVICES)
        .where(
            DEVICES.c.disabled_at.is_(None),
            DEVICES.c.registered_at <= campaign.started_at,
            DEVICES.c.confirmed_at >= campaign.started_at - fresh,
        )
        .order_by(DEVICES.c.id)
        .limit(limit)
    )
    if campaign.cursor is not None:
        devices = devices.where(DEVICES.c.id > campaign.cursor)
    if campaign.locales:
        # "ar" means every Arabic, "ar-DZ" only that of Algeria.
        devices = devices.where(
            sa.or_(
                *(
                    sa.or_(
                        DEVICES.c.locale == locale,
                        DEVICES.c.locale.startswith(f"{locale}-", autoescape=True),
                    )
                    for locale in campaign.locales
                )
            )
        )
    return devices


async def _locked(connection: AsyncConnection, campaign_id: UUID) -> sa.Row[Any] | None:
    found = sa.select(CAMPAIGNS).where(CAMPAIGNS.c.id == campaign_id).with_for_update()
    return (await connection.execute(found)).one_or_none()


async def _changed(connection: AsyncConnection, campaign_id: UUID, **values: Any) -> Campaign:
    changing = (
        CAMPAIGNS.update()
        .where(CAMPAIGNS.c.id == campaign_id)
        .values(**values)
        .returning(CAMPAIGNS)
    )
    return _campaign((await connection.execute(changing)).one())


def _campaign(row: sa.Row[Any]) -> Campaign:
    return Campaign(
        id=row.id,
        name=row.name,
        texts=_texts.decode(row.texts),
        locales=_locales.decode(row.locales),
        link=row.link,
        data=_words.decode(row.data),
        template=row.template,
        variables=VARIABLES.decode(row.variables),
        state=CampaignState(row.state),
        created_at=row.created_at,
        expires_after=row.expires_after,
        started_at=row.started_at,
        expires_at=row.expires_at,
        planned_at=row.planned_at,
        cursor=row.cursor,
        stopped_reason=row.stopped_reason,
        per_second=row.per_second,
    )


def _encoded(value: Any) -> str:
    return msgspec.json.encode(value).decode()
