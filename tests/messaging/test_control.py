"""Orders to every node's hub."""

import pytest

from kernel.bus import Publication
from messaging.nodes.control import CONTROL, Disconnect, Unsubscribe, order_of, publication_of_order
from tests.support.factories_messaging import AMINA


@pytest.mark.parametrize(
    "order",
    [
        Unsubscribe(user_id=AMINA, channel="conversation:1", code=2000),
        Disconnect(user_id=AMINA, code=3500),
    ],
)
def test_an_order_arrives_as_it_was_given(order):
    publication = publication_of_order(order)

    assert publication.channel == CONTROL
    assert publication.position is None
    assert order_of(publication) == order


@pytest.mark.parametrize(
    "data", [b'{"type":"dance"}', b'{"type":"disconnect"}', b"[]", b"not json", b""]
)
def test_an_order_of_another_version_is_none_of_ours(data):
    assert order_of(Publication(CONTROL, data)) is None
