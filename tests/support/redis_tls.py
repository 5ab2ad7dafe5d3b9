"""Valkey behind TLS with an access list; the wheel's was built without, so a front speaks it."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.redis_setups import (
    PATIENCE,
    RIGHTS,
    WATCHWORD,
    ClusterServer,
    ValkeyCluster,
    ValkeySentinel,
    admin,
)
from tests.support.servers import HOST, ValkeyServer, free_port, running


@dataclass(frozen=True, slots=True)
class SecuredValkey:
    """Valkey behind TLS that asks for a certificate, with a user of the access list."""

    port: int
    files: Path

    @classmethod
    @contextmanager
    def start(cls, files: Path) -> Iterator[Self]:
        with running(ValkeyServer()) as server:
            _restrict(server)
            make_certificates(files)
            with tls_front(_asking_for_certificates(files), server.port, 0) as port:
                yield cls(port, files)

    @property
    def options(self) -> dict[str, Any]:
        return {"url": f"rediss://{_PERSON}@localhost:{self.port}", **_trust(self.files)}


@dataclass(frozen=True, slots=True)
class SecuredCluster:
    """Three primaries behind TLS that tell clients to come to localhost, by name.

    redis-py asks for the address that this name has, so the certificate says both.
    """

    ports: Sequence[int]
    files: Path

    @classmethod
    @contextmanager
    def start(cls, files: Path) -> Iterator[Self]:
        make_certificates(files, IPv4Address(HOST))
        context = _asking_for_certificates(files)
        by_name = {
            "cluster-announce-hostname": "localhost",
            "cluster-preferred-endpoint-type": "hostname",
        }
        with ExitStack() as opened:
            servers: list[ClusterServer] = []
            ports = [free_port() for _ in range(3)]
            for port in ports:
                told = {**by_name, "cluster-announce-port": str(port)}
                servers.append(opened.enter_context(running(ClusterServer(**told))))
                opened.enter_context(tls_front(context, servers[-1].port, port))
            ValkeyCluster(servers, ()).join()
            for server in servers:
                _restrict(server)
            yield cls(ports, files)

    @property
    def options(self) -> dict[str, Any]:
        hosts = ",".join(f"localhost:{port}" for port in self.ports)
        return {"url": f"rediss+cluster://{_PERSON}@{hosts}", **_trust(self.files)}


@dataclass(frozen=True, slots=True)
class SecuredSentinel:
    """A master and its sentinel, both behind TLS.

    The sentinel watches the master where clients shall find it, and is let through as it comes.
    """

    port: int
    files: Path

    @classmethod
    @contextmanager
    def start(cls, files: Path) -> Iterator[Self]:
        make_certificates(files, IPv4Address(HOST))
        context = _asking_for_certificates(files)
        with ExitStack() as opened:

            def front(master: int) -> int:
                secured = opened.enter_context(tls_front(context, master, 0))
                return opened.enter_context(_front(partial(_behind, master, secured), 0))

            watched = opened.enter_context(ValkeySentinel.start(patience_ms=30_000, front=front))
            port = opened.enter_context(tls_front(context, watched.sentinel.port, 0))
            yield cls(port, files)

    @property
    def options(self) -> dict[str, Any]:
        return {
            "url": f"rediss+sentinel://localhost:{self.port}/wedding",
            "sentinel_password": WATCHWORD,
            **_trust(self.files),
        }


_PERSON = "zaffa:s%40lam%2F1"


def _restrict(server: ValkeyServer) -> None:
    """Let in nobody but our user of the access list."""
    with admin(server) as client:
        more = ("+scan", "+del", "+ttl")
        client.execute_command("ACL SETUSER zaffa on >s@lam/1", *RIGHTS.split(), *more)
        client.execute_command("ACL SETUSER default off")


def _asking_for_certificates(files: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(files / "server.pem", files / "server.key")
    return context


def _trust(files: Path) -> dict[str, str]:
    return {
        "tls_ca": str(files / "ca.pem"),
        "tls_certificate": str(files / "client.pem"),
        "tls_key": str(files / "client.key"),
    }


def tls_front(context: ssl.SSLContext, behind: int, port: int) -> AbstractContextManager[int]:
    """A port that speaks TLS for one that does not."""
    return _front(lambda _: behind, port, context)


def _behind(plain: int, secured: int, first: bytes) -> int:
    """Where somebody belongs who begins like this: TLS begins with a handshake's record."""
    return secured if first.startswith(b"\x16") else plain


@contextmanager
def _front(
    behind: Callable[[bytes], int], port: int, context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A port that hands connections on to another, which their first words choose."""
    loop = asyncio.new_event_loop()
    made: Future[int] = Future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)
        back_reader, back_writer = await asyncio.open_connection(HOST, behind(first))
        back_writer.write(first)
        await asyncio.wait(
            [
                asyncio.create_task(_pipe(reader, back_writer)),
                asyncio.create_task(_pipe(back_reader, writer)),
            ]
        )

    async def run() -> None:
        server = await asyncio.start_server(serve, HOST, port, ssl=context)
        made.set_result(server.sockets[0].getsockname()[1])
        with suppress(asyncio.CancelledError):
            await server.serve_forever()
        await _end_all()

    running_here = loop.create_task(run())
    thread = threading.Thread(target=loop.run_until_complete, args=(running_here,))
    thread.start()
    try:
        yield made.result(PATIENCE)
    finally:
        loop.call_soon_threadsafe(running_here.cancel)
        thread.join()
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


def make_certificates(folder: Path, *addresses: IPv4Address) -> None:
    """An authority, a server called localhost and these, and a client, as PEM files."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("Zaffa tests", authority_key, authority_key, None)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    for name in ("server", "client"):
        key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(name, key, authority_key, authority, *addresses)
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
    *addresses: IPv4Address,
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    hosts = [x509.DNSName("localhost"), *map(x509.IPAddress, addresses)]
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
