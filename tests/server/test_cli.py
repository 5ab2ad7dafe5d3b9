"""The command `zaffa`, as people call it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from server.cli.main import main
from tests.support.running import ROOT

COMMANDS = ("serve", "db", "token", "key", "sandbox", "demo", "chat", "nodes", "channels",
            "users", "push", "campaigns", "reminders", "trace", "doctor")  # fmt: skip


@pytest.fixture
def zaffa(tmp_path: Path):
    """Call `zaffa` in an empty folder; what it said."""

    def call(
        *arguments: str, timeout: float = 60, stdin: str = "", **settings: str
    ) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if "ZAFFA" not in name}
        return subprocess.run(
            [sys.executable, "-m", "server", *arguments],
            cwd=tmp_path,
            env={**inherited, "PYTHONPATH": str(ROOT), **settings},
            capture_output=True,
            text=True,
            input=stdin,
            timeout=timeout,
        )

    return call


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_a_command_is_for_with_examples(command, capsys):
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert f"zaffa {command}" in said.partition("examples:")[2]


def test_help_lists_every_command_and_first_steps(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])

    said = capsys.readouterr().out
    assert all(command in said for command in COMMANDS)
    assert "zaffa serve --demo" in said


def test_whoever_reads_may_have_had_enough():
    with subprocess.Popen(
        [sys.executable, "-m", "server", "doctor", "--settings"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()

        assert (process.stderr.read(), process.wait(60)) == (b"", 141)


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_what_needs_no_driver_loads_none(word):
    """`zaffa --version` answered after a second."""
    look = (
        "import sys\nfrom server.cli.main import main\n"
        "try: main([sys.argv[1]])\nexcept SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )

    said = subprocess.run(
        [sys.executable, "-c", look, word], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    heavy = {"sqlalchemy", "starlette", "redis", "aiohttp", "uvicorn", "alembic", "server.house"}
    assert "zaffa" in said.stdout
    assert heavy & set(said.stderr.split()) == set()


def test_a_command_that_does_not_exist_is_answered_with_those_that_do(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["serv"])

    assert ended.value.code == 2
    assert "serve" in capsys.readouterr().err


def test_a_misspelt_setting_stops_every_command(zaffa):
    said = zaffa("db", "current", ZAFFA_RELAY_BACTH="5")

    assert said.returncode == 2
    assert "ZAFFA_RELAY_BACTH is unknown; did you mean ZAFFA_RELAY_BATCH?" in said.stderr


def test_the_database_goes_up_and_down(zaffa):
    assert "up to date" in zaffa("db", "upgrade").stdout
    assert zaffa("db", "check").stdout == "The tables match the code.\n"
    assert "revision none" in zaffa("db", "downgrade", "base").stdout
    assert zaffa("db", "check").returncode == 3
    assert zaffa("db", "downgrade").returncode == 2


def test_a_key_is_shown_once_listed_and_revoked(zaffa):
    assert "zaffa db upgrade" in zaffa("key", "list").stderr
    zaffa("db", "upgrade")

    made = zaffa("key", "create", "shop", "--scope", "users")
    key_id = made.stderr.split()[1]
    secret = made.stdout.strip()
    listed = zaffa("key", "list").stdout
    assert secret.startswith("zaffa_")
    assert secret not in listed
    assert listed.startswith(key_id)
    assert "active" in listed

    assert zaffa("key", "revoke", key_id).returncode == 0
    assert zaffa("key", "revoke", key_id).returncode == 1
    assert "revoked" in zaffa("key", "list").stdout


def test_a_token_is_all_that_is_printed(zaffa):
    said = zaffa("token", "amina")

    assert said.stdout.count(".") == 2
    assert said.stdout.count("\n") == 1


def test_a_token_that_only_others_can_sign_is_refused_with_the_reason(zaffa):
    said = zaffa("token", "amina", ZAFFA_TOKENS_JWKS_URL="https://id.example/keys")

    assert said.returncode == 1
    assert "ZAFFA_TOKENS_HMAC_KEYS" in said.stderr


def test_the_demo_can_be_seeded_twice(zaffa):
    zaffa("db", "upgrade")

    first, second = zaffa("demo"), zaffa("demo")

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert "amina" in first.stdout


def test_the_doctor_finds_nothing_wrong_with_the_default(zaffa):
    zaffa("db", "upgrade")

    said = zaffa("doctor")

    assert said.returncode == 0, said.stdout
    assert "FAIL" not in said.stdout
    assert "SQLite answers" in said.stdout


def test_the_doctor_says_what_to_do(zaffa, tmp_path):
    (tmp_path / "key.json").write_text("{}")

    said = zaffa(
        "doctor",
        ZAFFA_DATABASE_URL="postgresql://zaffa@127.0.0.1:1/zaffa",
        ZAFFA_REDIS_URL="redis://127.0.0.1:1",
        ZAFFA_FCM_KEY_FILE="key.json",
        ZAFFA_APNS_KEY_FILE="none.p8",
        ZAFFA_APNS_KEY_ID="K",
        ZAFFA_APNS_TEAM_ID="T",
        ZAFFA_APNS_TOPIC="app",
    )

    failed = [line.split()[1] for line in said.stdout.splitlines() if line.startswith("FAIL")]
    assert said.returncode == 1
    assert failed == ["tokens", "database", "redis", "fcm", "apns"]
    assert said.stdout.count("→") >= len(failed)
    assert "can be read by others" in said.stdout


def test_the_sandbox_makes_credentials_and_says_which_settings_use_them(zaffa, tmp_path):
    said = zaffa("sandbox", "--init")

    settings = dict(line.split("=", 1) for line in said.stdout.splitlines() if "=" in line)
    assert (tmp_path / settings["ZAFFA_FCM_KEY_FILE"]).exists()
    assert (tmp_path / settings["ZAFFA_APNS_KEY_FILE"]).exists()
    checked = zaffa("doctor", **settings)
    assert "ok    fcm" in checked.stdout
    assert "ok    apns" in checked.stdout


def test_following_a_sandbox_that_is_not_there_says_so(zaffa):
    said = zaffa("sandbox", "follow", ZAFFA_SANDBOX_PAGE_PORT="1")

    assert said.returncode == 1
    assert "does not answer" in said.stderr


def test_chatting_without_a_server_says_so(zaffa):
    said = zaffa("chat", "--user", "amina", "--with", "karim", ZAFFA_SERVER_PORT="1")

    assert said.returncode == 1
    assert "No server answers" in said.stderr


def test_several_nodes_need_a_cluster(zaffa):
    said = zaffa("serve", "--workers", "2")

    assert said.returncode == 2
    assert "PostgreSQL" in said.stderr
