"""An insecure server stays on this machine unless it is told twice."""

from dataclasses import replace

import pytest

from kernel.adapters.database import DatabaseOptions
from server.checkup import Level, check
from server.cli.main import main
from server.options import ServerOptions
from server.wiring.groups import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_on_this_machine_a_server_may_be_insecure(host: str) -> None:
    assert ServerOptions(host=host, insecure=True).insecure


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "chat.example.dz", ""])
def test_beyond_this_machine_it_must_be_said_twice(host: str) -> None:
    with pytest.raises(ValueError, match="insecure"):
        ServerOptions(host=host, insecure=True)

    assert ServerOptions(host=host, insecure=True, insecure_anywhere=True).insecure


def test_the_command_refuses_to_listen_beyond_this_machine(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZAFFA_CONFIG", raising=False)

    code = main(["serve", "--insecure", "--host", "0.0.0.0"])

    assert code == 2
    assert "insecure" in capsys.readouterr().err


@pytest.mark.parametrize(("anywhere", "where"), [(False, "on this machine"), (True, "anywhere")])
async def test_the_doctor_warns(sqlite_database_url: str, anywhere: bool, where: str) -> None:
    server = replace(Settings().server, insecure=True, insecure_anywhere=anywhere)
    settings = Settings(server=server, database=DatabaseOptions(url=sqlite_database_url))

    [finding] = [each async for each in check(settings) if each.subject == "access"]

    assert finding.level is Level.WARN
    assert where in finding.text
    assert "ZAFFA_SERVER_INSECURE" in finding.advice


async def test_the_doctor_says_nothing_of_a_server_that_is_not(sqlite_database_url: str) -> None:
    settings = Settings(database=DatabaseOptions(url=sqlite_database_url))

    assert [each async for each in check(settings) if each.subject == "access"] == []
