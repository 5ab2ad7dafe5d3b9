"""One node for all official clients: a process of its own, on the embedded default."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import RunningHouse
from tests.support.servers import free_port


@pytest.fixture(scope="session")
def running_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningHouse]:
    folder: Path = tmp_path_factory.mktemp("house")
    house = RunningHouse(folder=folder, port=free_port(), settings={})
    house.spawn()
    try:
        asyncio.run(house.ready())
        yield house
    finally:
        house.end()
