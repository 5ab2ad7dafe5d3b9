"""Places at which devices remind by themselves: kept as they are given."""

import msgspec
import pytest

from reminders import shapes
from reminders.bodies import details_body, details_of
from reminders.nearby import Nearby
from tests.support.factories_reminders import AMINA, user
from tests.support.weddings import wedding

SHOP = Nearby("Pâtisserie", 36.7538, 3.0588, leaving=True)


async def test_a_tasks_places_are_kept(anywhere):
    room = anywhere
    body = shapes.DetailsBody(
        nearby=[shapes.NearbyBody("Pâtisserie", 36.7538, 3.0588, leaving=True)]
    )
    event_id = await wedding(room)

    task = await room.tasks.create(
        user(AMINA), event_id, title="Gâteau", due=None, details=details_of(body)
    )

    kept = (await room.tasks.get(user(AMINA), event_id, task.id)).task.details
    assert kept.nearby == (SHOP,)
    assert details_body(kept) == body


@pytest.mark.parametrize(
    "wrong",
    [{"latitude": 91}, {"longitude": -181}, {"radius_metres": 10}, {"radius_metres": 60_000}],
)
def test_what_is_nowhere_is_refused(wrong):
    asked = {"label": "x", "latitude": 0, "longitude": 0, **wrong}

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"nearby": [asked]}, shapes.DetailsBody)
