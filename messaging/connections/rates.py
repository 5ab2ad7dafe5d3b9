"""How often commands may be asked, by their kind: buckets of a connection and of a user. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Protocol

import msgspec
from msgspec import Meta

from kernel.limits import TokenBucket
from kernel.metrics import Metrics
from kernel.options import option
from messaging.channels.durations import seconds_of
from messaging.protocol.codes import DisconnectCode
from messaging.protocol.frames import Request
from messaging.protocol.requests import (
    ConnectRequest,
    HistoryRequest,
    PresenceRequest,
    PresenceStatsRequest,
    PublishRequest,
    RefreshRequest,
    RPCRequest,
    SendRequest,
    SubRefreshRequest,
    SubscribeRequest,
    UnsubscribeRequest,
)

KINDS: Mapping[type, str] = {
    ConnectRequest: "connect",
    SubscribeRequest: "subscribe",
    UnsubscribeRequest: "unsubscribe",
    PublishRequest: "publish",
    HistoryRequest: "history",
    PresenceRequest: "presence",
    PresenceStatsRequest: "presence_stats",
    RPCRequest: "rpc",
    SendRequest: "send",
    RefreshRequest: "refresh",
    SubRefreshRequest: "sub_refresh",
}
"""What each command is called where its rate is set."""

METHOD = "rpc:"
"""With a method's name behind it: the buckets of that method, in place of those of `rpc`."""

TOTAL, DEFAULT, ERROR = "total", "default", "error"

REFUSALS = ("messaging_rate_refusals_total", "Commands that came too soon, by whose rate.", ("of",))
"""What counts them."""

ERROR_CODES = (DisconnectCode.TOO_MANY_REQUESTS, DisconnectCode.TOO_MANY_ERRORS)
"""What a connection with too many errors may be closed with."""


