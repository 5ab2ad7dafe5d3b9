"""Valkey as operators run it: a cluster, behind Sentinel, and behind TLS with an access list."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from redis import Redis
from redis.exceptions import RedisError

from tests.support.servers import HOST, ValkeyServer, free_port, running

PATIENCE = 20.0
SLOTS = 16_384

WATCHWORD = "watch:word"
"""What the sentinel asks for."""

RIGHTS = (
    "~zaffa:* &zaffa:* +ping +publish +subscribe +unsubscribe "
    "+spublish +ssubscribe +sunsubscribe +cluster|slots +command "
    "+hset +hdel +hgetall +hkeys +set +exists +pexpire +eval +time +hmget +expire"
)
"""What our user of the access list needs, as docs/operations.md says; tests need more."""


SETUPS = ("valkey", "cluster", "sentinel", "secured")
"""Every way to have Redis."""


def given_by(request: pytest.FixtureRequest, setup: str) -> dict[str, Any]:
    """The options that lead to one of `SETUPS`."""
    if setup == "valkey":
        return {"url": request.getfixturevalue("valkey_url")}
    if setup == "cluster":
        return {"url": request.getfixturevalue("valkey_cluster").url}
    there: ValkeySentinel | SecuredValkey
    there = request.getfixturevalue(f"{setup}_valkey")
    return there.options


def until(true: Callable[[], object]) -> None:
    """Wait until something is so; a server that does not answer yet is no answer."""
    deadline = time.monotonic() + PATIENCE
    while True:
        with suppress(RedisError, OSError):
            if true():
                return
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.02)


@contextmanager
def admin(server: ValkeyServer) -> Iterator["Redis"]:
    """A client for what only tests do, outside of any event loop."""
    client = Redis(HOST, server.port, socket_timeout=5)
    try:
        yield client
    finally:
        client.close()


class ClusterServer(ValkeyServer):
    """One server of a cluster, which takes a failover within two seconds."""

    def __init__(self) -> None:
        self.cluster_port = free_port()
        super().__init__(
            settings={
                "cluster-enabled": "yes",
                "cluster-port": str(self.cluster_port),
                "cluster-node-timeout": "800",
                "cluster-replica-validity-factor": "0",
                "cluster-require-full-coverage": "no",
                "repl-diskless-sync-delay": "0",
            }
        )


@dataclass(frozen=True, slots=True)
class ValkeyCluster:
    """Three primaries; the first has as many replicas as asked for."""

    primaries: Sequence[ClusterServer]
    replicas: Sequence[ClusterServer]

    @classmethod
    @contextmanager
    def start(cls, *, replicas: int = 0) -> Iterator[Self]:
        with ExitStack() as opened:
            servers = [opened.enter_context(running(ClusterServer())) for _ in range(3 + replicas)]
            cluster = cls(servers[:3], servers[3:])
            cluster._join()
            yield cluster

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"{HOST}:{each.port}" for each in self.primaries)

    def primary_of(self, slot: int) -> ClusterServer:
        """Who was given this slot in the beginning."""
        return self.primaries[next(n for n in range(3) if slot < _border(n + 1))]

    def move(self, slot: int, *, to: ClusterServer) -> None:
        """Give a slot without keys to another primary, as resharding does."""
        with admin(to) as client:
            new = client.execute_command("CLUSTER MYID")
        others = [each for each in self.primaries if each is not to]
        for each in (to, *others):
            with admin(each) as client:
                client.execute_command("CLUSTER SETSLOT", slot, "NODE", new)

    def _join(self) -> None:
        everybody = (*self.primaries, *self.replicas)
        first = self.primaries[0]
        for number, each in enumerate(everybody):
            with admin(each) as client:
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                if each in self.primaries:
                    slots = _border(number), _border(number + 1) - 1
                    client.execute_command("CLUSTER ADDSLOTSRANGE", *slots)
                if each is not first:
                    client.execute_command("CLUSTER MEET", HOST, first.port, first.cluster_port)
        until(lambda: all(_sees(each, len(everybody)) for each in everybody))
        with admin(first) as client:
            leader = client.execute_command("CLUSTER MYID")
        for each in self.replicas:
            with admin(each) as client:
                client.execute_command("CLUSTER REPLICATE", leader)
        until(lambda: all(_follows(each) for each in self.replicas))


def _border(part: int) -> int:
    """Where the slots of one of three primaries begin."""
    return -(-SLOTS * part // 3)


def _sees(server: ValkeyServer, nodes: int) -> bool:
    with admin(server) as client:
        told = client.execute_command("CLUSTER INFO")
        return told["cluster_state"] == "ok" and int(told["cluster_known_nodes"]) == nodes


def _follows(server: ValkeyServer) -> bool:
    with admin(server) as client:
        return client.info("replication")["master_link_status"] == "up"


class SentinelServer(ValkeyServer):
    """One sentinel, which is enough of them to agree."""

    def __init__(self, *, master: str, watched: ValkeyServer, password: str) -> None:
        super().__init__(
            settings={
                "sentinel monitor": f"{master} {HOST} {watched.port} 1",
                "sentinel down-after-milliseconds": f"{master} 500",
                "sentinel failover-timeout": f"{master} 2000",
            },
            password=password,
        )

    def _command(self) -> list[str | Path]:
        file = self._directory / "sentinel.conf"
        if not file.exists():
            about = {name: value for name, value in self._settings.items() if value}
            lines = [f"port {self.port}", f"bind {HOST}", f"dir {self._directory}"]
            lines += [f"{name} {value}" for name, value in about.items()]
            file.write_text("\n".join(lines) + "\n")
        return [self._binary, file, "--sentinel"]


@dataclass(frozen=True, slots=True)
class ValkeySentinel:
    """A master, its replica, and a sentinel that asks for a password of its own."""

    master: ValkeyServer
    replica: ValkeyServer
    sentinel: SentinelServer

    @classmethod
    @contextmanager
    def start(cls) -> Iterator[Self]:
        settings = {"repl-diskless-sync-delay": "0"}
        with running(ValkeyServer(settings=settings)) as master:
            follows = {**settings, "replicaof": f"{HOST} {master.port}"}
            with running(ValkeyServer(settings=follows)) as replica:
                until(lambda: _follows(replica))
                sentinel = SentinelServer(master="wedding", watched=master, password=WATCHWORD)
                with running(sentinel):
                    made = cls(master, replica, sentinel)
                    until(made.knows_the_replica)
                    yield made

    @property
    def options(self) -> dict[str, Any]:
        return {
            "url": f"redis+sentinel://127.0.0.1:{free_port()},{HOST}:{self.sentinel.port}/wedding",
            "sentinel_password": WATCHWORD,
        }

    def knows_the_replica(self) -> bool:
        """Whether the sentinel could promote it."""
        client = Redis(HOST, self.sentinel.port, password=WATCHWORD, socket_timeout=5)
        with closing(client):
            [told] = client.sentinel_masters().values()
            return told["num-slaves"] == 1


@dataclass(frozen=True, slots=True)
class SecuredValkey:
    """Valkey behind TLS that asks for a certificate, with a user of the access list."""

    port: int
    files: Path

    @classmethod
    @contextmanager
    def start(cls, files: Path) -> Iterator[Self]:
        with running(ValkeyServer()) as server:
            with admin(server) as client:
                more = ("+scan", "+del", "+ttl")
                client.execute_command("ACL SETUSER zaffa on >s@lam/1", *RIGHTS.split(), *more)
                client.execute_command("ACL SETUSER default off")
            make_certificates(files)
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files / "ca.pem")
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_cert_chain(files / "server.pem", files / "server.key")
            with tls_front(context, server.port) as port:
                yield cls(port, files)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "url": f"rediss://zaffa:s%40lam%2F1@localhost:{self.port}",
            "tls_ca": str(self.files / "ca.pem"),
            "tls_certificate": str(self.files / "client.pem"),
            "tls_key": str(self.files / "client.key"),
        }


@contextmanager
def tls_front(context: ssl.SSLContext, behind: int) -> Iterator[int]:
    """A port that speaks TLS for one that does not; the wheel's Valkey was built without."""
    loop = asyncio.new_event_loop()
    made: Future[int] = Future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back_reader, back_writer = await asyncio.open_connection(HOST, behind)
        await asyncio.wait(
            [
                asyncio.create_task(_pipe(reader, back_writer)),
                asyncio.create_task(_pipe(back_reader, writer)),
            ]
        )

    async def run() -> None:
        server = await asyncio.start_server(serve, HOST, 0, ssl=context)
        made.set_result(server.sockets[0].getsockname()[1])
        with suppress(asyncio.CancelledError):
            await server.serve_forever()

    running_here = loop.create_task(run())
    thread = threading.Thread(target=loop.run_until_complete, args=(running_here,))
    thread.start()
    try:
        yield made.result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(running_here.cancel)
        thread.join()
        loop.run_until_complete(_end_all())
        loop.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for each in others:
        each.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def make_certificates(folder: Path) -> None:
    """An authority, a server called localhost, and a client, as PEM files."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Zaffa tests", authority_key, authority_key, None)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, key, authority_key, authority)
        (folder / f"{name}.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = [x509.DNSName("localhost")]
    public = issuer_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2024, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2054, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=issuer is None,
                crl_sign=issuer is None,
                **dict.fromkeys(
                    (
                        "content_commitment",
                        "key_encipherment",
                        "data_encipherment",
                        "key_agreement",
                        "encipher_only",
                        "decipher_only",
                    ),
                    False,
                ),
            ),
            critical=True,
        )
    )
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
