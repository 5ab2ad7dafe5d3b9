"""A sandbox and its credentials."""

from collections.abc import AsyncIterator

import pytest

from notifications.sandbox.credentials import Files, init
from notifications.sandbox.sandbox import Sandbox
from tests.support.clock import ManualClock
from tests.support.sandbox import running_sandbox


@pytest.fixture(scope="session")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Made once: an RSA key takes its time."""
    return init(tmp_path_factory.mktemp("sandbox"), fcm_port=0)


@pytest.fixture
async def sandbox(credentials: Files, clock: ManualClock) -> AsyncIterator[Sandbox]:
    async with running_sandbox(credentials.directory, clock=clock) as opened:
        yield opened
