"""The provider emulator for tests, and pushes to send to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from kernel.clock import Clock
from kernel.ids import new_id
from kernel.notices import Urgency
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.adapters.webpush import WebPushOptions, WebPushProvider
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind, Attempt, Content, Environment

APNS_ADDRESS = "ab" * 32
FCM_ADDRESS = "sandbox-phone"


@asynccontextmanager
async def running_sandbox(
    directory: Path, *, clock: Clock, record_file: str = "", **limits: int
) -> AsyncIterator[Sandbox]:
    """A sandbox on free ports."""
    options = SandboxOptions(
        directory=str(directory),
        page_port=0,
        fcm_port=0,
        apns_port=0,
        apns_sandbox_port=0,
        webpush_port=0,
        record_file=record_file,
    )
    sandbox = Sandbox(replace(options, **limits), clock)
    await sandbox.open()
    try:
        yield sandbox
    finally:
        await sandbox.close()


def fcm_options(sandbox: Sandbox) -> FcmOptions:
    return FcmOptions(
        key_file=str(sandbox.files.service_account),
        endpoint=sandbox.fcm_endpoint,
        ca_file=str(sandbox.files.authority),
    )


def apns_options(sandbox: Sandbox) -> ApnsOptions:
    return ApnsOptions(
        key_file=str(sandbox.files.apns_key),
        key_id=sandbox.files.key_id,
        team_id=sandbox.files.team_id,
        topic=sandbox.files.topic,
        production=sandbox.apns_address,
        sandbox=sandbox.apns_sandbox_address,
        ca_file=str(sandbox.files.authority),
    )


def webpush_options(sandbox: Sandbox) -> WebPushOptions:
    return WebPushOptions(
        key_file=str(sandbox.files.vapid_key),
        subject="mailto:push@example.org",
        origins=(),
        own_service=sandbox.webpush_origin,
        ca_file=str(sandbox.files.authority),
    )


@asynccontextmanager
async def open_webpush(options: WebPushOptions, *, clock: Clock) -> AsyncIterator[WebPushProvider]:
    provider = WebPushProvider(options, clock=clock)
    await provider.open()
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def open_fcm(options: FcmOptions, *, clock: Clock) -> AsyncIterator[FcmProvider]:
    provider = FcmProvider(options, clock=clock)
    await provider.open()
    try:
        yield provider
    finally:
        await provider.close()


@asynccontextmanager
async def open_apns(options: ApnsOptions, *, clock: Clock) -> AsyncIterator[ApnsProvider]:
    provider = ApnsProvider(options, clock=clock)
    await provider.open()
    try:
        yield provider
    finally:
        await provider.close()


def attempt(
    kind: AddressKind,
    *,
    now: datetime,
    address: str = "",
    push_id: UUID | None = None,
    title: str = "سارة",
    body: str = "À demain ! غدا إن شاء الله",
    environment: Environment = Environment.PRODUCTION,
    urgency: Urgency = Urgency.INTERACTIVE,
    collapse_key: str = "conversation-1",
    expires_at: datetime | None = None,
    content: Content | None = None,
) -> Attempt:
    """A sound push to a good address; a test says only what it is about."""
    good = APNS_ADDRESS if kind is AddressKind.APNS else FCM_ADDRESS
    return Attempt(
        push_id=push_id or new_id(now),
        number=1,
        address_kind=kind,
        address=address or good,
        environment=environment,
        urgency=urgency,
        content=content or Content(title=title, body=body),
        collapse_key=collapse_key,
        expires_at=expires_at or now + timedelta(hours=1),
    )
