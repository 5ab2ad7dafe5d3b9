"""A sandbox with its credentials, and the real adapters pointed at it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from notifications.adapters.apns import ApnsProvider
from notifications.adapters.fcm import FcmProvider
from notifications.sandbox.credentials import Files, init
from notifications.sandbox.sandbox import Sandbox
from tests.support.clock import ManualClock
from tests.support.sandbox import apns_options, fcm_options, open_apns, open_fcm, running_sandbox


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once: an RSA key takes its time."""
    return init(tmp_path_factory.mktemp("sandbox"), fcm_port=0)


@pytest.fixture
async def sandbox(credentials: Files, clock: ManualClock) -> AsyncIterator[Sandbox]:
    async with running_sandbox(Path(credentials.directory), clock=clock) as opened:
        yield opened


@pytest.fixture
async def fcm(sandbox: Sandbox, clock: ManualClock) -> AsyncIterator[FcmProvider]:
    async with open_fcm(fcm_options(sandbox), clock=clock) as opened:
        yield opened


@pytest.fixture
async def apns(sandbox: Sandbox, clock: ManualClock) -> AsyncIterator[ApnsProvider]:
    async with open_apns(apns_options(sandbox), clock=clock) as opened:
        yield opened
