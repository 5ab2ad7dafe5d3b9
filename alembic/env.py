"""Runs migrations on the connection that `server/migrations.py` hands over."""

import sqlalchemy as sa
from alembic import context


def render_item(kind, item, autogen_context):
    """Render the house's own column types as plain ones: a migration imports only `sa` and `op`."""
    if kind != "type":
        return False
    if type(item).__name__ == "Instant":
        return 'sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")'
    if type(item).__name__ == "AutoString":
        return f"sa.String({item.length})" if item.length else "sa.String()"
    if isinstance(item, sa.types.TypeDecorator):
        raise NotImplementedError(f"say here how a migration writes {type(item).__name__}")
    return False


connection = context.config.attributes["connection"]
is_sqlite = connection.dialect.name == "sqlite"

context.configure(
    connection=connection,
    target_metadata=context.config.attributes.get("metadata"),
    render_item=render_item,
    render_as_batch=True,
    compare_type=True,
    compare_server_default=True,
    # On SQLite the whole upgrade is one transaction, so that a second process waits for it.
    # Alembic would commit after each migration unless told that tables are made in transactions.
    transactional_ddl=True,
    transaction_per_migration=not is_sqlite,
)

with context.begin_transaction():
    context.run_migrations()
    if is_sqlite:
        broken = connection.execute(sa.text("PRAGMA foreign_key_check")).fetchall()
        if broken:
            raise RuntimeError(f"the migration broke foreign keys: {broken[:5]}")
