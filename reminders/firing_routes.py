"""What can be asked about coming reminders, and why they come or do not."""

from kernel.errors import InvalidInput
from kernel.operations import AnyOperation
from reminders import errors, schemas
from reminders.asking import Asking
from reminders.offers import both

_EXPLAINING = (InvalidInput, errors.EventNotFound, errors.RoleTooLow, errors.NotInEvent)


def firing_operations(asking: Asking) -> list[AnyOperation]:
    """A user's own, and for servers anybody's."""
    return [
        *both(
            "firings.list",
            "GET",
            "/firings",
            "List a user's coming reminders, the next first.",
            schemas.ListFirings,
            schemas.FiringsAnswer,
            asking.list_firings,
            (InvalidInput,),
            takes_for=schemas.ListFiringsOf,
        ),
        *both(
            "firings.explain",
            "GET",
            "/events/{event_id}/tasks/{task_id}/explain",
            "Why a task's rules remind a user, or do not.",
            schemas.OneTask,
            schemas.ExplanationAnswer,
            asking.explain,
            (*_EXPLAINING, errors.TaskNotFound),
            takes_for=schemas.ExplainTask,
        ),
        *both(
            "events.explain",
            "GET",
            "/events/{event_id}/explain",
            "Why a user is told of an event itself, or is not.",
            schemas.OneEvent,
            schemas.ExplanationAnswer,
            asking.explain_event,
            _EXPLAINING,
            takes_for=schemas.ExplainEvent,
        ),
        *both(
            "guests.explain",
            "GET",
            "/events/{event_id}/guests/{user_id}/explain",
            "Why a guest is asked for an answer, or is not: to them and to their hosts.",
            schemas.ExplainGuest,
            schemas.ExplanationAnswer,
            asking.explain_guest,
            (InvalidInput, errors.EventNotFound, errors.RoleTooLow, errors.NotInvited),
        ),
    ]
