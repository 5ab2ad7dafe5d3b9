import asyncio
from dataclasses import replace

import pytest

from notifications.adapters.fcm import FcmProvider
from notifications.sandbox.faults import Fault
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Attempt, Verdict
from tests.support.clock import ManualClock
from tests.support.sandbox import attempt, fcm_options, open_fcm


def push(clock: ManualClock) -> Attempt:
    return attempt(AddressKind.FCM_TOKEN, now=clock.now())


async def test_many_pushes_at_once_fetch_one_bearer(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    calls = [fcm.send([push(clock) for _ in range(10)]) for _ in range(5)]

    await asyncio.gather(*calls)

    assert sandbox.oauth.issued == 1


async def test_a_bearer_is_renewed_while_the_old_one_is_still_good(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await fcm.send([push(clock)])
    clock.move(seconds=0.81 * 3599)
    # While the token endpoint is silent, pushes go out with the old bearer.
    silence = sandbox.faults.add(Fault("oauth", "SILENCE"))

    [outcome] = await fcm.send([push(clock)])

    assert outcome.verdict is Verdict.ACCEPTED
    assert sandbox.oauth.issued == 1
    assert sandbox.faults.remove(silence.id)


async def test_renewal_does_not_start_before_three_quarters_of_its_life(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await fcm.send([push(clock)])
    clock.move(seconds=0.74 * 3599)

    await fcm.send([push(clock)])
    await fcm.close()

    assert sandbox.oauth.issued == 1


async def test_a_bearer_that_fcm_calls_expired_is_replaced_and_the_push_sent_once_more(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await fcm.send([push(clock)])
    sandbox.oauth.expire()

    outcomes = await fcm.send([push(clock) for _ in range(20)])

    assert {outcome.verdict for outcome in outcomes} == {Verdict.ACCEPTED}
    assert sandbox.oauth.issued == 2
    assert sandbox.arrivals.total == 21


async def test_a_bearer_past_its_end_is_never_used(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    await fcm.send([push(clock)])
    clock.move(hours=2)

    [outcome] = await fcm.send([push(clock)])

    assert outcome.verdict is Verdict.ACCEPTED
    assert sandbox.oauth.issued == 2


async def test_a_revoked_key_blames_the_settings_and_asks_once_a_minute(
    fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    revoked = sandbox.faults.add(Fault("oauth", "invalid_grant", times=1))

    outcomes = await fcm.send([push(clock) for _ in range(5)])
    again = await fcm.send([push(clock)])

    assert {outcome.verdict for outcome in [*outcomes, *again]} == {Verdict.MISCONFIGURED}
    assert again[0].reason == "invalid_grant"
    assert again[0].retry_after == 60.0
    # It has been asked exactly once: the fault's one time is used up, yet nothing was issued.
    assert not sandbox.faults.remove(revoked.id)
    assert sandbox.oauth.issued == 0

    clock.move(seconds=61)
    [mended] = await fcm.send([push(clock)])
    assert mended.verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("trouble", ["UNAVAILABLE", "DROP"])
async def test_without_a_bearer_nothing_was_sent(
    trouble: str, fcm: FcmProvider, sandbox: Sandbox, clock: ManualClock
) -> None:
    sandbox.faults.add(Fault("oauth", trouble))

    [outcome] = await fcm.send([push(clock)])

    assert outcome.verdict is Verdict.NOT_SENT
    assert outcome.reason.startswith("token endpoint: ")
    assert sandbox.arrivals.total == 0


async def test_a_clock_that_is_wrong_by_hours_is_told_as_a_matter_of_settings(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    wrong = ManualClock(clock.now().replace(hour=1))
    async with open_fcm(fcm_options(sandbox), clock=wrong) as fcm:
        [outcome] = await fcm.send([push(clock)])

    assert (outcome.verdict, outcome.reason) == (Verdict.MISCONFIGURED, "invalid_grant")


async def test_a_file_that_is_no_key_file_stops_the_start(
    sandbox: Sandbox, clock: ManualClock
) -> None:
    options = replace(fcm_options(sandbox), key_file=str(sandbox.files.authority))

    with pytest.raises(ValueError, match=r".+"):
        await FcmProvider(options, clock=clock).open()
