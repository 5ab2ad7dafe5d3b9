"""Addresses on the web that strangers choose, and that the server is to speak to. Pure.

What they say is checked here; that their names lead to no private network, where they are
connected to (`notifications/adapters/public_addresses.py`).
"""

import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from kernel.errors import InvalidInput

ENDPOINT_LENGTH = 2048
_VISIBLE = re.compile(r"[!-~]+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")


def origin_of(endpoint: str, *, field: str = "address") -> str:
    """The origin of an endpoint. Raises `InvalidInput` for what might lead into a private network:
    only https, a host's name and not an address, no user."""
    if len(endpoint) > ENDPOINT_LENGTH or not _VISIBLE.fullmatch(endpoint):
        raise InvalidInput(field, f"needs an endpoint of at most {ENDPOINT_LENGTH} characters")
    try:
        url = urlsplit(endpoint)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise InvalidInput(field, "needs an endpoint that is an address") from None
    # A backslash is a slash to some who read addresses, and not to others.
    if url.scheme != "https" or not host or "@" in url.netloc or url.fragment or "\\" in endpoint:
        raise InvalidInput(field, "needs an https endpoint without user and fragment")
    if _is_literal(host) or not _HOST.fullmatch(host):
        raise InvalidInput(field, "needs an endpoint whose host has a name")
    return f"https://{host}" if port in (None, 443) else f"https://{host}:{port}"


def _is_literal(host: str) -> bool:
    """Whether this is an IP address in any of the spellings that resolvers understand."""
    try:
        ip_address(host)
    except ValueError:
        # "2130706433", "0x7f.1" and "127.1" are addresses to the C library.
        return (
            re.fullmatch(r"(?:0x[0-9a-f]*|[0-9]+)", host.rstrip(".").rpartition(".")[2]) is not None
        )
    return True


def is_trusted(endpoint: str, origins: Sequence[str]) -> bool:
    """Whether an endpoint is at one of these origins, of which the operator has said so."""
    if not _VISIBLE.fullmatch(endpoint) or "\\" in endpoint:
        return False
    return any(endpoint == each or endpoint.startswith(f"{each.rstrip('/')}/") for each in origins)
