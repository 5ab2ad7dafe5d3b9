"""What every audit trail promises."""

from datetime import timedelta

import pytest

from kernel.ids import UserId
from notifications.adapters.sql_audit import SqlAudit, write_audit
from notifications.audit.types import SYSTEM, AuditQuery, Deed

AMINA = UserId("amina")
ALL = AuditQuery()


@pytest.fixture
def audit(database):
    return SqlAudit(database)


def deed(action="credential.changed", subject="app:shop", **more):
    return Deed("key:1", action, subject, **more)


async def actions(audit, query=ALL):
    page = await audit.page(query, before=None, limit=100)
    return [each.deed.action for each in page]


async def test_a_record_says_who_did_what_to_what_and_when(audit, clock):
    done = deed(user_id=AMINA, details={"fingerprint": "ab12", "devices": 3, "dry": True})

    await audit.record([done], now=clock.now())

    [record] = await audit.page(ALL, before=None, limit=10)
    assert (record.deed, record.at) == (done, clock.now())


async def test_pages_go_back_in_time_without_repeating_anything(audit, clock):
    for number in range(5):
        await audit.record([deed(f"push.sent{number}")], now=clock.now())
        clock.move(seconds=1)

    first = await audit.page(ALL, before=None, limit=2)
    rest = await audit.page(ALL, before=first[-1].id, limit=10)

    said = [each.deed.action for each in [*first, *rest]]
    assert said == ["push.sent4", "push.sent3", "push.sent2", "push.sent1", "push.sent0"]


async def test_a_query_finds_what_agrees_with_all_of_it(audit, clock):
    deeds = [
        deed("credential.changed"),
        deed("credential.removed", "app:cafe"),
        deed("credentials.sealed", user_id=AMINA),
        Deed(SYSTEM, "devices.cleaned", "devices:all"),
    ]
    for each in deeds:
        await audit.record([each], now=clock.now())
        clock.move(seconds=1)

    of_noun = await actions(audit, AuditQuery(action="credential"))
    assert of_noun == ["credential.removed", "credential.changed"]
    assert await actions(audit, AuditQuery(action="credential", subject="app:shop")) == [
        "credential.changed"
    ]
    assert await actions(audit, AuditQuery(actor=SYSTEM)) == ["devices.cleaned"]
    assert await actions(audit, AuditQuery(user_id=AMINA)) == ["credentials.sealed"]
    assert await actions(audit, AuditQuery(action="%")) == []


async def test_a_deed_and_its_record_are_kept_together_or_not_at_all(audit, database, clock):
    async def interrupted():
        async with database.transaction() as connection:
            await write_audit(connection, [deed()], clock.now())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await interrupted()

    assert await actions(audit) == []


async def test_pruning_takes_the_oldest_records_and_no_others(audit, clock):
    for number in range(4):
        await audit.record([deed(f"push.sent{number}")], now=clock.now())
        clock.move(days=1)

    assert await audit.prune(before=clock.now() - timedelta(days=2), limit=1) == 1
    assert await actions(audit) == ["push.sent3", "push.sent2", "push.sent1"]
    assert await audit.prune(before=clock.now() - timedelta(days=2), limit=9) == 1
    assert await audit.prune(before=clock.now() - timedelta(days=2), limit=9) == 0
    assert await actions(audit) == ["push.sent3", "push.sent2"]


async def test_strangers_words_are_kept_as_far_as_databases_can(audit, clock):
    await audit.record([deed(subject="x\0" * 300, details={"why": "\0\udc80"})], now=clock.now())

    [record] = await audit.page(ALL, before=None, limit=10)
    assert (record.deed.subject, record.deed.details) == ("x" * 255, {"why": "?"})
