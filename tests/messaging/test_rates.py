"""How often commands may be asked, by their kind."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.adapters.database import Database
from kernel.identity import Principal
from kernel.operations import Nothing, Operation, awaited
from messaging.connections.quotas import ConnectionOptions
from messaging.connections.rates import KINDS, Bucket, RateOptions, RateTable, Spent, take
from messaging.protocol import requests
from messaging.protocol.results import Error, RPCResult, SubscribeResult
from server.failures import SettingsError
from server.settings import load
from server.wiring.groups import Settings
from tests.support.factories_messaging import AMINA, KARIM
from tests.support.realtime import Node, Talker, serving, talking

RPC = requests.RPCRequest("messages.send")
PUBLISH = requests.PublishRequest("news")


def table(**kinds: list[tuple[int, float]]) -> RateTable:
    return RateTable(
        {
            name.replace("__", ":").replace("_send", ".send"): tuple(
                Bucket(rate, interval) for rate, interval in buckets
            )
            for name, buckets in kinds.items()
        }
    )


def allowed(rates: RateTable, request: object, spent: Spent, *, times: int, now: float) -> int:
    """How many of so many commands go through."""
    draws = rates.draws(request)
    return sum(take(spent, draws, now) == 0.0 for _ in range(times))


def test_a_table_without_buckets_limits_nothing():
    assert not table()
    assert table().draws(RPC) == ()


def test_a_command_takes_from_its_own_buckets():
    rates, spent = table(publish=[(2, 1.0)]), {}

    assert allowed(rates, PUBLISH, spent, times=5, now=0.0) == 2
    assert allowed(rates, RPC, spent, times=5, now=0.0) == 5
    assert allowed(rates, PUBLISH, spent, times=5, now=0.5) == 1
    assert allowed(rates, PUBLISH, spent, times=5, now=9.0) == 2


def test_what_has_no_buckets_takes_from_the_default_ones():
    rates, spent = table(publish=[(2, 1.0)], default=[(1, 1.0)]), {}

    assert allowed(rates, PUBLISH, spent, times=5, now=0.0) == 2
    assert allowed(rates, RPC, spent, times=5, now=0.0) == 1
    assert allowed(rates, requests.PresenceRequest("news"), spent, times=5, now=0.0) == 0


def test_every_command_takes_from_the_total_as_well():
    rates, spent = table(publish=[(2, 1.0)], total=[(3, 1.0)]), {}

    assert allowed(rates, PUBLISH, spent, times=5, now=0.0) == 2
    assert allowed(rates, RPC, spent, times=5, now=0.0) == 1


def test_a_method_has_buckets_in_place_of_those_of_rpc():
    rates, spent = table(rpc=[(1, 1.0)], rpc__messages_send=[(3, 1.0)]), {}

    assert allowed(rates, RPC, spent, times=5, now=0.0) == 3
    assert allowed(rates, requests.RPCRequest("other"), spent, times=5, now=0.0) == 1


def test_several_intervals_hold_at_once():
    rates, spent = table(publish=[(2, 1.0), (3, 60.0)]), {}

    assert allowed(rates, PUBLISH, spent, times=5, now=0.0) == 2
    assert allowed(rates, PUBLISH, spent, times=5, now=2.0) == 1
    assert allowed(rates, PUBLISH, spent, times=5, now=4.0) == 0


def test_a_refused_command_takes_nothing():
    rates, spent = table(publish=[(1, 1.0)], total=[(10, 100.0)]), {}
    allowed(rates, PUBLISH, spent, times=1000, now=0.0)

    assert allowed(rates, RPC, spent, times=100, now=0.0) == 9


@pytest.mark.parametrize(
    ("buckets", "expected"),
    [
        ({"total": [(3, 1.0)]}, True),
        ({}, False),
        ({"total": [(3, 1.0), (9, 60.0)]}, False),
        ({"total": [(3, 1.0)], "rpc": [(2, 1.0)]}, False),
        ({"total": [(3, 1.0)], "rpc:m": [(2, 1.0)]}, False),
        ({"total": [(3, 1.0)], "error": [(2, 1.0)]}, True),
        ({"default": [(3, 1.0)]}, False),
    ],
)
def test_the_short_way_is_for_one_bucket_that_all_commands_share(buckets, expected):
    assert table(**buckets).only_total is expected


@given(
    rate=st.integers(1, 50),
    interval=st.floats(0.01, 100.0),
    at=st.lists(st.floats(0.0, 1000.0), max_size=200).map(sorted),
)
def test_no_more_goes_through_than_a_bucket_holds_and_time_refills(rate, interval, at):
    rates, spent = RateTable({"total": (Bucket(rate, interval),)}), {}

    through = sum(allowed(rates, RPC, spent, times=1, now=now) for now in at)

    assert through <= rate + (at[-1] - at[0] if at else 0.0) * rate / interval + 1e-6


# --- settings -------------------------------------------------------------------------------------


def test_rates_come_from_the_file_by_kind(tmp_path):
    file = tmp_path / "zaffa.toml"
    file.write_text(
        "[rates]\n"
        "connection = { publish = [{ rate = 10, interval = 1 }, { rate = 60, interval = 60 }] }\n"
        '[rates.user]\n"rpc:messages.send" = [{ rate = 5, interval = 0.5 }]\n'
    )

    rates = load(Settings, environment={}, file=file).rates

    assert rates.connection == {"publish": (Bucket(10, 1.0), Bucket(60, 60.0))}
    assert rates.user == {"rpc:messages.send": (Bucket(5, 0.5),)}


def test_rates_come_from_the_environment_as_json():
    given = '{"total": [{"rate": 10, "interval": 1}]}'

    rates = load(Settings, environment={"ZAFFA_RATES_CONNECTION": given}).rates

    assert rates.connection == {"total": (Bucket(10, 1.0),)}


@pytest.mark.parametrize(
    ("variable", "given", "complaint"),
    [
        ("CONNECTION", '{"sing": [{"rate": 1, "interval": 1}]}', "sing is none"),
        ("USER", '{"error": [{"rate": 1, "interval": 1}]}', "error is none"),
        ("USER", '{"rpc:": [{"rate": 1, "interval": 1}]}', "rpc: is none"),
        ("CONNECTION", '{"rpc": [{"rate": 0, "interval": 1}]}', ">= 1"),
        ("CONNECTION", '{"rpc": [{"rate": 1, "interval": 0}]}', "above 0"),
        ("CONNECTION", '{"rpc": [{"rate": 1, "interval": "soon"}]}', "duration"),
        ("CONNECTION", '{"rpc": [{"rate": 1, "every": 1}]}', "every"),
        ("ERROR_CODE", "3000", "3013 or 3509"),
    ],
)
def test_rates_that_make_no_sense_stop_the_start(variable, given, complaint):
    with pytest.raises(SettingsError, match=complaint):
        load(Settings, environment={f"ZAFFA_RATES_{variable}": given})


def test_an_interval_may_be_written_as_a_duration():
    given = '{"total": [{"rate": 10, "interval": "1m30s"}]}'

    [bucket] = load(Settings, environment={"ZAFFA_RATES_USER": given}).rates.user["total"]

    assert bucket.seconds == 90.0


def test_every_command_of_the_protocol_has_a_kind():
    commands = {
        each
        for name, each in vars(requests).items()
        if name.endswith("Request") and name != "PingRequest"
    }

    assert set(KINDS) == commands


# --- connections ----------------------------------------------------------------------------------


def limited(database: Database, **options: object) -> Node:
    """A node with these rates and no other limits."""
    return Node(
        database,
        connection_options=ConnectionOptions(commands_per_second=0),
        rate_options=RateOptions(**options),
    )


async def outcomes(talker: Talker, method: str, times: int) -> list[type]:
    ids = [talker.protocol.rpc(method) for _ in range(times)]
    return [type(await talker.answer(each)) for each in ids]


async def test_a_connection_beyond_its_rate_is_told_to_wait(sqlite_database):
    node = limited(sqlite_database, connection={"rpc:conversations.list": (Bucket(2, 600.0),)})
    async with serving(node), talking(node, AMINA) as one, talking(node, AMINA) as other:
        assert await outcomes(one, "conversations.list", 3) == [RPCResult, RPCResult, Error]
        assert await one.rpc("conversations.list") == Error(
            111, "too many requests", temporary=True
        )
        assert await outcomes(other, "conversations.list", 1) == [RPCResult]


@pytest.mark.parametrize("code", [3013, 3509])
async def test_a_connection_with_too_many_errors_is_closed(sqlite_database, code):
    errors = {"error": (Bucket(3, 600.0),)}
    node = limited(sqlite_database, connection=errors, error_code=code)
    async with serving(node), talking(node, AMINA) as talker:
        assert await outcomes(talker, "none", 3) == [Error] * 3
        talker.protocol.rpc("none")
        await talker.flush()

        assert (await talker.closed())[0] == code


async def test_without_rates_a_connection_keeps_no_account(sqlite_database):
    node = limited(sqlite_database)
    async with serving(node), talking(node, AMINA) as talker:
        assert await outcomes(talker, "conversations.list", 2) == [RPCResult, RPCResult]

        assert node.commands.rates is None
        assert [each.spent for each in node.hub.connections] == [None]


# --- users ----------------------------------------------------------------------------------------


async def test_all_connections_of_a_user_share_what_the_user_may_ask(sqlite_database):
    node = limited(sqlite_database, user={"rpc": (Bucket(3, 600.0),)})
    async with (
        serving(node),
        talking(node, AMINA) as one,
        talking(node, AMINA) as two,
        talking(node, KARIM) as karim,
    ):
        assert await outcomes(one, "conversations.list", 2) == [RPCResult] * 2
        assert await outcomes(two, "conversations.list", 2) == [RPCResult, Error]
        assert await one.rpc("conversations.list") == Error(111, "too many requests", True)
        assert await outcomes(karim, "conversations.list", 1) == [RPCResult]
        assert isinstance(await one.subscribe(f"user:{AMINA}"), SubscribeResult)


async def test_a_user_may_connect_only_so_often(sqlite_database):
    node = limited(sqlite_database, user={"connect": (Bucket(2, 600.0),)})
    async with serving(node), talking(node, AMINA), talking(node, AMINA), talking(node) as third:
        answer = await third.answer(third.protocol.connect(token=node.token(AMINA)))
        assert answer == Error(111, "too many requests", temporary=True)

        async with talking(node, KARIM):
            pass


async def test_what_waits_for_nothing_is_counted_all_the_same(sqlite_database):
    def greet(_: Principal, nothing: Nothing) -> Nothing:
        return nothing

    greeting = Operation(
        name="greet", method="POST", path="/v1/greet", summary="Greet.", takes=Nothing,
        gives=Nothing, run=awaited(greet), at_once=greet, rpc=True,
    )  # fmt: skip
    node = Node(
        sqlite_database,
        rate_options=RateOptions(user={"rpc:greet": (Bucket(2, 600.0),)}),
        more_operations=[greeting],
    )
    async with serving(node), talking(node, AMINA) as amina:
        assert await outcomes(amina, "greet", 3) == [RPCResult, RPCResult, Error]
