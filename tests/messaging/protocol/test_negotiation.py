"""Which wire format a handshake asks for."""

import pytest

from messaging.protocol.json_codec import JSON
from messaging.protocol.negotiation import Agreement, agree
from messaging.protocol.protobuf_codec import PROTOBUF


@pytest.mark.parametrize(
    ("offered", "query", "codec", "subprotocol"),
    [
        ([], {}, JSON, None),
        ([""], {}, JSON, None),
        (["chat"], {}, JSON, None),
        (["centrifuge-json"], {}, JSON, "centrifuge-json"),
        (["chat", "centrifuge-protobuf"], {}, PROTOBUF, "centrifuge-protobuf"),
        (["centrifuge-json", "centrifuge-protobuf"], {}, JSON, "centrifuge-json"),
        ([], {"format": "protobuf"}, PROTOBUF, None),
        ([], {"cf_protocol": "protobuf"}, PROTOBUF, None),
        ([], {"format": "json", "cf_protocol_version": "v2"}, JSON, None),
        (["centrifuge-json"], {"format": "protobuf"}, PROTOBUF, "centrifuge-json"),
    ],
)
def test_the_subprotocol_or_the_query_chooses_the_format(offered, query, codec, subprotocol):
    assert agree(offered, query) == Agreement(codec, subprotocol, native_pings=False)


def test_a_client_may_ask_for_the_pings_of_the_websocket():
    assert agree([], {"cf_ws_frame_ping_pong": "true"}).native_pings
