"""What a subscription may and gets: its namespace, overridden by whoever let it in. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from math import inf

import msgspec

from messaging.channels.namespaces import ChannelOptions


class Flag(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value in an override; absent flags leave the namespace's option as it is."""

    value: bool


class Override(msgspec.Struct, frozen=True):
    """What a token, or the server API, changes of a namespace for one subscription."""

    presence: Flag | None = None
    join_leave: Flag | None = None
    force_push_join_leave: Flag | None = None
    force_recovery: Flag | None = None
    force_positioning: Flag | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What one subscription may and gets. `info` and `data` are JSON text, or empty.

    `hears_attendance` is whether it is told who comes and goes, `tells_attendance` whether
    others are told of it, `present` whether it is kept in the channel's presence.
    """

    positioned: bool = False
    recoverable: bool = False
    present: bool = False
    tells_attendance: bool = False
    hears_attendance: bool = False
    delta: bool = False
    info: bytes = b""
    data: bytes = b""
    expires_at: datetime | None = None
    """When the subscription must have been refreshed."""
    token_id: str = ""
    """Of the subscription token that gave it."""


CONVERSATION = Grant(positioned=True, recoverable=True)
"""Members of a conversation recover what they missed. Who is there, is asked of the members."""


def granted(
    options: ChannelOptions,
    *,
    override: Override | None = None,
    positioned: bool = False,
    recoverable: bool = False,
    join_leave: bool = False,
    delta: str = "",
    reads: bool = False,
    sees: bool = False,
) -> Grant:
    """What a namespace grants to who asks for these things.

    Who `reads` the history may be given what they missed of it, and who `sees` who is there may
    be told who comes and goes.
    """
    changed = override or Override()
    force_recovery = _either(changed.force_recovery, options.force_recovery)
    force_positioning = _either(changed.force_positioning, options.force_positioning)
    recovers = force_recovery or (recoverable and (options.allow_recovery or reads))
    places = force_positioning or (positioned and (options.allow_positioning or reads))
    return Grant(
        positioned=options.keeps and (places or recovers),
        recoverable=options.keeps and recovers,
        present=_either(changed.presence, options.presence),
        tells_attendance=_either(changed.join_leave, options.join_leave),
        hears_attendance=_either(changed.force_push_join_leave, options.force_push_join_leave)
        or (join_leave and options.join_leave and sees),
        delta=delta in options.allowed_delta_types,
    )


def _either(flag: Flag | None, option: bool) -> bool:
    return option if flag is None else flag.value


class Subscription:
    """A connection listening to a channel, or about to."""

    __slots__ = ("complete", "expires_at", "grant", "server_side")

    def __init__(self, *, server_side: bool) -> None:
        self.complete = False
        """False while it is being set up."""
        self.server_side = server_side
        self.grant = _NOTHING
        self.expires_at = inf
        """In monotonic seconds, with the grace in which it may still be refreshed."""


_NOTHING = Grant()


def with_what_came(grant: Grant, *, info: bytes, data: bytes, expires_at: datetime | None) -> Grant:
    """The grant with what a token or the server API says of this subscription."""
    return replace(grant, info=info, data=data, expires_at=expires_at)
