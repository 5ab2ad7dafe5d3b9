"""What the dispatcher may rely on, whichever provider it speaks to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from notifications.ports import PushProvider
from notifications.sandbox.credentials import Files, init
from notifications.sandbox.faults import Fault
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Attempt, Outcome, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import (
    apns_options,
    attempt,
    fcm_options,
    open_apns,
    open_fcm,
    open_webpush,
    running_sandbox,
    webpush_options,
)

GONE = {"fcm": "UNREGISTERED", "apns": "Unregistered", "webpush": "GONE"}
"""How each of the sandbox's services says that a device is gone."""


@dataclass(frozen=True, slots=True)
class House:
    """A provider with a sandbox behind it, and pushes for it."""

    provider: PushProvider
    sandbox: Sandbox
    kind: AddressKind
    address: Callable[[int], str]
    clock: ManualClock

    def pushes(self, count: int) -> list[Attempt]:
        now = self.clock.now()
        return [attempt(self.kind, now=now, address=self._dialled(n)) for n in range(count)]

    def _dialled(self, number: int) -> str:
        """The address as a device registers it; a browser's has keys in it."""
        address = self.address(number)
        if self.kind is AddressKind.WEBPUSH:
            return self.sandbox.webpush.subscribe(address)
        return address

    def fails(self, outcome: str, **fields: object) -> None:
        self.sandbox.faults.add(Fault(self.provider.name, outcome, **fields))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return init(tmp_path_factory.mktemp("sandbox"), fcm_port=0)


@pytest.fixture(params=["fcm", "apns", "webpush"])
async def house(
    request: pytest.FixtureRequest, credentials: Files, clock: ManualClock
) -> AsyncIterator[House]:
    """Whoever takes this runs against every provider."""
    async with running_sandbox(Path(credentials.directory), clock=clock) as sandbox:
        if request.param == "fcm":
            options = replace(
                fcm_options(sandbox), connections=20, deadline=2.0, connect_within=2.0
            )
            async with open_fcm(options, clock=clock) as fcm:
                yield House(fcm, sandbox, AddressKind.FCM_TOKEN, "phone-{:04}".format, clock)
        elif request.param == "webpush":
            few = replace(
                webpush_options(sandbox), connections=20, deadline=2.0, connect_within=2.0
            )
            async with open_webpush(few, clock=clock) as browsers:
                yield House(browsers, sandbox, AddressKind.WEBPUSH, "browser-{:04}".format, clock)
        else:
            narrow = replace(apns_options(sandbox), deadline=2.0, connect_within=2.0)
            async with open_apns(narrow, clock=clock) as apns:
                yield House(apns, sandbox, AddressKind.APNS, "{:064x}".format, clock)


async def test_it_says_its_name_and_what_it_carries(house: House) -> None:
    assert house.provider.name in ("fcm", "apns", "webpush")
    assert house.kind in house.provider.carries


async def test_nothing_to_send_is_nothing_to_tell(house: House) -> None:
    assert list(await house.provider.send([])) == []


async def test_outcomes_come_in_the_order_of_the_attempts(house: House) -> None:
    pushes = house.pushes(60)
    for number in range(0, 60, 7):
        house.fails(GONE[house.provider.name], prefix=house.address(number))

    outcomes = await house.provider.send(pushes)

    expected = [Verdict.ACCEPTED] * 60
    expected[::7] = [Verdict.TOKEN_GONE] * len(expected[::7])
    assert [outcome.verdict for outcome in outcomes] == expected


async def test_each_outcome_is_told_once_as_it_lands(house: House) -> None:
    pushes = house.pushes(30)
    house.fails(GONE[house.provider.name], prefix=house.address(3))
    told: list[tuple[int, Outcome]] = []

    outcomes = await house.provider.send(pushes, landed=lambda *each: told.append(each))

    assert sorted(number for number, _ in told) == list(range(30))
    assert dict(told) == dict(enumerate(outcomes))


async def test_each_accepted_push_arrived_exactly_once(house: House) -> None:
    pushes = house.pushes(300)

    outcomes = await house.provider.send(pushes)

    arrived = [arrival.push_id for arrival in house.sandbox.arrivals.after()]
    assert sorted(arrived) == sorted(str(push.push_id) for push in pushes)
    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}


async def test_a_call_may_start_while_others_are_under_way(house: House) -> None:
    batches = [house.pushes(50) for _ in range(6)]

    answers = await asyncio.gather(*(house.provider.send(batch) for batch in batches))

    assert {outcome.verdict for each in answers for outcome in each} == {Verdict.ACCEPTED}
    assert house.sandbox.arrivals.total == 300


async def test_a_push_accepted_on_a_connection_then_lost_is_in_doubt_and_sent_once(
    house: House,
) -> None:
    house.fails("ACCEPT_AND_DROP")

    [outcome] = await house.provider.send(house.pushes(1))

    assert outcome.verdict is Verdict.AMBIGUOUS
    assert house.sandbox.arrivals.total == 1


@pytest.mark.parametrize("fault", ["SILENCE", "RESET", "REFUSE", "DROP", "GOAWAY"])
async def test_whatever_a_connection_does_each_push_has_an_outcome_and_the_next_passes(
    fault: str, house: House
) -> None:
    house.fails(fault)

    outcomes = await house.provider.send(house.pushes(3))
    house.sandbox.faults.clear()
    house.clock.move(minutes=1)

    assert {outcome.verdict for outcome in outcomes} <= {Verdict.AMBIGUOUS, Verdict.NOT_SENT}
    assert house.sandbox.arrivals.total == 0
    assert await _accepted_soon(house)


async def test_a_provider_that_is_away_is_an_outcome_and_not_an_error(house: House) -> None:
    await house.provider.send(house.pushes(1))
    await house.sandbox.close()

    outcomes = [*await house.provider.send(house.pushes(5)), *await house.provider.send([])]

    assert {outcome.verdict for outcome in outcomes} <= {Verdict.NOT_SENT, Verdict.AMBIGUOUS}


async def test_a_cancelled_call_leaves_the_provider_fit_for_the_next(house: House) -> None:
    house.fails("SLOW", delay=0.3, prefix=house.address(0))
    cancelled = asyncio.create_task(house.provider.send(house.pushes(1)))
    await asyncio.sleep(0.1)
    cancelled.cancel()
    with suppress(asyncio.CancelledError):
        await cancelled

    outcomes = await house.provider.send(house.pushes(20)[1:])

    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}


async def test_closing_twice_is_harmless(house: House) -> None:
    await house.provider.send(house.pushes(1))

    await house.provider.close()
    await house.provider.close()


async def _accepted_soon(house: House) -> bool:
    """Providers wait a moment before they connect again; a few calls are enough."""
    for _ in range(20):
        [outcome] = await house.provider.send(house.pushes(1))
        if outcome.verdict is Verdict.ACCEPTED:
            return True
        await asyncio.sleep(outcome.retry_after or 0.05)
    return False
