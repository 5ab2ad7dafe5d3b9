"""Messaging's tables."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row

USER_ID = sa.String(128)
CHANNEL = sa.String(255)


class ConversationRow(Row, table=True):
    """A conversation. `direct_key` names the pair of a direct one, so that there is only one."""

    # Every message rewrites `top`; free space in the page keeps the indexes out of it.
    __tablename__ = "conversations"
    __table_args__ = ({"postgresql_with": {"fillfactor": 70}},)

    id: UUID = Field(primary_key=True)
    kind: str = Field(sa_type=sa.String(16))
    title: str = Field(sa_type=sa.String(200))
    direct_key: str | None = Field(default=None, unique=True, sa_type=sa.String(257))
    created_by: str = Field(sa_type=USER_ID)
    created_at: datetime = Field(sa_type=Instant)
    top: int = Field(default=0, sa_type=sa.BigInteger)


class MemberRow(Row, table=True):
    """A user in a conversation. The index serves a user's list: ids of ours are in time order.

    Without a `read_mark` nobody knows what they have read: they were there before it was kept.
    """

    __tablename__ = "members"
    __table_args__ = (sa.Index("ix_members_user_id_conversation_id", "user_id", "conversation_id"),)

    conversation_id: UUID = Field(primary_key=True, foreign_key="conversations.id")
    user_id: str = Field(primary_key=True, sa_type=USER_ID)
    role: str = Field(sa_type=sa.String(16))
    joined_at: datetime = Field(sa_type=Instant)
    muted: bool = False
    read_mark: int | None = Field(default=None, sa_type=sa.BigInteger)


class MessageRow(Row, table=True):
    """A message. The statement that inserts it has locked its conversation: no foreign key."""

    __tablename__ = "messages"
    __table_args__ = (sa.UniqueConstraint("conversation_id", "sender_id", "idempotency_key"),)

    conversation_id: UUID = Field(primary_key=True)
    offset: int = Field(primary_key=True, sa_type=sa.BigInteger)
    id: UUID = Field(unique=True)
    sender_id: str = Field(sa_type=USER_ID)
    body: str = Field(sa_type=JSON_TEXT)
    idempotency_key: str = Field(sa_type=sa.String(64))
    sent_at: datetime = Field(sa_type=Instant)


class StreamRow(Row, table=True):
    """The place of a channel's stream. Its publications are gone once `kept_until` is over.

    Where nothing was published until `known_until`, the stream itself may be forgotten; should
    it begin anew, it does so with another epoch.
    """

    # Every publication rewrites it; see conversations.
    __tablename__ = "streams"
    __table_args__ = (
        sa.Index("ix_streams_kept_until", "kept_until"),
        sa.Index("ix_streams_known_until", "known_until"),
        {"postgresql_with": {"fillfactor": 70}},
    )

    channel: str = Field(primary_key=True, sa_type=CHANNEL)
    epoch: str = Field(sa_type=sa.String(16))
    top: int = Field(default=0, sa_type=sa.BigInteger)
    version: int = Field(default=0, sa_type=sa.BigInteger)
    version_epoch: str = Field(default="", sa_type=sa.String(64))
    kept_until: datetime | None = Field(default=None, sa_type=Instant)
    known_until: datetime = Field(sa_type=Instant)


class PublicationRow(Row, table=True):
    """A publication of a stream. Its stream's row was locked when it was written."""

    __tablename__ = "publications"

    channel: str = Field(primary_key=True, sa_type=CHANNEL)
    offset: int = Field(primary_key=True, sa_type=sa.BigInteger)
    data: str = Field(sa_type=JSON_TEXT)
    extra: str = Field(sa_type=JSON_TEXT)


class PublicationKeyRow(Row, table=True):
    """An idempotency key that was published under, and what came of it."""

    __tablename__ = "publication_keys"
    __table_args__ = (sa.Index("ix_publication_keys_expires_at", "expires_at"),)

    channel: str = Field(primary_key=True, sa_type=CHANNEL)
    key: str = Field(primary_key=True, sa_type=sa.String(64))
    epoch: str = Field(sa_type=sa.String(16))
    offset: int = Field(sa_type=sa.BigInteger)
    expires_at: datetime = Field(sa_type=Instant)
