"""The tables of notifications."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row
from kernel.adapters.tables import partial_index
from notifications.types import DEFAULT_APP, Permission

WAITING = "state IN ('queued', 'retry')"
"""The predicate of the index that claims use; their statements must say it literally."""

SENDING = "state = 'sending'"
UNSETTLED = "settled_at IS NULL"
OF_CAMPAIGN = "campaign_id IS NOT NULL"
OF_SEND = "send_id IS NOT NULL"
DEAD = "state = 'dead'"
TOLD_MARKETING = "state = 'accepted' AND urgency = 'marketing'"
UNTOLD = "untold AND settled_at IS NOT NULL"
"""What became of the push is known, and the webhooks are not told of it yet."""

_LANE = ("app_id", "route", "urgency")


_APP_ID: dict[str, object] = {"server_default": DEFAULT_APP}
"""The app of rows that a release without apps writes."""


class DeviceRow(Row, table=True):
    """A device. An address and an installation each belong to one row."""

    __tablename__ = "devices"
    __table_args__ = (
        sa.UniqueConstraint("address_kind", "address_hash"),
        sa.Index("ix_devices_user_id", "user_id"),
        sa.Index("ix_devices_app_id_id", "app_id", "id"),
        sa.Index("ix_devices_confirmed_at", "confirmed_at"),
        partial_index("ix_devices_disabled_at", "disabled_at", where="disabled_at IS NOT NULL"),
    )

    id: UUID = Field(primary_key=True)
    user_id: str = Field(sa_type=sa.String(128))
    installation_id: str = Field(unique=True, sa_type=sa.String(128))
    address_kind: str = Field(sa_type=sa.String(16))
    address: str = Field(sa_type=sa.Text)
    address_hash: str = Field(sa_type=sa.String(64))
    environment: str = Field(sa_type=sa.String(16))
    platform: str = Field(sa_type=sa.String(16))
    locale: str = Field(sa_type=sa.String(64))
    time_zone: str = Field(sa_type=sa.String(64))
    app_version: str = Field(sa_type=sa.String(64))
    generation: int = Field(sa_type=sa.BigInteger)
    registered_at: datetime = Field(sa_type=Instant)
    confirmed_at: datetime = Field(sa_type=Instant)
    accepted_at: datetime | None = Field(default=None, sa_type=Instant)
    disabled_at: datetime | None = Field(default=None, sa_type=Instant)
    disabled_reason: str = Field(default="", sa_type=sa.String(128))
    app_id: str = Field(sa_type=sa.String(64), sa_column_kwargs=_APP_ID)
    permission: str = Field(
        sa_type=sa.String(16), sa_column_kwargs={"server_default": Permission.UNKNOWN.value}
    )


class CampaignRow(Row, table=True):
    """A campaign. `following` while waiting pushes must still learn of its last change."""

    __tablename__ = "campaigns"
    __table_args__ = (
        partial_index(
            "ix_campaigns_expanding", "id", where="state = 'running' AND planned_at IS NULL"
        ),
        partial_index("ix_campaigns_following", "id", where="following"),
    )

    id: UUID = Field(primary_key=True)
    idempotency_key: str = Field(unique=True, sa_type=sa.String(192))
    digest: str = Field(sa_type=sa.String(64))
    name: str = Field(sa_type=sa.String(128))
    texts: str = Field(sa_type=JSON_TEXT)
    locales: str = Field(sa_type=JSON_TEXT)
    link: str = Field(sa_type=sa.Text)
    data: str = Field(sa_type=JSON_TEXT)
    template: str = Field(
        default="", sa_type=sa.String(128), sa_column_kwargs={"server_default": sa.text("''")}
    )
    variables: str = Field(
        default="{}", sa_type=JSON_TEXT, sa_column_kwargs={"server_default": sa.text("'{}'")}
    )
    state: str = Field(sa_type=sa.String(16))
    following: bool = False
    expires_after: float
    created_at: datetime = Field(sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    expires_at: datetime | None = Field(default=None, sa_type=Instant)
    planned_at: datetime | None = Field(default=None, sa_type=Instant)
    cursor: UUID | None = None
    stopped_reason: str = Field(
        default="", sa_type=sa.String(255), sa_column_kwargs={"server_default": sa.text("''")}
    )
    per_second: float = Field(default=0.0, sa_column_kwargs={"server_default": sa.text("0")})


class CampaignPaceRow(Row, table=True):
    """Until when the pushes of a campaign that has a pace have their time."""

    __tablename__ = "campaign_paces"

    campaign_id: UUID = Field(primary_key=True, foreign_key="campaigns.id", ondelete="CASCADE")
    taken_until: datetime = Field(sa_type=Instant)


class CampaignTallyRow(Row, table=True):
    """What one dispatcher saw of a campaign's last attempts since it was stopped `era` times."""

    __tablename__ = "campaign_tallies"

    campaign_id: UUID = Field(primary_key=True, foreign_key="campaigns.id", ondelete="CASCADE")
    node_id: str = Field(primary_key=True, sa_type=sa.String(64))
    era: int = 0
    seen: int = 0
    failed: int = 0
    refused: str = Field(sa_type=JSON_TEXT)
    at: datetime = Field(sa_type=Instant)


