"""Servers that a test may kill, and how long and with which dice the killing goes on."""

import os
import random
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.conformance.clients import Clients
from tests.support.servers import PostgresServer, running

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.external)


def briefly_on(name: str) -> pytest.MarkDecorator:
    """Both databases take their time; the short form has this one."""
    both = ["sqlite", POSTGRESQL]
    brief = [POSTGRESQL if name == "postgresql" else name]
    soaks = "ZAFFA_TEST_SOAK_SECONDS" in os.environ
    return pytest.mark.parametrize("database_url", both if soaks else brief, indirect=True)


@dataclass(slots=True)
class Rounds:
    """One round, or as many as fit into this test's share of ZAFFA_TEST_SOAK_SECONDS.

    Each has a seed of its own, which is printed; ZAFFA_TEST_SEED names the first.
    """

    seconds: float
    first_seed: int

    def __iter__(self) -> Iterator[random.Random]:
        until = time.monotonic() + self.seconds
        seed = self.first_seed
        while True:
            print(f"round with ZAFFA_TEST_SEED={seed}", flush=True)
            yield random.Random(seed)
            seed += 1
            if time.monotonic() >= until:
                return


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> Rounds:
    soak = float(os.environ.get("ZAFFA_TEST_SOAK_SECONDS", "0"))
    # Every test that takes this gets the same share.
    sharing = [
        item for item in request.session.items if "rounds" in getattr(item, "fixturenames", ())
    ]
    return Rounds(soak / max(1, len(sharing)), int(os.environ.get("ZAFFA_TEST_SEED", "1")))


@pytest.fixture(scope="module")
def clients() -> Iterator[Clients]:
    """Where the official clients come from."""
    there = Clients()
    yield there
    there.stop()


@pytest.fixture
def durable_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL that keeps what it has committed, whatever ends it.

    One for each test: what a test starts again dies with the thread that did it.
    """
    with running(PostgresServer(durable=True)) as server:
        yield server


@pytest.fixture
def crash_database_url(durable_postgres: PostgresServer) -> str:
    """A database without tables."""
    name = f"zaffa_crash_{uuid.uuid4().hex[:12]}"
    durable_postgres.psql(f'CREATE DATABASE "{name}"')
    return durable_postgres.url_of(name)
