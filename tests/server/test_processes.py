"""Real processes: how a node begins, how it leaves, and how several share a port."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.support.running import ROOT, RunningHouse, free_port
from tests.support.servers import ports_in_a_row

PORTS = ("PAGE_PORT", "FCM_PORT", "APNS_PORT", "APNS_SANDBOX_PORT", "WEBPUSH_PORT")
FREE_PORTS = {f"ZAFFA_SANDBOX_{name}": "0" for name in PORTS}


def events_of(log: Path) -> list[str]:
    """The messages of a JSON log, in order."""
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    return [json.loads(line)["message"] for line in lines]


async def joined(house: RunningHouse, user: str):
    """An open connection of a user."""
    connection = await connect(house.websocket_url, compression=None)
    await connection.send(json.dumps({"id": 1, "connect": {"token": house.token(user)}}))
    assert "connect" in json.loads(await connection.recv())
    return connection


async def closing_code(connection) -> int:
    """The code that the server closes with, after whatever else it says."""
    async with asyncio.timeout(20):
        await connection.wait_closed()
    return connection.close_code


async def test_a_node_that_is_told_to_leave_sends_its_clients_elsewhere_and_ends(tmp_path):
    async with RunningHouse.start(tmp_path, settings=FREE_PORTS) as house:
        connections = [await joined(house, f"user-{number}") for number in range(3)]
        os.kill(house.pid, signal.SIGTERM)

        codes = [await closing_code(each) for each in connections]
        ended = await asyncio.to_thread(house.process.wait, 30)

    assert codes == [3001, 3001, 3001]
    assert ended == 0
    events = events_of(house.log)
    assert events.index("node ready") < events.index("node leaves") < events.index("node left")
    assert "Traceback" not in house.log.read_text()


async def test_a_second_signal_skips_the_waiting(tmp_path):
    slow = {**FREE_PORTS, "ZAFFA_SERVER_DRAIN_NOTICE_SECONDS": "3600"}
    async with RunningHouse.start(tmp_path, settings=slow) as house:
        os.kill(house.pid, signal.SIGTERM)
        await asyncio.to_thread(until, house.log, "node leaves")
        os.kill(house.pid, signal.SIGINT)

        assert await asyncio.to_thread(house.process.wait, 30) == 0


async def test_a_node_that_leaves_says_so_before_it_stops_answering(tmp_path):
    noticed = {**FREE_PORTS, "ZAFFA_SERVER_DRAIN_NOTICE_SECONDS": "2"}
    async with RunningHouse.start(tmp_path, settings=noticed) as house:
        os.kill(house.pid, signal.SIGTERM)
        await asyncio.to_thread(until, house.log, "node leaves")

        with pytest.raises(urllib.error.HTTPError) as refused:
            await asyncio.to_thread(urllib.request.urlopen, f"{house.url}/readyz")

    assert refused.value.code == 503
    assert "this node is leaving" in refused.value.read().decode()
    refused.value.close()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path):
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        said = subprocess.run(
            [sys.executable, "-m", "server", "serve", "--port", str(taken)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), **FREE_PORTS},
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert said.returncode == 1
    assert said.stderr.splitlines()[-1].startswith(f"Cannot listen on 127.0.0.1:{taken}")


@pytest.mark.external
def test_a_port_for_metrics_that_is_taken_is_said_in_one_line(
    tmp_path, empty_database_url, valkey_url
):
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        said = subprocess.run(
            [sys.executable, "-m", "server", "serve", "--workers", "2", "--port", "0"],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "ZAFFA_DATABASE_URL": empty_database_url,
                "ZAFFA_REDIS_URL": valkey_url,
                "ZAFFA_SERVER_METRICS_PORT": str(taken),
            },
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert said.returncode == 1
    assert "ZAFFA_SERVER_METRICS_PORT" in said.stderr.splitlines()[-1]


def test_the_last_lines_of_a_demo_say_what_to_try_and_it_works(tmp_path):
    port = free_port()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **FREE_PORTS}
    command = [sys.executable, "-m", "server", "serve", "--demo", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        node = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        said: list[str] = []
        while not said or "sandbox follow" not in said[-1]:
            line = node.stdout.readline()
            assert line, (tmp_path / "log").read_text()[-3000:]
            said.append(line)
        (chat,) = (line.strip() for line in said if "--user amina" in line)

        talk = subprocess.run(
            chat.split(),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            input="السلام عليكم\n",
            timeout=60,
        )

        assert talk.returncode == 0, talk.stderr
        assert "Oui, c’est réservé" in talk.stdout
        again = subprocess.run(
            [*chat.split()], cwd=tmp_path, env=environment, capture_output=True, text=True,
            input="", timeout=60,
        )  # fmt: skip
        assert "السلام عليكم" in again.stdout
    finally:
        node.send_signal(signal.SIGTERM)
        node.wait(30)
        node.stdout.close()

    assert node.returncode == 0


def test_a_credential_that_cannot_be_used_is_said_without_a_traceback(tmp_path):
    (tmp_path / "key.json").write_text("{}")

    said = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--port", "0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ZAFFA_FCM_KEY_FILE": "key.json"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert said.returncode == 1
    assert "fcm.key_file (key.json) must be the service account key file" in said.stderr
    assert "zaffa doctor" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.external
def test_an_old_schema_is_not_served(tmp_path, empty_database_url):
    said = subprocess.run(
        [sys.executable, "-m", "server", "serve", "--port", "0"],
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "ZAFFA_DATABASE_URL": empty_database_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert said.returncode == 3
    assert said.stderr.splitlines()[-1] == ("The database is empty. Run `zaffa db upgrade` first.")


@pytest.mark.external
def test_nodes_share_a_port_come_back_when_killed_and_leave_together(
    tmp_path, empty_database_url, valkey_url
):
    with two_workers(tmp_path, empty_database_url, valkey_url) as (parent, log, metrics):
        for number in range(2):
            assert b"messaging_connections" in answer_of(metrics + number)
        first = next(
            json.loads(line)["pid"] for line in log.read_text().splitlines() if '"pid"' in line
        )
        os.kill(first, signal.SIGKILL)
        until(log, "node ready", times=3)

    assert parent.returncode == 0
    assert events_of(log).count("node left") == 2
    assert events_of(log)[-1] == "all nodes left"


@pytest.mark.external
def test_a_release_that_does_not_start_replaces_no_node(tmp_path, empty_database_url, valkey_url):
    settings = tmp_path / "zaffa.toml"
    settings.write_text("[hub]\npage = 100\n")
    with two_workers(tmp_path, empty_database_url, valkey_url) as (parent, log, metrics):
        settings.write_text("[hub]\npage = 0\n")
        parent.send_signal(signal.SIGHUP)
        until(log, "renewal stopped")
        for number in range(2):
            assert b"messaging_connections" in answer_of(metrics + number)
        assert events_of(log).count("node ended") == 0
        settings.write_text("[hub]\npage = 200\n")
        parent.send_signal(signal.SIGHUP)
        until(log, "nodes renewed")

    assert parent.returncode == 0
    assert events_of(log).count("node left") == 4


@contextmanager
def two_workers(folder: Path, database_url: str, redis_url: str):
    """A parent with two nodes that are ready, its log, and the first port of their metrics."""
    # The nodes take those after it.
    metrics = ports_in_a_row(3)
    settings = {
        "ZAFFA_DATABASE_URL": database_url,
        "ZAFFA_REDIS_URL": redis_url,
        "ZAFFA_SERVER_METRICS_PORT": str(metrics),
        "ZAFFA_TOKENS_HMAC_KEYS": "test:" + "s" * 40,
        "ZAFFA_SERVER_LOG_FORMAT": "json",
    }
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    subprocess.run(
        [sys.executable, "-m", "server", "db", "upgrade"],
        cwd=folder, env=environment, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    log = folder / "log"
    with log.open("w") as out:
        parent = subprocess.Popen(
            [sys.executable, "-m", "server", "serve", "--workers", "2",
             "--port", str(free_port())],
            cwd=folder, env=environment, stderr=out,
        )  # fmt: skip
    try:
        until(log, "node ready", times=2)
        yield parent, log, metrics
    finally:
        parent.send_signal(signal.SIGTERM)
        parent.wait(60)


def answer_of(port: int) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        return answer.read()


def until(log: Path, event: str, *, times: int = 1) -> None:
    """Wait for a log line to be there so many times."""
    deadline = time.monotonic() + 60
    while events_of(log).count(event) < times:
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.05)
