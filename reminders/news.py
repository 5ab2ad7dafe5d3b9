"""News of events: what changed, for the screens on which they are open. Pure."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from kernel.ids import UserId
from kernel.outbox import Entry
from reminders.ports import Change, DropRule, RemoveMember
from reminders.types import Event, Member, Rule, Task

EVENT_CHANGED = "event.changed"
"""The kind of an outbox entry: something in an event changed."""

NAMED = 40
"""So many tasks are named in one piece of news; of more, only that there are."""


class TaskNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a list of tasks shows of one that changed; the rest can be asked for."""

    id: UUID
    title: str
    parent_id: UUID | None = None
    assignee_id: UserId | None = None
    done_at: datetime | None = None
    deleted: bool = False


class EventNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in an event, and the version that it has since.

    Versions count 1, 2, 3 … without gaps: who misses one asks for the event anew. With `all`
    anything may have changed.
    """

    event_id: UUID
    version: int
    event: bool = False
    members: bool = False
    rules: bool = False
    all: bool = False
    tasks: tuple[TaskNews, ...] = ()
    left: tuple[UserId, ...] = ()


def event_changed(event_id: UUID, version: int, changes: Sequence[Change]) -> Entry:
    """The entry that tells what changed in an event. Pure."""
    tasks = [each for each in changes if isinstance(each, Task)]
    many = len(tasks) > NAMED
    news = EventNews(
        event_id=event_id,
        version=version,
        event=any(isinstance(each, Event) for each in changes),
        members=any(isinstance(each, Member | RemoveMember) for each in changes),
        rules=any(isinstance(each, Rule | DropRule) for each in changes),
        all=many,
        tasks=() if many else tuple(map(_of_task, tasks)),
        left=tuple(each.user_id for each in changes if isinstance(each, RemoveMember)),
    )
    return Entry(EVENT_CHANGED, msgspec.json.encode(news))


def _of_task(task: Task) -> TaskNews:
    return TaskNews(
        id=task.id,
        title=task.title,
        parent_id=task.details.parent_id,
        assignee_id=task.assignee_id,
        done_at=task.done_at,
        deleted=task.deleted_at is not None,
    )
