"""The nightly clean-up: once a night, by one node."""

from datetime import UTC, datetime, timedelta

import pytest

from kernel.adapters.sql_leases import SqlLeases
from kernel.metrics import Metrics
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_registry import SqlRegistry
from notifications.audit.types import AuditQuery, Deed
from notifications.registry.cleanup import Cleanup
from notifications.registry.options import CleanupOptions
from notifications.types import Permission
from tests.support.factories_notifications import Room
from tests.support.metrics import value_of


@pytest.fixture
def room(sqlite_database, clock, metrics):
    return Room(sqlite_database, clock, metrics)


@pytest.fixture
def node(room):
    def node(name="a", metrics=None):
        return Cleanup(
            registry=SqlRegistry(room.database),
            audit=SqlAudit(room.database),
            leases=SqlLeases(room.database),
            node_id=name,
            clock=room.clock,
            metrics=metrics or Metrics(),
            options=CleanupOptions(hour=2),
        )

    return node


def move_to(clock, hour, *, days=0):
    now = clock.now()
    wanted = datetime(now.year, now.month, now.day, hour, 30, tzinfo=UTC) + timedelta(days=days)
    clock.move(seconds=(wanted - now).total_seconds())


async def left(room):
    return sum(each.devices for each in await SqlRegistry(room.database).counts())


async def test_it_waits_for_the_night(room, node, clock):
    await room.phones(2, permission=Permission.DENIED)
    move_to(clock, 14, days=40)
    cleanup = node()

    await cleanup.step()
    assert await left(room) == 2

    move_to(clock, 2, days=1)
    await cleanup.step()
    assert await left(room) == 0


async def test_one_node_works_each_night_and_another_the_next(room, node, clock):
    move_to(clock, 2, days=1)
    nodes = [node("a"), node("b")]
    for each in nodes:
        await each.step()
    await room.phones(2, permission=Permission.DENIED)
    clock.move(hours=1)
    for each in [*nodes, node("restarted")]:
        await each.step()
    assert await left(room) == 2

    move_to(clock, 2, days=40)
    await nodes[1].step()

    assert await left(room) == 0


async def test_more_than_a_batch_goes_in_one_night_and_is_counted(room, node, clock, monkeypatch):
    monkeypatch.setattr("notifications.registry.cleanup.BATCH", 2)
    await room.phones(5, permission=Permission.DENIED)
    move_to(clock, 2, days=40)
    metrics = Metrics()

    await node(metrics=metrics).step()

    assert await left(room) == 0
    assert value_of(metrics, "notifications_devices_cleaned_total", why="refused") == 5


async def test_the_audit_trail_is_kept_its_time(room, node, clock):
    audit = SqlAudit(room.database)
    await audit.record([Deed("key:1", "push.sent", "push:1")], now=clock.now())
    move_to(clock, 2, days=399)
    await node("a").step()
    assert len(await audit.page(AuditQuery(), before=None, limit=9)) == 1

    move_to(clock, 2, days=2)
    await node("a").step()

    assert await audit.page(AuditQuery(), before=None, limit=9) == []
