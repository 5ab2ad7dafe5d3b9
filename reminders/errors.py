"""What reminders refuse."""

from kernel.errors import Kind, Refusal


class EventNotFound(Refusal):
    """There is none, or none that this user may know of."""

    kind = Kind.NOT_FOUND
    code = "event.not_found"


class IdTaken(Refusal):
    """The caller's own id for a new thing belongs to something else already."""

    kind = Kind.CONFLICT
    code = "reminders.id_taken"


class EventCancelled(Refusal):
    """A cancelled event stays as it was."""

    kind = Kind.CONFLICT
    code = "event.cancelled"


class NotMoved(Refusal):
    """There is no move that could still be undone."""

    kind = Kind.CONFLICT
    code = "event.not_moved"


class AnchorNotFound(Refusal):
    """The event has no such part."""

    kind = Kind.NOT_FOUND
    code = "event.anchor_not_found"


class NotInvited(Refusal):
    """The user is not invited to this part of the event."""

    kind = Kind.NOT_FOUND
    code = "guest.not_invited"


class OptOutInvalid(Refusal):
    """The link with which somebody opts out is not one of ours."""

    kind = Kind.NOT_FOUND
    code = "guest.opt_out_invalid"


class RoleTooLow(Refusal):
    """The user is in the event, but may not do this there."""

    kind = Kind.DENIED
    code = "event.role_too_low"


class LastOwner(Refusal):
    """An event needs an owner."""

    kind = Kind.CONFLICT
    code = "event.last_owner"


class NotInEvent(Refusal):
    """The user that is named is not in the event."""

    kind = Kind.CONFLICT
    code = "event.not_in_event"


class EventFull(Refusal):
    """The event has as many members or tasks as it may."""

    kind = Kind.CONFLICT
    code = "event.full"


class TaskNotFound(Refusal):
    """The event has no such task."""

    kind = Kind.NOT_FOUND
    code = "task.not_found"


class SnoozedTooOften(Refusal):
    """A user asked to be told of one occurrence again and again."""

    kind = Kind.CONFLICT
    code = "task.snoozed_too_often"


class ActionTokenInvalid(Refusal):
    """Nobody of ours signed it, or it belongs to another reminder."""

    kind = Kind.DENIED
    code = "action.token_invalid"


class ActionTokenExpired(Refusal):
    """It was good once."""

    kind = Kind.DENIED
    code = "action.token_expired"


class ActedAlready(Refusal):
    """An action with this id was taken before; asking for it gives what it came to."""

    kind = Kind.CONFLICT
    code = "action.taken"


class DeviceUnknown(Refusal):
    """There is none, or it is somebody else's."""

    kind = Kind.NOT_FOUND
    code = "device.not_found"


class NoConversation(Refusal):
    """The event has none, or whoever names one is not in it."""

    kind = Kind.NOT_FOUND
    code = "event.no_conversation"


class RuleNotFound(Refusal):
    """The task or event has no such rule."""

    kind = Kind.NOT_FOUND
    code = "rule.not_found"


class RuleFixed(Refusal):
    """What a rule is about, whom it tells and how long before is its identity."""

    kind = Kind.CONFLICT
    code = "rule.fixed"


class TooManyRules(Refusal):
    """Somebody would be reminded of one task by more rules than allowed."""

    kind = Kind.CONFLICT
    code = "rule.too_many"


class ProfileNotFound(Refusal):
    """The user never said how to be reminded."""

    kind = Kind.NOT_FOUND
    code = "profile.not_found"
