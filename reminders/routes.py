"""What users and servers can ask of reminders: the same things, servers on somebody's behalf."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from kernel.errors import InvalidInput, Refusal
from kernel.identity import Principal, Scope
from kernel.operations import AnyOperation, Nothing, Operation
from reminders import errors, schemas
from reminders.asking import Asking
from reminders.events import Events
from reminders.explain import Explain
from reminders.people import People
from reminders.tasks import Tasks

_EVENT = "/events/{event_id}"
_TASK = "/events/{event_id}/tasks/{task_id}"

_IN_EVENT = (errors.EventNotFound, errors.RoleTooLow)
_CHANGING = (InvalidInput, *_IN_EVENT, errors.EventCancelled)
_IN_TASK = (*_CHANGING, errors.TaskNotFound)


def operations(
    *, events: Events, tasks: Tasks, people: People, explain: Explain
) -> list[AnyOperation]:
    """Everything the client gateway offers to users, each beside what servers are offered."""
    asking = Asking(events, tasks, people, explain)
    return [
        *_events(asking),
        *_members(asking),
        *_tasks(asking),
        *_rules(asking),
        *_profiles(asking),
        *_firings(asking),
    ]


def _events(asking: Asking) -> list[AnyOperation]:
    details = schemas.EventDetailsAnswer
    return [
        *_both(
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
        *_both(
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
        *_both(
            "events.get",
            "GET",
            _EVENT,
            "Get an event with its members and rules.",
            schemas.OneEvent,
            details,
            asking.get_event,
            _IN_EVENT,
        ),
        *_both(
            "events.rename",
            "PATCH",
            _EVENT,
            "Give an event another title.",
            schemas.RenameEvent,
            details,
            asking.rename_event,
            _CHANGING,
        ),
        *_both(
            "events.move",
            "POST",
            f"{_EVENT}/move",
            "Say when an event is instead; what is due relative to it moves along.",
            schemas.MoveEvent,
            details,
            asking.move_event,
            _CHANGING,
        ),
        *_both(
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
        *_both(
            "events.put_member",
            "PUT",
            path,
            "Take a user in, or change what they may do.",
            schemas.PutMember,
            schemas.EventDetailsAnswer,
            asking.put_member,
            (*_CHANGING, errors.EventFull, errors.LastOwner),
        ),
        *_both(
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
        *_both(
            "tasks.create",
            "POST",
            f"{_EVENT}/tasks",
            "Make a task.",
            schemas.CreateTask,
            answer,
            asking.create_task,
            (*_CHANGING, errors.NotInEvent, errors.EventFull, errors.IdTaken),
            status=201,
        ),
        *_both(
            "tasks.list",
            "GET",
            f"{_EVENT}/tasks",
            "List an event's tasks as they were made.",
            schemas.ListTasks,
            schemas.TasksAnswer,
            asking.list_tasks,
            (InvalidInput, *_IN_EVENT),
        ),
        *_both(
            "tasks.get",
            "GET",
            _TASK,
            "Get a task with the rules that touch it.",
            schemas.OneTask,
            schemas.TaskDetailsAnswer,
            asking.get_task,
            (*_IN_EVENT, errors.TaskNotFound),
        ),
        *_both(
            "tasks.update",
            "PUT",
            _TASK,
            "Change a task's title, due and assignee.",
            schemas.UpdateTask,
            answer,
            asking.update_task,
            (*_IN_TASK, errors.NotInEvent),
        ),
        *_both(
            "tasks.complete",
            "POST",
            f"{_TASK}/complete",
            "Say that a task is done.",
            schemas.OneTask,
            answer,
            asking.complete_task,
            _IN_TASK,
        ),
        *_both(
            "tasks.reopen",
            "POST",
            f"{_TASK}/reopen",
            "Say that a task was not done after all.",
            schemas.OneTask,
            answer,
            asking.reopen_task,
            _IN_TASK,
        ),
        *_both(
            "tasks.delete",
            "DELETE",
            _TASK,
            "Take a task away.",
            schemas.OneTask,
            Nothing,
            asking.delete_task,
            _IN_TASK,
        ),
    ]


def _rules(asking: Asking) -> list[AnyOperation]:
    path = f"{_EVENT}/rules/{{rule_id}}"
    return [
        *_both(
            "rules.put",
            "PUT",
            path,
            "Say when somebody is reminded of a task, or of every task of the event.",
            schemas.PutRule,
            schemas.RuleBody,
            asking.put_rule,
            (*_IN_TASK, errors.NotInEvent, errors.RuleFixed, errors.TooManyRules, errors.IdTaken),
        ),
        *_both(
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


def _profiles(asking: Asking) -> list[AnyOperation]:
    return [
        Operation(
            name="profile.get",
            method="GET",
            path="/v1/profile",
            summary="How you are reminded: your time zone and language.",
            takes=Nothing,
            gives=schemas.ProfileAnswer,
            run=asking.get_profile,
            rpc=True,
            refusals=(errors.ProfileNotFound,),
        ),
        Operation(
            name="profile.put",
            method="PUT",
            path="/v1/profile",
            summary="Say in which time zone and language you are reminded.",
            takes=schemas.PutProfile,
            gives=schemas.ProfileAnswer,
            run=asking.put_profile,
            rpc=True,
            refusals=(InvalidInput,),
        ),
        Operation(
            name="profile.get_of",
            method="GET",
            path="/admin/v1/profiles/{user_id}",
            summary="How a user is reminded.",
            takes=schemas.OnePerson,
            gives=schemas.ProfileAnswer,
            run=asking.get_profile,
            scope=Scope.REMINDERS,
            refusals=(InvalidInput, errors.ProfileNotFound),
        ),
        Operation(
            name="profile.put_of",
            method="PUT",
            path="/admin/v1/profiles/{user_id}",
            summary="Say in which time zone and language a user is reminded.",
            takes=schemas.PutProfileOf,
            gives=schemas.ProfileAnswer,
            run=asking.put_profile,
            scope=Scope.REMINDERS,
            refusals=(InvalidInput,),
        ),
    ]


def _firings(asking: Asking) -> list[AnyOperation]:
    return [
        *_both(
            "firings.list", "GET", "/firings", "List a user's coming reminders, the next first.",
            schemas.ListFirings, schemas.FiringsAnswer, asking.list_firings,
            (InvalidInput,), takes_for=schemas.ListFiringsOf,
        ),
        *_both(
            "firings.explain", "GET", f"{_TASK}/explain",
            "Why a task's rules remind a user, or do not.",
            schemas.OneTask, schemas.ExplanationAnswer, asking.explain,
            (InvalidInput, *_IN_EVENT, errors.TaskNotFound, errors.NotInEvent),
            takes_for=schemas.ExplainTask,
        ),
    ]  # fmt: skip


def _both(
    name: str,
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    summary: str,
    takes: type[msgspec.Struct],
    gives: type[msgspec.Struct],
    run: Callable[[Principal, Any], Awaitable[Any]],
    refusals: tuple[type[Refusal], ...],
    *,
    takes_for: type[msgspec.Struct] | None = None,
    status: int = 200,
) -> list[AnyOperation]:
    """One thing, offered to users over HTTP and RPC and to servers over HTTP."""
    for_users: AnyOperation = Operation(
        name=name,
        method=method,
        path=f"/v1{path}",
        summary=summary,
        takes=takes,
        gives=gives,
        run=run,
        rpc=True,
        status=status,
        refusals=refusals,
    )
    for_servers: AnyOperation = Operation(
        name=f"{name}_for",
        method=method,
        path=f"/admin/v1{path}",
        summary=summary,
        takes=takes_for or takes,
        gives=gives,
        run=run,
        scope=Scope.REMINDERS,
        status=status,
        refusals=refusals,
    )
    return [for_users, for_servers]
