"""What must be there before a house is built: a folder, a secret, ports.

Only the embedded default makes them for itself; a cluster's operator provides them.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from kernel.adapters.database import Database
from kernel.adapters.jwt import TokenOptions, sign_token
from kernel.adapters.redis_bus import RedisBus
from kernel.adapters.redis_client import RedisClient
from kernel.adapters.sql_api_keys import SqlApiKeys
from kernel.bus import Bus
from kernel.clock import SystemClock
from kernel.errors import Unavailable
from kernel.identity import ApiKeys
from kernel.ids import UserId
from kernel.metrics import Metrics
from messaging.adapters.redis_presence import RedisPresence
from messaging.types import Presence
from notifications.apps.sealing import make_key
from notifications.sandbox.options import SandboxOptions
from server.migrations import state_on
from server.wiring.free_ports import free_port
from server.wiring.groups import Settings

_SECRET_FILE = "token-secret"
_SEALING_FILE = "credential-key"


def prepare(settings: Settings) -> Settings:
    """The settings with what the embedded default makes for itself.

    That is the database's folder, a secret to sign access tokens with and a key to seal
    credentials with (kept beside the database) unless keys are configured. A sandbox gets
    free ports where they are 0.
    """
    if settings.sandboxed:
        settings = replace(settings, sandbox=_with_ports(settings.sandbox))
    if not settings.embedded:
        return settings
    folder = database_folder(settings)
    # What is in it, messages and the secret, is for nobody else on this machine.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    tokens = settings.tokens
    if not (tokens.hmac_keys or tokens.public_key_files or tokens.jwks_url):
        secret = _kept(folder / _SECRET_FILE, secrets.token_urlsafe(48))
        tokens = replace(tokens, hmac_keys=(f"embedded:{secret}",))
    credentials = settings.credentials
    if not credentials.keys:
        key = _kept(folder / _SEALING_FILE, make_key("embedded"))
        credentials = replace(credentials, keys=(key,))
    return replace(settings, tokens=tokens, credentials=credentials)


def database_folder(settings: Settings) -> Path:
    """Where the embedded database lies."""
    return Path(settings.database.url.removeprefix("sqlite:///")).parent


def _kept(file: Path, fresh: str) -> str:
    """The secret in a file of ours, which holds `fresh` from now on if it was not there."""
    if not file.exists():
        draft = file.with_name(f"{file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as writing:
            writing.write(fresh)
        # Whoever links first wins; another process that starts now uses the same secret.
        with suppress(FileExistsError):
            file.hardlink_to(draft)
        draft.unlink()
    return file.read_text("ascii")


def _with_ports(sandbox: SandboxOptions) -> SandboxOptions:
    return replace(
        sandbox,
        page_port=sandbox.page_port or free_port(sandbox.host),
        fcm_port=sandbox.fcm_port or free_port(sandbox.host),
        apns_port=sandbox.apns_port or free_port(sandbox.host),
        apns_sandbox_port=sandbox.apns_sandbox_port or free_port(sandbox.host),
        webpush_port=sandbox.webpush_port or free_port(sandbox.host),
    )


def token_for(options: TokenOptions, user_id: str, *, lifetime: timedelta) -> str:
    """An access token for development. Raises `Unavailable` where only others can sign."""
    try:
        return sign_token(options, user_id, now=SystemClock().now(), lifetime=lifetime)
    except LookupError as error:
        raise Unavailable(
            "No secret to sign tokens with is configured (ZAFFA_TOKENS_HMAC_KEYS), so only your "
            "application or identity provider can issue them."
        ) from error


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database, if it answers. Raises `Unavailable`."""
    database = Database(settings.database)
    try:
        await database.check()
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_bus(settings: Settings, metrics: Metrics) -> AsyncIterator[Bus]:
    """The bus of the cluster, if Redis answers. Raises `Unavailable`."""
    bus = RedisBus(settings.redis, clock=SystemClock(), metrics=metrics)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


async def check_presence(settings: Settings) -> None:
    """Return if Redis lets us say who is present. Raises `Unavailable`."""
    options, client = settings.redis, RedisClient(settings.redis)
    registry = RedisPresence(
        client.redis,
        ttl_seconds=settings.presence.ttl_seconds,
        prefix=f"{options.prefix}presence:doctor",
    )
    somebody = Presence(UserId("doctor"), "doctor")
    try:
        await registry.renew()
        await registry.enter([somebody])
        await registry.present([somebody.user_id])
        await registry.connections([somebody.user_id])
        await registry.leave([somebody])
    finally:
        await client.close()


@asynccontextmanager
async def open_api_keys(settings: Settings) -> AsyncIterator[ApiKeys]:
    """The API keys of a database that has this release's schema."""
    async with open_database(settings) as database:
        async with database.reading() as connection:
            state = await state_on(connection)
        state.demand()
        yield SqlApiKeys(database, SystemClock())
