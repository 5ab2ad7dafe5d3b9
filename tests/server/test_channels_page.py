"""`docs/channels.md` says what is so: its options are all, its settings load, its commands work."""

import asyncio
import re
import time
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from kernel.adapters.jwt import JwtVerifier
from messaging.channels.grants import Flag, Override
from messaging.channels.namespaces import ChannelOptions
from messaging.tokens import subscription_token
from server.settings import load
from server.wiring.groups import Settings
from tests.flows.test_readme import shell
from tests.support.clock import ManualClock
from tests.support.running import ROOT, RunningHouse
from tests.support.tokens import SECRET, TOKEN_OPTIONS

PAGE = (ROOT / "docs" / "channels.md").read_text("utf-8")


def blocks(kind: str, *, mark: str = "") -> list[str]:
    """The blocks of a kind, or those of them that are marked."""
    marked = rf"<!-- {mark} -->\n" if mark else ""
    return re.findall(rf"{marked}```{kind}\n(.*?)```", PAGE, re.DOTALL)


def test_every_option_of_a_namespace_is_in_the_table_as_the_code_has_it():
    rows = re.findall(r"^\| `(\w+)` \| (\S+) \| (.+) \|$", PAGE, re.MULTILINE)
    documented = [row for row in rows if row[0] in ChannelOptions.__struct_fields__]

    assert documented == [
        (name, _shown(getattr(ChannelOptions(), name)), _meaning(hint))
        for name, hint in get_type_hints(ChannelOptions, include_extras=True).items()
        if name in ChannelOptions.__struct_fields__
    ]


def _meaning(hint: Any) -> str:
    (meta,) = hint.__metadata__
    return str(meta.description)


def _shown(default: object) -> str:
    if default in ("", ()):
        return "none"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_its_settings_are_settings(tmp_path: Path):
    file = tmp_path / "zaffa.toml"
    (example,) = blocks("toml")
    file.write_text(example, "utf-8")

    settings = load(Settings, environment={}, file=file)

    assert settings.channels.namespaces.keys() == {"guests", "live"}
    assert settings.channels.namespaces["guests"].history_seconds == 3600
    assert settings.channels.subscribe_to_personal


def test_its_environment_is_the_environment():
    (text,) = re.findall(r"`ZAFFA_CHANNELS_NAMESPACES='(.+?)'`", PAGE)

    settings = load(Settings, environment={"ZAFFA_CHANNELS_NAMESPACES": text})

    assert settings.channels.namespaces["live"].allow_subscribe_for_client


def test_what_it_names_are_settings():
    named = set(re.findall(r"`(\w+\.\w+)(?: = [^`]*)?`", PAGE.partition("## Coming from")[0]))
    ours = set(re.findall(r"\| `(?:\[)?(\w+\.\w+)", PAGE.partition("## Coming from")[2]))
    known = {
        f"{group}.{name}"
        for group, options in get_type_hints(Settings).items()
        if hasattr(options, "__dataclass_fields__")
        for name in options.__dataclass_fields__
    }

    files = {"zaffa.toml", "messages.send"}
    assert {
        each for each in named | ours if not each.startswith(("client.", "channel."))
    } - files - {"http_api.key"} <= known


async def test_its_token_is_a_token():
    (example,) = blocks("python", mark="token")
    there: dict[str, Any] = {"secret": SECRET}

    exec(example, there)

    clock = ManualClock()
    clock.move(seconds=time.time() - clock.now().timestamp())
    token = await subscription_token(JwtVerifier(TOKEN_OPTIONS, clock), there["token"])
    assert (token.user_id, token.channel) == ("amina", "$guests:wedding-12")
    assert token.override == Override(force_push_join_leave=Flag(True))


@pytest.mark.external
async def test_its_commands_publish_to_its_channels(tmp_path: Path):
    (example,) = blocks("toml")
    (tmp_path / "zaffa.toml").write_text(example, "utf-8")
    async with RunningHouse.start(tmp_path) as house:
        said = await asyncio.to_thread(shell, house, "\n".join(blocks("bash", mark="tour")))

    assert '"offset":1' in said
    assert "زينب" in said
