"""What back ends experience with pycent: every method with every field, and every error."""

import base64
import time
from collections.abc import AsyncIterator
from uuid import uuid4

import cent
import pytest
from cent.exceptions import CentApiResponseError, CentUnauthorizedError

from tests.support.pycent import KEY, KINDS, Pycent, request
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]


@pytest.fixture(params=KINDS)
async def api(request: pytest.FixtureRequest, running_house: RunningHouse) -> AsyncIterator[Pycent]:
    opened = Pycent(request.param, running_house.url)
    yield opened
    await opened.close()


def new(namespace: str) -> str:
    return f"{namespace}:{uuid4().hex}"


async def test_what_is_published_is_in_the_history_as_it_was(api: Pycent) -> None:
    channel = new("kept")

    first = await api("publish", channel=channel, data={"text": "مرحبا"}, tags={"lang": "ar"})
    second = await api("publish", channel=channel, data=None, b64data=base64.b64encode(b"[1,2]"))

    found = await api("history", channel=channel, limit=10)
    assert (first.offset, second.offset) == (1, 2)
    assert first.epoch == second.epoch == found.epoch != ""
    assert found.offset == 2
    assert [(each.offset, each.data, each.tags) for each in found.publications] == [
        (1, {"text": "مرحبا"}, {"lang": "ar"}),
        (2, [1, 2], None),
    ]


async def test_a_publication_is_made_once_under_a_key(api: Pycent) -> None:
    channel = new("kept")

    first = await api("publish", channel=channel, data=1, idempotency_key="once")
    again = await api("publish", channel=channel, data=1, idempotency_key="once")

    assert first == again
    assert (await api("history", channel=channel)).offset == 1


async def test_what_skips_the_history_has_no_place_in_it(api: Pycent) -> None:
    channel = new("kept")

    passing = await api("publish", channel=channel, data=1, skip_history=True)

    assert (passing.offset, passing.epoch) == (0, "")
    assert (await api("history", channel=channel)).offset == 0


async def test_an_older_version_is_not_published(api: Pycent) -> None:
    channel = new("kept")
    await api("publish", channel=channel, data="new", version=7, version_epoch="a", delta=True)

    await api("publish", channel=channel, data="old", version=6, version_epoch="a")
    await api("publish", channel=channel, data="other", version=1, version_epoch="b")

    found = await api("history", channel=channel, limit=10)
    assert [each.data for each in found.publications] == ["new", "other"]


async def test_a_broadcast_answers_for_each_channel_in_order(api: Pycent) -> None:
    kept, passing = new("kept"), new("open")

    sent = await api(
        "broadcast", channels=[kept, "nowhere:1", passing, ""], data={"a": 1}, tags={"b": "c"}
    )

    codes = [each.error.code if each.error else 0 for each in sent.responses]
    assert codes == [0, 102, 0, 107]
    assert [each.result.offset for each in sent.responses if each.result] == [1, 0]
    (found,) = (await api("history", channel=kept, limit=-1)).publications
    assert (found.data, found.tags) == ({"a": 1}, {"b": "c"})


async def test_a_broadcast_is_made_once_per_channel_under_a_key(api: Pycent) -> None:
    channels = [new("kept"), new("open")]

    first = await api("broadcast", channels=channels, data=1, idempotency_key="once")
    again = await api("broadcast", channels=channels, data=1, idempotency_key="once")

    assert first == again
    assert (await api("history", channel=channels[0])).offset == 1


async def test_history_is_read_in_pages_in_both_directions(api: Pycent) -> None:
    channel = new("kept")
    for number in range(1, 6):
        last = await api("publish", channel=channel, data=number)
    since = cent.StreamPosition(offset=2, epoch=last.epoch)

    forward = await api("history", channel=channel, limit=2, since=since)
    backward = await api("history", channel=channel, limit=1, since=since, reverse=True)
    newest = await api("history", channel=channel, limit=2, reverse=True)
    nothing = await api("history", channel=channel)

    assert [each.offset for each in forward.publications] == [3, 4]
    assert [each.offset for each in backward.publications] == [1]
    assert [each.offset for each in newest.publications] == [5, 4]
    assert nothing.publications == []
    assert nothing.offset == 5


async def test_a_position_of_another_life_is_unrecoverable(api: Pycent) -> None:
    channel = new("kept")
    await api("publish", channel=channel, data=1)
    since = cent.StreamPosition(offset=0, epoch="another")

    with pytest.raises(CentApiResponseError) as refused:
        await api("history", channel=channel, limit=1, since=since)

    assert refused.value.code == 112


async def test_offsets_go_on_when_the_history_is_removed(api: Pycent) -> None:
    channel = new("kept")
    await api("publish", channel=channel, data=1)

    await api("history_remove", channel=channel)

    emptied = await api("history", channel=channel, limit=10)
    assert (emptied.publications, emptied.offset) == ([], 1)
    assert (await api("publish", channel=channel, data=2)).offset == 2


async def test_an_empty_channel_has_nobody_in_it(api: Pycent) -> None:
    channel = new("board")

    assert (await api("presence", channel=channel)).presence == {}
    stats = await api("presence_stats", channel=channel)
    assert (stats.num_clients, stats.num_users) == (0, 0)
    assert channel not in (await api("channels")).channels
    assert (await api("channels", pattern="board:*")).channels.keys().isdisjoint({channel})


async def test_orders_about_nobody_are_carried_out(api: Pycent) -> None:
    user = uuid4().hex

    await api("subscribe", user=user, channel=new("kept"))
    await api("unsubscribe", user=user, channel=new("kept"), client="c", session="s")
    await api("disconnect", user=user, whitelist=["c"])
    await api("refresh", user=user, expire_at=int(time.time()) + 60)


