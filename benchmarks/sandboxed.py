"""A sandbox in a process of its own, on the load's core, and providers that reach it."""

import asyncio
import multiprocessing
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop

from benchmarks.machine import LOAD_CORE, SERVER_CORE
from kernel.clock import SystemClock
from notifications.adapters.apns import ApnsOptions, ApnsProvider
from notifications.adapters.fcm import FcmOptions, FcmProvider
from notifications.sandbox.options import SandboxOptions
from notifications.sandbox.sandbox import Sandbox
from notifications.types import AddressKind


@dataclass(frozen=True, slots=True)
class Places:
    """Where the sandbox is to be found."""

    fcm: str
    apns: str
    authority: str
    service_account: str
    apns_key: str
    key_id: str
    team_id: str
    topic: str
    pid: int
    """Of the sandbox's process."""

    def fcm_provider(self) -> FcmProvider:
        options = FcmOptions(
            key_file=self.service_account, endpoint=self.fcm, ca_file=self.authority
        )
        return FcmProvider(options, clock=SystemClock())

    def apns_provider(self) -> ApnsProvider:
        options = ApnsOptions(
            key_file=self.apns_key,
            key_id=self.key_id,
            team_id=self.team_id,
            topic=self.topic,
            production=self.apns,
            ca_file=self.authority,
        )
        return ApnsProvider(options, clock=SystemClock())


@contextmanager
def sandbox_elsewhere() -> Iterator[Places]:
    """A running sandbox; meanwhile this process keeps to the server's core."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as directory:
        sandbox = context.Process(target=_serve, args=(directory, theirs), daemon=True)
        sandbox.start()
        cores = os.sched_getaffinity(0)
        try:
            places: Places = ours.recv()
            os.sched_setaffinity(0, {SERVER_CORE})
            yield places
        finally:
            os.sched_setaffinity(0, cores)
            ours.send("stop")
            sandbox.join(10)


def address(kind: AddressKind, number: int) -> str:
    """A good address of a device, for the sandbox."""
    return f"{number:064x}" if kind is AddressKind.APNS else f"phone-{number:08}" + "x" * 140


def _serve(directory: str, pipe: Connection) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    uvloop.run(_sandbox(directory, pipe))


async def _sandbox(directory: str, pipe: Connection) -> None:
    options = SandboxOptions(
        directory=directory,
        page_port=0,
        fcm_port=0,
        apns_port=0,
        apns_sandbox_port=0,
        webpush_port=0,
        project_per_minute=10**9,
        device_per_minute=10**9,
    )
    sandbox = Sandbox(options, SystemClock())
    await sandbox.open()
    files = sandbox.files
    pipe.send(
        Places(
            fcm=sandbox.fcm_endpoint,
            apns=sandbox.apns_address,
            authority=str(files.authority),
            service_account=str(files.service_account),
            apns_key=str(files.apns_key),
            key_id=files.key_id,
            team_id=files.team_id,
            topic=files.topic,
            pid=os.getpid(),
        )
    )
    await asyncio.to_thread(pipe.recv)
    await sandbox.close()
