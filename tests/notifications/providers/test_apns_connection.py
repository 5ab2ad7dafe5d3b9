"""Each defect of aioapns 4.0, by its number in our review of its source: ours does not have it.

`test_aioapns_as_it_is.py` has the other half: what aioapns does in the same situations. A16 is
in `test_apns_token.py`, A23 in `test_apns.py`, A24 in `test_apns_proxy.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

import pytest
from aioapns import NotificationRequest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.sandbox.credentials import Files
from notifications.types import AddressKind, Attempt, Outcome, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import APNS_ADDRESS, attempt, open_apns
from tests.support.scripted_apns import (
    ScriptedApns,
    ScriptedConnection,
    scripted_apns,
)

GONE = b'{"reason":"Unregistered","timestamp":1772000000123}'
SPLIT = (GONE[:20], GONE[20:])


def answer(connection: ScriptedConnection, stream: int) -> None:
    connection.answer(stream)


def ignore(connection: ScriptedConnection, stream: int) -> None:
    """Never answer."""


Open = Callable[..., AbstractAsyncContextManager[ApnsProvider]]


@pytest.fixture
def our(credentials: Files, clock: ManualClock) -> Open:
    """Our provider with one connection to a scripted server."""

    @asynccontextmanager
    async def opened(server: ScriptedApns, **fields: object) -> AsyncIterator[ApnsProvider]:
        options = ApnsOptions(
            key_file=str(credentials.apns_key),
            key_id=credentials.key_id,
            team_id=credentials.team_id,
            topic=credentials.topic,
            production=server.address,
            ca_file=str(credentials.authority),
            connections=1,
        )
        async with open_apns(replace(options, **fields), clock=clock) as provider:  # type: ignore[arg-type]
            yield provider

    return opened


@pytest.fixture
def pushes(clock: ManualClock) -> Callable[..., list[Attempt]]:
    def make(count: int, **fields: object) -> list[Attempt]:
        return [
            attempt(AddressKind.APNS, now=clock.now(), **fields)  # type: ignore[arg-type]
            for _ in range(count)
        ]

    return make


Pushes = Callable[..., list[Attempt]]


def verdicts(outcomes: object) -> list[Verdict]:
    return [outcome.verdict for outcome in outcomes]  # type: ignore[attr-defined]


def stock_request() -> NotificationRequest:
    return NotificationRequest(APNS_ADDRESS, {"aps": {"alert": "x"}})


def connection_of(apns: ApnsProvider) -> object:
    """The one connection of a provider; None while there is none."""
    live = [each for pool in apns.pools for each in pool.live]
    return live[0] if live else None


class TestUnanswered:
    async def test_a1_an_unanswered_push_ends_in_doubt_at_its_deadline_and_frees_its_stream(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            if len(server.requests) > 1:
                connection.answer(stream)

        async with (
            scripted_apns(credentials, script) as server,
            our(server, deadline=1.5, connect_within=1.5) as apns,
        ):
            [silent] = await apns.send(pushes(1))
            after = await apns.send(pushes(5))

        assert silent == Outcome(Verdict.AMBIGUOUS, "no answer within the deadline")
        assert verdicts(after) == [Verdict.ACCEPTED] * 5
        assert len(server.requests) == 6

    async def test_a2_a3_a_caller_that_gives_up_hurts_nobody_else(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            loop = asyncio.get_running_loop()
            loop.call_later(0.1 if stream == 1 else 0.2, connection.answer, stream)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            impatient = asyncio.create_task(apns.send(pushes(1)))
            patient = asyncio.create_task(apns.send(pushes(3)))
            await server.seen(4)
            impatient.cancel()

            assert verdicts(await patient) == [Verdict.ACCEPTED] * 3
            assert verdicts(await apns.send(pushes(1))) == [Verdict.ACCEPTED]
            assert len(server.connections) == 1
        with suppress(asyncio.CancelledError):
            await impatient

    async def test_a3_a_lost_connection_settles_everyone_also_after_a_cancelled_call(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, ignore) as server, our(server) as apns:
            impatient = asyncio.create_task(apns.send(pushes(1)))
            patient = asyncio.create_task(apns.send(pushes(3)))
            await server.seen(4)
            impatient.cancel()
            server.connections[0].close()

            assert verdicts(await patient) == [Verdict.AMBIGUOUS] * 3
        with suppress(asyncio.CancelledError):
            await impatient

    async def test_what_waits_for_a_stream_till_its_deadline_was_not_sent(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        one = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        async with (
            scripted_apns(credentials, ignore, settings=one) as server,
            our(server, deadline=1.5, connect_within=1.5) as apns,
        ):
            outcomes = await apns.send(pushes(3))

        assert verdicts(outcomes) == [Verdict.AMBIGUOUS, Verdict.NOT_SENT, Verdict.NOT_SENT]
        assert len(server.requests) == 1


class TestRepeating:
    async def test_a4_a_connection_lost_in_mid_flight_is_not_sent_again(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.close()

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            [outcome] = await apns.send(pushes(1))

        assert outcome.verdict is Verdict.AMBIGUOUS
        assert len(server.requests) == 1

    async def test_a5_after_goaway_the_answered_are_answered_and_the_rest_was_not_sent(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        """Streams up to the last one are awaited: h2 as it is would refuse their answers."""

        def script(connection: ScriptedConnection, stream: int) -> None:
            if len(server.requests) == 4:
                connection.go_away(last_stream=3)
                connection.answer(1)
                connection.answer(3)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            outcomes = await apns.send(pushes(4))
            server.script = answer
            again = await apns.send(pushes(1))

        assert verdicts(outcomes) == [Verdict.ACCEPTED] * 2 + [Verdict.NOT_SENT] * 2
        assert "Shutdown" in outcomes[2].reason
        assert verdicts(again) == [Verdict.ACCEPTED]
        assert len(server.connections) == 2


class TestStreams:
    @pytest.mark.parametrize(
        ("code", "verdict"),
        [
            (ErrorCodes.REFUSED_STREAM, Verdict.NOT_SENT),
            (ErrorCodes.INTERNAL_ERROR, Verdict.AMBIGUOUS),
        ],
    )
    async def test_a6_a_reset_stream_is_settled_and_its_slot_returned(
        self, code: ErrorCodes, verdict: Verdict, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.reset(stream, code)

        one = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        async with (
            scripted_apns(credentials, script, settings=one) as server,
            our(server) as apns,
        ):
            outcomes = await apns.send(pushes(5))

        assert verdicts(outcomes) == [verdict] * 5

    async def test_a7_an_error_without_a_body_is_an_answer(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.answer(stream, 503)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            outcomes = await apns.send(pushes(1))

        assert outcomes == [Outcome(Verdict.FAILED, "HTTP 503", retry_after=900.0)]

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"reason":5}', b"\xff"])
    async def test_a8_a_body_that_is_no_reason_is_read_by_its_status(
        self, body: bytes, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.answer(stream, 400, body)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            outcomes = await apns.send(pushes(1))

        assert outcomes == [Outcome(Verdict.REJECTED, "HTTP 400")]

    async def test_a8_an_error_in_two_frames_is_read_whole(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.answer(stream, 410, *SPLIT)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            [outcome] = await apns.send(pushes(1))

        assert (outcome.verdict, outcome.reason) == (Verdict.TOKEN_GONE, "Unregistered")
        assert len(server.requests) == 1

    async def test_a13_answers_are_matched_by_stream(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        """No id, another's id, an id in capitals, and two pushes with one id."""

        def script(connection: ScriptedConnection, stream: int) -> None:
            own = connection.headers[stream]["apns-id"]
            ids = {1: None, 3: "someone-else", 5: own.upper()}
            connection.answer(stream, apns_id=ids.get(stream, own))

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            [twin] = pushes(1)
            outcomes = await apns.send([*pushes(3), twin, twin])

        assert verdicts(outcomes) == [Verdict.ACCEPTED] * 5

    async def test_a14_nothing_is_remembered_of_answered_pushes(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            for _ in range(3):
                await apns.send(pushes(100))
            connection = connection_of(apns)

            assert connection.under_way == 0  # type: ignore[attr-defined]
            [pool] = [pool for pool in apns.pools if pool.live]
            # The next submission sweeps the last batch's deadlines away.
            await apns.send(pushes(1))
            assert pool.remembered <= 1


class TestSlots:
    async def test_a9_a_higher_limit_is_used_at_once_with_requests_in_flight(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            if stream == 1:
                connection.allow(1000)
            asyncio.get_running_loop().call_later(0.1, connection.answer, stream)

        one = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        async with (
            scripted_apns(credentials, script, settings=one) as server,
            our(server) as apns,
        ):
            outcomes = await apns.send(pushes(60))

        assert verdicts(outcomes) == [Verdict.ACCEPTED] * 60
        assert server.peak == 60

    async def test_a9_a_lower_limit_is_obeyed_until_it_is_raised_again(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            if stream == 19:
                connection.allow(1)
            asyncio.get_running_loop().call_later(0.05, connection.answer, stream)

        async with scripted_apns(credentials, script) as server, our(server, streams=10) as apns:
            first = await apns.send(pushes(10))
            server.peak = 0
            narrow = await apns.send(pushes(4))
            narrow_peak = server.peak
            server.connections[0].allow(10)
            wide = await apns.send(pushes(20))

        assert verdicts([*first, *narrow, *wide]) == [Verdict.ACCEPTED] * 34
        assert narrow_peak == 1
        assert server.peak == 10

    async def test_a10_before_settings_there_is_one_request(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            server.mute = True
            sending = asyncio.create_task(apns.send(pushes(20)))
            await server.seen(1)
            await asyncio.sleep(0.05)
            before = len(server.requests)
            server.mute = False
            server.connections[0].flush()

            assert verdicts(await sending) == [Verdict.ACCEPTED] * 20
        assert before == 1

    async def test_a11_bodies_wait_for_the_window_and_leak_nothing(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.h2.increment_flow_control_window(3_900)
            connection.answer(stream)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            server.acknowledges = False
            outcomes = await apns.send(pushes(60, body="x" * 3_700))
            connection = connection_of(apns)

            assert connection.under_way == 0  # type: ignore[attr-defined]
        assert verdicts(outcomes) == [Verdict.ACCEPTED] * 60

    async def test_error_bodies_are_acknowledged_or_the_connection_would_starve(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        """aioapns hangs for ever after 1,285 refusals of 51 bytes on one connection."""

        def script(connection: ScriptedConnection, stream: int) -> None:
            connection.answer(stream, 410, GONE)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            outcomes = await apns.send(pushes(1_500))

        assert set(verdicts(outcomes)) == {Verdict.TOKEN_GONE}
        assert len(server.connections) == 1

    async def test_a12_what_cannot_be_encoded_opens_no_stream(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            outcomes = await apns.send([*pushes(3, body="\ud83d"), *pushes(1)])

        assert verdicts(outcomes) == [Verdict.REJECTED] * 3 + [Verdict.ACCEPTED]
        assert len(server.requests) == 1


class TestConnecting:
    async def test_a15_a_quiet_connection_is_kept(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            await apns.send(pushes(1))
            connection = connection_of(apns)
            closing_in = (
                connection.idle_timer.when()  # type: ignore[attr-defined]
                - asyncio.get_running_loop().time()
            )

        assert closing_in > 1_700

    async def test_a17_a_server_that_does_not_shake_hands_is_given_up_in_time(
        self, our: Open, pushes: Pushes, credentials: Files
    ) -> None:
        server = ScriptedApns(ignore, {})
        callers: list[asyncio.StreamWriter] = []
        mute = await asyncio.start_server(lambda _, who: callers.append(who), "127.0.0.1", 0)
        server.address = f"localhost:{mute.sockets[0].getsockname()[1]}"
        async with our(server, deadline=2.0, connect_within=0.3) as apns:
            outcomes = await apns.send(pushes(3))
        mute.close()
        for caller in callers:
            caller.close()

        assert verdicts(outcomes) == [Verdict.NOT_SENT] * 3
        assert outcomes[0].reason == "connect: TimeoutError"

    async def test_a18_a_connection_that_dies_at_birth_is_no_error_and_no_storm(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with (
            scripted_apns(credentials, answer) as server,
            our(server, deadline=2.0, connect_within=1.5) as apns,
        ):
            opened = ScriptedConnection.connection_made

            def stillborn(self: ScriptedConnection, transport: asyncio.BaseTransport) -> None:
                server.connections.append(self)
                self.transport = transport  # type: ignore[assignment]
                self.close()

            ScriptedConnection.connection_made = stillborn  # type: ignore[method-assign]
            try:
                outcomes = await apns.send(pushes(5))
            finally:
                ScriptedConnection.connection_made = opened  # type: ignore[method-assign]

        assert set(verdicts(outcomes)) <= {Verdict.NOT_SENT, Verdict.AMBIGUOUS}
        assert len(server.connections) <= 3

    async def test_a19_what_does_not_fit_waits_in_order_for_a_free_stream(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        one = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        async with (
            scripted_apns(credentials, answer, settings=one) as server,
            our(server) as apns,
        ):
            sent = pushes(50)
            await apns.send(sent)

        assert [each["apns-id"] for each in server.requests] == [str(p.push_id) for p in sent]
        assert server.peak == 1

    async def test_a20_the_request_names_its_authority_and_alpn_is_h2(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            await apns.send(pushes(1))
            transport = server.connections[0].transport
            assert transport is not None
            spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()

        assert server.requests[0][":authority"] == "localhost"
        assert "host" not in server.requests[0]
        assert spoken == "h2"

    @pytest.mark.parametrize("said", ["120", "Sun, 01 Mar 2026 08:02:00 GMT"])
    async def test_a21_retry_after_is_not_lost(
        self, said: str, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            headers = (("retry-after", said),)
            connection.answer(stream, 429, b'{"reason":"TooManyRequests"}', headers=headers)

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            [outcome] = await apns.send(pushes(1))

        assert outcome.retry_after == 120.0

    async def test_a22_an_expiry_in_the_past_stays_an_instant(
        self, credentials: Files, our: Open, pushes: Pushes, clock: ManualClock
    ) -> None:
        async with scripted_apns(credentials, answer) as server, our(server) as apns:
            await apns.send(pushes(1, expires_at=clock.now()))

        assert server.requests[0]["apns-expiration"] == str(int(clock.now().timestamp()))

    async def test_a_peer_that_says_nothing_any_more_is_replaced(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        async with (
            scripted_apns(credentials, ignore) as server,
            our(server, deadline=1.5, connect_within=1.5) as apns,
        ):
            silent = await apns.send(pushes(2))
            server.script = answer
            after = await apns.send(pushes(1))

        assert verdicts([*silent, *after]) == [Verdict.AMBIGUOUS] * 2 + [Verdict.ACCEPTED]
        assert len(server.connections) == 2

    async def test_a_frame_that_breaks_the_protocol_leaves_the_push_in_doubt(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        def script(connection: ScriptedConnection, stream: int) -> None:
            assert connection.transport is not None
            connection.transport.write(bytes([0, 0, 1, 0, 0, 0, 0, 0, 0]) + b"x")

        async with scripted_apns(credentials, script) as server, our(server) as apns:
            [outcome] = await apns.send(pushes(1))

        assert outcome.verdict is Verdict.AMBIGUOUS

    async def test_closing_settles_what_is_under_way_and_what_waits(
        self, credentials: Files, our: Open, pushes: Pushes
    ) -> None:
        one = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
        async with (
            scripted_apns(credentials, ignore, settings=one) as server,
            our(server) as apns,
        ):
            sending = asyncio.create_task(apns.send(pushes(2)))
            await server.seen(1)
            await apns.close()

            assert verdicts(await sending) == [Verdict.AMBIGUOUS, Verdict.NOT_SENT]
