"""The tables of apps and their credentials."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row


class AppRow(Row, table=True):
    """An app beside the default one, which needs no row."""

    __tablename__ = "apps"

    id: str = Field(primary_key=True, sa_type=sa.String(64))
    name: str = Field(sa_type=sa.String(128))
    created_at: datetime = Field(sa_type=Instant)


class CredentialRow(Row, table=True):
    """What an app shows to a provider: sealed with the key that `key_id` names.

    The app is no foreign key: the default one has no row.
    """

    __tablename__ = "credentials"

    app_id: str = Field(primary_key=True, sa_type=sa.String(64))
    provider: str = Field(primary_key=True, sa_type=sa.String(16))
    version: int = Field(sa_type=sa.BigInteger)
    key_id: str = Field(sa_type=sa.String(64))
    sealed: bytes = Field(sa_type=sa.LargeBinary)
    details: str = Field(sa_type=JSON_TEXT)
    fingerprint: str = Field(sa_type=sa.String(64))
    changed_at: datetime = Field(sa_type=Instant)
