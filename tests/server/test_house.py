"""A house opens and closes its parts in order, whatever happens in between."""

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from kernel.adapters.jwt import JwtVerifier
from kernel.adapters.memory_bus import MemoryBus
from kernel.backoff import Backoff
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from kernel.supervisor import Supervisor
from kernel.workers import Stop
from server.failures import SchemaOutdated
from server.house import House
from server.migrations import SchemaState
from server.options import ServerOptions
from server.rates import Rates
from server.roles import ALL, ServerRole, chosen
from server.wiring.building import build
from server.wiring.groups import Settings
from server.wiring.preparing import prepare
from tests.support.tokens import TOKEN_OPTIONS


@dataclass
class Diary:
    """Writes down what happens to the parts of a house."""

    happened: list[str] = field(default_factory=list)
    answers: bool = True
    current: str = "0001"

    async def until(self, entry: str) -> None:
        for _ in range(100):
            if entry in self.happened:
                return
            await asyncio.sleep(0)
        raise AssertionError(f"{entry!r} is not among {self.happened}")

    async def check(self) -> None:
        self.happened.append("database asked")
        if not self.answers:
            raise Unavailable("The database does not answer.")

    async def close(self) -> None:
        self.happened.append("database closed")

    async def schema(self) -> SchemaState:
        return SchemaState(self.current, "0001")


class NotedBus(MemoryBus):
    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self._diary = diary

    async def open(self) -> None:
        self._diary.happened.append("bus opened")
        await super().open()

    async def close(self) -> None:
        await super().close()
        self._diary.happened.append("bus closed")


@dataclass
class NotedPart:
    diary: Diary

    async def open(self) -> None:
        self.diary.happened.append("part opened")

    async def close(self) -> None:
        self.diary.happened.append("part closed")


@dataclass
class NotedWorker:
    """Takes a while to finish the step it is in."""

    diary: Diary
    name: str = "noted"

    async def run(self, stop: Stop) -> None:
        self.diary.happened.append("worker began")
        await stop.wait()
        await asyncio.sleep(0)
        self.diary.happened.append("worker finished")


def house_of(diary: Diary) -> House:
    clock, metrics = SystemClock(), Metrics()

    async def disconnect_all(_seconds: float) -> None:
        diary.happened.append("connections told")

    return House(
        options=ServerOptions(),
        clock=clock,
        metrics=metrics,
        database=diary,
        schema=diary.schema,
        bus=NotedBus(diary),
        tokens=JwtVerifier(TOKEN_OPTIONS, clock),
        api_keys=None,  # type: ignore[arg-type]
        callers=Rates(clock=clock, rate=1, burst=1),
        operations=(),
        websocket=None,
        disconnect_all=disconnect_all,
        supervisor=Supervisor(
            [NotedWorker(diary)], clock=clock, metrics=metrics, backoff=Backoff(1, 1)
        ),
        parts=[NotedPart(diary)],
    )


async def test_a_house_closes_in_the_reverse_order_of_its_opening():
    diary = Diary()

    async with house_of(diary).running():
        await diary.until("worker began")

    assert diary.happened == [
        "database asked",
        "bus opened",
        "part opened",
        "worker began",
        "worker finished",
        "part closed",
        "bus closed",
        "database closed",
    ]


async def test_a_house_closes_in_order_when_the_work_fails():
    diary = Diary()

    async def work() -> None:
        async with house_of(diary).running():
            await diary.until("worker began")
            raise RuntimeError("lightning")

    with pytest.raises(ExceptionGroup):
        await work()

    assert diary.happened[-4:] == [
        "worker finished",
        "part closed",
        "bus closed",
        "database closed",
    ]


async def test_without_its_database_a_house_does_not_open():
    diary = Diary(answers=False)

    with pytest.raises(Unavailable):
        async with house_of(diary).running():
            raise AssertionError("it opened")

    assert diary.happened == ["database asked", "database closed"]


async def test_on_an_old_schema_a_house_does_not_open():
    diary = Diary(current="0000")

    with pytest.raises(SchemaOutdated, match="zaffa db upgrade"):
        async with house_of(diary).running():
            raise AssertionError("it opened")

    assert diary.happened == ["database asked", "database closed"]


