"""What erasing a user promises."""

from dataclasses import replace
from uuid import uuid4

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Row
from kernel.adapters.sql_outbox import write_entries
from kernel.notices import Urgency, entry_of, notice_of
from notifications.adapters.push_rows import PUSHES
from notifications.adapters.sql_audit import SqlAudit
from notifications.adapters.sql_erasure import DEALT_WITH, DELETED, ERASED, SqlEraser
from notifications.audit.types import AuditQuery, Deed
from notifications.pushes import PushState
from server.wiring.tables import METADATA
from tests.support.factories_notifications import AMINA, KARIM, Room, notice, planned, registration

DEED = Deed("key:1", "user.erased", "user:sha256:0")


@pytest.fixture
def room(database, clock, metrics):
    return Room(database, clock, metrics)


@pytest.fixture
def erase(database, clock):
    async def erase(user_id=AMINA):
        return await SqlEraser(database).erase(user_id, deed=DEED, now=clock.now())

    return erase


async def rows_that_name(database, text):
    """In which tables a text is found, in any column of any row."""
    found = []
    async with database.reading() as connection:
        for table in METADATA.sorted_tables:
            rows = await connection.execute(sa.select(table))
            found += [table.name for row in rows if any(text in str(value) for value in row)]
    return found


async def test_nothing_names_an_erased_user_and_others_keep_everything(
    room, erase, database, clock
):
    for user_id, number in ((AMINA, 1), (KARIM, 2)):
        await room.register(user_id, registration(number))
        await room.tell(notice(user_id, key=f"for-{number}"))
        deed = Deed(f"user:{user_id}", "consent.given", f"user:{user_id}", user_id)
        await SqlAudit(database).record([deed], now=clock.now())
    before = await rows_that_name(database, KARIM)

    gone = await erase()

    assert (gone["devices"], gone["notifications"], gone["audit_records"]) == (1, 1, 1)
    assert await rows_that_name(database, AMINA) == []
    assert await rows_that_name(database, KARIM) == before
    assert await room.states() == {PushState.QUEUED: 1}


async def test_an_act_stays_on_record_without_the_name(erase, database, clock):
    deed = Deed("user:amina", "consent.given", "user:amina", AMINA, {"category": "marketing"})
    await SqlAudit(database).record([deed], now=clock.now())

    await erase()

    page = await SqlAudit(database).page(AuditQuery(action="consent"), before=None, limit=9)
    [kept] = [each.deed for each in page]
    assert (kept.actor, kept.subject, kept.user_id) == (f"user:{ERASED}", f"user:{ERASED}", None)
    assert kept.details == {"category": "marketing"}


async def test_a_campaigns_counts_stay_right_without_name_device_and_words(room, erase, database):
    campaign_id = uuid4()
    for number, user_id in ((1, AMINA), (2, KARIM)):
        device = await room.register(user_id, registration(number))
        notification, push = planned(device, urgency=Urgency.MARKETING)
        await room.pushes.plan(
            [replace(notification, campaign_id=campaign_id)],
            [replace(push, campaign_id=campaign_id)],
        )

    gone = await erase()

    assert gone["counted"] == 1
    assert await room.campaigns.counts(campaign_id) == {
        PushState.QUEUED: 1,
        PushState.SUPPRESSED: 1,
    }
    async with database.reading() as connection:
        suppressed = sa.select(PUSHES).where(PUSHES.c.state == PushState.SUPPRESSED)
        blank = (await connection.execute(suppressed)).one()
    assert (blank.user_id, blank.content, blank.reason) == ("", "{}", ERASED)
    assert await rows_that_name(database, AMINA) == []


async def test_lists_of_users_that_wait_or_are_kept_lose_the_name_alone(erase, database, clock):
    told = notice(AMINA, KARIM, template="amina", variables={"title": "a", "body": "b"})
    async with database.transaction() as connection:
        await write_entries(connection, [entry_of(told)], clock.now())

    await erase()

    async with database.reading() as connection:
        payload = (await connection.execute(sa.text("SELECT payload FROM outbox"))).scalar_one()
    kept = notice_of(payload.encode())
    assert kept.user_ids == (ERASED, KARIM)
    assert kept.template == "amina"


async def test_erasing_again_is_harmless_and_both_are_on_record(erase, room, database):
    await room.register(AMINA, registration())

    await erase()
    again = await erase()

    assert set(again.values()) == {0}
    page = await SqlAudit(database).page(AuditQuery(), before=None, limit=9)
    assert [each.deed.action for each in page] == ["user.erased"] * 2
    assert {each.deed.details["devices"] for each in page} == {0, 1}


def test_every_table_that_names_users_is_dealt_with():
    """A new table with users in it belongs into `sql_erasure.py`."""
    ours = [each for each in Row.__subclasses__() if each.__module__.startswith("notifications.")]
    naming = {each.__tablename__ for each in ours if "user_id" in each.model_fields}

    assert naming == {each.__tablename__ for each in DELETED} | set(DEALT_WITH)
