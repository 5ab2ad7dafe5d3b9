"""Migrations: up, down and up again, on both databases, and equal to the tables in the code."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database, DatabaseOptions
from kernel.errors import Unavailable
from server import migrations
from server.failures import SchemaOutdated
from server.wiring.tables import METADATA


async def tables_of(url: str) -> set[str]:
    database = Database(DatabaseOptions(url=url))
    try:
        async with database.reading() as connection:
            return set(await connection.run_sync(lambda on: sa.inspect(on).get_table_names()))
    finally:
        await database.close()


async def test_up_makes_every_table_and_down_leaves_none(empty_url):
    await migrations.upgrade(empty_url)
    assert await tables_of(empty_url) == {*METADATA.tables, "alembic_version"}

    await migrations.downgrade(empty_url, "base")
    assert await tables_of(empty_url) == {"alembic_version"}

    await migrations.upgrade(empty_url)
    assert await tables_of(empty_url) == {*METADATA.tables, "alembic_version"}


async def test_each_migration_can_be_undone_and_done_again(empty_url):
    revisions = [path.name[:4] for path in sorted(migrations.scripts().glob("versions/*.py"))]

    for before, revision in zip(["base", *revisions], revisions, strict=False):
        await migrations.upgrade(empty_url, revision)
        await migrations.downgrade(empty_url, before)
        await migrations.upgrade(empty_url, revision)

    assert (await migrations.state(empty_url)).is_current


async def test_the_tables_in_the_code_are_those_that_migrations_make(empty_url):
    await migrations.upgrade(empty_url)

    assert await migrations.differences(empty_url, METADATA) == []


async def test_a_table_that_no_migration_makes_is_found(empty_url):
    await migrations.upgrade(empty_url)
    metadata = sa.MetaData()
    for table in METADATA.tables.values():
        table.to_metadata(metadata)
    sa.Table("forgotten", metadata, sa.Column("id", sa.Integer, primary_key=True))

    assert "forgotten" in str(await migrations.differences(empty_url, metadata))


async def test_upgrading_what_is_current_changes_nothing(empty_url):
    await migrations.upgrade(empty_url)
    await migrations.upgrade(empty_url)

    assert (await migrations.state(empty_url)).is_current


def test_nodes_that_upgrade_at_once_wait_for_each_other(empty_url):
    """Processes, as nodes are: Alembic keeps the migration under way in a global."""
    command = [sys.executable, "-m", "server", "db", "upgrade"]
    environment = {**os.environ, "ZAFFA_DATABASE_URL": empty_url}
    nodes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    said = [node.communicate(timeout=60)[0] for node in nodes]

    assert [node.returncode for node in nodes] == [0, 0, 0]
    assert all("up to date" in text for text in said)


async def test_an_upgrade_of_sqlite_is_one_transaction(tmp_path):
    """Between two of them another node would begin in the middle."""
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    commits: list[str] = []

    def count(connection: sa.Connection) -> None:
        commits.append(str(connection.engine.url))

    sa.event.listen(sa.Engine, "commit", count)
    try:
        await migrations.upgrade(url)
    finally:
        sa.event.remove(sa.Engine, "commit", count)

    assert len(commits) == 1
    assert (await migrations.state(url)).is_current


async def test_an_empty_database_is_refused_with_what_to_do(empty_url):
    state = await migrations.state(empty_url)

    with pytest.raises(SchemaOutdated, match="zaffa db upgrade"):
        state.demand()


async def test_an_old_schema_is_refused_with_what_to_do():
    with pytest.raises(SchemaOutdated, match=r"0001.*0002.*zaffa db upgrade"):
        migrations.SchemaState("0001", "0002").demand()


async def test_a_database_that_does_not_answer_is_unavailable():
    with pytest.raises(Unavailable, match="does not answer"):
        await migrations.state("postgresql://nobody@127.0.0.1:1/none")


async def test_a_new_migration_is_numbered_and_imports_nothing_of_the_house(tmp_path, monkeypatch):
    """The folder is a copy, so that the test writes nothing into the checkout."""
    copy = tmp_path / "alembic"
    (copy / "versions").mkdir(parents=True)
    for name in ("env.py", "script.py.mako"):
        (copy / name).write_text((migrations.scripts() / name).read_text())
    for path in migrations.scripts().glob("versions/*.py"):
        (copy / "versions" / path.name).write_text(path.read_text())
    monkeypatch.setattr(migrations, "scripts", lambda: copy)
    url = f"sqlite:///{tmp_path / 'x.sqlite3'}"
    metadata = sa.MetaData()
    for table in METADATA.tables.values():
        table.to_metadata(metadata)
    instant = METADATA.tables["outbox"].c.created_at.type
    sa.Table("letters", metadata, sa.Column("sent_at", instant, primary_key=True))

    written = (await migrations.write_revision("Keep letters.", metadata)).read_text()

    number = int(migrations.head())
    assert f'revision = "{number:04d}"' in written.replace("'", '"')
    assert written.startswith('"""Keep letters."""')
    assert "kernel" not in written
    assert 'with_variant(sa.BigInteger(), "sqlite")' in written
    await migrations.upgrade(url)
    assert "letters" in await tables_of(url)


def test_migrations_are_frozen_documents():
    for path in migrations.scripts().glob("versions/*.py"):
        imports = re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE)
        assert set(imports) <= {"sqlalchemy", "alembic"}, path.name


def test_the_folder_of_migrations_does_not_hide_alembic():
    assert not Path("alembic/__init__.py").exists()
