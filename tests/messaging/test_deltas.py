"""Those who ask for changes are sent changes; nobody else notices."""

import asyncio
import json
import random
from itertools import pairwise

import pytest

from messaging.connections.departures import Departures
from messaging.delivery.deltas import KEPT, KEPT_BYTES, Changes, DeltaFanout
from messaging.protocol import fossil
from messaging.protocol.codec import Codec
from messaging.protocol.json_codec import JSON
from messaging.protocol.protobuf_codec import PROTOBUF
from messaging.protocol.values import Publication
from tests.messaging.test_departures import Written, turn

CHANNEL = "seats:hall"


def plan(number: int, *, offset: int | None = None) -> Publication:
    """A seating plan that differs from the others in a few letters."""
    seats = [{"seat": seat, "guest": f"ضيف {seat}"} for seat in range(40)]
    seats[number % 40]["guest"] = "نور"
    data = json.dumps(seats, ensure_ascii=False).encode()
    return Publication(data, offset=number if offset is None else offset)


class Reader:
    """What a client makes of what its wire was sent."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.wire: Written
        self.before = b""
        self.deltas: list[bool] = []

    def payloads(self) -> list[bytes]:
        payloads = []
        for frame in (frame for write in self.wire.writes for frame in write):
            for push in self.codec.decode_answers(frame):
                data = self.codec.unquoted(push.event.data)
                self.deltas.append(push.event.delta)
                if push.event.delta:
                    data = fossil.apply(self.before, data, limit=65_536)
                payloads.append(data)
                self.before = data
        self.wire.writes.clear()
        return payloads


@pytest.fixture
def departures() -> Departures:
    return Departures()


@pytest.fixture
def fanout(departures: Departures) -> DeltaFanout:
    return DeltaFanout(CHANNEL, departures)


def reader(departures: Departures, fanout: DeltaFanout, codec: Codec = JSON) -> Reader:
    made = Reader(codec)
    made.wire = Written(departures, codec)
    fanout.add(made.wire)
    return made


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)
async def test_the_first_publication_is_whole_and_the_others_say_what_changed(
    departures, fanout, codec
):
    client = reader(departures, fanout, codec)

    for number in (1, 2, 3):
        fanout.send(plan(number))
        await turn()

    assert client.payloads() == [plan(number).data for number in (1, 2, 3)]
    assert client.deltas == [False, True, True]


async def test_several_publications_of_one_turn_keep_their_order(departures, fanout):
    client = reader(departures, fanout)

    for number in (1, 2, 3):
        fanout.send(plan(number))
    await turn()

    assert client.payloads() == [plan(number).data for number in (1, 2, 3)]


async def test_who_joins_later_begins_with_a_whole_one_and_disturbs_nobody(departures, fanout):
    early, late = reader(departures, fanout), Reader(PROTOBUF)
    late.wire = Written(departures, PROTOBUF)
    fanout.send(plan(1))
    fanout.send(plan(2))
    fanout.add(late.wire)
    fanout.send(plan(3))
    fanout.send(plan(4))
    await turn()

    assert early.payloads() == [plan(number).data for number in (1, 2, 3, 4)]
    assert late.payloads() == [plan(3).data, plan(4).data]
    assert early.deltas == [False, True, True, True]
    assert late.deltas == [False, True]


async def test_a_change_is_made_and_encoded_once_for_all(departures, fanout):
    clients = [reader(departures, fanout) for _ in range(3)]
    fanout.send(plan(1))
    await turn()
    fanout.send(plan(2))
    await turn()

    first, second = clients[0].wire.writes, clients[2].wire.writes
    assert first[0][0] is second[0][0]
    assert first[1][0] is second[1][0]


async def test_a_publication_that_has_nothing_in_common_is_sent_whole(departures, fanout):
    client = reader(departures, fanout)
    fanout.send(plan(1))
    fanout.send(Publication(b'{"closed":true}', offset=2))
    fanout.send(plan(3))
    await turn()

    assert client.payloads() == [plan(1).data, b'{"closed":true}', plan(3).data]
    assert client.deltas == [False, False, False]


async def test_a_publication_outside_the_stream_is_part_of_the_chain(departures, fanout):
    """Clients compare with whatever they heard last, wherever it is kept."""
    client = reader(departures, fanout)
    fanout.send(plan(1))
    fanout.send(plan(7, offset=0))
    fanout.send(plan(2))
    await turn()

    assert client.payloads() == [plan(1).data, plan(7).data, plan(2).data]
    assert client.deltas == [False, True, True]


async def test_who_left_and_came_back_begins_anew(departures, fanout):
    client = reader(departures, fanout)
    fanout.send(plan(1))
    await turn()
    fanout.discard(client.wire)
    assert len(fanout) == 0
    fanout.send(plan(2))
    fanout.add(client.wire)
    fanout.send(plan(3))
    await turn()

    assert client.payloads() == [plan(1).data, plan(3).data]
    assert client.deltas == [False, False]


async def test_what_is_no_publication_goes_to_everybody_and_changes_nothing(departures, fanout):
    client = reader(departures, fanout)
    fanout.send(plan(1))
    await turn()
    assert client.payloads() == [plan(1).data]
    newcomer = reader(departures, fanout)

    fanout.tell(lambda codec: b"news")
    await turn()
    assert client.wire.writes == newcomer.wire.writes == [[b"news"]]
    client.wire.writes.clear()
    newcomer.wire.writes.clear()

    fanout.send(plan(2))
    await turn()
    assert client.payloads() == newcomer.payloads() == [plan(2).data]
    assert (client.deltas[-1], newcomer.deltas[-1]) == (True, False)


async def test_what_was_sent_before_leaving_is_read_before_the_answer_to_it(departures, fanout):
    client = reader(departures, fanout)
    fanout.send(plan(1))
    fanout.discard(client.wire)
    client.wire.send(b'{"id":1,"unsubscribe":{}}')
    await turn()

    [first], [second] = client.wire.writes
    assert b'"pub"' in first
    assert second == b'{"id":1,"unsubscribe":{}}'


@pytest.mark.parametrize("codec", [JSON, PROTOBUF], ids=lambda codec: codec.name)
def test_what_was_missed_is_one_chain(codec):
    missed = [plan(number) for number in range(5, 10)]

    chain = Changes().chain(missed, codec)

    before, heard = b"", []
    for each in chain:
        data = codec.unquoted(each.data)
        before = fossil.apply(before, data, limit=65_536) if each.delta else data
        heard.append(before)
    assert heard == [each.data for each in missed]
    assert [each.delta for each in chain] == [False, True, True, True, True]
    assert [each.offset for each in chain] == [5, 6, 7, 8, 9]


def test_a_change_is_kept_for_others_who_missed_it_but_not_for_ever():
    changes = Changes()
    plans = [plan(number) for number in range(1, KEPT + 10)]

    changes.chain(plans, JSON)
    first = changes.between(plans[-2], plans[-1])

    assert changes.between(plans[-2], plans[-1]).data is first.data
    assert len(changes._made) == KEPT


def test_large_changes_are_kept_up_to_a_limit_of_bytes():
    changes = Changes()
    parts = [random.Random(number).randbytes(10_000).hex() for number in range(12)]
    both = [
        Publication(json.dumps([one, two]).encode(), offset=offset)
        for offset, (one, two) in enumerate(pairwise(parts), 1)
    ]

    changes.chain(both, JSON)

    assert 1 < len(changes._made) < 4
    assert sum(map(len, changes._made.values())) <= KEPT_BYTES


async def test_arabic_letters_survive_being_compared(departures, fanout):
    client = reader(departures, fanout)
    texts = ["مبروك " * 20 + end for end in ("سلام", "سلاح", "سماح")]
    for offset, text in enumerate(texts, 1):
        fanout.send(Publication(json.dumps(text, ensure_ascii=False).encode(), offset=offset))
    await asyncio.sleep(0)

    assert [json.loads(each) for each in client.payloads()] == texts
    assert client.deltas == [False, True, True]
