"""Namespaces: what may be done in a channel, by the part of its name before the colon. Pure.

Names of options, and what they mean, are those of Centrifugo where it has the option.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kernel.ids import UserId
from kernel.options import option
from messaging.channels.durations import seconds_of

CONVERSATION: Final = "conversation"
USER: Final = "user"
EVENT: Final = "event"
NAMESPACE: Final = re.compile(r"[-a-zA-Z0-9_.]{2,64}")

BOUNDARY: Final = ":"
PRIVATE: Final = "$"
USERS: Final = "#"
USERS_SEPARATOR: Final = ","

HISTORY_SIZE: Final = 100_000
"""Publications that a stream may keep, at most."""


class ChannelOptions(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True
):
    """What may be done in the channels of a namespace, and what is kept of them."""

    allow_subscribe_for_client: Annotated[
        bool, Meta(description="Users may subscribe without a subscription token.")
    ] = False
    allow_subscribe_for_anonymous: Annotated[
        bool, Meta(description="Clients without a user may subscribe where users may.")
    ] = False
    allow_publish_for_client: Annotated[
        bool, Meta(description="Users may publish, subscribed or not.")
    ] = False
    allow_publish_for_subscriber: Annotated[
        bool, Meta(description="Whoever is subscribed may publish.")
    ] = False
    allow_publish_for_anonymous: Annotated[
        bool, Meta(description="Clients without a user may publish where users may.")
    ] = False
    allow_history_for_client: Annotated[
        bool, Meta(description="Users may read the history, subscribed or not.")
    ] = False
    allow_history_for_subscriber: Annotated[
        bool, Meta(description="Whoever is subscribed may read the history.")
    ] = False
    allow_history_for_anonymous: Annotated[
        bool, Meta(description="Clients without a user may read the history where users may.")
    ] = False
    allow_presence_for_client: Annotated[
        bool, Meta(description="Users may ask who is there, subscribed or not.")
    ] = False
    allow_presence_for_subscriber: Annotated[
        bool, Meta(description="Whoever is subscribed may ask who is there.")
    ] = False
    allow_presence_for_anonymous: Annotated[
        bool, Meta(description="Clients without a user may ask who is there where users may.")
    ] = False
    allow_user_limited_channels: Annotated[
        bool, Meta(description="Users may subscribe to channels that name them behind a `#`.")
    ] = False
    channel_regex: Annotated[
        str,
        Meta(
            description="A regular expression that must be found in the part behind the"
            " namespace, if set; with `^` and `$` that is all of it."
        ),
    ] = ""
    presence: Annotated[bool, Meta(description="Keep who is subscribed.")] = False
    join_leave: Annotated[
        bool, Meta(description="Tell who comes and goes to those who ask for it.")
    ] = False
    force_push_join_leave: Annotated[
        bool, Meta(description="Tell who comes and goes to every subscriber.")
    ] = False
    history_size: Annotated[
        int,
        Meta(
            ge=0,
            le=HISTORY_SIZE,
            description="Publications that are kept; 0 keeps none and makes the channel a"
            " passing one: fast, and lost when nobody listens.",
        ),
    ] = 0
    history_ttl: Annotated[
        float | str,
        Meta(description='How long they are kept after the last one: seconds, or "10m".'),
    ] = 0
    history_meta_ttl: Annotated[
        float | str,
        Meta(
            description="How long a channel's place is known after somebody last published to it,"
            " or asked for it."
        ),
    ] = "720h"
    allow_positioning: Annotated[
        bool, Meta(description="Clients may ask to be told when they miss something.")
    ] = False
    allow_recovery: Annotated[
        bool, Meta(description="Clients may ask to recover what they missed.")
    ] = False
    force_positioning: Annotated[
        bool, Meta(description="All subscribers are told when they miss something.")
    ] = False
    force_recovery: Annotated[
        bool, Meta(description="All subscribers recover what they missed.")
    ] = False
    allowed_delta_types: Annotated[
        tuple[str, ...], Meta(description='Delta formats that clients may ask for: ["fossil"].')
    ] = ()

    def __post_init__(self) -> None:
        if bool(self.history_size) is not bool(self.history_seconds):
            raise ValueError("history_size and history_ttl go together: set both or neither")
        if self.history_size and self.history_meta_seconds < self.history_seconds:
            raise ValueError("history_meta_ttl must be at least history_ttl")
        needs_history = self.force_positioning or self.force_recovery
        if (needs_history or self.allow_positioning or self.allow_recovery) and not self.keeps:
            raise ValueError("positioning and recovery need history_size and history_ttl")
        if not set(self.allowed_delta_types) <= {"fossil"}:
            raise ValueError('allowed_delta_types may hold "fossil" only')
        try:
            re.compile(self.channel_regex)
        except re.error as error:
            raise ValueError(f"channel_regex is no regular expression: {error}") from None

    @cached_property
    def history_seconds(self) -> float:
        """How long publications are kept after the last one; 0 keeps none."""
        return seconds_of("history_ttl", self.history_ttl)

    @cached_property
    def history_meta_seconds(self) -> float:
        """How long the stream's position outlives its last publication."""
        return seconds_of("history_meta_ttl", self.history_meta_ttl)

    @property
    def keeps(self) -> bool:
        """Whether the channel has a stream."""
        return self.history_size > 0 and self.history_seconds > 0

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """What must be found in the name behind the namespace, if anything."""
        return re.compile(self.channel_regex) if self.channel_regex else None


