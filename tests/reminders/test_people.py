"""What users may say of themselves, and what their devices say of where they are."""

from datetime import time

import pytest

from kernel.errors import InvalidInput
from reminders.people import LATEST_DIGEST
from reminders.person import Quiet
from tests.support.factories_reminders import AMINA, user

ALGIERS, PARIS = "Africa/Algiers", "Europe/Paris"


async def put(room, **more):
    return await room.people.put(user(AMINA), zone=ALGIERS, locale="fr-DZ", **more)


@pytest.mark.parametrize("start", [time(16, 30), time(0)], ids=["past midnight", "within a day"])
async def test_quiet_hours_leave_eight_of_the_day(room, start):
    longest = Quiet(start, start.replace(hour=(start.hour + 16) % 24))
    too_long = Quiet(start, longest.end.replace(minute=start.minute + 1))

    assert (await put(room, quiet=longest)).quiet == longest
    with pytest.raises(InvalidInput, match="quiet"):
        await put(room, quiet=too_long)


async def test_a_digest_comes_at_eleven_at_the_latest(room):
    assert (await put(room, digest_at=LATEST_DIGEST)).digest_at == time(11)
    with pytest.raises(InvalidInput, match="digest_at"):
        await put(room, digest_at=time(11, 1))


async def test_where_a_device_is_counts_at_once_only_if_its_user_says_so(room):
    await put(room)

    heard = await room.people.report_zone(user(AMINA), zone=PARIS)
    assert (heard.zone_now, heard.candidate_zone) == (ALGIERS, PARIS)

    believed = await room.people.report_zone(user(AMINA), zone=PARIS, confirmed=True)
    assert (believed.zone_now, believed.candidate_zone) == (PARIS, None)
    assert await room.people.get(user(AMINA)) == believed


async def test_a_device_names_a_zone_that_there_is(room):
    await put(room)

    with pytest.raises(InvalidInput, match="zone"):
        await room.people.report_zone(user(AMINA), zone="Africa/Atlantis")
