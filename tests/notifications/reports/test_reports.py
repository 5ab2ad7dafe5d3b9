"""What devices tell of pushes."""

from datetime import timedelta
from uuid import uuid4

import msgspec
import pytest

from kernel.errors import InvalidInput
from kernel.identity import Principal, Scope
from notifications.adapters.sql_reports import SqlReports
from notifications.reports.reports import Reports, Said
from notifications.reports.routes import operations
from notifications.reports.signing import ReportSigner
from notifications.reports.types import ReportEvent
from tests.support.factories_notifications import AMINA, KARIM, registration, server, user
from tests.support.sending import SendingRoom, request

SERVER = server(Scope.PUSHES)
SIGNER = ReportSigner(["secret"])


@pytest.fixture
def room(database, clock, metrics):
    return SendingRoom(database, clock, metrics)


@pytest.fixture
def reports(room, metrics):
    return Reports(
        store=SqlReports(room.database), signer=SIGNER, clock=room.clock, metrics=metrics
    )


async def test_reports_count_once_each_in_the_status_of_their_send(room, reports, clock):
    for number, user_id in enumerate((AMINA, KARIM)):
        await room.register(user_id, registration(number))
    send = await room.sends.send(SERVER, request(AMINA, KARIM))
    await room.hand_on()
    page = await room.sends.pushes(SERVER, send.id, states=(), cursor=None, limit=10)
    first, second = (SIGNER.signed(each.push.id) for each in page.items)
    earlier = clock.now() - timedelta(seconds=5)

    said = [
        Said(first, ReportEvent.SHOWN, earlier),
        Said(first, ReportEvent.OPENED),
        Said(second, ReportEvent.SHOWN, clock.now() + timedelta(days=1)),
        Said("forged", ReportEvent.OPENED),
        Said(SIGNER.signed(uuid4()), ReportEvent.OPENED),
    ]
    assert await reports.tell(said) == 4
    clock.move(seconds=60)
    assert await reports.tell([*said, Said(first, ReportEvent.SHOWN)]) == 5

    status = await room.sends.status(SERVER, send.id)
    assert status.tally.reports == {"shown": 2, "opened": 1}
    page = await room.sends.pushes(SERVER, send.id, states=(), cursor=None, limit=10)
    assert page.items[0].reports["shown"] == earlier
    # A phone whose clock is ahead said it when we heard it.
    assert page.items[1].reports["shown"] == earlier + timedelta(seconds=5)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_whoever_has_a_signed_id_may_report_and_no_more_than_a_hundred_at_once(reports):
    (tell,) = operations(reports)
    assert (tell.open, tell.rpc, tell.scope) == (True, True, None)
    for who in (Principal(), user(AMINA), SERVER):
        body = msgspec.convert({"reports": [{"report_id": "x", "event": "shown"}]}, tell.takes)
        assert (await tell.run(who, body)).taken == 0

    with pytest.raises(InvalidInput):
        await reports.tell([Said("x", ReportEvent.SHOWN)] * 101)
