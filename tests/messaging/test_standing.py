"""Users who are blocked and tokens that were revoked: out at once, and not in again."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from kernel.adapters.database import Database
from kernel.adapters.memory_bus import MemoryBus
from kernel.bus import Publication
from kernel.clock import SystemClock
from kernel.errors import InvalidInput, Unavailable
from kernel.identity import ANONYMOUS
from kernel.metrics import Metrics
from messaging.adapters.sql_restrictions import SqlRestrictions
from messaging.channels.namespaces import ChannelOptions, ChannelSettings
from messaging.errors import NothingStands, TokenRevoked, UserBlocked
from messaging.protocol import results
from messaging.protocol.requests import RefreshRequest, SubRefreshRequest
from messaging.protocol.results import Error
from messaging.standing.checks import KEPT, RECENT, WHOLE_SECONDS, Standing, StandingOptions
from messaging.standing.expulsion import REMEMBERED, Expulsion
from messaging.standing.ports import Change
from messaging.standing.restrictions import Restriction, RestrictionKind
from tests.support.clock import START, ManualClock
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, talking
from tests.support.standing import OPERATOR, Guarded, guarding

FOR_EVER = {"until": None, "reason": "", "by": OPERATOR}
_KEY = (RestrictionKind.USER, AMINA)


def _block(clock, **more: object) -> Restriction:
    return Restriction(*_KEY, clock.now(), **more)


async def _blocked(store: SqlRestrictions, clock, **more: object) -> None:
    await store.impose(_block(clock, **more))


@pytest.fixture
async def house(sqlite_database: Database) -> AsyncIterator[Guarded]:
    async with guarding(Guarded(sqlite_database)) as running:
        yield running


async def _answered(node: Node, token: str) -> object:
    """The answer to a connect, or the code with which the connection is closed."""
    async with talking(node) as talker:
        asked = talker.protocol.connect(token=token)
        answering = asyncio.create_task(talker.answer(asked))
        await asyncio.wait({answering})
        if answering.exception() is None:
            return answering.result()
        closed = answering.exception()
        return closed.rcvd.code


# --- blocks ---------------------------------------------------------------------------------------


async def test_a_blocked_user_is_put_out_for_good_and_not_let_in(house):
    async with talking(house.node, AMINA) as one, talking(house.node, AMINA) as two:
        await house.sanctions.block(AMINA, **FOR_EVER)

        assert await one.closed() == (3507, "permission denied")
        assert await two.closed() == (3507, "permission denied")

    assert await _answered(house.node, house.node.token(AMINA)) == 3507


async def test_others_do_not_notice(house):
    async with talking(house.node, KARIM) as karim:
        await house.sanctions.block(AMINA, **FOR_EVER)

        assert isinstance(await karim.rpc("conversations.list"), results.RPCResult)


async def test_an_unblocked_user_is_let_in_again(house):
    await house.sanctions.block(AMINA, **FOR_EVER)
    await house.sanctions.unblock(AMINA, by=OPERATOR)

    async with talking(house.node, AMINA):
        pass
    with pytest.raises(NothingStands):
        await house.sanctions.unblock(AMINA, by=OPERATOR)
    with pytest.raises(NothingStands):
        await house.sanctions.block_of(AMINA)


async def test_a_user_blocked_for_a_while_is_let_in_afterwards(house):
    until = SystemClock().now() + timedelta(seconds=0.3)
    await house.sanctions.block(AMINA, until=until, reason="cool down", by=OPERATOR)
    assert (await house.sanctions.block_of(AMINA)).reason == "cool down"
    assert await _answered(house.node, house.node.token(AMINA)) == 3507

    async with asyncio.timeout(5):
        while await _answered(house.node, house.node.token(AMINA)) == 3507:
            pass


async def test_over_http_a_blocked_user_is_denied(house):
    token = house.node.token(AMINA)
    assert (await house.tokens.verify(token)).user_id == AMINA
    await house.sanctions.block(AMINA, **FOR_EVER)

    with pytest.raises(UserBlocked):
        await house.tokens.verify(token)


async def test_a_refresh_does_not_help_a_blocked_user(sqlite_database):
    """Their node missed the order, and has not looked yet."""
    guarded = Guarded(sqlite_database, poll_seconds=30, hears=False)
    async with guarding(guarded), talking(guarded.node, AMINA) as amina:
        guarded.standing.on_change.clear()
        await guarded.sanctions.block(AMINA, **FOR_EVER)
        amina.protocol.request(RefreshRequest(guarded.node.token(AMINA)))
        await amina.flush()

        assert (await amina.closed())[0] == 3507


@pytest.mark.parametrize(
    "wrong",
    [
        {"user_id": "a b", "until": None, "reason": ""},
        {"user_id": AMINA, "until": datetime(2020, 1, 1, tzinfo=UTC), "reason": ""},
        {"user_id": AMINA, "until": None, "reason": "x" * 1001},
    ],
)
async def test_a_block_that_makes_no_sense_is_refused(house, wrong):
    with pytest.raises(InvalidInput):
        await house.sanctions.block(**wrong, by=OPERATOR)


# --- tokens ---------------------------------------------------------------------------------------


async def test_whoever_came_with_a_revoked_token_is_to_come_with_another(house):
    token = house.node.token(AMINA, jti="stolen")
    async with talking(house.node) as thief, talking(house.node) as amina:
        await thief.answer(thief.protocol.connect(token=token))
        await amina.answer(amina.protocol.connect(token=house.node.token(AMINA, jti="another")))
        await house.sanctions.revoke("stolen", expires_at=None, by=OPERATOR)

        assert await thief.closed() == (3014, "state invalidated")
        assert isinstance(await amina.rpc("conversations.list"), results.RPCResult)

    assert await _answered(house.node, token) == Error(109, "token expired")


async def test_tokens_issued_before_are_invalid_and_new_ones_are_not(house):
    now = int(SystemClock().now().timestamp())
    old, new = house.node.token(AMINA, iat=now - 60), house.node.token(AMINA, iat=now + 2)
    others = house.node.token(KARIM, iat=now - 60)
    async with talking(house.node) as amina:
        await amina.answer(amina.protocol.connect(token=old))
        instant = await house.sanctions.invalidate(
            AMINA, issued_before=None, expires_at=None, channel="", by=OPERATOR
        )
        assert await amina.closed() == (3014, "state invalidated")

    assert now <= instant.timestamp() <= now + 60
    assert await _answered(house.node, old) == Error(109, "token expired")
    assert isinstance(await _answered(house.node, new), results.ConnectResult)
    assert isinstance(await _answered(house.node, others), results.ConnectResult)


async def test_a_revoked_token_does_not_refresh(sqlite_database):
    guarded = Guarded(sqlite_database)
    async with guarding(guarded), talking(guarded.node, AMINA) as amina:
        await guarded.sanctions.revoke("old", expires_at=None, by=OPERATOR)
        amina.protocol.request(RefreshRequest(guarded.node.token(AMINA, jti="old")))
        await amina.flush()

        assert (await amina.closed())[0] == 3005


async def test_over_http_a_revoked_token_is_to_be_replaced(house):
    await house.sanctions.revoke("old", expires_at=None, by=OPERATOR)

    with pytest.raises(TokenRevoked):
        await house.tokens.verify(house.node.token(AMINA, jti="old"))


async def test_a_channels_subscription_tokens_are_invalidated_by_themselves(house):
    async with talking(house.node, AMINA) as amina:
        await amina.subscribe(f"user:{AMINA}")
        await house.sanctions.invalidate(
            AMINA, issued_before=None, expires_at=None, channel=f"user:{AMINA}", by=OPERATOR
        )
        await amina.until(lambda: amina.pushes)

        [push] = amina.pushes
        assert (push.channel, push.event.code) == (f"user:{AMINA}", 2502)
        assert isinstance(await amina.subscribe(f"user:{AMINA}"), results.SubscribeResult)
        await house.standing.step()
        assert isinstance(await amina.rpc("conversations.list"), results.RPCResult)
        assert len(amina.pushes) == 1

    await house.tokens.verify(house.node.token(AMINA, iat=1))
    await house.tokens.claims(house.node.token(AMINA, iat=1, channel="user:karim"))
    with pytest.raises(TokenRevoked):
        await house.tokens.claims(house.node.token(AMINA, iat=1, channel=f"user:{AMINA}"))


async def test_a_revoked_subscription_token_is_to_be_replaced(sqlite_database):
    channels = ChannelSettings(namespaces={"news": ChannelOptions()})
    guarded = Guarded(sqlite_database, more={"channel_settings": channels})
    async with guarding(guarded), talking(guarded.node, AMINA) as amina:
        token = guarded.node.token(AMINA, channel="news:1", jti="s1")
        await guarded.sanctions.revoke("s1", expires_at=None, by=OPERATOR)

        assert await amina.subscribe("news:1", token=token) == Error(109, "token expired")
        fresh = guarded.node.token(AMINA, channel="news:1", jti="s2")
        assert isinstance(await amina.subscribe("news:1", token=fresh), results.SubscribeResult)


async def test_a_subscription_ends_with_its_token_and_another_does_not(sqlite_database):
    channels = ChannelSettings(namespaces={"news": ChannelOptions()})
    guarded = Guarded(sqlite_database, more={"channel_settings": channels})
    async with guarding(guarded), talking(guarded.node, AMINA) as amina:
        for number in ("1", "2"):
            token = guarded.node.token(AMINA, channel=f"news:{number}", jti=f"s{number}")
            await amina.subscribe(f"news:{number}", token=token)
        fresh = guarded.node.token(AMINA, channel="news:2", jti="s3")
        await amina.answer(amina.protocol.request(SubRefreshRequest("news:2", fresh)))

        for token_id in ("s1", "s2"):
            await guarded.sanctions.revoke(token_id, expires_at=None, by=OPERATOR)
        await amina.until(lambda: amina.pushes)
        await amina.rpc("conversations.list")
        assert [(each.channel, each.event.code) for each in amina.pushes] == [("news:1", 2502)]

        await guarded.sanctions.revoke("s3", expires_at=None, by=OPERATOR)
        await amina.until(lambda: len(amina.pushes) > 1)
        assert amina.pushes[-1].channel == "news:2"


@pytest.mark.parametrize("claims", [{"jti": 7}, {"channel": 7}])
async def test_odd_claims_of_a_token_are_for_others_to_judge(house, claims):
    said = {"channel": "news", **claims}

    assert await house.tokens.claims(house.node.token(AMINA, **said))


@pytest.mark.parametrize("token_id", ["", "x" * 256, "a\0b"])
async def test_a_token_id_that_is_none_is_refused(house, token_id):
    with pytest.raises(InvalidInput):
        await house.sanctions.revoke(token_id, expires_at=None, by=OPERATOR)


async def test_who_was_connecting_with_a_revoked_token_is_found_a_little_later(sqlite_database):
    guarded = Guarded(sqlite_database)
    async with guarding(guarded):
        await guarded.sanctions.revoke("t1", expires_at=None, by=OPERATOR)
        # The token was good before it was revoked, and is answered after it.
        guarded.node.commands._connecting._verifier = guarded.tokens._tokens

        async with talking(guarded.node) as amina:
            token = guarded.node.token(AMINA, jti="t1")
            await amina.answer(amina.protocol.connect(token=token))
            assert (await amina.closed())[0] == 3014


async def test_a_revoked_token_is_looked_for_no_longer_than_needed(house):
    expulsion = Expulsion(house.node.hub, clock=(clock := ManualClock()), metrics=Metrics())
    revoked = Restriction(RestrictionKind.TOKEN, "t1", clock.now())
    async with talking(house.node) as odd, talking(house.node, KARIM):
        await odd.answer(odd.protocol.connect(token=house.node.token(AMINA, jti=["t1"])))
        expulsion.tell([revoked], False)
        assert await expulsion.step() == 1

        clock.move(seconds=REMEMBERED)
        expulsion.tell([revoked], True)
        assert await expulsion.step() == 1
        assert await expulsion.step() == 0
        assert isinstance(await odd.rpc("conversations.list"), results.RPCResult)


# --- several nodes --------------------------------------------------------------------------------


async def test_a_user_is_put_out_of_every_node(sqlite_database, bus):
    here, there = Guarded(sqlite_database, bus=bus), Guarded(sqlite_database, bus=bus)
    async with guarding(here), guarding(there), talking(there.node, AMINA) as amina:
        await here.sanctions.block(AMINA, **FOR_EVER)

        assert (await amina.closed())[0] == 3507
        assert await _answered(there.node, there.node.token(AMINA)) == 3507


async def test_a_node_that_missed_the_order_finds_out_by_itself(sqlite_database):
    here = Guarded(sqlite_database, bus=MemoryBus())
    there = Guarded(sqlite_database, bus=MemoryBus(), hears=False)
    async with guarding(here), guarding(there), talking(there.node, AMINA) as amina:
        await here.sanctions.block(AMINA, **FOR_EVER)

        assert (await amina.closed())[0] == 3507
        assert await _answered(there.node, there.node.token(AMINA)) == 3507


async def test_who_was_connecting_when_the_block_came_is_put_out(sqlite_database):
    guarded = Guarded(sqlite_database)
    async with guarding(guarded):
        guarded.standing.check(AMINA, {})
        await guarded.sanctions.block(AMINA, **FOR_EVER)
        # Their token was good before the block, and is answered after it.
        guarded.node.commands._connecting._verifier = guarded.tokens._tokens

        async with talking(guarded.node, AMINA) as amina:
            assert (await amina.closed())[0] == 3507


# --- keeping up -----------------------------------------------------------------------------------


@pytest.fixture
def standing(sqlite_database, clock):
    return Standing(
        SqlRestrictions(sqlite_database),
        clock=clock,
        metrics=Metrics(),
        options=StandingOptions(),
    )


async def test_nobody_is_let_in_before_it_is_known_who_may(standing):
    with pytest.raises(Unavailable):
        standing.check(AMINA, {})

    await standing.open()
    standing.check(AMINA, {})


async def test_what_is_known_counts_for_a_while_without_the_database(standing, clock):
    await standing.open()
    clock.move(seconds=59)
    standing.check(AMINA, {})

    clock.move(seconds=2)
    with pytest.raises(Unavailable):
        standing.check(AMINA, {})
    standing.check(ANONYMOUS, {})


async def test_a_node_that_was_away_for_long_begins_anew(sqlite_database, standing, clock):
    store = SqlRestrictions(sqlite_database)
    await _blocked(store, clock)
    await standing.open()
    await store.lift(*_KEY, now=clock.now())
    clock.move(seconds=KEPT.total_seconds() + 1)
    assert await store.prune(ended_before=clock.now(), limit=10) == 1

    await standing.look()

    standing.check(AMINA, {})


async def test_what_a_failover_lost_hides_nothing_that_came_after_it(standing, sqlite_database):
    """Numbers that were lost are given to others."""
    store = SqlRestrictions(sqlite_database)
    for number in range(5):
        await store.impose(Restriction(RestrictionKind.USER, f"user{number}", START))
    await standing.open()
    async with sqlite_database.transaction() as connection:
        await connection.execute(sa.text("DELETE FROM restrictions WHERE revision > 3"))
        await connection.execute(sa.text("UPDATE restriction_revisions SET newest = 3"))
    await store.impose(Restriction(*_KEY, START))
    await standing.look()
    assert standing._revision == 4

    with pytest.raises(UserBlocked):
        standing.check(AMINA, {})


async def test_what_is_gone_from_the_database_is_let_go_of_within_an_hour(
    standing, sqlite_database, clock
):
    await _blocked(SqlRestrictions(sqlite_database), clock)
    await standing.open()
    async with sqlite_database.transaction() as connection:
        await connection.execute(sa.text("DELETE FROM restrictions"))

    clock.move(seconds=WHOLE_SECONDS)
    await standing.look()

    standing.check(AMINA, {})


async def test_what_could_not_be_read_to_the_end_is_told_when_it_can(sqlite_database, clock):
    class Torn(SqlRestrictions):
        """A database that goes away between two pages."""

        away = False

        async def changes(self, *, after: int, limit: int) -> Sequence[Change]:
            if self.away and after > 0:
                raise Unavailable("away")
            changes = await super().changes(after=after, limit=limit)
            # A whole page, so that another one is asked for.
            return [*changes, *changes] * (limit // 2) if self.away else changes

    store = Torn(sqlite_database)
    standing = Standing(store, clock=clock, metrics=Metrics(), options=StandingOptions())
    told: list[str] = []
    standing.on_change.append(lambda changed, _: told.extend(each.subject for each in changed))
    await standing.open()
    await _blocked(store, clock)
    await store.impose(Restriction(RestrictionKind.USER, KARIM, START))

    store.away = True
    with pytest.raises(Unavailable):
        await standing.look()
    store.away = False
    await standing.look()

    assert told == [AMINA, KARIM]


async def test_changes_are_told_again_for_a_while(sqlite_database, standing, clock):
    told: list[bool] = []
    standing.on_change.append(lambda _, again: told.append(again))
    await standing.open()
    await _blocked(SqlRestrictions(sqlite_database), clock)

    await standing.step()
    assert told == [False, True]
    clock.move(seconds=RECENT + 1)
    await standing.step()
    assert told == [False, True]


async def test_what_ended_is_forgotten_and_removed(sqlite_database, standing, clock):
    store = SqlRestrictions(sqlite_database)
    await _blocked(store, clock, ends_at=clock.now() + timedelta(hours=1))
    await standing.open()

    clock.move(hours=1)
    await standing.step()
    assert len(standing._restrictions) == 0
    clock.move(days=2)
    await standing.step()
    assert await store.changes(after=0, limit=10) == []


async def test_more_than_a_page_of_restrictions_is_read(sqlite_database, clock):
    class Endless(SqlRestrictions):
        """As if there were two thousand and one of them."""

        async def changes(self, *, after: int, limit: int) -> list[Change]:
            block = _block(clock)
            return [Change(each, block) for each in range(after + 1, min(2001, after + limit) + 1)]

    standing = Standing(
        Endless(sqlite_database), clock=clock, metrics=Metrics(), options=StandingOptions()
    )
    await standing.open()

    assert standing._revision == 2001


async def test_other_news_between_nodes_is_none_of_its_business(standing):
    for data in (b"{}", b'{"type":"survey.ask"}', b"\xff", b""):
        standing.take(Publication("\0control", data))

    assert not standing._pulse._event.is_set()
