"""Addresses of Redis: which servers a URL names, and how they belong together. Pure.

What is wrong with a URL is said without quoting it: it may hold a password.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

PORT = 6379
SENTINEL_PORT = 26379


class Setup(StrEnum):
    """How the servers belong together."""

    ALONE = "one server"
    SENTINEL = "a master that Sentinel names"
    CLUSTER = "Redis Cluster"


class Endpoint(NamedTuple):
    """Where one server listens: a host and a port, or a path of a Unix socket and 0."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}" if self.port else self.host


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """What a URL says."""

    setup: Setup
    endpoints: tuple[Endpoint, ...]
    """The server; or the sentinels, or some nodes of the cluster, to ask for it."""
    tls: bool = False
    user: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    master: str = ""
    """What the sentinels call it."""


_SCHEMES = {
    "redis": (Setup.ALONE, False),
    "rediss": (Setup.ALONE, True),
    "unix": (Setup.ALONE, False),
    "redis+sentinel": (Setup.SENTINEL, False),
    "rediss+sentinel": (Setup.SENTINEL, True),
    "redis+cluster": (Setup.CLUSTER, False),
    "rediss+cluster": (Setup.CLUSTER, True),
}


def address_of(url: str) -> RedisAddress:
    """What `url` says. Raises `ValueError` with a sentence that is safe to show."""
    scheme, colon, _ = url.partition("://")
    if not colon or scheme.lower() not in _SCHEMES:
        raise ValueError("url must begin with one of " + ", ".join(f"{s}://" for s in _SCHEMES))
    try:
        parts = urlsplit(url)
        credentials, _, hosts = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        unquoted = unquote(user, errors="strict"), unquote(password, errors="strict")
    except ValueError:
        raise _unreadable() from None
    if parts.fragment or "#" in url or "@" in hosts:
        raise _unreadable()
    setup, tls = _SCHEMES[scheme.lower()]
    if scheme.lower() == "unix":
        endpoints = _socket(hosts, parts)
        rest = ""
    else:
        port = SENTINEL_PORT if setup is Setup.SENTINEL else PORT
        endpoints = tuple(_endpoint(each, port) for each in hosts.split(","))
        rest = unquote(parts.path).strip("/")
    master, database = "", _option(parts)
    match setup:
        case Setup.ALONE if len(endpoints) > 1:
            raise ValueError("url names several servers; say redis+cluster:// or redis+sentinel://")
        case Setup.SENTINEL:
            master, _, rest = rest.partition("/")
            if not master:
                raise ValueError("url must end with the name of the master: …/mymaster")
    if rest:
        database = _database(rest)
    if setup is Setup.CLUSTER and database:
        raise ValueError("url names a database, but a Redis Cluster has only one")
    return RedisAddress(setup, endpoints, tls, *unquoted, database=database, master=master)


def _socket(hosts: str, parts: SplitResult) -> tuple[Endpoint, ...]:
    if hosts or not parts.path.strip("/"):
        raise ValueError("url must name an absolute path: unix:///run/redis.sock")
    return (Endpoint(unquote(parts.path), 0),)


def _endpoint(text: str, default: int) -> Endpoint:
    """A host with or without a port; an IPv6 address is in brackets."""
    if text.startswith("["):
        host, bracket, port = text[1:].partition("]")
        sound = bool(bracket) and (not port or port.startswith(":"))
        port = port[1:]
    else:
        host, _, port = text.partition(":")
        sound = True
    if not text:
        return Endpoint("localhost", default)
    if not (sound and host and (not port or _is_port(port))):
        raise ValueError(
            "url names a server that cannot be read: it is host:port;"
            " special characters of a password are written as %XX"
        )
    return Endpoint(host, int(port or default))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65_536


def _option(parts: SplitResult) -> int:
    options = parse_qsl(parts.query, keep_blank_values=True)
    if any(name != "db" for name, _ in options) or len(options) > 1:
        raise ValueError("url may have no option but db; TLS has settings of its own")
    return _database(options[0][1]) if options else 0


def _database(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("url must name its database by a number")
    return int(text)


def _unreadable() -> ValueError:
    return ValueError("url cannot be read; special characters of a password are written as %XX")
