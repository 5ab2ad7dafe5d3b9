"""What was looked for on the operators' page: an event, a task, a user, and why. Pure."""

from collections.abc import Iterator
from html import escape
from urllib.parse import urlencode

from reminders.overview.markup import instant, ltr, table, wall
from reminders.overview.schemas import FoundBody
from reminders.overview.words import Words
from reminders.schemas import ExplanationAnswer, FiringBody, FiringsAnswer


def found_section(found: FoundBody, words: Words) -> Iterator[str]:
    """What there is of it. From an event one gets to its tasks and users, and from those to why."""
    if found.refused:
        yield f'<p class="late" role="alert"><bdi>{escape(found.refused)}</bdi></p>'
    if found.event is not None:
        yield f"<h3><bdi>{escape(found.event.title)}</bdi></h3>"
        yield from _around(found, words)
    if found.explanation is not None:
        yield from _explanation(found.explanation, words)
    if found.coming is not None:
        yield f"<h3>{escape(words.next_ones)}</h3>"
        yield _coming(found.coming, words)


def _around(found: FoundBody, words: Words) -> Iterator[str]:
    assert found.event is not None, "there is an event"
    event = str(found.event.id)
    task = None if found.task_id is None else str(found.task_id)
    users = [
        _link(each.user_id, event_id=event, task_id=task, user_id=each.user_id)
        + f" ({escape(each.role)})"
        for each in found.members
    ]
    tasks = [
        _link(each.title, event_id=event, task_id=str(each.id), user_id=found.user_id)
        for each in found.tasks
    ]
    yield f"<p>{escape(words.members + words.colon)} {' · '.join(users)}</p>"
    if tasks:
        yield f"<p>{escape(words.tasks + words.colon)} {' · '.join(tasks)}</p>"


def _explanation(explained: ExplanationAnswer, words: Words) -> Iterator[str]:
    yield f"<h3>{escape(words.why)}</h3>"
    traces = [
        (
            f"<b>{escape(each.state)}</b><br><bdi>{escape(each.reason)}</bdi>",
            "" if each.due_at is None else instant(each.due_at),
            f"{wall(each.wall or '')} {ltr(each.zone or '')}",
            f"<bdi>{escape(each.moved_by or '')}</bdi>",
            f"<bdi>{escape(each.lead)}</bdi><br>{escape(each.layer)} <code>{each.rule_id}</code>",
        )
        for each in explained.traces
    ]
    head = (words.state, words.when, words.zone, words.moved_by, words.why)
    yield table(head, traces) if traces else f"<p>{escape(words.none_found)}</p>"
    yield f"<h3>{escape(words.what_became)}</h3>"
    settled = [
        (
            instant(each.due_at),
            f"<b>{escape(each.outcome)}</b>"
            + ("" if each.told is None else f" · {escape(each.told.standing)}"),
            f"<bdi>{escape(each.reason)}</bdi>",
        )
        for each in explained.settled
    ]
    head_of_settled = (words.when, words.outcome, words.reason)
    yield table(head_of_settled, settled) if settled else f"<p>{escape(words.none_found)}</p>"


def _coming(coming: FiringsAnswer, words: Words) -> str:
    if not coming.firings:
        return f"<p>{escape(words.none_found)}</p>"
    rows = [
        (
            f"{instant(each.due_at)}<br>{wall(each.wall)} {ltr(each.zone)}",
            f"<code>{escape(each.firing_class)}</code>",
            _about(each),
        )
        for each in coming.firings
    ]
    return table((words.when, words.firing_class, words.event), rows)


def _about(firing: FiringBody) -> str:
    event, user = str(firing.event_id), firing.user_id
    found = _link(firing.event_title, event_id=event, user_id=user)
    if firing.task_id is None:
        return found
    task = _link(firing.task_title or "", event_id=event, task_id=str(firing.task_id), user_id=user)
    return f"{task}<br>{found}"


def _link(said: str, **asked: str | None) -> str:
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return f'<a href="?{escape(query)}"><bdi>{escape(said)}</bdi></a>'