PERSONAL: Final = ChannelOptions(
    allow_user_limited_channels=True,
    allow_history_for_subscriber=True,
    history_size=100,
    history_ttl="24h",
    force_recovery=True,
)
"""Personal channels, unless the settings say otherwise."""


EVENTS: Final = ChannelOptions(
    allow_history_for_subscriber=True, history_size=100, history_ttl="24h", force_recovery=True
)
"""Events' channels: who may listen there, is known by who is in the event."""


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """The channels beside conversations, and what may be done in them."""

    without_namespace: ChannelOptions = option(  # noqa: RUF009 - it makes a field
        ChannelOptions(), "Options of channels whose names have no namespace; see channels.md."
    )
    namespaces: dict[str, ChannelOptions] = option(  # noqa: RUF009 - it makes a field
        {}, "Options of the channels of each namespace, `NAME:…`; see channels.md."
    )
    subscribe_to_personal: bool = option(
        False, "Subscribe every user to their personal channel when they connect."
    )
    personal_namespace: str = option(
        USER,
        "Where personal channels are: `user` makes them `user:ID`, another namespace `NAME:#ID`,"
        " and none `#ID`, as Centrifugo names them.",
    )
    data_bytes: int = option(65_536, "Size of a publication's data, at most.")
    idempotency_seconds: float = option(
        300.0, "How long a publication's idempotency key is remembered."
    )

    def __post_init__(self) -> None:
        for name in self.namespaces:
            if name in (CONVERSATION, EVENT):
                raise ValueError(f"namespaces must not hold {name}: it is ours")
            if not NAMESPACE.fullmatch(name):
                raise ValueError(f"namespaces must be named by {NAMESPACE.pattern}, not {name!r}")
        if self.personal_namespace not in ("", USER, *self.namespaces):
            raise ValueError("personal_namespace must be empty, `user` or one of the namespaces")
        if not 1 <= self.data_bytes <= 16_777_216:
            raise ValueError("data_bytes must be from 1 to 16777216")
        if self.idempotency_seconds <= 0:
            raise ValueError("idempotency_seconds must be above 0")


@dataclass(frozen=True, slots=True)
class Namespaces:
    """From a channel's name to its options."""

    settings: ChannelSettings = field(default_factory=ChannelSettings)

    def options_of(self, channel: str) -> ChannelOptions | None:
        """The options of a channel that is no conversation; None if its namespace is unknown."""
        name, colon, _ = channel.removeprefix(PRIVATE).partition(BOUNDARY)
        if not colon:
            return self.settings.without_namespace
        if name == USER:
            return self.settings.namespaces.get(USER, PERSONAL)
        return EVENTS if name == EVENT else self.settings.namespaces.get(name)

    def allows_name(self, channel: str) -> bool:
        """Whether the `channel_regex` of the channel's namespace is found in its name."""
        options = self.options_of(channel)
        if options is None or options.pattern is None:
            return True
        name, colon, rest = channel.removeprefix(PRIVATE).partition(BOUNDARY)
        return options.pattern.search(rest if colon else name) is not None

    def personal_channel(self, user_id: UserId) -> str:
        """Where a user's own news is published."""
        namespace = self.settings.personal_namespace
        if namespace == USER:
            return f"{USER}{BOUNDARY}{user_id}"
        return f"{namespace}{BOUNDARY if namespace else ''}{USERS}{user_id}"


def is_private(channel: str) -> bool:
    """Whether a channel always needs a subscription token."""
    return channel.startswith(PRIVATE)


def users_named_by(channel: str) -> frozenset[str] | None:
    """The users whom a channel is limited to: those behind the last `#`, or that of `user:ID`."""
    if channel.startswith(f"{USER}{BOUNDARY}"):
        return frozenset([channel[len(USER) + 1 :]])
    _, boundary, users = channel.rpartition(USERS)
    return frozenset(users.split(USERS_SEPARATOR)) if boundary else None
