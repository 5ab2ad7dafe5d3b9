"""Whatever the bus does, every listener gets every publication once and in order."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Gap, Publication, StreamPosition
from kernel.errors import Unavailable
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.delivery.following import HubOptions
from messaging.facts import member_removed
from messaging.nodes.control import CONTROL, LEFT, Unsubscribe, node_channel, publication_of_order
from messaging.protocol import events, frames, values
from messaging.protocol.codes import UnsubscribeCode
from messaging.protocol.results import Error
from messaging.recovery.recovery import RecoveryOptions
from tests.support.factories_messaging import AMINA, KARIM, member
from tests.support.realtime import Node, channel_of, serving, talking


class UnreliableBus(MemoryBus):
    """Does to publications what a test says: nothing, once, twice, later."""

    def __init__(self) -> None:
        super().__init__()
        self.fate: Callable[[Publication], list[Publication]] = lambda each: [each]

    def publish(self, publications: list[Publication]) -> None:
        super().publish([again for each in publications for again in self.fate(each)])

    def report(self, *channels: str) -> None:
        """Tell every listener of a gap."""
        for listener in {each for there in self._followers.values() for each in there}:
            listener._heard.append(Gap(frozenset(channels)))
            listener._news.set()


def lost(_: Publication) -> list[Publication]:
    return []


@pytest.fixture
def bus() -> UnreliableBus:
    return UnreliableBus()


@pytest.fixture
async def node(sqlite_database: Database, bus: UnreliableBus) -> AsyncIterator[Node]:
    """It never polls by itself within a test, so that nothing is mended by chance."""
    options = HubOptions(poll_seconds=200, linger_seconds=0.1)
    open_to_all = ChannelOptions(allow_subscribe_for_client=True)
    node = Node(
        sqlite_database,
        bus=bus,
        hub_options=options,
        channel_settings=ChannelSettings(without_namespace=open_to_all),
    )
    async with serving(node) as running:
        # The first look happens at once; from then on the tests decide.
        await running.until(lambda: running.catchup._cursor is not None)
        yield running


async def polled(node: Node) -> None:
    """The next look at the database is due now."""
    node.catchup._polled_at = node.clock.monotonic() - node.hub_options.poll_seconds
    await node.catchup.step()


# --- order ----------------------------------------------------------------------------------------


async def test_loss_repetition_and_overtaking_are_mended_from_the_log(node, bus):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    dice = random.Random(7)
    held: list[Publication] = []

    def badly(each: Publication) -> list[Publication]:
        fate = dice.random()
        if fate < 0.3:
            return []
        if fate < 0.6:
            held.append(each)
            return []
        released, held[:] = held[:], []
        dice.shuffle(released)
        return [each, *released] if fate < 0.8 else [*released, each, each]

    bus.fate = badly
    async with talking(node, AMINA) as one, talking(node, KARIM) as two:
        await one.subscribe(channel)
        await two.subscribe(channel)
        await node.say(there, AMINA, *map(str, range(200)))
        bus.fate = lambda each: [each]
        await node.say(there, AMINA, "the last one arrives")

        for talker in (one, two):
            await talker.until(lambda: len(talker.offsets(channel)) == 201)  # noqa: B023
            assert talker.offsets(channel) == list(range(1, 202))


async def test_a_lost_last_publication_is_found_by_looking_at_the_outbox(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lost
        await node.say(there, AMINA, "nobody hears this")

        await polled(node)

        await amina.until(lambda: amina.offsets(channel) == [1])


async def test_after_a_long_time_without_a_look_everything_is_looked_at(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lost
        await node.say(there, AMINA, "nobody hears this")
        node.catchup._polled_at = float("-inf")

        await node.catchup.step()

        await amina.until(lambda: amina.offsets(channel) == [1])


async def test_a_gap_makes_the_hub_read_the_log(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lost
        await node.say(there, AMINA, *map(str, range(450)))

        bus.report(channel)

        await amina.until(lambda: len(amina.offsets(channel)) == 450)
        assert amina.offsets(channel) == list(range(1, 451))


async def test_a_channel_that_moves_on_while_its_top_is_looked_up_keeps_its_place(node):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    tops = node.streams.tops

    async def overtaken(channels: Any) -> Any:
        found = await tops(channels)
        await node.say(there, AMINA, "one")
        await node.until(lambda: node.following.find(channel).ordering.offset == 1)
        return found

    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        node.streams.tops = overtaken  # type: ignore[method-assign]
        node.following.suspect([node.following.find(channel)])
        await amina.until(lambda: amina.offsets(channel) == [1])
        await node.until(lambda: not node.following.suspects)
        node.streams.tops = tops  # type: ignore[method-assign]
        await node.say(there, AMINA, "two")

        await amina.until(lambda: amina.offsets(channel) == [1, 2])
        assert node.metric("messaging_channel_restarts_total") == 0


async def test_a_gap_during_a_look_is_looked_into_by_another(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    tops = node.streams.tops

    async def lost_after_looking(channels: Any) -> Any:
        found = await tops(channels)
        node.streams.tops = tops  # type: ignore[method-assign]
        bus.fate = lost
        await node.say(there, AMINA, "nobody hears this")
        bus.report(channel)
        await asyncio.sleep(0.02)
        return found

    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        node.streams.tops = lost_after_looking  # type: ignore[method-assign]
        node.following.suspect([node.following.find(channel)])

        await amina.until(lambda: amina.offsets(channel) == [1])


async def test_hearsay_of_what_is_not_in_the_log_does_no_harm(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    epoch = await node.store.epoch()
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.publish([Publication(channel, b"{}", StreamPosition(7, epoch))])
        bus.publish([Publication(channel, b"{}", StreamPosition(1, "another"))])
        await node.until(lambda: not node.following.behind and not node.following.suspects)
        await node.say(there, AMINA, "one")

        await amina.until(lambda: amina.offsets(channel) == [1])


async def test_who_is_too_far_behind_subscribes_anew_and_recovers(sqlite_database, bus):
    options = HubOptions(poll_seconds=3600, page=5, behind=10)
    async with serving(Node(sqlite_database, bus=bus, hub_options=options)) as node:
        there = await node.conversation(AMINA)
        channel = channel_of(there)
        async with talking(node, AMINA) as amina:
            await amina.subscribe(channel)
            bus.fate = lost
            await node.say(there, AMINA, *map(str, range(11)))
            bus.report(channel)

            await amina.until(lambda: amina.pushes)
            [push] = amina.pushes
            assert push.event == events.Unsubscribe(2500, "insufficient state")
            result = await amina.subscribe(channel)
            assert result.recovered
            assert len(result.publications) == 11


async def test_a_new_epoch_makes_everybody_subscribe_anew(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        node.store._epoch = "restored"
        bus.publish([Publication(channel, b"{}", StreamPosition(1, "restored"))])

        await amina.until(lambda: amina.pushes)
        assert amina.pushes[0].event == events.Unsubscribe(2500, "insufficient state")
        result = await amina.subscribe(channel)
        assert (result.epoch, result.recovered, result.was_recovering) == ("restored", False, True)


async def test_what_has_no_place_in_the_stream_goes_out_as_it_comes(node, bus):
    channel = "news"
    async with talking(node, AMINA) as amina:
        result = await amina.subscribe(channel)
        assert not result.recoverable
        bus.publish([Publication(channel, b'{"kind":"typing"}')])

        await amina.until(lambda: amina.pushes)
        assert amina.pushes[0].event.data == b'{"kind":"typing"}'


# --- two nodes ------------------------------------------------------------------------------------


async def test_listeners_on_two_nodes_hear_the_same(sqlite_database, bus):
    one = Node(sqlite_database, bus=bus)
    two = Node(sqlite_database, bus=bus)
    async with serving(one), serving(two):
        there = await one.conversation(AMINA, KARIM)
        channel = channel_of(there)
        async with talking(one, AMINA) as amina, talking(two, KARIM) as karim:
            await amina.subscribe(channel)
            await karim.subscribe(channel)
            for number in range(20):
                await one.say(there, AMINA, f"a{number}")
                await two.say(there, KARIM, f"k{number}")

            for talker in (amina, karim):
                await talker.until(lambda: len(talker.offsets(channel)) == 40)  # noqa: B023
                assert talker.offsets(channel) == list(range(1, 41))


async def test_a_client_that_comes_from_a_node_ahead_of_this_one_recovers(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    epoch = await node.store.epoch()
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lost
        await node.say(there, AMINA, "one", "two")
        ahead = {channel: values.StreamPosition(2, epoch)}
        async with talking(node, AMINA, positions=ahead) as returning:
            result = await returning.subscribe(channel)

        assert result.recovered
        assert result.publications == ()
        await amina.until(lambda: amina.offsets(channel) == [1, 2])


# --- recovery -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tail", [True, False], ids=["from what is at hand", "from the log"])
async def test_a_returning_client_gets_what_it_missed_and_then_what_comes(node, tail):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    async with talking(node, KARIM) as listener:
        if tail:
            await listener.subscribe(channel)
        async with talking(node, AMINA) as amina:
            await amina.subscribe(channel)
            await node.say(there, KARIM, "one")
            await amina.until(lambda: amina.offsets(channel) == [1])
            positions = dict(amina.protocol.positions)
        if not tail:
            await node.until(lambda: node.following.find(channel).idle_since is not None)
            await asyncio.sleep(node.hub_options.linger_seconds)
            await node.following.unfollow_idle()
            assert node.following.find(channel) is None
        await node.say(there, KARIM, "two", "three")
        async with talking(node, AMINA, positions=positions) as amina:
            result = await amina.subscribe(channel)
            await node.say(there, KARIM, "four")
            await amina.until(lambda: amina.offsets(channel) == [4])

    assert (result.recovered, result.was_recovering, result.offset) == (True, True, 1)
    assert [each.offset for each in result.publications] == [2, 3]


async def test_many_who_return_from_different_places_read_the_log_once(node):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    epoch = await node.store.epoch()
    await node.say(there, AMINA, *map(str, range(20)))

    async def returns(offset: int) -> list[int]:
        positions = {channel: values.StreamPosition(offset, epoch)}
        async with talking(node, AMINA, positions=positions) as amina:
            result = await amina.subscribe(channel)
            return [each.offset for each in result.publications]

    together = await asyncio.gather(*map(returns, range(0, 20, 2)))
    later = [await returns(offset) for offset in range(1, 20, 2)]

    assert together == [list(range(offset + 1, 21)) for offset in range(0, 20, 2)]
    assert later == [list(range(offset + 1, 21)) for offset in range(1, 20, 2)]
    assert node.metric("messaging_log_reads_total", cause="recovery") == 1


@pytest.mark.parametrize(("offset", "epoch"), [(0, "_"), (1, "another"), (99, ""), (0, "")])
async def test_what_cannot_be_recovered_is_said_or_refused_as_asked(sqlite_database, offset, epoch):
    options = RecoveryOptions(publications=2)
    async with serving(Node(sqlite_database, recovery_options=options)) as node:
        there = await node.conversation(AMINA)
        channel = channel_of(there)
        await node.say(there, AMINA, "one", "two", "three")
        positions = {channel: values.StreamPosition(offset, epoch)}
        async with talking(node, AMINA, positions=positions) as amina:
            refused = await amina.subscribe(channel, flag=3)
            assert refused == Error(112, "unrecoverable position")
            result = await amina.subscribe(channel, flag=1)

        assert (result.was_recovering, result.recovered) == (True, False)
        assert (result.publications, result.offset) == ((), 3)


async def test_clients_that_subscribe_while_messages_arrive_have_no_hole_and_no_double(node):
    """The strict client fails on any of them."""
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    await node.say(there, AMINA, "first")
    epoch = await node.store.epoch()
    from_start = {channel: values.StreamPosition(0, epoch)}

    async def writes() -> None:
        for number in range(150):
            await node.say(there, AMINA, str(number))

    async def reads() -> list[int]:
        async with talking(node, KARIM, positions=from_start) as karim:
            result = await karim.subscribe(channel)
            missed = [each.offset for each in result.publications]
            await karim.until(lambda: karim.protocol.positions[channel].offset == 151)
            return missed + karim.offsets(channel)

    async with asyncio.TaskGroup() as group:
        group.create_task(writes())
        readers = []
        for _ in range(12):
            readers.append(group.create_task(reads()))
            await asyncio.sleep(0.02)

    for reader in readers:
        assert reader.result() == list(range(1, 152))


# --- orders ---------------------------------------------------------------------------------------


async def test_who_is_removed_hears_no_more_on_any_node(sqlite_database, bus):
    one, two = Node(sqlite_database, bus=bus), Node(sqlite_database, bus=bus)
    async with serving(one), serving(two):
        there = await one.conversation(AMINA, KARIM)
        channel = channel_of(there)
        async with talking(two, KARIM) as karim:
            await karim.subscribe(channel)
            async with talking(one, AMINA) as amina:
                await amina.rpc(
                    "conversations.remove_member",
                    b'{"conversation_id":"%b","user_id":"karim"}' % str(there.id).encode(),
                )
            await karim.until(lambda: karim.pushes)
            await one.say(there, AMINA, "among ourselves")
            assert (await karim.subscribe(channel)).code == 103

        [push] = karim.pushes
        assert push == frames.Push(events.Unsubscribe(2500, "insufficient state"), channel)


async def test_who_came_back_before_an_old_order_to_leave_arrives_subscribes_again(node):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    order = Unsubscribe(user_id=KARIM, channel=channel, code=LEFT)
    async with talking(node, KARIM) as karim:
        await karim.subscribe(channel)
        node.hub.relay([publication_of_order(order)])
        await karim.until(lambda: karim.pushes)

        assert UnsubscribeCode(karim.pushes[0].event.code).resubscribes
        assert not isinstance(await karim.subscribe(channel), Error)


async def test_an_order_that_was_missed_is_made_up_for_after_a_gap(node, bus):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    async with talking(node, KARIM) as karim, talking(node, AMINA) as amina:
        await karim.subscribe(channel)
        await amina.subscribe(channel)
        await node.conversations.remove_member(there.id, KARIM, then=[])
        bus.report(CONTROL)

        await karim.until(lambda: karim.pushes)
        assert karim.pushes[0].event.code == LEFT
        await node.say(there, AMINA, "one")
        await amina.until(lambda: amina.offsets(channel) == [1])
        assert karim.offsets(channel) == []


async def test_a_removal_whose_order_was_lost_is_found_in_the_outbox(node):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    removal = member_removed(there.id, KARIM)
    async with talking(node, KARIM) as karim:
        await karim.subscribe(channel)
        await node.conversations.remove_member(there.id, KARIM, then=[removal])

        await polled(node)

        await karim.until(lambda: karim.pushes)
        assert karim.pushes[0].event.code == LEFT


async def test_who_may_not_listen_is_found_while_still_being_subscribed(node):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    open_channel = node.following.open

    async def slowly(name: str) -> Any:
        await node.conversations.remove_member(there.id, KARIM, then=[])
        node.hub.unchecked = True
        await node.catchup.step()
        return await open_channel(name)

    node.following.open = slowly  # type: ignore[method-assign]
    async with talking(node, KARIM) as karim:
        assert await karim.subscribe(channel) == Error(103, "permission denied")


async def test_listeners_are_checked_again_when_the_database_could_not_tell(node):
    there = await node.conversation(AMINA, KARIM)
    strangers = node.access.strangers

    async def away(_listeners: Any) -> Any:
        raise Unavailable("The database does not answer.")

    async with talking(node, KARIM) as karim:
        await karim.subscribe(channel_of(there))
        await node.conversations.remove_member(there.id, KARIM, then=[])
        node.hub.unchecked = True
        node.access.strangers = away  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            await node.catchup.step()
        node.access.strangers = strangers  # type: ignore[method-assign]

        await node.catchup.step()

        await karim.until(lambda: karim.pushes)
        assert karim.pushes[0].event.code == LEFT


async def test_an_order_ends_a_subscription_that_is_being_set_up(node, bus):
    there = await node.conversation(AMINA, KARIM)
    channel = channel_of(there)
    open_channel = node.following.open

    async def removed_meanwhile(name: str) -> Any:
        order = Unsubscribe(user_id=KARIM, channel=channel, code=2000)
        node.hub.relay([publication_of_order(order)])
        return await open_channel(name)

    node.following.open = removed_meanwhile  # type: ignore[method-assign]
    async with talking(node, KARIM) as karim:
        assert await karim.subscribe(channel) == Error(103, "permission denied")
        assert not any(each.subscriptions for each in node.hub.connections)


async def test_what_is_no_order_goes_to_whoever_asked_for_it(node, bus):
    taken: list[Publication] = []
    node.hub.confidants.append(taken.append)
    to_all = Publication(CONTROL, b'{"type":"greeting"}')
    to_us = Publication(node_channel(node.node_id), b'{"type":"greeting"}')
    to_another = Publication(node_channel("another"), b'{"type":"greeting"}')
    order = publication_of_order(Unsubscribe(user_id=KARIM, channel="a", code=2000))

    bus.publish([to_all, to_another, order, to_us])
    await node.until(lambda: len(taken) > 1)

    assert taken == [to_all, to_us]


# --- following ------------------------------------------------------------------------------------


async def test_a_channel_is_let_go_some_time_after_its_last_listener(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        assert channel in bus._followers
    await node.until(lambda: node.following.find(channel).idle_since is not None)
    await node.following.unfollow_idle()
    assert channel in bus._followers

    await asyncio.sleep(node.hub_options.linger_seconds)
    await node.following.unfollow_idle()

    assert channel not in bus._followers
    assert node.following.find(channel) is None


async def test_while_nobody_listens_to_the_bus_a_subscribe_is_a_temporary_error(sqlite_database):
    node = Node(sqlite_database)
    async with serving(node, workers=[node.wheel]), talking(node, AMINA) as amina:
        there = await node.conversation(AMINA)
        error = await amina.subscribe(channel_of(there))

        assert (error.code, error.temporary) == (100, True)
        assert node.following.find(channel_of(there)) is None


async def test_a_hub_that_starts_again_follows_and_looks_at_everything(node, bus):
    there = await node.conversation(AMINA)
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lost
        await node.say(there, AMINA, "nobody hears this")
        bus.fate = lambda each: [each]

        async with bus.listen() as another:
            await node.following.begin(another, control=frozenset({CONTROL}))
            await amina.until(lambda: amina.offsets(channel) == [1])


async def test_many_who_come_at_once_are_looked_up_together(node):
    there = [await node.conversation(AMINA) for _ in range(20)]
    asked: list[int] = []
    tops = node.streams.tops

    async def counted(channels: Any) -> Any:
        asked.append(len(channels))
        return await tops(channels)

    node.streams.tops = counted  # type: ignore[method-assign]
    async with asyncio.TaskGroup() as group:
        for each in there:
            group.create_task(node.following.open(channel_of(each)))

    assert asked == [20]


async def test_metrics_tell_what_the_hub_does(node, bus):
    there = await node.conversation(AMINA)
    await node.conversations.put_member(member(there, KARIM))
    channel = channel_of(there)
    async with talking(node, AMINA) as amina:
        await amina.subscribe(channel)
        bus.fate = lambda each: [each, each]
        await node.say(there, AMINA, "one")
        await amina.until(lambda: amina.offsets(channel) == [1])

        assert node.metric("messaging_connections", transport="websocket") == 1
        assert node.metric("messaging_subscriptions") == 1
        assert node.metric("messaging_channels") == 1
        assert node.metric("messaging_publications_relayed_total") == 1
        assert node.metric("messaging_publications_odd_total", kind="stale") == 1
    await node.until(lambda: node.metric("messaging_connections", transport="websocket") == 0)
    assert node.metric("messaging_subscriptions") == 0
