"""What the methods about users take. Names are those of Centrifugo's paid edition."""

from typing import Annotated

from msgspec import Meta, Struct

from messaging.api.requests import LabelFilter, UnixTime


class UsersRequest(Struct, frozen=True):
    """Some users."""

    users: list[str]


class BlockUserRequest(Struct, frozen=True):
    """Keep a user out."""

    user: str
    expire_at: Annotated[
        UnixTime | None, Meta(description="Until when; without it, until they are unblocked.")
    ] = None


class UnblockUserRequest(Struct, frozen=True):
    """Let a user in again."""

    user: str


class RevokeTokenRequest(Struct, frozen=True):
    """Accept one token no more."""

    uid: Annotated[str, Meta(description="The token's `jti`.")]
    expire_at: Annotated[
        UnixTime | None, Meta(description="When the token has expired anyway.")
    ] = None


class InvalidateUserTokensRequest(Struct, frozen=True):
    """Accept no more what a user was issued."""

    user: str
    issued_before: Annotated[
        UnixTime | None, Meta(description="Only what was issued before; without it, before now.")
    ] = None
    channel: Annotated[
        str | None, Meta(description="Only subscription tokens of this channel.")
    ] = None
    expire_at: Annotated[
        UnixTime | None, Meta(description="When all of them have expired anyway.")
    ] = None


class ConnectionsRequest(Struct, frozen=True, kw_only=True):
    """Find live connections."""

    user: Annotated[str, Meta(max_length=255, description="Only those of this user.")] = ""
    expression: Annotated[str | None, Meta(description="Not available: leave it empty.")] = None
    label_filter: LabelFilter = None
