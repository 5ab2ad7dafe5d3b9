"""Templates as operators use them: from a file to what a phone shows, with the command alone."""

import asyncio
import json
import logging
from pathlib import Path

import pytest

from server.cli.main import main
from tests.support.running import RunningHouse

pytestmark = [pytest.mark.external]

INVITE = {
    "variables": {"guest": {"example": "Amina"}, "days": {"kind": "number", "example": 11}},
    "texts": {
        "ar": {
            "title": "{guest}، دعوة",
            "body": "{days, plural, zero {اليوم} one {غدًا} two {بعد يومين} few {بعد # أيام} "
            "many {بعد # يومًا} other {بعد # يوم}}",
        },
        "fr": {
            "title": "{guest}, invitation",
            "body": "dans {days, plural, one {# jour} many {# de jours} other {# jours}}",
        },
    },
}


@pytest.fixture
def own_logging():
    """A command takes the process's logging for itself; here the process is that of the tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)


@pytest.fixture
def zaffa(monkeypatch, capsys, own_logging):
    async def zaffa(node: RunningHouse, *words: str, code: int = 0) -> tuple[list[str], str]:
        """What `zaffa templates` says of this node, and what it complains of."""
        for name, value in node.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(node.folder)
        asked = ["templates", "--url", node.url, *words]
        ended = await asyncio.to_thread(main, asked)
        said = capsys.readouterr()
        assert ended == code, said.err
        return said.out.splitlines(), said.err

    return zaffa


async def test_a_template_goes_from_a_file_into_use_and_back(tmp_path: Path, zaffa):
    sound, broken = tmp_path / "invite.json", tmp_path / "broken.json"
    sound.write_text(json.dumps(INVITE), "utf-8")
    broken.write_text(json.dumps({"texts": {"fr": {"title": "{gest}", "body": ""}}}), "utf-8")
    page = tmp_path / "invite.html"
    async with RunningHouse.start(tmp_path) as node:
        assert await zaffa(node, "put", "invite", str(sound)) == (
            ["invite version 1 is written down"],
            "",
        )
        assert "version 1 in use" in (await zaffa(node, "publish", "invite"))[0][0]

        _, complained = await zaffa(node, "put", "invite", str(broken), code=1)
        assert "must be mended: fr" in complained
        assert "'gest'" in complained
        _, complained = await zaffa(node, "publish", "invite", code=1)
        assert "'gest'" in complained

        shown, _ = await zaffa(
            node, "preview", "invite", "1", "--var", "days=2", "--locale", "ar-DZ"
        )
        assert shown[0].startswith("ar-DZ reads ar: fcm ")
        assert shown[1:] == ["  Amina، دعوة", "  بعد يومين"]
        await zaffa(node, "preview", "invite", "1", "--html", str(page))
        assert page.read_text("utf-8").count('class="phone iphone') == 4

        listed, _ = await zaffa(node, "list")
        assert listed[0].split()[:4] == ["invite", "version", "1", "in"]
        assert any(line.startswith("task.reminder") for line in listed)
        assert "not in use" in (await zaffa(node, "withdraw", "invite"))[0][0]
        assert "version 1 in use" in (await zaffa(node, "rollback", "invite"))[0][0]
        written, told = await zaffa(node, "show", "invite", "1")
        assert json.loads("\n".join(written)) == INVITE
        assert "none in use, by key:" in told