class CampaignVariablesRow(Row, table=True):
    """What fills a campaign's texts for one user, until that user's pushes are planned."""

    __tablename__ = "campaign_variables"
    __table_args__ = (sa.Index("ix_campaign_variables_user_id", "user_id"),)

    campaign_id: UUID = Field(primary_key=True, foreign_key="campaigns.id", ondelete="CASCADE")
    user_id: str = Field(primary_key=True, sa_type=sa.String(128))
    variables: str = Field(sa_type=JSON_TEXT)


class NotificationRow(Row, table=True):
    """What one user shall be told; its id follows from the notice and the user."""

    __tablename__ = "notifications"
    __table_args__ = (
        sa.Index("ix_notifications_created_at", "created_at"),
        sa.Index("ix_notifications_user_id_created_at", "user_id", "created_at"),
        partial_index("ix_notifications_send_id", "send_id", where=OF_SEND),
    )

    id: UUID = Field(primary_key=True)
    user_id: str = Field(sa_type=sa.String(128))
    template: str = Field(sa_type=sa.String(128))
    category: str = Field(sa_type=sa.String(64))
    urgency: str = Field(sa_type=sa.String(16))
    created_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    campaign_id: UUID | None = None
    send_id: UUID | None = None
    thread: str = Field(
        default="", sa_type=sa.String(128), sa_column_kwargs={"server_default": sa.text("''")}
    )
    exact: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})


class PushRow(Row, table=True):
    """A push; its id follows from the notification and the device.

    The device is no foreign key: a push outlives its device, and says so when it is claimed.
    One to a topic has an address of its own, and `NO_DEVICE`.
    """

    __tablename__ = "pushes"
    __table_args__ = (
        partial_index("ix_pushes_waiting", *_LANE, "due_at", "id", where=WAITING),
        partial_index("ix_pushes_leased_until", "leased_until", where=SENDING),
        partial_index("ix_pushes_expires_at", "expires_at", where=UNSETTLED),
        partial_index("ix_pushes_campaign_id_state", "campaign_id", "state", where=OF_CAMPAIGN),
        partial_index("ix_pushes_send_id_state", "send_id", "state", "id", where=OF_SEND),
        partial_index("ix_pushes_untold", "settled_at", "id", where=UNTOLD),
        partial_index("ix_pushes_dead", "settled_at", "id", where=DEAD),
        partial_index("ix_pushes_user_id", "user_id", where=UNSETTLED),
        partial_index("ix_pushes_told_marketing", "user_id", "settled_at", where=TOLD_MARKETING),
        sa.Index("ix_pushes_notification_id", "notification_id"),
    )

    id: UUID = Field(primary_key=True)
    notification_id: UUID = Field(foreign_key="notifications.id", ondelete="CASCADE")
    user_id: str = Field(sa_type=sa.String(128))
    device_id: UUID
    campaign_id: UUID | None = None
    route: str = Field(sa_type=sa.String(16))
    urgency: str = Field(sa_type=sa.String(16))
    state: str = Field(sa_type=sa.String(16))
    content: str = Field(sa_type=JSON_TEXT)
    collapse_key: str = Field(sa_type=sa.String(64))
    created_at: datetime = Field(sa_type=Instant)
    due_at: datetime = Field(sa_type=Instant)
    expires_at: datetime = Field(sa_type=Instant)
    attempts: int = 0
    unsent: int = 0
    ambiguous: int = 0
    first_tried_at: datetime | None = Field(default=None, sa_type=Instant)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    leased_until: datetime | None = Field(default=None, sa_type=Instant)
    fence: int = Field(default=0, sa_type=sa.BigInteger)
    reason: str = Field(default="", sa_type=sa.String(128))
    settled_at: datetime | None = Field(default=None, sa_type=Instant)
    send_id: UUID | None = None
    topic_kind: str | None = Field(default=None, sa_type=sa.String(16))
    topic: str | None = Field(default=None, sa_type=sa.Text)
    category: str = Field(
        default="", sa_type=sa.String(64), sa_column_kwargs={"server_default": sa.text("''")}
    )
    untold: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    exact: bool = Field(default=False, sa_column_kwargs={"server_default": sa.false()})
    app_id: str = Field(sa_type=sa.String(64), sa_column_kwargs=_APP_ID)


NO_DEVICE = UUID(int=0)
"""The device of a push that goes to a topic."""


class AttemptRow(Row, table=True):
    """A settled attempt; one that is under way is the push's own state."""

    __tablename__ = "attempts"

    push_id: UUID = Field(primary_key=True, foreign_key="pushes.id", ondelete="CASCADE")
    number: int = Field(primary_key=True)
    verdict: str = Field(sa_type=sa.String(16))
    reason: str = Field(sa_type=sa.String(128))
    provider_id: str = Field(sa_type=sa.String(255))
    started_at: datetime = Field(sa_type=Instant)
    settled_at: datetime = Field(sa_type=Instant)


class PushRequestRow(Row, table=True):
    """An idempotency key that a server used to send pushes, and for what."""

    __tablename__ = "push_requests"
    __table_args__ = (sa.Index("ix_push_requests_created_at", "created_at"),)

    key: str = Field(primary_key=True, sa_type=sa.String(255))
    digest: str = Field(sa_type=sa.String(64))
    created_at: datetime = Field(sa_type=Instant)
