"""The whole room, driven by hand."""

import pytest

from tests.support.factories_reminders import room as build


@pytest.fixture
def room(sqlite_database, clock, metrics):
    """On SQLite; what differs between databases is in the stores' contracts."""
    return build(sqlite_database, clock, metrics)


@pytest.fixture
def anywhere(database, clock, metrics):
    """On each database."""
    return build(database, clock, metrics)
