"""Operators keep apps and devices by commands, at a node that runs."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.running import ROOT, RunningHouse


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[RunningHouse]:
    settings = {"ZAFFA_CREDENTIALS_TOKEN_URIS": "*"}
    async with RunningHouse.start(tmp_path, settings=settings) as running:
        yield running


async def zaffa(node: RunningHouse, *words: str, code: int = 0) -> list[str]:
    """What a command says, if it ends with this code."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", words[0], "--url", node.url, *words[1:]),
        cwd=node.folder,
        env={**node.environment(), "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complained = await process.communicate()
    assert process.returncode == code, complained.decode()
    return said.decode().splitlines()


async def register(node: RunningHouse, user: str, number: int, **more: str) -> None:
    told = {
        "installation_id": f"installation-{number}",
        "address_kind": "fcm_token",
        "address": f"phone-{number:04}",
        "platform": "android",
        "locale": "ar-DZ",
        "time_zone": "Africa/Algiers",
        **more,
    }
    headers = {"Authorization": f"Bearer {node.token(user)}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{node.url}/v1/devices", json=told) as answer,
    ):
        assert answer.status == 200, await answer.text()


async def test_an_app_gets_credentials_that_its_provider_is_asked_about(node: RunningHouse):
    keys = node.folder / "sandbox"
    await zaffa(node, "apps", "put", "shop", "--name", "Zaffa Shop")
    [kept] = await zaffa(node, "apps", "fcm", "shop", str(keys / "service-account.json"))
    assert "version 1" in kept
    assert "project_id=zaffa-sandbox" in kept

    checked = await zaffa(node, "providers", "check", "--app", "shop")
    assert [each.split()[:3] for each in checked] == [["shop", "fcm", "taken"]]

    recorded = await zaffa(node, "audit", "--subject", "app:shop")
    assert [each.split()[1] for each in recorded] == ["credential.changed", "app.put"]
    log = node.log.read_text()
    account = json.loads((keys / "service-account.json").read_text())
    secret_line = account["private_key"].splitlines()[1]
    assert secret_line not in log + str(checked) + str(recorded) + kept


async def test_devices_move_from_one_house_to_another(node: RunningHouse):
    await register(node, "amina", 1)
    await register(node, "karim", 2)
    file = node.folder / "devices.jsonl"

    assert await zaffa(node, "devices", "export", str(file)) == [f"2 devices written to {file}"]
    assert file.stat().st_mode & 0o077 == 0
    erased = await zaffa(node, "devices", "erase", "amina")
    assert ["devices", "1"] in [each.split() for each in erased]
    file.write_text(
        file.read_text() + '{"user_id": "a b", "installation_id": "installation-3", '
        '"address_kind": "fcm_token", "address": "x", "platform": "android", "locale": "fr", '
        '"time_zone": "Africa/Algiers", "confirmed_at": "2026-01-01T00:00:00Z"}\n'
    )

    told = await zaffa(node, "devices", "import", str(file), code=1)

    assert told == ["devices imported: 1 new, 0 changed, 1 kept, 1 refused"]
    [device] = await zaffa(node, "devices", "list", "--user", "amina")
    inspected = await zaffa(node, "devices", "inspect", device.split()[0])
    assert ["interactive", "gets", "them"] in [each.split() for each in inspected]
    assert not any("phone-0001" in each for each in [device, *inspected])
