"""Who may read the audit trail, and how."""

import pytest

from kernel.errors import Denied, InvalidInput
from kernel.identity import Scope
from notifications.adapters.sql_audit import SqlAudit
from notifications.audit.trail import Trail
from notifications.audit.types import AuditQuery, actor_of, deed_of
from tests.support.factories_notifications import AMINA, server, user

ALL = AuditQuery()


@pytest.fixture
def audit(sqlite_database):
    return SqlAudit(sqlite_database)


@pytest.fixture
def trail(audit):
    return Trail(audit=audit)


@pytest.mark.parametrize(
    "principal", [user(AMINA), server(), server(*(set(Scope) - {Scope.OPERATE}))]
)
async def test_only_operators_read_it(trail, principal):
    with pytest.raises(Denied):
        await trail.page(principal, ALL, cursor=None, limit=10)


async def test_cursors_lead_through_all_of_it(trail, audit, clock):
    for number in range(5):
        await audit.record([deed_of(server(), "push.sent", f"push:{number}")], now=clock.now())
        clock.move(seconds=1)

    found, cursor = [], None
    while True:
        page = await trail.page(server(Scope.OPERATE), ALL, cursor=cursor, limit=2)
        found += [each.deed.subject for each in page.items]
        cursor = page.cursor
        if cursor is None:
            break

    assert found == ["push:4", "push:3", "push:2", "push:1", "push:0"]


@pytest.mark.parametrize("limit", [0, 201])
async def test_a_page_is_of_a_sensible_size(trail, limit):
    with pytest.raises(InvalidInput):
        await trail.page(server(Scope.OPERATE), ALL, cursor=None, limit=limit)


async def test_a_cursor_of_somebody_elses_making_is_refused(trail):
    with pytest.raises(InvalidInput):
        await trail.page(server(Scope.OPERATE), ALL, cursor="eA", limit=10)


def test_a_user_who_acts_is_whom_it_concerns():
    deed = deed_of(user(AMINA), "device.forgotten", "device:1")

    assert (deed.actor, deed.user_id) == ("user:amina", AMINA)


def test_a_server_is_named_by_its_key():
    deed = deed_of(server(), "push.sent", "push:1", user_id=AMINA, devices=2)

    assert (deed.actor, deed.user_id, deed.details) == (
        actor_of(server()),
        AMINA,
        {"devices": 2},
    )
    assert deed.actor.startswith("key:")
