"""The way to a provider through an HTTP proxy: CONNECT, then TLS with it inside the tunnel."""

import asyncio
import re
import socket
from base64 import b64encode
from urllib.parse import SplitResult, unquote, urlsplit

_HEAD_BYTES = 8192
"""An answer's head that is longer is no proxy's."""

_TUNNEL = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")


class ProxyRefused(ConnectionError):
    """The proxy answered, and not with a tunnel."""


def is_proxy(address: str) -> bool:
    """Whether this reads `http://[user:password@]host:port`."""
    try:
        url = urlsplit(address)
        return bool(url.scheme == "http" and url.hostname and url.port) and url.path in ("", "/")
    except ValueError:
        return False


async def tunnel(proxy: str, host: str, port: int) -> socket.socket:
    """A connected socket at whose other end is `host`. Raises OSError when there is none."""
    loop = asyncio.get_running_loop()
    url = urlsplit(proxy)
    found = await loop.getaddrinfo(url.hostname, url.port, type=socket.SOCK_STREAM)
    problem = OSError(f"proxy {url.hostname} has no address")
    for family, kind, protocol, _, address in found:
        opened = socket.socket(family, kind, protocol)
        opened.setblocking(False)
        try:
            await loop.sock_connect(opened, address)
            await _ask(opened, url, f"{host}:{port}")
        except ProxyRefused:
            opened.close()
            raise
        except OSError as unreached:
            opened.close()
            problem = unreached
        except BaseException:
            opened.close()
            raise
        else:
            return opened
    raise problem


async def _ask(opened: socket.socket, proxy: SplitResult, authority: str) -> None:
    """Ask for the tunnel and wait until it stands."""
    loop = asyncio.get_running_loop()
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.username is not None:
        pair = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {b64encode(pair.encode()).decode()}")
    await loop.sock_sendall(opened, "\r\n".join([*lines, "", ""]).encode())
    head = b""
    while b"\r\n\r\n" not in head:
        part = await loop.sock_recv(opened, 1024)
        head += part
        if not part or len(head) > _HEAD_BYTES:
            raise ProxyRefused(f"proxy: {_status_line(head) or 'closed'}")
    # Nobody speaks before our TLS does: what follows the head could not be Apple's.
    if not _TUNNEL.match(head):
        raise ProxyRefused(f"proxy: {_status_line(head)}")


def _status_line(head: bytes) -> str:
    return head.split(b"\r\n", 1)[0].decode("latin-1")[:100]
