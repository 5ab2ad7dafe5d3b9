"""What messaging refuses."""

from kernel.errors import Kind, Refusal


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
