"""The tables of preferences, of consent, and of Ramadan."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row


class PreferenceRow(Row, table=True):
    """All that a user has said, as JSON: it is always read as a whole."""

    __tablename__ = "preferences"

    user_id: str = Field(primary_key=True, sa_type=sa.String(128))
    choices: str = Field(sa_type=JSON_TEXT)
    changed_at: datetime = Field(sa_type=Instant)


class ConsentRow(Row, table=True):
    """An entry of the record of consent. Ids are made in the order of time."""

    __tablename__ = "consents"
    __table_args__ = (sa.Index("ix_consents_user_id_id", "user_id", "id"),)

    id: UUID = Field(primary_key=True)
    user_id: str = Field(sa_type=sa.String(128))
    category: str = Field(sa_type=sa.String(64))
    given: bool
    text_version: str = Field(sa_type=sa.String(64))
    source: str = Field(sa_type=sa.String(64))
    recorded_by: str = Field(sa_type=sa.String(255))
    recorded_at: datetime = Field(sa_type=Instant)


class RamadanRow(Row, table=True):
    """When Ramadan is, in one year of the Hijri calendar."""

    __tablename__ = "ramadans"

    year: int = Field(primary_key=True, sa_type=sa.Integer)
    starts_on: date = Field(sa_type=sa.Date)
    ends_on: date = Field(sa_type=sa.Date)
    announced: bool
