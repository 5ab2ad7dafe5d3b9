"""What users and servers can ask of reminders: the same things, servers on somebody's behalf."""

from kernel.errors import InvalidInput
from kernel.operations import AnyOperation, Nothing
from reminders import errors, schemas
from reminders.asking import Asking
from reminders.choosing import Choosing
from reminders.defaults import Defaults
from reminders.digests.preview import DigestPreview
from reminders.digests.routes import digest_operations
from reminders.events import Events
from reminders.explain import Explain
from reminders.feeds.feeds import Feeds
from reminders.feeds.routes import feed_operations
from reminders.firing_routes import firing_operations
from reminders.guests.guests import Guests
from reminders.guests.routes import guest_operations
from reminders.imports.imports import Imports
from reminders.imports.routes import import_operations
from reminders.moving import Moving
from reminders.offers import both
from reminders.operating import Operating
from reminders.operating_routes import operating_operations
from reminders.part_routes import part_operations
from reminders.parts import Parts
from reminders.people import People
from reminders.profile_routes import profile_operations
from reminders.rulebook import RuleBook
from reminders.snoozing import Snoozing
from reminders.tasks import Tasks
from reminders.usual_routes import usual_operations

_EVENT = "/events/{event_id}"
_TASK = "/events/{event_id}/tasks/{task_id}"

_IN_EVENT = (errors.EventNotFound, errors.RoleTooLow)
_CHANGING = (InvalidInput, *_IN_EVENT, errors.EventCancelled)
_IN_TASK = (*_CHANGING, errors.TaskNotFound)
_FITTING = (*_IN_TASK, errors.NotInEvent, errors.AnchorNotFound)


def operations(
    *,
    events: Events,
    parts: Parts,
    moving: Moving,
    tasks: Tasks,
    snoozing: Snoozing,
    rules: RuleBook,
    people: People,
    explain: Explain,
    operating: Operating,
    feeds: Feeds,
    defaults: Defaults,
    choosing: Choosing,
    imports: Imports,
    digest: DigestPreview,
    guests: Guests,
) -> list[AnyOperation]:
    """Everything the client gateway offers to users, each beside what servers are offered."""
    asking = Asking(events, tasks, snoozing, rules, people, explain)
    return [
        *_events(asking),
        *part_operations(parts, moving),
        *_members(asking),
        *_tasks(asking),
        *_rules(asking),
        *profile_operations(asking),
        *firing_operations(asking),
        *feed_operations(feeds),
        *usual_operations(defaults, choosing),
        *import_operations(imports),
        *digest_operations(digest),
        *guest_operations(guests),
        *operating_operations(operating),
    ]


def _events(asking: Asking) -> list[AnyOperation]:
    details = schemas.EventDetailsAnswer
    return [
        *both(
            "events.create",
            "POST",
            "/events",
            "Make an event.",
            schemas.CreateEvent,
            details,
            asking.create_event,
            (InvalidInput, errors.IdTaken),
            takes_for=schemas.CreateEventFor,
            status=201,
        ),
        *both(
            "events.list",
            "GET",
            "/events",
            "List a user's events, the one made last first.",
            schemas.ListEvents,
            schemas.EventsAnswer,
            asking.list_events,
            (InvalidInput,),
            takes_for=schemas.ListEventsOf,
        ),
        *both(
            "events.get",
            "GET",
            _EVENT,
            "Get an event with its members and rules.",
            schemas.OneEvent,
            details,
            asking.get_event,
            _IN_EVENT,
        ),
        *both(
            "events.rename",
            "PATCH",
            _EVENT,
            "Give an event another title.",
            schemas.RenameEvent,
            details,
            asking.rename_event,
            _CHANGING,
        ),
        *both(
            "events.cancel",
            "POST",
            f"{_EVENT}/cancel",
            "Cancel an event: nobody is reminded of anything in it any more.",
            schemas.OneEvent,
            details,
            asking.cancel_event,
            _CHANGING,
        ),
    ]


