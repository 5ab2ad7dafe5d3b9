"""News of events: what changed, for the screens on which they are open. Pure."""

from collections.abc import Sequence
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


class EventNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What changed in an event, and the version that it has since. It says nothing of tasks but
    which: not everybody who hears of them sees them all.

    Versions count 1, 2, 3 … without gaps: who misses one asks for the event anew. With `all`
    anything may have changed.
    """

    event_id: UUID
    version: int
    event: bool = False
    members: bool = False
    rules: bool = False
    all: bool = False
    tasks: tuple[UUID, ...] = ()
    left: tuple[UserId, ...] = ()


def event_changed(event_id: UUID, version: int, changes: Sequence[Change]) -> Entry:
    """The entry that tells what changed in an event. Pure."""
    tasks = tuple(each.id for each in changes if isinstance(each, Task))
    many = len(tasks) > NAMED
    news = EventNews(
        event_id=event_id,
        version=version,
        event=any(isinstance(each, Event) for each in changes),
        members=any(isinstance(each, Member | RemoveMember) for each in changes),
        rules=any(isinstance(each, Rule | DropRule) for each in changes),
        all=many,
        tasks=() if many else tasks,
        left=tuple(each.user_id for each in changes if isinstance(each, RemoveMember)),
    )
    return Entry(EVENT_CHANGED, msgspec.json.encode(news))
