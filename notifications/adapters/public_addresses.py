"""Who may be spoken to on the web: an address that a stranger chose must lead nowhere private.

The check is made on the very addresses that are connected to, so that a name cannot lead to
one thing when it is checked and to another when it is used.
"""

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

_NAT64 = ip_network("64:ff9b::/96")


class PrivateAddress(OSError):
    """The host's name leads into a private network."""


def is_public(address: str) -> bool:
    """Whether this IP address is somewhere on the Internet, also when it wraps another one."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    inner: IPv4Address | None = None
    if isinstance(found, IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            inner = IPv4Address(int(found) & 0xFFFFFFFF)
        if found.teredo is not None or int(found) >> 32 == 0:
            return False
    if inner is not None:
        return is_public(str(inner))
    return found.is_global and not found.is_multicast


class Resolver(AbstractResolver):
    """Resolves names to public addresses only; `trusted` hosts and ports to any."""

    def __init__(
        self, *, trusted: frozenset[tuple[str, int]], inner: AbstractResolver | None = None
    ) -> None:
        self._trusted = trusted
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises `PrivateAddress` if one of its addresses is private: it may be a rebinding."""
        found = await self._inner.resolve(host, port, family)
        if (host, port) not in self._trusted:
            for each in found:
                if not is_public(each["host"]):
                    raise PrivateAddress("the endpoint is in a private network")
        return found

    async def close(self) -> None:
        await self._inner.close()
