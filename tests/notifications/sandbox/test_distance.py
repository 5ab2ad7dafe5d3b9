"""The network that the sandbox pretends to be behind."""

from dataclasses import replace
from statistics import median

from notifications.sandbox.distance import Distant
from notifications.sandbox.http import Request, Response, Traits
from notifications.types import AddressKind, Verdict
from tests.support.sandbox import (
    apns_options,
    attempt,
    fcm_options,
    open_apns,
    open_fcm,
    running_sandbox,
)


class Near:
    """A service that answers at once."""

    traits = Traits()

    def session(self) -> None:
        """Nothing to remember."""

    def answer(self, request: Request) -> Response:
        return Response(200)


def delays(number: int) -> list[float]:
    far = Distant(Near(), latency=0.1, window=65_535)
    asked = Request("POST", "/", {}, b"", peer=None)  # type: ignore[arg-type]
    return [far.answer(asked).delay for _ in range(number)]  # type: ignore[union-attr]


def test_answers_vary_around_the_median_and_some_take_far_longer():
    drawn = sorted(delays(1000))

    assert 0.09 < median(drawn) < 0.11
    assert drawn[-10] > 0.2
    assert drawn[0] > 0


def test_two_runs_meet_the_same_network():
    assert delays(50) == delays(50)


async def test_bodies_go_through_a_small_window(credentials, clock):
    async with (
        running_sandbox(credentials.directory, clock=clock, window_bytes=5000) as sandbox,
        open_apns(apns_options(sandbox), clock=clock) as apns,
    ):
        outcomes = await apns.send(
            [attempt(AddressKind.APNS, now=clock.now(), body="x" * 3500) for _ in range(40)]
        )

    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}


async def test_a_slow_connection_carries_a_push_for_whoever_has_patience(credentials, clock):
    async with (
        running_sandbox(credentials.directory, clock=clock, connect_ms=20) as sandbox,
        open_apns(apns_options(sandbox), clock=clock) as apns,
        open_fcm(fcm_options(sandbox), clock=clock) as fcm,
    ):
        (pushed,) = await apns.send([attempt(AddressKind.APNS, now=clock.now())])
        (sent,) = await fcm.send([attempt(AddressKind.FCM_TOKEN, now=clock.now())])

    assert (pushed.verdict, sent.verdict) == (Verdict.ACCEPTED, Verdict.ACCEPTED)


async def test_who_has_less_patience_has_certainly_sent_nothing(credentials, clock):
    async with running_sandbox(credentials.directory, clock=clock, connect_ms=600_000) as sandbox:
        hasty = replace(apns_options(sandbox), connect_within=0.3)
        async with open_apns(hasty, clock=clock) as apns:
            (outcome,) = await apns.send([attempt(AddressKind.APNS, now=clock.now())])

    assert outcome.verdict is Verdict.NOT_SENT
