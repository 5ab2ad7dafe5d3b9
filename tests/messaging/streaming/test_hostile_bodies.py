"""Whatever arrives at `/emulation` and the streams is answered with a documented status."""

import asyncio
import json
import tracemalloc

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.protocol import client_pb2
from messaging.protocol.emulation import EmulationRequest, emulation_request
from tests.support.factories_messaging import AMINA
from tests.support.realtime import PATIENCE, Node, serving
from tests.support.streaming import streaming

DOCUMENTED = {204, 400, 404, 413}

pieces = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=40))
members = st.dictionaries(st.sampled_from(["node", "session", "data", "x"]), pieces)
bodies = st.one_of(
    st.binary(max_size=300),
    members.map(lambda said: json.dumps(said).encode()),
    st.builds(
        lambda node, session, data: client_pb2.EmulationRequest(
            node=node, session=session, data=data
        ).SerializeToString(),
        st.text(max_size=20),
        st.text(max_size=20),
        st.binary(max_size=200),
    ),
)


@given(bodies, st.booleans())
def test_a_body_says_something_or_nothing_and_never_raises(body, binary):
    said = emulation_request(body, binary=binary)

    assert said is None or isinstance(said.data, bytes)


@given(st.text(), st.text(), st.text())
def test_what_was_said_in_json_is_heard(node, session, data):
    body = json.dumps({"node": node, "session": session, "data": data}).encode()

    assert emulation_request(body, binary=False) == EmulationRequest(node, session, data.encode())


def test_a_length_that_is_only_declared_costs_nothing():
    """Field 3, said to be 2^31 - 1 bytes long, of which three came."""
    body = b"\x1a\xff\xff\xff\xff\x07abc"
    tracemalloc.start()

    said = emulation_request(body, binary=True)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert said is None
    assert peak < 100_000


@pytest.fixture
async def node(sqlite_database):
    async with serving(Node(sqlite_database)) as running:
        yield running


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given=st.data())
async def test_nothing_but_a_documented_status_comes_out(node, given):
    async with streaming(node, AMINA) as stream:
        for _ in range(5):
            if given.draw(st.booleans()):
                frame = given.draw(st.one_of(st.text(max_size=200), st.just("{}")))
                said = {**stream.connected, "data": frame}
                said = {name: said[name] for name in ("node", "session", "data")}
                body = json.dumps(said).encode()
            else:
                body = given.draw(bodies)
            kind = given.draw(st.sampled_from(["application/json", "application/octet-stream"]))

            assert await stream.post(body, **{"content-type": kind}) in DOCUMENTED
    await node.until(lambda: not node.hub.connections)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["sse", "http_stream", "uni_sse", "uni_http_stream"]),
    st.sampled_from(["application/json", "application/octet-stream"]),
    bodies,
)
async def test_a_stream_begins_with_anything_and_ends_or_is_refused(node, transport, kind, body):
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{node.http_url}/connection/{transport}", data=body, headers={"content-type": kind}
        ) as answer,
    ):
        assert answer.status in {200, 400, 413}
        if answer.status == 200:
            # Nobody gets in with these: the stream says so and ends by itself.
            async with asyncio.timeout(PATIENCE):
                assert await answer.read()
    assert not node.sessions._wires