def _members(asking: Asking) -> list[AnyOperation]:
    path = f"{_EVENT}/members/{{user_id}}"
    return [
        *both(
            "events.put_member",
            "PUT",
            path,
            "Take a user in, or change what they may do.",
            schemas.PutMember,
            schemas.EventDetailsAnswer,
            asking.put_member,
            (*_CHANGING, errors.AnchorNotFound, errors.EventFull, errors.LastOwner),
        ),
        *both(
            "events.remove_member",
            "DELETE",
            path,
            "Take a user out of an event.",
            schemas.OneMember,
            Nothing,
            asking.remove_member,
            (*_CHANGING, errors.NotInEvent, errors.LastOwner),
        ),
    ]


def _tasks(asking: Asking) -> list[AnyOperation]:
    answer = schemas.TaskAnswer
    return [
        *both(
            "tasks.create",
            "POST",
            f"{_EVENT}/tasks",
            "Make a task.",
            schemas.CreateTask,
            answer,
            asking.create_task,
            (*_FITTING, errors.EventFull, errors.IdTaken),
            status=201,
        ),
        *both(
            "tasks.list",
            "GET",
            f"{_EVENT}/tasks",
            "List an event's tasks as they were made.",
            schemas.ListTasks,
            schemas.TasksAnswer,
            asking.list_tasks,
            (InvalidInput, *_IN_EVENT),
        ),
        *both(
            "tasks.get",
            "GET",
            _TASK,
            "Get a task with the rules that touch it.",
            schemas.OneTask,
            schemas.TaskDetailsAnswer,
            asking.get_task,
            (*_IN_EVENT, errors.TaskNotFound),
        ),
        *both(
            "tasks.update",
            "PUT",
            _TASK,
            "Change a task's title, due and assignee.",
            schemas.UpdateTask,
            answer,
            asking.update_task,
            _FITTING,
        ),
        *both(
            "tasks.complete",
            "POST",
            f"{_TASK}/complete",
            "Say that a task is done.",
            schemas.OneTask,
            answer,
            asking.complete_task,
            _IN_TASK,
        ),
        *both(
            "tasks.reopen",
            "POST",
            f"{_TASK}/reopen",
            "Say that a task was not done after all.",
            schemas.OneTask,
            answer,
            asking.reopen_task,
            _IN_TASK,
        ),
        *both(
            "tasks.snooze",
            "POST",
            f"{_TASK}/snooze",
            "Ask to be told of a task again later.",
            schemas.SnoozeTask,
            schemas.SnoozedAnswer,
            asking.snooze_task,
            (*_IN_TASK, errors.NotInEvent, errors.SnoozedTooOften),
            takes_for=schemas.SnoozeTaskFor,
        ),
        *both(
            "tasks.delete",
            "DELETE",
            _TASK,
            "Take a task away.",
            schemas.OneTask,
            Nothing,
            asking.delete_task,
            _IN_TASK,
        ),
        *both(
            "tasks.restore",
            "POST",
            f"{_TASK}/restore",
            "Bring back a task that was taken away.",
            schemas.OneTask,
            answer,
            asking.restore_task,
            (*_IN_TASK, errors.EventFull),
        ),
    ]


def _rules(asking: Asking) -> list[AnyOperation]:
    path = f"{_EVENT}/rules/{{rule_id}}"
    return [
        *both(
            "rules.put",
            "PUT",
            path,
            "Say when somebody is reminded of a task, or of every task of the event.",
            schemas.PutRule,
            schemas.RuleBody,
            asking.put_rule,
            (*_IN_TASK, errors.NotInEvent, errors.RuleFixed, errors.TooManyRules, errors.IdTaken),
        ),
        *both(
            "rules.delete",
            "DELETE",
            path,
            "End a rule.",
            schemas.OneRule,
            Nothing,
            asking.drop_rule,
            (*_CHANGING, errors.RuleNotFound),
        ),
    ]