class Bucket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`rate` commands in an interval of seconds, or such as `"1m"`; all at once if they like."""

    rate: Annotated[int, Meta(ge=1)]
    interval: float | str

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError("interval must be above 0")

    @property
    def seconds(self) -> float:
        """The interval."""
        return seconds_of("interval", self.interval)


Buckets = tuple[Bucket, ...]
Draws = tuple[tuple[str, Buckets], ...]
"""The buckets that one command takes from, each group with its name."""

Spent = dict[str, tuple[TokenBucket, ...]]
"""What is left in the buckets of one connection or user, by the name of their group."""


@dataclass(frozen=True, slots=True)
class RateOptions:
    """How often clients may ask; see docs/users.md for the kinds of commands."""

    connection: dict[str, Buckets] = option(  # noqa: RUF009
        {},
        "By kind of command, the buckets of one connection, as in"
        " `publish = [{rate = 10, interval = 1}]`. Beyond them error 111 is answered.",
    )
    user: dict[str, Buckets] = option(  # noqa: RUF009
        {},
        "By kind of command, the buckets that all connections of a user share: on all nodes where"
        " there is Redis, on each node by itself where there is none or it is away.",
    )
    error_code: int = option(
        int(DisconnectCode.TOO_MANY_REQUESTS),
        "What a connection is closed with that had more errors than `connection.error` allows:"
        " 3013 lets clients come back after a while, 3509 ends it for good.",
    )

    def __post_init__(self) -> None:
        known = {*KINDS.values(), TOTAL, DEFAULT}
        for name, table, more in (
            ("connection", self.connection, {ERROR}),
            ("user", self.user, set[str]()),
        ):
            for kind in table:
                if kind not in known | more and not _is_method(kind):
                    raise ValueError(f"{name} must be by kind of command, and {kind} is none")
        if self.error_code not in ERROR_CODES:
            raise ValueError("error_code must be 3013 or 3509")


def _is_method(kind: str) -> bool:
    return kind.startswith(METHOD) and kind != METHOD


class RateTable:
    """Which buckets a command takes from: those of its kind, or the default ones, and the total."""

    def __init__(self, table: Mapping[str, Buckets]) -> None:
        self.errors: Draws = _group(table, ERROR)
        self._total = _group(table, TOTAL)
        default = _group(table, DEFAULT)
        self._by_type: dict[type, Draws] = {
            kind: self._total + (_group(table, name) or default) for kind, name in KINDS.items()
        }
        self._by_method: dict[str, Draws] = {
            name.removeprefix(METHOD): self._total + _group(table, name)
            for name in table
            if name.startswith(METHOD)
        }

    def __bool__(self) -> bool:
        """Whether anything is limited at all."""
        limited = (*self._by_type.values(), *self._by_method.values(), self.errors)
        return any(limited)

    @property
    def only_total(self) -> bool:
        """Whether every command takes from one and the same bucket, and from no other."""
        drawn = [*self._by_type.values(), *self._by_method.values()]
        return all(each == self._total for each in drawn) and [
            len(buckets) for _, buckets in self._total
        ] == [1]

    @property
    def longest(self) -> float:
        """The longest interval of all buckets, in seconds."""
        groups = (*self._by_type.values(), *self._by_method.values(), self.errors, self._total)
        return max(
            (each.seconds for draws in groups for _, buckets in draws for each in buckets),
            default=0.0,
        )

    def draws(self, request: Request | None) -> Draws:
        """What a command takes from; nothing when it is not limited."""
        if self._by_method and type(request) is RPCRequest:
            found = self._by_method.get(request.method)
            if found is not None:
                return found
        return self._by_type.get(type(request), self._total)


def _group(table: Mapping[str, Buckets], name: str) -> Draws:
    buckets = table.get(name, ())
    return ((name, buckets),) if buckets else ()


def take(spent: Spent, draws: Draws, now: float) -> float:
    """Take one from each bucket and give 0.0; or the seconds until all have one, taking none."""
    if len(draws) == 1:
        # The usual case: nothing but the one bucket of a connection.
        name, sizes = draws[0]
        filled = spent.get(name) or _filled(spent, name, sizes, now)
        if len(filled) == 1:
            return filled[0].take(now)
    buckets = [each for name, sizes in draws for each in _filled(spent, name, sizes, now)]
    wait = max((bucket.wait(now) for bucket in buckets), default=0.0)
    if wait == 0.0:
        for bucket in buckets:
            bucket.tokens -= 1.0
    return wait


def _filled(spent: Spent, name: str, sizes: Buckets, now: float) -> tuple[TokenBucket, ...]:
    found = spent.get(name)
    if found is None:
        found = spent[name] = tuple([TokenBucket(_pace(each), each.rate, at=now) for each in sizes])
    return found


@lru_cache(1024)
def _pace(bucket: Bucket) -> float:
    """Commands a second: every connection begins with the same few buckets."""
    return bucket.rate / bucket.seconds


class Account(Protocol):
    """What keeps what is left; nothing is kept before anything was taken."""

    spent: Spent | None


class ConnectionRates:
    """What each connection may ask, and how many errors it may have."""

    def __init__(self, options: RateOptions, *, metrics: Metrics, total: Buckets = ()) -> None:
        """`total` holds where the options say nothing about the total."""
        table = dict(options.connection)
        if total:
            table.setdefault(TOTAL, total)
        self.error_code = next(each for each in ERROR_CODES if each == options.error_code)
        self._table = RateTable(table)
        self._only_total = self._table.only_total
        self._refused = metrics.counter(*REFUSALS).labels("connection")

    def __bool__(self) -> bool:
        return bool(self._table)

    def refuses(self, account: Account, request: Request | None, now: float) -> bool:
        """Whether a command comes too soon; if not, it is counted."""
        if self._only_total and account.spent is not None and TOTAL in account.spent:
            # The same, sooner: it is so unless an operator says otherwise.
            [bucket] = account.spent[TOTAL]
            refused = bucket.take(now) > 0.0
        else:
            refused = _overdraws(account, self._table.draws(request), now)
        if refused:
            self._refused.inc()
        return refused

    def gives_up(self, account: Account, now: float) -> bool:
        """Count an error; whether there were too many of them."""
        return _overdraws(account, self._table.errors, now)


def _overdraws(account: Account, draws: Draws, now: float) -> bool:
    if not draws:
        return False
    if account.spent is None:
        account.spent = {}
    return take(account.spent, draws, now) > 0.0
