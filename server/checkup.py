"""What `zaffa doctor` looks at: each finding says how it is and what to do."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from kernel.bus import Bus, Publication
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.metrics import Metrics
from reminders.opting import is_trusted
from server import migrations
from server.wiring.groups import Settings
from server.wiring.preparing import check_presence, database_folder, open_bus, open_database

DRIFT = 2.0
"""Seconds that our clock and the database's may differ; tokens and leases depend on it."""


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` is what to do, empty when nothing is to be done."""

    level: Level
    subject: str
    text: str
    advice: str = ""


async def check(settings: Settings) -> AsyncIterator[Finding]:
    """Look at everything the settings point to."""
    yield Finding(Level.OK, "settings", "loaded; every name and value is known")
    if settings.server.insecure:
        yield _insecure(settings)
    yield _tokens(settings)
    async for finding in _database(settings):
        yield finding
    yield await _redis(settings)
    yield _pushes(settings)
    yield _links(settings)
    for finding in _credentials(settings):
        yield finding
    for finding in _files(settings):
        yield finding


def _insecure(settings: Settings) -> Finding:
    where = "anywhere" if settings.server.insecure_anywhere else "on this machine"
    return Finding(
        Level.WARN,
        "access",
        f"insecure: whoever reaches the server {where} may do everything in channels",
        "Unset ZAFFA_SERVER_INSECURE in production.",
    )


def _links(settings: Settings) -> Finding:
    if not is_trusted(settings.server.public_url):
        return Finding(
            Level.WARN,
            "links",
            "guests who are asked for an answer get no link to opt out with",
            "Set ZAFFA_SERVER_PUBLIC_URL to the https address of the server.",
        )
    return Finding(Level.OK, "links", f"guests opt out at {settings.server.public_url}")


def _tokens(settings: Settings) -> Finding:
    tokens = settings.tokens
    if not (tokens.hmac_keys or tokens.public_key_files or tokens.jwks_url):
        return Finding(
            Level.FAIL,
            "tokens",
            "nobody can sign access tokens",
            "Set ZAFFA_TOKENS_HMAC_KEYS, ZAFFA_TOKENS_PUBLIC_KEY_FILES or ZAFFA_TOKENS_JWKS_URL.",
        )
    for each in tokens.public_key_files:
        path = Path(each.partition(":")[2])
        if not os.access(path, os.R_OK):
            return Finding(Level.FAIL, "tokens", f"{path} cannot be read", "Check the path.")
    return Finding(Level.OK, "tokens", "there are keys to check access tokens with")


async def _database(settings: Settings) -> AsyncIterator[Finding]:
    name = "SQLite" if settings.embedded else "PostgreSQL"
    try:
        async with open_database(settings) as database:
            yield Finding(Level.OK, "database", f"{name} answers")
            async with database.reading() as connection:
                state = await migrations.state_on(connection)
                if not settings.embedded:
                    theirs = (await connection.execute(sa.select(sa.func.now()))).scalar_one()
                    yield _clock(theirs)
    except Unavailable as error:
        yield Finding(Level.FAIL, "database", _told(error), "Check ZAFFA_DATABASE_URL.")
        return
    if state.is_current:
        yield Finding(Level.OK, "schema", f"revision {state.current} is this release's")
    elif settings.embedded:
        text = f"revision {state.current or 'none'}, this release needs {state.head}"
        yield Finding(Level.WARN, "schema", text, "`zaffa serve` upgrades it by itself.")
    else:
        text = f"revision {state.current or 'none'}, this release needs {state.head}"
        yield Finding(Level.FAIL, "schema", text, "Run `zaffa db upgrade`.")


def _told(error: Unavailable) -> str:
    return f"{error.message.rstrip('.')}: {error.reason}" if error.reason else error.message


def _clock(theirs: datetime) -> Finding:
    drift = abs((SystemClock().now() - theirs).total_seconds())
    if drift > DRIFT:
        return Finding(
            Level.FAIL,
            "clock",
            f"{drift:.1f} s away from the database's",
            "Run a time service (chrony, systemd-timesyncd) on both machines.",
        )
    return Finding(Level.OK, "clock", f"within {DRIFT:.0f} s of the database's")


async def _redis(settings: Settings) -> Finding:
    if not settings.redis.url:
        if settings.embedded:
            return Finding(Level.OK, "redis", "not needed: this process is alone")
        return Finding(
            Level.WARN,
            "redis",
            "not configured: nodes do not hear of each other",
            "Set ZAFFA_REDIS_URL if there is more than one node.",
        )
    setup = settings.redis.address.setup
    try:
        async with open_bus(settings, Metrics()) as bus:
            try:
                await _carry(bus, within=settings.redis.timeout_seconds)
                await check_presence(settings)
            except Unavailable as error:
                advice = "Compare its access list with docs/operations.md."
                return Finding(Level.FAIL, "redis", _told(error), advice)
    except Unavailable as error:
        return Finding(Level.FAIL, "redis", _told(error), "Check ZAFFA_REDIS_URL.")
    return Finding(Level.OK, "redis", f"answers and carries news ({setup})")


async def _carry(bus: Bus, *, within: float) -> None:
    """Have the bus carry something. Raises `Unavailable` if it does not arrive."""
    probe = Publication("\0doctor", b"{}")
    async with bus.listen() as listener:
        await listener.follow(frozenset({probe.channel}))
        bus.publish([probe])
        try:
            async with asyncio.timeout(within):
                await anext(aiter(listener))
        except TimeoutError:
            raise Unavailable("Redis does not carry what is published.") from None


def _pushes(settings: Settings) -> Finding:
    if settings.sandboxed:
        return Finding(
            Level.WARN if not settings.embedded else Level.OK,
            "pushes",
            "go to the sandbox in the server's process; no phone receives any",
            "" if settings.embedded else "Set ZAFFA_SERVER_PUSH=providers in production.",
        )
    if not (settings.fcm.key_file or settings.apns.key_file):
        return Finding(
            Level.WARN,
            "pushes",
            "the settings name no credentials: pushes wait until an app has some of its own",
            "Give them with `zaffa apps`, or set ZAFFA_FCM_KEY_FILE or ZAFFA_APNS_KEY_FILE.",
        )
    return Finding(Level.OK, "pushes", "go to the providers")


def _credentials(settings: Settings) -> list[Finding]:
    found: list[Finding] = []
    if not settings.credentials.keys:
        text = "no key seals credentials: only those of the settings can be used"
        advice = "Put what `zaffa apps make-key` prints into ZAFFA_CREDENTIALS_KEYS."
        found.append(Finding(Level.WARN, "credentials", text, advice))
    if settings.fcm.key_file:
        found.append(_service_account(Path(settings.fcm.key_file)))
    if settings.apns.key_file:
        found.append(_signing_key(Path(settings.apns.key_file)))
    return found


def _service_account(path: Path) -> Finding:
    advice = "Download a service account key (JSON) from the Firebase console."
    try:
        account = json.loads(path.read_bytes())
        load_pem_private_key(str(account["private_key"]).encode(), None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Finding(Level.FAIL, "fcm", f"{path}: {type(error).__name__}", advice)
    return Finding(Level.OK, "fcm", f"key file of the project {account.get('project_id', '?')}")


def _signing_key(path: Path) -> Finding:
    advice = "Download the signing key (.p8) from Apple; it is an EC key."
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        return Finding(Level.FAIL, "apns", f"{path}: {type(error).__name__}", advice)
    if not isinstance(key, EllipticCurvePrivateKey):
        return Finding(Level.FAIL, "apns", f"{path}: not an EC key", advice)
    return Finding(Level.OK, "apns", "signing key can be read")


def _files(settings: Settings) -> list[Finding]:
    """Secrets that others on this machine can read, and a folder that we cannot write."""
    found: list[Finding] = []
    secrets = [
        settings.fcm.key_file,
        settings.apns.key_file,
        settings.webpush.key_file,
        settings.server.tls_key,
    ]
    if settings.embedded:
        folder = database_folder(settings)
        if not os.access(folder, os.W_OK):
            advice = "Make it writable for this user, or move the database."
            found.append(Finding(Level.FAIL, "files", f"{folder} cannot be written", advice))
        secrets.append(settings.database.url.removeprefix("sqlite:///"))
    for name in filter(None, secrets):
        path = Path(name)
        if path.exists() and path.stat().st_mode & 0o077:
            text = f"{path} can be read by others on this machine"
            found.append(Finding(Level.WARN, "files", text, f"Run `chmod 600 {path}`."))
    return found or [Finding(Level.OK, "files", "permissions are as they should be")]