async def test_a_worker_that_hangs_does_not_keep_a_house_open(caplog):
    diary = Diary()

    class Hanging(NotedWorker):
        async def run(self, stop: Stop) -> None:
            self.diary.happened.append("worker began")
            await asyncio.Event().wait()

    house = house_of(diary)
    house.options = ServerOptions(drain_limit_seconds=0.05)
    house.supervisor = Supervisor(
        [Hanging(diary, name="stuck"), NotedWorker(diary)],
        clock=house.clock,
        metrics=house.metrics,
        backoff=Backoff(1, 1),
    )

    async with house.running():
        await diary.until("worker began")

    assert diary.happened[-3:] == ["part closed", "bus closed", "database closed"]
    (told,) = [each for each in caplog.records if each.levelname == "ERROR"]
    assert (told.message, told.workers) == ("workers did not end in time", "stuck")


@pytest.mark.parametrize("push", ["providers", "sandbox"])
def test_a_dispatcher_works_before_there_are_credentials(push):
    """They may come while it runs."""
    plain = Settings()
    house = build(replace(plain, server=replace(plain.server, push=push)))

    named = {each.name for each in house.supervisor.workers}

    assert {"dispatcher", "credentials", "push-upkeep"} <= named


def test_building_a_house_touches_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    build(Settings())

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("role", list(ServerRole))
def test_a_process_does_the_work_of_its_role_alone(role):
    house = build(Settings(), roles=chosen([role]))

    assert (house.websocket is not None) is (role is ServerRole.GATEWAY)
    assert bool(house.operations) is (role is ServerRole.GATEWAY)


def test_without_a_role_a_process_does_everything():
    assert chosen([]) == ALL


class TestPreparing:
    """The embedded default makes for itself what it needs."""

    def settings(self, folder: Path) -> Settings:
        plain = Settings()
        database = replace(plain.database, url=f"sqlite:///{folder / 'new' / 'z.sqlite3'}")
        return replace(plain, database=database)

    def test_a_secret_is_made_once_and_kept_private(self, tmp_path):
        first = prepare(self.settings(tmp_path))
        second = prepare(self.settings(tmp_path))

        assert first.tokens.hmac_keys == second.tokens.hmac_keys
        assert (tmp_path / "new" / "token-secret").stat().st_mode & 0o777 == 0o600
        assert "embedded" not in repr(first)

    def test_configured_keys_are_left_alone(self, tmp_path):
        settings = replace(self.settings(tmp_path), tokens=TOKEN_OPTIONS)

        assert prepare(settings).tokens is TOKEN_OPTIONS
        assert not (tmp_path / "new" / "token-secret").exists()

    def test_ports_of_the_sandbox_that_are_0_become_free_ones(self, tmp_path):
        settings = self.settings(tmp_path)
        settings = replace(settings, sandbox=replace(settings.sandbox, page_port=0, fcm_port=0))

        prepared = prepare(settings).sandbox

        # Above them are those that the system gives to outgoing connections meanwhile.
        assert all(20_000 <= port <= 32_000 for port in (prepared.page_port, prepared.fcm_port))
        assert prepared.apns_port == settings.sandbox.apns_port

    def test_a_cluster_makes_nothing(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        plain = Settings()
        database = replace(plain.database, url="postgresql://zaffa@127.0.0.1:1/zaffa")
        settings = replace(plain, database=database)

        assert prepare(settings) is settings
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("push", "url", "key_file", "sandboxed"),
    [
        ("auto", "sqlite:///x", "", True),
        ("auto", "sqlite:///x", "key.json", False),
        ("auto", "postgresql://x/y", "", False),
        ("providers", "sqlite:///x", "", False),
        ("sandbox", "postgresql://x/y", "key.json", True),
    ],
)
def test_pushes_go_to_the_sandbox_only_where_that_is_meant(push, url, key_file, sandboxed):
    plain = Settings()
    settings = replace(
        plain,
        server=replace(plain.server, push=push),
        database=replace(plain.database, url=url),
        fcm=replace(plain.fcm, key_file=key_file),
    )

    assert settings.sandboxed is sandboxed