async def test_the_nodes_describe_themselves(api: Pycent) -> None:
    (node,) = (await api("info")).nodes

    assert node.uid
    assert node.name
    assert node.version
    assert node.process.rss > 1_000_000
    assert min(node.num_clients, node.num_users, node.num_subs, node.num_channels) >= 0


@pytest.mark.parametrize("parallel", [None, True])
async def test_a_batch_answers_each_command_in_order(api: Pycent, parallel: bool | None) -> None:
    channel = new("kept")

    published, other, stats, info = await api.batch(
        request("publish", channel=channel, data=1),
        request("broadcast", channels=[channel, new("open")], data=2),
        request("presence_stats", channel=new("board")),
        request("info"),
        parallel=parallel,
    )

    assert {published.offset, other.responses[0].result.offset} == {1, 2}
    assert stats.num_clients == 0
    assert len(info.nodes) == 1


async def test_a_batch_that_is_not_parallel_is_done_in_order(api: Pycent) -> None:
    channel = new("kept")

    await api.batch(*(request("publish", channel=channel, data=number) for number in range(20)))

    found = await api("history", channel=channel, limit=-1)
    assert [each.data for each in found.publications] == list(range(20))


async def test_users_are_blocked_and_let_in_again(api: Pycent) -> None:
    user = uuid4().hex

    await api("block_user", user=user, expire_at=int(time.time()) + 60)
    await api("unblock_user", user=user)
    await api("unblock_user", user=user)
    await api("block_user", user=user)


async def test_tokens_are_revoked_and_invalidated(api: Pycent) -> None:
    user, soon = uuid4().hex, int(time.time()) + 60

    await api("revoke_token", uid=uuid4().hex, expire_at=soon)
    await api("revoke_token", uid=uuid4().hex)
    await api("invalidate_user_tokens", user=user, issued_before=soon, channel="kept:1")
    await api("invalidate_user_tokens", user=user, expire_at=soon)


async def test_the_status_of_users_is_kept_until_it_is_deleted(api: Pycent) -> None:
    active, unknown = uuid4().hex, uuid4().hex
    before = int(time.time())

    await api("update_user_status", users=[active])
    told = await api("get_user_status", users=[unknown, active, unknown])
    await api("delete_user_status", users=[active])
    after = await api("get_user_status", users=[active])

    assert [each.user for each in told.statuses] == [unknown, active, unknown]
    assert told.statuses[0].active == told.statuses[0].online == 0
    assert told.statuses[1].active >= before
    assert after.statuses[0].active == 0


async def test_a_user_without_connections_has_none(api: Pycent) -> None:
    assert (await api("connections", user=uuid4().hex, expression="")).connections == {}


@pytest.mark.parametrize(
    ("code", "method", "fields"),
    [
        (102, "publish", {"channel": "nowhere:1", "data": 1}),
        (102, "subscribe", {"user": "a", "channel": "nowhere:1"}),
        (102, "unsubscribe", {"user": "a", "channel": "nowhere:1"}),
        (102, "presence", {"channel": "nowhere:1"}),
        (102, "presence_stats", {"channel": "nowhere:1"}),
        (102, "history", {"channel": "nowhere:1"}),
        (102, "history_remove", {"channel": "nowhere:1"}),
        (103, "subscribe", {"user": "a", "channel": f"conversation:{uuid4()}"}),
        (103, "subscribe", {"user": "a", "channel": "user:b"}),
        (107, "publish", {"channel": "", "data": 1}),
        (107, "publish", {"channel": f"conversation:{uuid4()}", "data": 1}),
        (107, "publish", {"channel": "kept:1", "data": None}),
        (107, "publish", {"channel": "kept:1", "data": None, "b64data": "no base64"}),
        (107, "publish", {"channel": "kept:1", "data": 1, "tags": {"a": "b" * 1000}}),
        (107, "publish", {"channel": "kept:1", "data": 1, "idempotency_key": "k" * 100}),
        (107, "broadcast", {"channels": [], "data": 1}),
        (107, "broadcast", {"channels": ["kept:1"] * 1001, "data": 1}),
        (107, "subscribe", {"user": "a", "channel": "kept:1", "b64info": "no base64"}),
        (107, "disconnect", {"user": "a", "disconnect": cent.Disconnect(code=1000)}),
        (107, "channels", {"pattern": "{open"}),
        (107, "block_user", {"user": "a", "expire_at": 1}),
        (107, "connections", {"user": "", "expression": ""}),
        (108, "presence", {"channel": "kept:1"}),
        (108, "presence_stats", {"channel": "kept:1"}),
        (108, "history", {"channel": "open:1", "limit": 1}),
        (108, "history_remove", {"channel": "open:1"}),
        (108, "history_remove", {"channel": f"conversation:{uuid4()}"}),
        (107, "disconnect", {"user": "a", "label_filter": {"key": "a", "cmp": "like", "val": "b"}}),
        (107, "unsubscribe", {"user": "a", "channel": "", "label_filter": {"op": "or"}}),
        (108, "connections", {"user": "", "expression": "client.user == 'a'"}),
    ],
)
async def test_an_error_says_what_is_wrong(
    api: Pycent, code: int, method: str, fields: dict[str, object]
) -> None:
    with pytest.raises(CentApiResponseError) as refused:
        await api(method, **fields)

    assert refused.value.code == code


@pytest.mark.parametrize("key", ["", f"{KEY}!", "zaffa_" + "0" * 32 + "_" + "0" * 64])
async def test_nobody_comes_in_without_a_good_key(running_house: RunningHouse, key: str) -> None:
    stranger = Pycent("async", running_house.url, key=key)

    with pytest.raises(CentUnauthorizedError):
        await stranger("publish", channel="kept:1", data=1)

    await stranger.close()
