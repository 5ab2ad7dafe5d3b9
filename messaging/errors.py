"""What messaging refuses."""

from kernel.errors import Denied, Kind, Refusal, TokenExpired


class ConversationNotFound(Refusal):
    """There is none, or none that this user may know of."""

    kind = Kind.NOT_FOUND
    code = "conversation.not_found"


class NotAMember(Refusal):
    """The user is not in the conversation."""

    kind = Kind.DENIED
    code = "conversation.not_a_member"


class RoleTooLow(Refusal):
    """The user is in the conversation, but may not do this there."""

    kind = Kind.DENIED
    code = "conversation.role_too_low"


class ConversationFull(Refusal):
    """The conversation has as many members as it may."""

    kind = Kind.CONFLICT
    code = "conversation.full"


class MessageTooLarge(Refusal):
    """The body is larger than a message may be."""

    kind = Kind.TOO_LARGE
    code = "message.too_large"


class MemberNotFound(Refusal):
    """The user whom this is about is not in the conversation."""

    kind = Kind.NOT_FOUND
    code = "conversation.member_not_found"


class LastOwner(Refusal):
    """A group that still has members would be left without an owner."""

    kind = Kind.CONFLICT
    code = "conversation.last_owner"


class NotAGroup(Refusal):
    """A direct conversation always has the same two members."""

    kind = Kind.CONFLICT
    code = "conversation.not_a_group"


class ChannelUnknown(Refusal):
    """The channel's name belongs to no namespace of the settings."""

    kind = Kind.NOT_FOUND
    code = "channel.unknown"


class UserBlocked(Denied):
    """The user may not connect or ask for anything, for now or for good."""

    code = "user.blocked"


class TokenRevoked(TokenExpired):
    """The token was good once, until it was taken back; a fresh one will do."""

    code = "token_revoked"


class NothingStands(Refusal):
    """The user is not blocked."""

    kind = Kind.NOT_FOUND
    code = "user.not_blocked"


class TooManyTraces(Refusal):
    """As many traces are being watched as may be."""

    kind = Kind.LIMITED
    code = "trace.too_many"
