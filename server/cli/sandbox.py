"""`zaffa sandbox`: FCM, APNs and Web Push, emulated on this machine."""

import argparse
import asyncio
import signal
import sys

import aiohttp

from kernel.clock import SystemClock
from notifications.sandbox.credentials import init, init_app
from notifications.sandbox.sandbox import Sandbox
from server.cli.common import Commands, add_command, settings
from server.wiring.groups import Settings
from server.wiring.providers import sandboxed, sandboxed_browsers

_EXAMPLES = """\
  zaffa sandbox --init      make its certificates and credentials, and say which settings use them
  zaffa sandbox --init --app shop   make further credentials, and say how to give them to an app
  zaffa sandbox run         emulate the providers until Ctrl+C
  zaffa sandbox follow      list pushes as they arrive, here or in `zaffa serve`
"""


def add_to(commands: Commands) -> None:
    command = add_command(
        commands,
        "sandbox",
        examples=_EXAMPLES,
        run=_run,
    )
    command.add_argument("action", nargs="?", choices=("run", "follow"))
    command.add_argument(
        "--init", action="store_true", help="make the credentials that a real server would have"
    )

    command.add_argument(
        "--app", default="", metavar="NAME", help="with --init: those of one more app"
    )


def _run(given: argparse.Namespace) -> int:
    loaded = settings(given)
    if given.init and given.app:
        _init_app(loaded, given.app)
    elif given.init:
        _init(loaded)
    elif given.action is None:
        print("Say what to do: --init, run or follow.", file=sys.stderr)
        return 2
    if given.action == "run":
        asyncio.run(_emulate(loaded))
    elif given.action == "follow":
        return asyncio.run(_follow(loaded))
    return 0


def _init(loaded: Settings) -> None:
    options = loaded.sandbox
    init(options.directory, fcm_port=options.fcm_port)
    fcm, apns = sandboxed(options, fcm=loaded.fcm, apns=loaded.apns)
    print("# A server that sends to this sandbox needs these settings:")
    print("ZAFFA_SERVER_PUSH=providers")
    for name in ("key_file", "endpoint", "ca_file"):
        print(f"ZAFFA_FCM_{name.upper()}={getattr(fcm, name)}")
    names = ("key_file", "key_id", "team_id", "topic", "production", "sandbox", "ca_file")
    for name in names:
        print(f"ZAFFA_APNS_{name.upper()}={getattr(apns, name)}")
    webpush = sandboxed_browsers(options, loaded.webpush)
    for name in ("key_file", "subject", "own_service", "ca_file"):
        print(f"ZAFFA_WEBPUSH_{name.upper()}={getattr(webpush, name)}")


def _init_app(loaded: Settings, name: str) -> None:
    options = loaded.sandbox
    files = init_app(options.directory, name, fcm_port=options.fcm_port)
    print("# A sandbox that starts now takes these; an app shows them once it is told:")
    print(f"zaffa apps put {name} --name {name}")
    print(f"zaffa apps fcm {name} {files.service_account}")
    print(
        f"zaffa apps apns {name} {files.apns_key} --key-id {files.key_id}"
        f" --team-id {files.team_id} --topic {files.topic}"
    )
    print(f"zaffa apps webpush {name} {files.vapid_key} --subject mailto:sandbox@localhost")
    token_uri = f"https://localhost:{options.fcm_port}/token"
    print(f"# ZAFFA_CREDENTIALS_TOKEN_URIS must hold {token_uri}")


async def _emulate(loaded: Settings) -> None:
    sandbox = Sandbox(loaded.sandbox, SystemClock())
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sign, ended.set)
    await sandbox.open()
    try:
        print(f"FCM   {sandbox.fcm_endpoint}")
        print(f"APNs  {sandbox.apns_address} and {sandbox.apns_sandbox_address}")
        print(f"web   {sandbox.webpush_origin}")
        print(f"page  {sandbox.page_url}", flush=True)
        await ended.wait()
    finally:
        await sandbox.close()


_SHOWN_FIRST = 10
"""Pushes that had arrived already and are shown, as `tail -f` does with lines."""


async def _follow(loaded: Settings) -> int:
    """One line for each push: the last few, then each that arrives. A sandbox that ends ends it."""
    url = f"http://{loaded.sandbox.host}:{loaded.sandbox.page_port}/pushes"
    timeout = aiohttp.ClientTimeout(total=90)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        try:
            async with session.get(url, params={"limit": "1"}) as answer:
                after = max(0, (await answer.json())["total"] - _SHOWN_FIRST)
            print(f"following the pushes at {url} …", file=sys.stderr)
            while True:
                query = {"after": str(after), "wait": "30"}
                async with session.get(url, params=query) as answer:
                    found = await answer.json()
                after = found["last"]
                for push in found["pushes"]:
                    print(_line(push), flush=True)
        except aiohttp.ClientError as error:
            print(
                f"The sandbox does not answer at {url} ({type(error).__name__}). Is `zaffa serve` "
                "or `zaffa sandbox run` running?",
                file=sys.stderr,
            )
            return 1


def _line(push: dict[str, str]) -> str:
    at = push["received_at"][11:19]
    where = f"{push['provider']}/{push['environment']}"
    return f"{at}  {where:<16} {push['address'][:24]:<24}  {push['title']}: {push['body']}"
