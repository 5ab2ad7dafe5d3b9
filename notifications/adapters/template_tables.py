"""The tables of templates."""

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field

from kernel.adapters.database import JSON_TEXT, Instant, Row

TEMPLATE_NAME = sa.String(64)
AUTHOR = sa.String(64)


class TemplateRow(Row, table=True):
    """A template: its newest version, and the one in use (0: none), since which revision."""

    __tablename__ = "templates"
    __table_args__ = (sa.Index("ix_templates_revision", "revision"),)

    name: str = Field(primary_key=True, sa_type=TEMPLATE_NAME)
    newest: int
    live: int
    revision: int = Field(sa_type=sa.BigInteger)
    changed_at: datetime = Field(sa_type=Instant)


class TemplateVersionRow(Row, table=True):
    """What a template said at one time. Written once and never changed."""

    __tablename__ = "template_versions"

    name: str = Field(
        primary_key=True, sa_type=TEMPLATE_NAME, foreign_key="templates.name", ondelete="CASCADE"
    )
    number: int = Field(primary_key=True)
    template: str = Field(sa_type=JSON_TEXT)
    note: str = Field(sa_type=sa.Text)
    created_at: datetime = Field(sa_type=Instant)
    created_by: str = Field(sa_type=AUTHOR)


class TemplatePublicationRow(Row, table=True):
    """That a version was put to use; the revision says when, among all templates."""

    __tablename__ = "template_publications"

    name: str = Field(
        primary_key=True, sa_type=TEMPLATE_NAME, foreign_key="templates.name", ondelete="CASCADE"
    )
    revision: int = Field(primary_key=True, sa_type=sa.BigInteger)
    version: int
    published_at: datetime = Field(sa_type=Instant)
    published_by: str = Field(sa_type=AUTHOR)


class TemplateRevisionRow(Row, table=True):
    """The one row with the newest revision. Its lock orders publications as they commit."""

    __tablename__ = "template_revisions"

    id: int = Field(primary_key=True)
    newest: int = Field(sa_type=sa.BigInteger)
